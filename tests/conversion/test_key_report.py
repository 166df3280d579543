"""Tensors are held against a model by name, shape, type and value."""

import pytest
import torch

from tcm_hf.conversion.key_report import KeyMismatchError, fit_tensors
from tcm_hf.conversion.key_rules import apply_rules, rename, split_qkv, transposed
from tcm_hf.conversion.original_names import in_original_names

RULES = [
    rename(r"old\.(\d+)\.w", r"new.layers.\1.weight"),
    transposed(r"proj", r"new.projection.weight"),
    split_qkv(r"old\.in_(w)", r"new.{part}_proj.\1"),
    rename(r"steps", r"new.steps"),
    rename(r"alias", r"[a-z]"),
]
SOURCE = {
    "old.0.w": torch.ones(2, 3),
    "proj": torch.ones(4, 5),
    "old.in_w": torch.arange(6.0),
    "steps": torch.tensor(3),
}
WANTED = {
    "new.layers.0.weight": torch.zeros(2, 3),
    "new.projection.weight": torch.zeros(5, 4),
    **{f"new.{part}_proj.w": torch.zeros(2) for part in "qkv"},
    "new.steps": torch.tensor(0),
}


def fit(**changes):
    source = {name: tensor for name, tensor in (SOURCE | changes).items() if tensor is not None}
    return fit_tensors(apply_rules(source, RULES), WANTED, "x.pth")


def problems(**changes):
    with pytest.raises(KeyMismatchError, match=r"x\.pth does not fit") as caught:
        fit(**changes)
    return caught.value.report.problems()


def test_what_is_missing_is_named_as_the_source_would_name_it():
    assert problems(**{"old.0.w": None, "proj": None, "old.in_w": None, "steps": None}) == [
        "missing: old.0.w (2, 3)",
        "missing: proj (4, 5)",
        "missing: old.in_w (6,)",
        "missing: steps ()",
    ]


def test_a_name_that_the_table_does_not_tell_stays_ours():
    report = {"new.layers.0.weight": torch.zeros(2), "other.weight": torch.zeros(3)}
    with pytest.raises(KeyMismatchError) as caught:
        fit_tensors(apply_rules({}, RULES), report, "x")
    assert caught.value.report.missing == {"old.0.w": (2,), "other.weight": (3,)}
    message = "there is no new.layers.7.weight, no new.q_proj.w; `other.weight` is 3.5"
    wanted = "there is no old.7.w, no old.in_w; `other.weight` is 3.5"
    assert in_original_names(message, RULES) == wanted


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float64])
def test_other_widths_of_floating_point_numbers_are_taken_and_told(dtype):
    state, report = fit(proj=SOURCE["proj"].to(dtype), steps=torch.tensor(3, dtype=torch.int32))
    assert state["new.projection.weight"].dtype == torch.float32 and state["new.steps"].dtype == torch.int64
    kind = str(dtype).removeprefix("torch.")
    assert (
        report.summary()
        == f"4 tensors taken; 1 of them from {kind} to float32; 1 of them from int32 to int64"
    )
    assert fit()[1].summary() == "4 tensors taken"


@pytest.mark.parametrize("dtype", [torch.int32, torch.complex64, torch.bool, torch.uint8])
def test_other_kinds_of_numbers_are_refused_by_name(dtype):
    kind = str(dtype).removeprefix("torch.")
    assert problems(**{"old.in_w": SOURCE["old.in_w"].to(dtype)}) == [
        f"unusable: old.in_w: {kind}, and float32 is needed"
    ]


def test_a_counter_of_floating_point_numbers_is_refused_by_name():
    assert problems(steps=torch.tensor(3.0)) == ["unusable: steps: float32, and int64 is needed"]


@pytest.mark.parametrize("value", [float("nan"), float("inf"), 1e300])
def test_values_that_are_not_finite_are_refused_by_name(value):
    assert problems(**{"old.0.w": torch.full((2, 3), value, dtype=torch.float64)}) == [
        "unusable: old.0.w: non-finite values"
    ]
