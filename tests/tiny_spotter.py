"""Tiny spotters and their labels for tests; never square."""

import torch

from tcm_hf.modeling.configuration_tcm_spotting import TCMSpottingConfig
from tcm_hf.modeling.modeling_tcm_spotting import FastTCMForTextSpotting
from tcm_hf.modeling.outputs_tcm_spotting import TCMTextSpottingOutput
from tiny import SIZE_HW, tiny_config

HEAD = {
    "head_type": "testr",
    "num_control_points": 8,
    "num_characters": 5,
    "num_queries": 6,
    "hidden_size": 32,
    "intermediate_size": 32,
    "num_attention_heads": 4,
    "num_encoder_layers": 1,
    "num_decoder_layers": 2,
}
ABCNET_HEAD = {
    "head_type": "abcnet",
    "neck_channels": 32,
    "norm_groups": 4,
    "num_convs": 1,
    "num_region_convs": 1,
    "level_sizes": [32, 64],
    "region_size_hw": [8, 16],
    "recognizer_hidden_size": 32,
    "num_characters": 5,
    "proposal_threshold": 0.0,
}
"""All places of three levels are words until they are compared."""

RESNET_FPN = {
    "tower_type": "resnet_fpn",
    "depths": [1, 1, 1, 1],
    "width": 8,
    "neck_channels": 32,
    "embed_dim": 16,
}
"""The ordinary ResNet with a pyramid."""

POINTS_HEAD = {name: value for name, value in HEAD.items() if name != "num_control_points"} | {
    "head_type": "deepsolo",
    "num_points": 9,
}
RESNET = {"tower_type": "resnet", "depths": [1, 1, 1, 1], "width": 8}
"""The ordinary ResNet: its third stage has 128 channels, which is where image and text meet."""


_CURVES = torch.tensor(
    [
        *([-0.1, -0.05], [-0.03, -0.05], [0.03, -0.05], [0.1, -0.05]),
        *([0.1, 0.05], [0.03, 0.05], [-0.03, 0.05], [-0.1, 0.05]),
    ]
)


def tiny_spotting_config(method: str = "fasttcm", **overrides) -> TCMSpottingConfig:
    """The tiny detector's parts with a head that reads five of twelve characters."""
    detector = tiny_config(method).to_dict()
    names = (
        "image_tower_config",
        "text_tower_config",
        "prompt_token_ids",
        "num_learnable_prompts",
        "learnable_prompt_std",
        "visual_prompt_config",
        "text_refiner_config",
    )
    parts = {
        name: {key: value for key, value in detector[name].items() if key != "model_type"}
        if isinstance(detector[name], dict)
        else detector[name]
        for name in names
    }
    settings = parts | {"method": method, "characters": "0123456789a口", "head_config": HEAD}
    if overrides.get("image_tower_config") == RESNET:
        settings["text_tower_config"] = parts["text_tower_config"] | {"projection_dim": 128}
    return TCMSpottingConfig(**(settings | overrides))


def tiny_spotter(method: str = "fasttcm", seed: int = 0, **overrides) -> FastTCMForTextSpotting:
    """A seeded tiny spotter in eval mode."""
    torch.manual_seed(seed)
    return FastTCMForTextSpotting(tiny_spotting_config(method, **overrides)).eval()


def tiny_spotting_labels(
    words: tuple[int, ...] = (2, 1), num_control_points: int = 8, size_hw: tuple[int, int] = SIZE_HW
) -> list[dict[str, torch.Tensor]]:
    """Words of so many images, boxes side by side, outlines around them."""
    labels = []
    for count in words:
        centers = torch.stack([(torch.arange(count) + 1) / (count + 1), torch.full((count,), 0.4)], dim=-1)
        boxes = torch.cat([centers, torch.tensor([[0.2, 0.1]]).expand(count, -1)], dim=-1)
        along = torch.linspace(-0.1, 0.1, num_control_points // 2)
        top = torch.stack([along, torch.full_like(along, -0.05)], dim=-1)
        foot = torch.stack([along.flip(0), torch.full_like(along, 0.05)], dim=-1)
        target = torch.zeros(size_hw[0] // 4, size_hw[1] // 4)
        if count:
            target[4:8, 3:20] = 1
        labels.append(
            {
                "boxes": boxes,
                "bezier_points": centers[:, None] + _CURVES,
                "control_points": centers[:, None] + torch.cat([top, foot])[None],
                "character_ids": torch.arange(5).expand(count, -1).clone(),
                "matching_target": target,
            }
        )
    return labels


def with_chance_words(labels: list[dict[str, torch.Tensor]]) -> list[dict[str, torch.Tensor]]:
    """The labels with five seeded characters a word."""
    generator = torch.Generator().manual_seed(3)
    shapes = [label["character_ids"].shape for label in labels]
    ids = [torch.randint(0, 12, shape, generator=generator) for shape in shapes]
    return [label | {"character_ids": one} for label, one in zip(labels, ids, strict=True)]


def learned_by_heart(
    model: FastTCMForTextSpotting, images: torch.Tensor, labels: list[dict[str, torch.Tensor]], steps: int
) -> TCMTextSpottingOutput:
    """What a spotter says of images that it was trained on alone."""
    model.train()
    optimizer = torch.optim.AdamW([p for p in model.parameters() if p.requires_grad], lr=1e-3)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, 2e-3, total_steps=steps, pct_start=0.1)
    for _ in range(steps):
        optimizer.zero_grad()
        model(images, labels=labels).loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        schedule.step()
    with torch.no_grad():
        return model.eval()(images)
