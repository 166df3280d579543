"""Compares a model with a golden file of the original, stage by stage."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from copy import deepcopy
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import nn

from tcm_hf.conversion.golden import TOKEN_IDS, Golden, sample, seeded_image, statistics
from tcm_hf.conversion.verify_heads import head_stages
from tcm_hf.modeling.modeling_rotated import TCMForRotatedObjectDetection
from tcm_hf.modeling.modeling_tcm import TCMForTextDetection
from tcm_hf.modeling.modeling_tcm_spotting import FastTCMForTextSpotting

TOLERANCE = 5e-4
"""Largest difference, in standard deviations of the stage. The originals in float32 differ from themselves in
float64 by up to 6e-5."""

ORDER = [
    "stage0", "stage1", "stage2", "stage3", "global_feat", "visual_embeddings", "token_ids", "prompt_gen",
    "text_embeddings_before", "text_embeddings_fused", "visual_prompt_diff", "visual_embeddings_refined",
    "text_diff", "text_embeddings_after", "score_map", "neck", "neck0", "neck1", "neck2", "neck3", "prob",
    "thr", "binary", "head", "cls0", "reg0", "cls1", "reg1", "cls2", "reg2", "proposal_index",
    "proposal_boxes", "score_logits", "control_points", "bezier_points", "character_logits", "ctc_logits",
]  # fmt: skip
"""In the order of computation, so that the first stage that differs is where the fault lies."""

Stages = dict[str, np.ndarray]
Model = TCMForTextDetection | FastTCMForTextSpotting | TCMForRotatedObjectDetection


@dataclass
class StageComparison:
    """How a stage compares.

    Args:
        name: of the stage, see `golden.py`.
        spread: standard deviation of the golden's values.
        difference: largest difference in units of `spread`; None where the stages cannot be compared.
        agrees: whether that is within the tolerance.
        reason: why the stages cannot be compared.
    """

    name: str
    spread: float
    difference: float | None
    agrees: bool
    reason: str = ""


def verify(model: Model, golden: Golden, tolerance: float = TOLERANCE) -> list[StageComparison]:
    """Runs a model on the golden's image and compares every stage that the golden has.

    Args:
        model: the detector or spotter, in eval mode; one of half precision is computed as a copy in float32.
        golden: see `load_golden`.
        tolerance: largest difference, in standard deviations of a stage.

    Returns:
        One comparison a stage, in the order of computation: the first that does not agree is where a fault
        begins.
    """
    if model.dtype != torch.float32:
        model = deepcopy(model).float()
    pixel_values = torch.from_numpy(seeded_image(golden.seed, golden.shape)).to(model.device)
    stages = stages_of(model, pixel_values)
    if model.config.prompt_token_ids is not None:
        stages[TOKEN_IDS] = _padded(model.config.prompt_token_ids)
    ranks = {name: rank for rank, name in enumerate(ORDER)}
    names = sorted(golden.stages, key=lambda name: ranks.get(name, len(ranks)))
    return [
        _compare(name, stages.get(name), golden, tolerance)
        for name in names
        # Learnable prompts alone: the original tokenises a sentence that it never reads.
        if name != TOKEN_IDS or name in stages
    ]


def stages_of(model: Model, pixel_values: torch.Tensor) -> Stages:
    """What a model computes on the way, by the names of golden files.

    Args:
        model: the detector or spotter, in eval mode.
        pixel_values: (B, 3, H, W).
    """
    stages: Stages = {}
    with torch.no_grad(), _hooks(model, stages):
        backbone = model.model(pixel_values)
        if backbone.matching_map is not None:
            _keep(stages, "text_embeddings_after", backbone.text_embedding)
            _keep(stages, "score_map", backbone.matching_map)
        if model.model.visual_prompter is not None:
            _keep(stages, "visual_embeddings_refined", backbone.dense_embedding)
        for name, tensor in head_stages(model, backbone).items():
            _keep(stages, name, tensor)
    return stages


FIRST_STAGE = {"fcenet": 1}
"""The stage that the original counts as its first, where that is not C2: its tower gives no others."""


RESIZED_NECKS = {"pan"}
"""Whose levels the original brings to one size in the neck; ours does it after the prediction."""


def _keep(stages: Stages, name: str, tensor: torch.Tensor) -> None:
    stages[name] = tensor.detach().float().cpu().numpy()


@contextmanager
def _hooks(model: Model, stages: Stages) -> Iterator[None]:
    """Inside the block every pass of the model leaves the outputs of its parts in `stages`."""
    tcm = model.model

    def keep(name: str, pick: Callable[[Any], torch.Tensor] = lambda output: output) -> Callable:
        return lambda module, inputs, output: _keep(stages, name, pick(output))

    def keep_tower(module: nn.Module, inputs: Any, output: Any) -> None:
        first = FIRST_STAGE.get(model.config.head_config.head_type, 0)
        for index, feature_map in enumerate(output.feature_maps[first:]):
            _keep(stages, f"stage{index}", feature_map)
        if output.global_embedding is not None:
            _keep(stages, "global_feat", output.global_embedding)
            _keep(stages, "visual_embeddings", output.dense_embedding)

    def keep_neck(module: nn.Module, inputs: Any, output: Any) -> None:
        if isinstance(output, torch.Tensor):
            _keep(stages, "neck", output)
            return
        for index, level in enumerate(output):
            if model.config.head_config.head_type in RESIZED_NECKS:
                level = nn.functional.interpolate(level, output[0].shape[-2:], mode="bilinear")
            _keep(stages, f"neck{index}", level)

    def as_map(tokens: torch.Tensor) -> torch.Tensor:
        return tokens.transpose(1, 2).unflatten(2, stages["visual_embeddings"].shape[-2:])

    wanted: list[tuple[nn.Module | None, Callable]] = [
        (tcm.image_tower, keep_tower),
        (
            tcm.text_tower,
            keep("text_embeddings_before", lambda x: x.unflatten(0, (-1, tcm.config.num_classes))),
        ),
        (
            getattr(tcm.prompt, "language_prompt_generator", None),
            keep("prompt_gen", lambda x: x.reshape(-1, x.shape[-1])),
        ),
        (tcm.similarity_matching, keep("text_embeddings_fused")),
        (getattr(tcm.visual_prompter, "generator", None), keep("visual_prompt_diff", as_map)),
        (getattr(tcm.text_refiner, "decoder", None), keep("text_diff")),
        (getattr(model.head, "neck", None), keep_neck),
    ]
    hooks = [part.register_forward_hook(hook) for part, hook in wanted if part is not None]
    try:
        yield
    finally:
        for hook in hooks:
            hook.remove()


def _padded(token_ids: list[list[int]]) -> np.ndarray:
    """Prompts as one array, the shorter ones padded with 0."""
    longest = max(map(len, token_ids))
    return np.array([ids + [0] * (longest - len(ids)) for ids in token_ids])


def _compare(name: str, ours: np.ndarray | None, golden: Golden, tolerance: float) -> StageComparison:
    stored = golden.stages[name]
    spread = float(np.asarray(stored, "float64").std())
    if ours is None:
        return StageComparison(name, spread, None, False, "the model has no such stage")
    if name == TOKEN_IDS:
        return _compare_ids(ours, stored)
    ours = _of_size(ours, stored.size, golden.shape[0])
    taken = sample(ours)
    if taken.size != stored.size:
        reason = f"{taken.size} values of the model's {ours.shape}, and {stored.size} are stored"
        return StageComparison(name, spread, None, False, reason)
    unit = spread or 1.0
    with np.errstate(invalid="ignore"):
        difference = float(np.abs(taken.reshape(-1) - stored.reshape(-1)).max()) / unit
        agrees = difference <= tolerance
        if (expected := golden.statistics.get(name)) is not None:
            found = statistics(name, ours)
            # The norm grows with the size of the tensor; all others are of the size of its values.
            others = np.abs(found - expected)[[0, 1, 3, 4, 5]].max() / unit
            norm = abs(found[2] - expected[2]) / max(abs(expected[2]), 1e-12)
            agrees = agrees and bool(others <= 3 * tolerance) and bool(norm <= tolerance)
            difference = max(difference, float(others), float(norm))
    return StageComparison(name, spread, difference, agrees)


def _compare_ids(ours: np.ndarray, stored: np.ndarray) -> StageComparison:
    """Ids must be the same; the original pads them to its context length."""
    width = max(ours.shape[-1], stored.shape[-1])
    found, wanted = (np.pad(ids, ((0, 0), (0, width - ids.shape[-1]))) for ids in (ours, stored))
    same = bool(np.array_equal(found, wanted))
    return StageComparison(TOKEN_IDS, float(stored.std()), None, same, "" if same else "other prompts")


def _of_size(ours: np.ndarray, size: int, batch: int) -> np.ndarray:
    """What holds for all images may be computed, and stored, once or for each of them."""
    if ours.shape[0] == 1 and ours.size * batch == size:
        return np.repeat(ours, batch, axis=0)
    if ours.shape[0] == batch > 1 and sample(ours).size != size and sample(ours[:1]).size == size:
        return ours[:1]
    return ours


__all__ = ["ORDER", "TOLERANCE", "StageComparison", "stages_of", "verify"]
