"""Golden reference numbers: how to find them, and the rule that regenerates weights and inputs.

The files hold outputs of the original programs (see shared/golden/README.md). Small ones lie in tests/golden,
the rest in shared/golden beside the repository, and a test that needs an absent one skips.

    reference, arrays = load("C_dbnet_tiny")
    weights = state(reference["inventory"])

The rule for weights, by state-dict name; `rng = default_rng(crc32(name))`, `z = rng.standard_normal(shape)`;
first match wins: integers 0; running_var U(0.5, 1.5); running_mean 0.1 z; gamma, vis_gamma and scalars
0.5 + 0.1 z; token_embedding.weight, positional_embedding, class_embedding, contexts, meta_query, pos_queries
0.5 z; 1-d weight 1 + 0.1 z; other 1-d 0.1 z; the rest z / sqrt(prod(shape[1:])), times 4 for q_proj and
k_proj weights (else attention is uniform), and for 4-d weights whose shape[1] > 16 leaves a remainder k of 1
or 2 by 16 the last k input channels times 200 (convolutions that read the score map, lost among 2048 channels
otherwise).
"""

import gzip
import json
import zlib
from pathlib import Path

import cv2
import numpy as np
import pytest

from tcm_hf.conversion.golden import sample as sub
from tcm_hf.conversion.golden import seeded_image as image

FOLDERS = (Path(__file__).parent / "golden", Path(__file__).parents[2] / "shared" / "golden")
EMBEDDINGS = {"positional_embedding", "class_embedding", "contexts", "meta_query", "pos_queries"}


def load(case: str) -> tuple[dict, dict[str, np.ndarray]]:
    """The json and the arrays of a case (none where it has no npz); skips the test if the case is absent."""
    for folder in FOLDERS:
        path = folder / f"{case}.json"
        packed = folder / f"{case}.json.gz"
        if path.is_file():
            text = path.read_bytes()
        elif packed.is_file():
            text = gzip.decompress(packed.read_bytes())
        else:
            continue
        arrays = {}
        if (folder / f"{case}.npz").is_file():
            with np.load(folder / f"{case}.npz") as stored:
                arrays = dict(stored)
        return json.loads(text), arrays
    pytest.skip(f"golden case {case} is neither in tests/golden nor in shared/golden")


def stored(arrays: dict[str, np.ndarray], key: str) -> np.ndarray:
    """An array that OpenCV painted: 5 paints polygons that leave the canvas a few pixels differently."""
    newer = int(cv2.__version__.split(".")[0]) >= 5
    return arrays[f"{key}@cv5"] if newer and f"{key}@cv5" in arrays else arrays[key]


def tensor(name: str, shape, dtype: str = "float32") -> np.ndarray:
    """The array that the rule gives a state-dict entry."""
    shape, leaf = tuple(shape), name.rsplit(".", 1)[-1]
    rng = np.random.default_rng(zlib.crc32(name.encode()))
    if "int" in str(dtype):
        return np.zeros(shape, "int64")
    if leaf == "running_var":
        return rng.uniform(0.5, 1.5, shape).astype("float32")
    z = rng.standard_normal(shape)
    if leaf == "running_mean":
        z = 0.1 * z
    elif leaf in ("gamma", "vis_gamma") or len(shape) == 0:
        z = 0.5 + 0.1 * z
    elif name.endswith("token_embedding.weight") or leaf in EMBEDDINGS:
        z = 0.5 * z
    elif len(shape) == 1:
        z = 1 + 0.1 * z if leaf == "weight" else 0.1 * z
    elif z.size:
        z = z / np.sqrt(np.prod(shape[1:]))
        if name.endswith(("q_proj.weight", "k_proj.weight")):
            z = 4 * z
        if len(shape) == 4 and shape[1] > 16 and shape[1] % 16 in (1, 2):
            z[:, -(shape[1] % 16) :] *= 200
    return np.asarray(z, "float32")


def state(inventory: dict) -> dict[str, np.ndarray]:
    """All weights of a case: {name: [shape, dtype]} as in its json -> {name: array}."""
    return {name: tensor(name, shape, dtype) for name, (shape, dtype) in inventory.items()}


__all__ = ["image", "load", "state", "stored", "sub", "tensor"]
