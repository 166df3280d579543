"""CLIP4STR's reading against the original program, stage by stage."""

from functools import cache

import numpy as np
import pytest
import torch

from tcm_hf.modeling.configuration_clip4str import CHARSET_94
from upstream_clip4str import (
    TOLERANCE,
    error,
    golden,
    images,
    our_model,
    weights_of,
    with_second_decoder_layer,
    with_wide_visual_decoder,
    words,
)

VARIANTS = {
    "plain": (dict, {}),
    "cased captions": (dict, {"caption_charset": CHARSET_94}),
    "wide visual memory": (with_wide_visual_decoder, {"project_visual_memory": False}),
    "pooled memory": (dict, {"pooled_memory": True}),
    "two decoder layers": (with_second_decoder_layer, {"decoder_num_layers": 2}),
}

# run of the golden file: weights, variant, rows, refinements, forward arguments
RUNS = {
    "A_ar_r1": ("A", "plain", slice(4), 1, {"num_steps": 26}),
    "A_ar_r2": ("A", "plain", slice(2), 2, {"num_steps": 26}),
    "A_ar_r1_bs1": ("A", "plain", slice(1, 2), 1, {}),
    "A_ar_r1_maxlen7": ("A", "plain", slice(2), 1, {"num_steps": 8, "max_length": 7}),
    "A_nar_patched_r1": ("A", "plain", slice(2), 1, {"num_steps": 26}),
    "B_ar_r1": ("B", "plain", slice(4), 1, {"num_steps": 19}),
    "B_ar_r1_bs1_row0": ("B", "plain", slice(1), 1, {}),
    "B_ar_r0_bs1_row0": ("B", "plain", slice(1), 0, {}),
    "C_ar_r1": ("C", "plain", slice(4), 1, {"num_steps": 13}),
    "C_nar_patched_r1": ("C", "plain", slice(2), 1, {"num_steps": 26}),
    "A_charset94_ar_r1": ("A", "cased captions", slice(2), 1, {"num_steps": 26}),
    "V_noshare_r1": ("A", "wide visual memory", slice(2), 1, {"num_steps": 26}),
    "V_clseot_r1": ("A", "pooled memory", slice(2), 1, {"num_steps": 26}),
    "V_dec2_r1": ("A", "two decoder layers", slice(2), 1, {"num_steps": 26}),
}


@cache
def model_with(weight_set: str, variant: str):
    reference, _ = golden("clip4str")
    inventory, options = VARIANTS[variant]
    weights = weights_of(inventory(reference["state_dict"]), weight_set)
    return our_model(reference["clip"], weights, **options)


def inputs(weight_set: str, rows: slice) -> torch.Tensor:
    return images("clip4str_tiny_c" if weight_set == "B" else "clip4str_tiny")[rows]


def check(key: str, values: torch.Tensor):
    reference, arrays = golden("clip4str")
    assert error(values, arrays[key], reference["outputs"][key]) < TOLERANCE, key


@pytest.mark.parametrize("run", RUNS)
@torch.no_grad()
def test_every_stage_of_a_run_equals_the_original(run, monkeypatch):
    reference, arrays = golden("clip4str")
    if run not in reference["runs"]:
        pytest.skip("this run is in shared/golden only")
    weight_set, variant, rows, refinements, arguments = RUNS[run]
    model = model_with(weight_set, variant)
    monkeypatch.setattr(model.config, "autoregressive", "_nar_" not in run)
    pixel_values, charset = inputs(weight_set, rows), model.config.charset
    stages = [
        ("", "visual_logits"),
        *((f"refine{i}_", f"refine{i}_visual_logits") for i in range(refinements)),
    ]
    for refine_iterations, (prefix, visual) in enumerate(stages):
        output = model(pixel_values, refine_iterations=refine_iterations, **arguments)
        check(f"{run}/{visual}", output.visual_logits)
        np.testing.assert_array_equal(output.caption_ids, arrays[f"{run}/{prefix}text_ids"])
        check(f"{run}/{prefix}cross_logits", output.logits)
    assert words(output.visual_logits, charset) == reference["runs"][run][visual]["strings"]
    assert words(output.logits, charset) == reference["runs"][run]["final"]["strings"]


@torch.no_grad()
def test_the_memories_of_both_branches_equal_the_original():
    reference, arrays = golden("clip4str")
    if "A_ar_r0/memory" not in reference["outputs"]:
        pytest.skip("the memories are in shared/golden only")
    for run, variant, count in (
        ("A_ar_r0", "plain", 4),
        ("V_noshare_r0", "wide visual memory", 2),
        ("V_clseot_r0", "pooled memory", 2),
    ):
        model = model_with("A", variant)
        visual, cross = model.image_memories(images()[:count])
        captions = model.caption_memory(torch.from_numpy(arrays[f"{run}/text_ids"]).long())
        check(f"{run}/memory", visual)
        check(f"{run}/cross_memory", torch.cat([cross, captions], dim=1))


@torch.no_grad()
def test_validation_logits_and_loss_equal_the_original():
    reference, _ = golden("clip4str")
    model = model_with("A", "plain")
    logits = model(images(), num_steps=9, max_length=8).logits
    check("val/logits", logits)
    labels = torch.full((4, 9), -100)
    for row, text in enumerate(reference["runs"]["val"]["labels"]):
        labels[row, : len(text) + 1] = torch.tensor([*(CHARSET_94.index(c) + 1 for c in text), 0])
    loss = torch.nn.functional.cross_entropy(logits.flatten(0, 1), labels.flatten())
    assert loss.item() == pytest.approx(reference["runs"]["val"]["loss"], abs=1e-5)


@torch.no_grad()
def test_a_batch_of_many_words_reads_what_the_original_reads_alone():
    reference, arrays = golden("clip4str")
    model = model_with("B", "plain")
    logits = model(inputs("B", slice(4))).logits
    about = reference["outputs"]["B_ar_r1_bs1_row0/refine0_cross_logits"]
    assert error(logits[:1], arrays["B_ar_r1_bs1_row0/refine0_cross_logits"], about) < TOLERANCE
    assert words(logits, CHARSET_94)[0] == reference["runs"]["batch_dependence"]["alone_r1"]
