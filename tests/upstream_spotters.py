"""Golden cases of the original spotters: their files, weights by the rule, inputs, settings of the text side.

The rule of the spotting and rotated cases (shared/golden/seeded_str.py) differs from `golden_files`': weights
of `q_proj` and `k_proj` are like others, `level_embed` is an embedding. One tensor under several names takes
the value of the first.
"""

import gzip
import json
import zlib
from functools import cache
from pathlib import Path

import numpy as np
import torch

TOLERANCE = 5e-4
"""Of the standard deviation of an array; shared/golden/README.md."""

FOLDERS = (Path(__file__).parent / "golden", Path(__file__).parents[2] / "shared" / "golden")
EMBEDDINGS = {"positional_embedding", "class_embedding", "contexts", "meta_query", "level_embed"}


@cache
def golden_case(name: str) -> tuple[dict, dict[str, np.ndarray]]:
    """The json and the arrays: the whole case if shared/golden is there, else every n-th value of them."""
    for folder in FOLDERS:
        if (folder / f"{name}_tiny.json").is_file():
            with np.load(folder / f"{name}_tiny.npz") as stored:
                return json.loads((folder / f"{name}_tiny.json").read_bytes()), dict(stored)
    with np.load(FOLDERS[0] / f"{name}_small.npz") as stored:
        text = gzip.decompress((FOLDERS[0] / f"{name}_small.json.gz").read_bytes())
        return json.loads(text), dict(stored)


@cache
def seeded(name: str, shape: tuple[int, ...]) -> np.ndarray:
    """The array that the rule gives a state-dict entry."""
    rng, leaf = np.random.default_rng(zlib.crc32(name.encode())), name.rsplit(".", 1)[-1]
    if leaf == "num_batches_tracked":
        return np.zeros(shape, np.int64)
    if leaf == "running_var":
        return rng.uniform(0.5, 1.5, shape).astype(np.float32)
    z = rng.standard_normal(shape)
    if leaf == "running_mean":
        z = 0.1 * z
    elif leaf in ("gamma", "vis_gamma") or not len(shape):
        z = 0.5 + 0.1 * z
    elif name.endswith("token_embedding.weight") or leaf in EMBEDDINGS:
        z = 0.5 * z
    elif len(shape) == 1:
        z = 1 + 0.1 * z if leaf == "weight" else 0.1 * z
    else:
        z = z / np.sqrt(np.prod(shape[1:]))
    return np.asarray(z, np.float32)


def weights_of(reference: dict, run: str) -> dict[str, torch.Tensor]:
    """The original's state dict in a run."""
    inventory = dict(reference["state_dict"]["v1"])
    if run != "v1":
        inventory |= reference["state_dict"].get(run, {"only_here": {}})["only_here"]
    first = {name: group[0] for group in reference["aliases"] for name in group}
    return {
        name: torch.from_numpy(seeded(first.get(name, name), tuple(shape)))
        for name, (shape, _) in inventory.items()
    }


def text_side_of(reference: dict, clip: dict, table: str, only_learnable: bool = False) -> dict:
    """Our settings of an original configuration's text side and of the matching.

    Args:
        reference: the json of the case.
        clip: the configuration's `CLIP`.
        table: the name of the token table in the state dict, whose shape is known.
        only_learnable: there are learnable prompts alone.
    """
    text = clip["TEXT_ENCODER"]

    def decoder(options: dict) -> dict:
        return {
            "hidden_size": options["transformer_width"],
            "num_hidden_layers": options["transformer_layers"],
            "num_attention_heads": options["transformer_heads"],
        }

    return {
        "method": "fasttcm" if clip["is_v2"] else "tcm",
        "similarity_projection": clip["is_v2"],
        "text_tower_config": {
            "hidden_size": text["transformer_width"],
            "intermediate_size": 4 * text["transformer_width"],
            "num_attention_heads": text["transformer_heads"],
            "num_hidden_layers": text["transformer_layers"],
            "max_position_embeddings": text["context_length"],
            "vocab_size": reference["state_dict"]["v1"][table][0][0],
        },
        "prompt_token_ids": None if only_learnable else prompt_ids(reference),
        "num_learnable_prompts": text["context_length"] - (0 if only_learnable else clip["context_length"]),
        "visual_prompt_config": decoder(clip["VISUAL_PROMPT_GENERATOR"]),
        "text_refiner_config": decoder(clip["CONTEXT_DECODER"]),
        "matching_stage": 2,
        "matching_fusion": "add_gated" if clip["use_score_map_concat_gamma"] else "add",
        "matching_temperature": clip["tau"],
        "learn_temperature": clip["scale_matching_score_map"],
        "matching_loss_weight": clip["PIX_CLS_LOSS_WEIGHT"],
    }


def prompt_ids(reference: dict) -> list[list[int]]:
    """Token ids of the class prompt."""
    prompt = reference["clip_prompt"]
    return prompt["text_ids"] if isinstance(prompt, dict) else prompt


def blobs(name: str, shape: tuple[int, ...]) -> np.ndarray:
    """An input: grey blobs with noise, 0..255."""
    rng = np.random.default_rng(zlib.crc32(f"input:{name}".encode()))
    *lead, height, width = shape
    coarse = rng.random((*lead, -(-height // 16), -(-width // 16)))
    coarse = np.repeat(np.repeat(coarse, 16, -2), 16, -1)[..., :height, :width]
    return np.floor((0.8 * coarse + 0.2 * rng.random(shape)) * 255).astype(np.float32)


def padded_batch(
    images: list[tuple[str, tuple[int, ...]]], mean: np.ndarray, std: np.ndarray
) -> dict[str, torch.Tensor]:
    """`pixel_values` of named inputs, 128 x 160, and their `pixel_mask` where there is padding."""
    pixels, mask = torch.zeros(len(images), 3, 128, 160), torch.zeros(len(images), 128, 160)
    for row, (name, shape) in enumerate(images):
        pixels[row, :, : shape[1], : shape[2]] = torch.from_numpy((blobs(name, shape) - mean) / std)
        mask[row, : shape[1], : shape[2]] = 1
    return {"pixel_values": pixels} | ({} if mask.all() else {"pixel_mask": mask})


def difference(case: str, values: torch.Tensor, key: str) -> float:
    """Largest difference from a stored (sampled) array over its standard deviation; inf for another shape.

    Numbers that are nearly equal have hardly a deviation: a hundredth of their size is the least.
    """
    reference, arrays = golden_case(case)
    about, stored = reference["outputs"][key], arrays[key]
    if list(values.shape) != about["shape"]:
        return float("inf")
    ours = values.detach().numpy().reshape(-1)[:: about.get("stride") or 1]
    if stored.dtype.kind in "bi":
        return 0.0 if np.array_equal(ours, stored.reshape(-1)) else float("inf")
    deviation = max(about["std"], 0.01 * about.get("absmax", 0))
    return float(np.abs(ours - stored.reshape(-1)).max() / deviation)
