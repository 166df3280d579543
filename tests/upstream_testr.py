"""The original TESTR's golden case as our model: weights by the rule, names by the conversion's table."""

from functools import partial

import numpy as np
import torch

from tcm_hf.conversion.key_rules import apply_rules
from tcm_hf.conversion.keys_testr import IGNORABLE_FOR_TESTR, TESTR, UNUSED_BY_TESTR
from tcm_hf.modeling.configuration_tcm_spotting import CHARACTERS_37, CHARACTERS_96, TCMSpottingConfig
from tcm_hf.modeling.modeling_tcm_spotting import FastTCMForTextSpotting
from upstream_spotters import TOLERANCE, difference, golden_case, padded_batch, text_side_of, weights_of

MEAN = np.float32([123.675, 116.28, 103.53])[:, None, None]
STD = np.float32([58.395, 57.12, 57.375])[:, None, None]
RUNS = ("v1", "v1_batch", "gamma_scaled", "bezier", "voc37", "prompt_only", "v2_patched")
TOKEN_TABLE = "testr.backbone.0.text_encoder.token_embedding.weight"

golden = partial(golden_case, "testr_clip")
error = partial(difference, "testr_clip")


def config_of(settings: dict, only_learnable: bool = False) -> TCMSpottingConfig:
    """Our config of an original configuration."""
    testr = settings["TRANSFORMER"]
    return TCMSpottingConfig(
        **text_side_of(golden()[0], settings["CLIP"], TOKEN_TABLE, only_learnable),
        image_tower_config={"tower_type": "resnet"},
        characters={96: CHARACTERS_96, 37: CHARACTERS_37}[testr["VOC_SIZE"]],
        head_config={
            "head_type": "testr",
            "outline": "polygon" if testr["USE_POLYGON"] else "bezier",
            "num_control_points": testr["NUM_CTRL_POINTS"],
            "num_characters": testr["NUM_CHARS"],
            "num_queries": testr["NUM_QUERIES"],
            "hidden_size": testr["HIDDEN_DIM"],
            "intermediate_size": testr["DIM_FEEDFORWARD"],
            "num_attention_heads": testr["NHEADS"],
            "num_encoder_layers": testr["ENC_LAYERS"],
            "num_decoder_layers": testr["DEC_LAYERS"],
            "num_feature_levels": testr["NUM_FEATURE_LEVELS"],
            "encoder_sampling_points": testr["DEC_N_POINTS"],
            "decoder_sampling_points": testr["ENC_N_POINTS"],
        },
    )


def our_model(run: str) -> FastTCMForTextSpotting:
    """Our model with the original's weights, in eval mode; none missing, over, or left out unexplained."""
    reference, _ = golden()
    settings = reference["config"].get(run, reference["config"]["v1"])
    model = FastTCMForTextSpotting(config_of(settings, run == "prompt_only")).eval()
    renamed = apply_rules(weights_of(reference, run), TESTR, IGNORABLE_FOR_TESTR)
    assert not (renamed.unknown or renamed.misshaped or renamed.doubled)
    tensors = dict(renamed.tensors)
    if model.config.matching_fusion == "add":
        for name in UNUSED_BY_TESTR:
            tensors.pop(name.replace("\\", ""))
    model.load_state_dict(tensors)
    return model


def images(run: str) -> dict[str, torch.Tensor]:
    """`pixel_values` of a run, and its `pixel_mask` where there is padding."""
    names = [("testr_tiny", (3, 128, 160)), ("testr_tiny_b2", (3, 96, 128))]
    return padded_batch(names if run == "v1_batch" else names[:1], MEAN, STD)


def labels() -> list[dict[str, torch.Tensor]]:
    """The targets of the original's losses, for the two images of `v1_batch`."""
    _, arrays = golden()
    names = {"boxes": "boxes", "control_points": "ctrl_points", "character_ids": "texts"}
    return [
        {ours: torch.from_numpy(arrays[f"train/target{i}/{name}"]) for ours, name in names.items()}
        | {"matching_target": torch.from_numpy(arrays["train/sem_seg"][i])}
        for i in range(2)
    ]


__all__ = [
    "RUNS",
    "TOLERANCE",
    "config_of",
    "error",
    "golden",
    "images",
    "labels",
    "our_model",
    "weights_of",
]
