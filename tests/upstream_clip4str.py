"""The original CLIP4STR's golden cases as our models: weights by the rule, names by the conversion's table.

Every array of these cases has its sampling step in the json; no weight is called `q_proj`, so the rule of
`golden_files` holds as it is. Inputs: `default_rng(crc32("input:" + name)).standard_normal`.
"""

import zlib
from functools import cache

import numpy as np
import pytest
import torch

import golden_files
from tcm_hf.conversion.clip_vocabulary import load_clip_vocabulary
from tcm_hf.conversion.key_rules import apply_rules
from tcm_hf.conversion.keys_clip4str import CLIP4STR
from tcm_hf.modeling.configuration_clip4str import CLIP4STRConfig
from tcm_hf.modeling.modeling_clip4str import CLIP4STRForTextRecognition

TOLERANCE = 5e-4
"""Of the standard deviation of an array; shared/golden/README.md."""

END_BIAS = {"A": None, "B": (7.5, 7.2), "C": (6.6, 6.0)}
"""What is added to the bias of [E] in visual and cross head, beside weights times 3, so that words end."""


@cache
def golden(part: str) -> tuple[dict, dict[str, np.ndarray]]:
    """The case `clip4str`, `clip4str_train` or `clip4str_adapter`, whole if shared/golden is there."""
    whole = any((folder / f"{part}_tiny.json").is_file() for folder in golden_files.FOLDERS)
    return golden_files.load(f"{part}_{'tiny' if whole else 'small'}")


def config_of(clip: dict, **options) -> CLIP4STRConfig:
    """Our config of an original model whose CLIP has these sizes; heads are 64 wide there."""
    text, vision = clip["transformer_width"], clip["vision_width"]
    return CLIP4STRConfig(
        clip_config={
            "projection_dim": clip["embed_dim"],
            "text_config": {
                "hidden_size": text,
                "intermediate_size": 4 * text,
                "num_hidden_layers": clip["transformer_layers"],
                "num_attention_heads": clip["transformer_heads"],
            },
            "vision_config": {
                "hidden_size": vision,
                "intermediate_size": 4 * vision,
                "num_hidden_layers": clip["vision_layers"],
                "num_attention_heads": vision // 64,
                "patch_size": clip["vision_patch_size"],
            },
        },
        **({"text_freeze_layers": -1} | options),
    )


def with_wide_visual_decoder(inventory: dict) -> dict:
    """Names and shapes of the variant whose visual decoder is as wide as the vision tower (64 -> 128)."""
    wide = {64: 128, 192: 384, 256: 512}

    def widened(name: str, shape: list[int]) -> list[int]:
        return [wide.get(size, size) for size in shape] if name.startswith("visual_decoder.") else shape

    return {name: [widened(name, shape), dtype] for name, (shape, dtype) in inventory.items()}


def with_second_decoder_layer(inventory: dict) -> dict:
    """Names and shapes of the variant with two decoder layers."""
    second = {
        name.replace("layers.0.", "layers.1."): entry
        for name, entry in inventory.items()
        if "_decoder.layers.0." in name
    }
    return inventory | second


def freezing_case(name: str) -> tuple[dict, CLIP4STRForTextRecognition]:
    """What the original freezes in a model of 3 layers or of ViT-B/16's size; our model, without values."""
    frozen = golden("clip4str_train")[0]["freezing"][name]
    clip = golden("clip4str")[0]["clip"] | {"vision_layers": 3, "transformer_layers": 3}
    if name == "full_vit_b16":
        clip |= {"embed_dim": 512, "vision_width": 768, "transformer_width": 512, "transformer_heads": 8}
        clip |= {"vision_layers": 12, "transformer_layers": 12}
    config = config_of(
        clip,
        text_freeze_layers=frozen["text_freeze_nlayer"],
        image_freeze_layers=frozen.get("image_freeze_nlayer", -1),
    )
    with torch.device("meta"):
        return frozen, CLIP4STRForTextRecognition(config)


def weights_of(inventory: dict, weight_set: str = "A") -> dict[str, torch.Tensor]:
    """The original's state dict."""
    weights = {name: torch.from_numpy(array) for name, array in golden_files.state(inventory).items()}
    if (biases := END_BIAS[weight_set]) is not None:
        for branch, bias in zip(("visual", "cross"), biases, strict=True):
            weights[f"{branch}_decoder.head.weight"] *= 3
            weights[f"{branch}_decoder.head.bias"][0] += bias
    return weights


def our_model(clip: dict, weights: dict[str, torch.Tensor], **options) -> CLIP4STRForTextRecognition:
    """Our model with the original's weights and CLIP's vocabulary, in eval mode; none missing or over."""
    pytest.importorskip("open_clip", reason="CLIP's vocabulary comes with open_clip_torch")
    model = CLIP4STRForTextRecognition(config_of(clip, **options)).eval()
    model.set_caption_vocabulary(*load_clip_vocabulary())
    renamed = apply_rules(weights, CLIP4STR)
    assert not (renamed.unknown or renamed.misshaped or renamed.doubled)
    wrong = model.load_state_dict(renamed.tensors, strict=False)
    assert not wrong.unexpected_keys
    assert all(name.startswith("caption_tokenizer.") for name in wrong.missing_keys)
    return model


def images(name: str = "clip4str_tiny", count: int = 4) -> torch.Tensor:
    """The first images of an input, normalised already."""
    rng = np.random.default_rng(zlib.crc32(f"input:{name}".encode()))
    return torch.from_numpy(rng.standard_normal((4, 3, 224, 224)).astype(np.float32))[:count]


def words(logits: torch.Tensor, charset: str) -> list[str]:
    """What logits say, up to the first [E]."""
    return [
        "".join(charset[i - 1] for i in row[: row.index(0) if 0 in row else None])
        for row in logits.argmax(-1).tolist()
    ]


def error(values: torch.Tensor, stored: np.ndarray, about: dict) -> float:
    """Largest difference from a stored (sampled) array over its standard deviation; inf for another shape."""
    if list(values.shape) != about["shape"]:
        return float("inf")
    ours = values.detach().numpy().reshape(-1)[:: about.get("stride", 1)]
    return float(np.abs(ours - stored.reshape(-1)).max() / about["std"])
