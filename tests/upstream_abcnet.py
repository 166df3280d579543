"""The original ABCNet's golden case as our model: weights by the rule, names by the conversion's table."""

import zlib
from functools import partial

import numpy as np
import torch

from tcm_hf.conversion.key_rules import apply_rules
from tcm_hf.conversion.keys_abcnet import ABCNET, IGNORABLE_FOR_ABCNET, UNUSED_BY_ABCNET
from tcm_hf.modeling.configuration_tcm_spotting import CHARACTERS_96, TCMSpottingConfig
from tcm_hf.modeling.modeling_tcm_spotting import FastTCMForTextSpotting
from upstream_spotters import TOLERANCE, difference, golden_case, padded_batch, text_side_of, weights_of

RUNS = ("v1", "v1_batch", "gamma", "v2_patched")
TOKEN_TABLE = "clip_pix_cls.text_encoder.token_embedding.weight"
FACTORS = {
    "roi_heads.recognizer.attention.embedding.weight": 16,
    "roi_heads.recognizer.attention.gru.weight_ih_l0": 3,
    "roi_heads.recognizer.attention.gru.weight_hh_l0": 3,
    "roi_heads.recognizer.attention.vat.weight": 8,
    "roi_heads.recognizer.CRNN.rnn.embedding.weight": 4,
    "top_module.weight": 12,
}
"""The case's overrides: all of them, but for a bias of 4 on the distances."""

golden = partial(golden_case, "batext_clip")
error = partial(difference, "batext_clip")


def config_of(settings: dict) -> TCMSpottingConfig:
    """Our config of an original configuration."""
    dense, reading = settings["FCOS"], settings["BATEXT"]
    resnet = settings["RESNETS"]
    return TCMSpottingConfig(
        **text_side_of(golden()[0], settings["CLIP"], TOKEN_TABLE),
        image_tower_config={
            "tower_type": "resnet_fpn",
            "width": resnet["STEM_OUT_CHANNELS"],
            "strided_conv": "1x1" if resnet["STRIDE_IN_1X1"] else "3x3",
            "neck_channels": settings["FPN"]["OUT_CHANNELS"],
            "embed_dim": settings["CLIP"]["text_dim"],
        },
        characters=CHARACTERS_96,
        head_config={
            "head_type": "abcnet",
            "neck": "none",
            "neck_channels": settings["FPN"]["OUT_CHANNELS"],
            "num_convs": dense["NUM_CLS_CONVS"],
            "proposal_threshold": dense["INFERENCE_TH_TEST"],
            "candidates_per_level": dense["PRE_NMS_TOPK_TEST"],
            "nms_threshold": dense["NMS_TH"],
            "max_words": dense["POST_NMS_TOPK_TEST"],
            "num_characters": reading["NUM_CHARS"],
            "region_size_hw": reading["POOLER_RESOLUTION"],
            "samples_per_bin": reading["SAMPLING_RATIO"],
            "canonical_height": reading["CANONICAL_SIZE"],
            "num_region_convs": reading["NUM_CONV"],
            "level_sizes": dense["SIZES_OF_INTEREST"],
            "center_radius": dense["POS_RADIUS"],
        },
    )


def our_model(run: str) -> FastTCMForTextSpotting:
    """Our model with the original's weights, in eval mode; none missing, over, or left out unexplained."""
    reference, _ = golden()
    settings = reference["config"].get(run, reference["config"]["v1"])
    model = FastTCMForTextSpotting(config_of(settings)).eval()
    weights = weights_of(reference, run)
    for name, factor in FACTORS.items():
        weights[name] = weights[name] * factor
    name = "proposal_generator.fcos_head.bbox_pred.bias"
    weights[name] = weights[name] + 4
    renamed = apply_rules(weights, ABCNET, IGNORABLE_FOR_ABCNET)
    assert not (renamed.unknown or renamed.misshaped or renamed.doubled)
    tensors = dict(renamed.tensors)
    if model.config.matching_fusion == "add":
        for name in UNUSED_BY_ABCNET:
            tensors.pop(name.replace("\\", ""))
    model.load_state_dict(tensors)
    return model


def images(run: str) -> dict[str, torch.Tensor]:
    """`pixel_values` of a run, BGR as the original's, and its `pixel_mask` where there is padding."""
    names = [("batext_tiny", (3, 128, 160)), ("batext_tiny2", (3, 96, 128))]
    mean = np.float32([103.53, 116.28, 123.675])[:, None, None]
    return padded_batch(names if run == "v1_batch" else names[:1], mean, np.float32(1))


def normal_input(name: str, shape: tuple[int, ...]) -> torch.Tensor:
    """An input: normally distributed numbers."""
    rng = np.random.default_rng(zlib.crc32(f"input:{name}".encode()))
    return torch.from_numpy(rng.standard_normal(shape).astype(np.float32))


__all__ = ["RUNS", "TOLERANCE", "config_of", "error", "golden", "images", "normal_input", "our_model"]
