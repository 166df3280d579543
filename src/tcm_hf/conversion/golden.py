"""Golden files: what the original program computed for a seeded image, stage by stage.

A golden is two files of one name, `NAME.json` and `NAME.npz`.

`NAME.json` needs `{"input": {"seed": 1756, "shape": [2, 3, 128, 160]}}`, from which anyone makes the same
image (`seeded_image`, numpy alone). Whatever else it says (where the numbers come from, the original's
settings, names and shapes of its weights) is for people and tests.

`NAME.npz` holds for each stage, under the stage's name, the tensor, batch first; of more than 4096 values a
sample of the flattened tensor (`sample`). Under `NAME__stats` it may hold `statistics` of the whole tensor,
which see what a sample misses. Names of stages, in the order of computation:

| stage | what |
|--|--|
| `stage0` … `stage3` | feature maps before the matching map is concatenated, as far as the head reads them |
| `global_feat`, `visual_embeddings` | global (B, C) and dense (B, C, h, w) image embedding |
| `token_ids` | (K, L) ids of the class prompts, padded with 0 |
| `prompt_gen` | (B, D) output of the language prompt generator |
| `text_embeddings_before` | (B or 1, K, C) output of the text tower |
| `text_embeddings_fused` | (B, K, C) after FastTCM's similarity matching |
| `visual_prompt_diff`, `visual_embeddings_refined` | (B, C, h, w) visual prompt before its gate; the sum |
| `text_diff`, `text_embeddings_after` | (B, K, C) output of the text refiner before its gate; the sum |
| `score_map` | (B, K, h, w) matching map |
| `neck`, or `neck0` … | output of the neck |
| `prob`, `thr`, `binary` | DBNet: the three maps, (B, H, W) |
| `head` | PAN: (B, 2 + E, h, w) logits of text and kernel, embedding; SegNet: (B, K, H, W) logits |
| `cls0`, `reg0` … | FCENet, by level: (B, 4, h, w) logits of region and centre; (B, 2 (2 K + 1), h, w) |
| `cls0`, `box0`, `centerness0` … | rotated objects, by level: (B, A K, h, w), (B, A 5, h, w), (B, A, h, w) |
| `proposal_index` … `character_logits` | spotters: fields of `TCMTextSpottingOutput`, words of one image |
"""

import json
import math
import reprlib
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from tcm_hf.conversion.shown_text import one_line

MAX_VALUES = 4096
STATISTICS = "__stats"
NUM_STATISTICS = 6
TOKEN_IDS = "token_ids"
MAX_PIXELS = 2**24
"""Of all images of a golden together."""
MAX_BYTES = 2**20
"""Of one array."""


@dataclass
class Golden:
    """What the original computed.

    Args:
        name: of the file, for people.
        seed: of the image.
        shape: (B, 3, H, W) of the image.
        stages: by the name of the stage, the tensor or its sample.
        statistics: by the name of the stage, `statistics` of the whole tensor.
        reference: all of the json.
    """

    name: str
    seed: int
    shape: tuple[int, ...]
    stages: dict[str, np.ndarray]
    statistics: dict[str, np.ndarray]
    reference: dict[str, Any]


def load_golden(path: str | Path) -> Golden:
    """Reads `NAME.json` and the `NAME.npz` beside it.

    Raises:
        OSError: if one of them is missing.
        ValueError: if they are no golden.
    """
    path = Path(path)
    try:
        reference = json.loads(path.read_text(encoding="utf-8"))
        seed, shape = reference["input"]["seed"], tuple(reference["input"]["shape"])
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise ValueError(
            f"{path} is no golden: a JSON object with input.seed and input.shape was expected "
            f"({one_line(str(error), 200)})."
        ) from error
    if type(seed) is not int or seed < 0:
        raise ValueError(f"{path}: input.seed must be an integer from 0 on: it is {reprlib.repr(seed)}.")
    whole = all(type(size) is int and size > 0 for size in shape)
    if not whole or len(shape) != 4 or shape[1] != 3 or math.prod(shape) > 3 * MAX_PIXELS:
        raise ValueError(
            f"{path}: input.shape must be (B, 3, H, W) with at most {MAX_PIXELS} pixels in all: it is "
            f"{reprlib.repr(shape)}."
        )
    arrays = _load_arrays(path.with_suffix(".npz"))
    stages = {name: array for name, array in arrays.items() if "__" not in name}
    if not stages:
        raise ValueError(f"{path.with_suffix('.npz')} holds no stages.")
    statistics_of = {
        name.removesuffix(STATISTICS): array for name, array in arrays.items() if name.endswith(STATISTICS)
    }
    return Golden(path.stem, seed, shape, stages, statistics_of, reference)


def _load_arrays(path: Path) -> dict[str, np.ndarray]:
    """The arrays of a golden.

    Raises:
        OSError: if there is no such file.
        ValueError: if it cannot be read, or its arrays can be no stages.
    """
    try:
        with np.load(path, allow_pickle=False) as stored:
            if any(entry.file_size > MAX_BYTES for entry in stored.zip.infolist()):
                raise ValueError(f"a stage has at most {MAX_VALUES} values, and one has more")
            arrays = dict(stored)
    except OSError:
        raise
    except Exception as error:  # a damaged archive can fail with anything
        reason = one_line(str(error), 200) or type(error).__name__
        raise ValueError(f"{path} holds no arrays: {reason}.") from error
    for name, array in arrays.items():
        if array.dtype.kind not in "fiu" or not array.size:
            raise ValueError(f"{path}: {name} must hold numbers: it has type {array.dtype}, {array.shape}.")
        if name.endswith(STATISTICS) and array.shape != (NUM_STATISTICS,):
            raise ValueError(f"{path}: {name} must hold {NUM_STATISTICS} numbers: it has {array.shape}.")
        if name == TOKEN_IDS and (array.ndim != 2 or array.dtype.kind == "f"):
            raise ValueError(
                f"{path}: {name} must hold (K, L) integers: it has type {array.dtype}, {array.shape}."
            )
    return arrays


def save_golden(
    path: str | Path, stages: Mapping[str, np.ndarray], seed: int, shape: Sequence[int], **more: Any
) -> None:
    """Writes a golden; run where the original runs, on `seeded_image(seed, shape)`.

    Args:
        path: `NAME.json`; `NAME.npz` is written beside it.
        stages: whole tensors by the names of the stages.
        seed: of the image.
        shape: (B, 3, H, W) of the image.
        **more: anything else that the json shall say.
    """
    path = Path(path)
    arrays = {}
    for name, values in stages.items():
        arrays[name] = sample(values)
        arrays[f"{name}{STATISTICS}"] = statistics(name, values)
    np.savez_compressed(path.with_suffix(".npz"), **arrays)  # type: ignore[arg-type]
    path.write_text(json.dumps({"input": {"seed": seed, "shape": list(shape)}, **more}), encoding="utf-8")


def seeded_image(seed: int, shape: Sequence[int]) -> np.ndarray:
    """Pixel values (B, 3, H, W) float32 of a golden: normal noise, the same with every version of numpy."""
    return np.random.default_rng(seed).standard_normal(tuple(shape)).astype("float32")


def sampling_step(size: int, keep: int = MAX_VALUES) -> int:
    """Every how manyth value is kept: 1, or the first odd number from size / keep on without 3, 5, 7."""
    step = 1 if size <= keep else -(-size // keep) | 1
    while step > 1 and (step % 3 == 0 or step % 5 == 0 or step % 7 == 0):
        step += 2
    return step


def sample(values: np.ndarray, keep: int = MAX_VALUES) -> np.ndarray:
    """The tensor as it is, or every `sampling_step`th of its values."""
    values = np.ascontiguousarray(values)
    step = sampling_step(values.size, keep)
    return values if step == 1 else values.reshape(-1)[::step]


def statistics(name: str, values: np.ndarray) -> np.ndarray:
    """Mean, deviation, norm, least, greatest and a projection of a tensor, (6,) float64.

    Args:
        name: of the stage; seeds the vector that the tensor is projected on.
        values: the whole tensor.
    """
    flat = np.asarray(values, "float64").reshape(-1)
    direction = np.random.default_rng(zlib.crc32(f"proj:{name}".encode())).standard_normal(flat.size)
    projection = flat @ direction / np.sqrt(flat.size)
    return np.array(
        [flat.mean(), flat.std(), np.sqrt((flat * flat).sum()), flat.min(), flat.max(), projection]
    )


__all__ = ["Golden", "load_golden", "sample", "sampling_step", "save_golden", "seeded_image", "statistics"]
