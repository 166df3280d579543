"""A comparison with the original's numbers finds the stage where a model goes astray."""

import json
from copy import deepcopy

import numpy as np
import pytest
import torch

import golden_files
import tcm_checkpoints
from tcm_hf.conversion.convert_tcm import detector_of
from tcm_hf.conversion.golden import load_golden, sample, save_golden, seeded_image, statistics
from tcm_hf.conversion.verify import stages_of, verify
from tiny import SIZE_HW
from tiny_rotated import tiny_rotated_model
from tiny_spotter import tiny_spotter


@pytest.fixture(scope="module")
def model():
    return detector_of(
        tcm_checkpoints.tensors_of("C_pan_tiny"), tcm_checkpoints.stored_model("C_pan_tiny")
    ).model


@pytest.fixture(scope="module")
def golden():
    return load_golden(tcm_checkpoints.golden_path("C_pan_tiny"))


def first_difference(comparisons):
    return next((one.name for one in comparisons if not one.agrees), None)


@pytest.mark.parametrize(
    ("weight", "stage"),
    [
        ("model.image_tower.trunk.stages_2.0.conv2_kxk.conv.weight", "stage2"),
        ("model.image_tower.attention_pool.attention.out_proj.bias", "global_feat"),
        ("model.prompt.language_prompt_generator.fc2.bias", "prompt_gen"),
        ("model.prompt.sequence.contexts", "text_embeddings_before"),
        ("model.visual_prompter.generator.output_proj.bias", "visual_prompt_diff"),
        ("model.visual_prompter.gate", "visual_embeddings_refined"),
        ("model.text_refiner.decoder.output_proj.bias", "text_diff"),
        ("model.text_refiner.gate", "text_embeddings_after"),
        ("head.neck.enhancements.1.down_scale.2.norm.bias", "neck3"),
        ("head.prediction.bias", "head"),
    ],
)
def test_the_first_stage_that_differs_is_where_the_fault_lies(model, golden, weight, stage):
    assert first_difference(verify(model, golden)) is None
    tensor = model.state_dict()[weight]
    good = tensor.clone()
    try:
        tensor *= 1.05
        assert first_difference(verify(model, golden)) == stage
    finally:
        tensor.copy_(good)


def golden_of(model, path):
    """A golden of a model's own numbers for one landscape image."""
    shape = (1, 3, *SIZE_HW)
    save_golden(path, stages_of(model, torch.from_numpy(seeded_image(7, shape))), seed=7, shape=shape)
    return load_golden(path)


@pytest.mark.parametrize(
    ("make", "weight", "stages", "first"),
    [
        (
            lambda: tiny_spotter("tcm"),
            "head.character.bias",
            {"stage2", "text_embeddings_after", "score_map", "control_points", "proposal_index"},
            "character_logits",
        ),
        (
            lambda: tiny_rotated_model("rotated_atss"),
            "head.centerness.bias",
            {"stage0", "score_map", "neck4", "cls4", "box0"},
            "centerness0",
        ),
    ],
    ids=["spotter", "rotated"],
)
def test_spotters_and_rotated_detectors_are_compared_too(tmp_path, make, weight, stages, first):
    model = make()
    golden = golden_of(model, tmp_path / "x.json")
    comparisons = verify(model, golden)
    assert all(one.agrees for one in comparisons) and stages <= {one.name for one in comparisons}
    with torch.no_grad():
        model.state_dict()[weight].add_(0.5)
    assert first_difference(verify(model, golden)) == first


def test_what_a_sample_misses_the_statistics_see(tmp_path, model):
    pixel_values = torch.from_numpy(golden_files.image(3, (1, 3, 64, 96)))
    stages = stages_of(model, pixel_values)
    assert stages["stage0"].size > 4096 and sample(stages["stage0"]).size <= 4096
    stages["stage0"][0, 0, 0, 1] += 30  # not of the sample
    save_golden(tmp_path / "x.json", stages, 3, (1, 3, 64, 96), case="mine")
    comparisons = verify(model, load_golden(tmp_path / "x.json"))
    assert [one.name for one in comparisons if not one.agrees] == ["stage0"]
    assert load_golden(tmp_path / "x.json").reference["case"] == "mine"


def test_other_prompts_and_absent_parts_are_differences(model, golden):
    model.config.prompt_token_ids = [[49406, 4160, 49407]]
    try:
        assert first_difference(verify(model, golden)) == "token_ids"
    finally:
        model.config.prompt_token_ids = golden.stages["token_ids"].tolist()
    baseline = load_golden(tcm_checkpoints.golden_path("C_dbnet_v2_tiny"))
    reasons = {one.name: one.reason for one in verify(model, baseline) if not one.agrees}
    assert reasons["text_embeddings_fused"] == reasons["prob"] == "the model has no such stage"


def test_a_stage_of_another_size_is_a_difference(tmp_path, model):
    stages = {"score_map": np.zeros((1, 1, 9, 9), "float32")}
    save_golden(tmp_path / "x.json", stages, 3, (1, 3, 64, 96))
    only = verify(model, load_golden(tmp_path / "x.json"))[0]
    assert not only.agrees and "6 values of the model's (1, 1, 2, 3), and 81 are stored" in only.reason


def test_what_holds_for_all_images_may_be_stored_once(tmp_path, model):
    pixel_values = torch.from_numpy(golden_files.image(3, (2, 3, 32, 64)))
    stages = stages_of(model, pixel_values)
    once = {"text_diff": stages["text_diff"][:1]}
    save_golden(tmp_path / "x.json", once, 3, (2, 3, 32, 64))
    assert first_difference(verify(model, load_golden(tmp_path / "x.json"))) is None


def test_nan_is_a_difference(tmp_path, model):
    stages = {"score_map": np.full((1, 1, 2, 3), np.nan, "float32")}
    save_golden(tmp_path / "x.json", stages, 3, (1, 3, 64, 96))
    assert first_difference(verify(model, load_golden(tmp_path / "x.json"))) == "score_map"


def test_the_rule_of_samples_is_that_of_the_golden_files():
    values = np.arange(12345.0)
    # The first odd number from 12345 / 4096 on without the factors 3, 5 and 7.
    assert sample(values).tolist() == values[::11].tolist()
    assert sample(values[:4096].reshape(64, 64)).shape == (64, 64)
    assert statistics("a", np.ones(4))[:5].tolist() == [1, 0, 2, 1, 1]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("{", "is no golden"),
        ("[]", "is no golden"),
        (json.dumps({"input": {"shape": [1, 3, 32, 32]}}), "'seed'"),
        (json.dumps({"input": {"seed": 1, "shape": [3, 32, 32]}}), r"must be \(B, 3, H, W\)"),
        (json.dumps({"input": {"seed": 1, "shape": [1, 3, 10**6, 10**6]}}), "at most 16777216 pixels"),
        (json.dumps({"input": {"seed": 1, "shape": [1, 3, "x", 32]}}), "at most 16777216 pixels"),
        (json.dumps({"input": {"seed": 1, "shape": [1, 3, float("inf"), 32]}}), "at most 16777216 pixels"),
        (
            json.dumps({"input": {"seed": -1, "shape": [1, 3, 32, 32]}}),
            "input.seed must be an integer from 0",
        ),
        (
            json.dumps({"input": {"seed": 0.5, "shape": [1, 3, 32, 32]}}),
            "input.seed must be an integer from 0",
        ),
        ("[" * 100_000, "is no golden"),
    ],
)
def test_a_file_that_is_no_golden_is_refused(tmp_path, content, message):
    (tmp_path / "x.json").write_text(content)
    with pytest.raises(ValueError, match=message):
        load_golden(tmp_path / "x.json")


def test_a_golden_without_its_arrays_is_refused(tmp_path):
    (tmp_path / "x.json").write_text(json.dumps({"input": {"seed": 1, "shape": [1, 3, 32, 64]}}))
    with pytest.raises(FileNotFoundError):
        load_golden(tmp_path / "x.json")
    (tmp_path / "x.npz").write_bytes(b"PK\3\4 cut off")
    with pytest.raises(ValueError, match="holds no arrays"):
        load_golden(tmp_path / "x.json")


@pytest.mark.parametrize(
    ("arrays", "message"),
    [
        ({"stage0": np.array(["a", "b"])}, "stage0 must hold numbers: it has type <U1"),
        ({"stage0": np.zeros(0)}, r"stage0 must hold numbers: it has type float64, \(0,\)"),
        ({"stage0": np.zeros(3, "complex64")}, "stage0 must hold numbers"),
        ({"stage0": np.array([None])}, "holds no arrays"),
        ({"stage0": np.zeros(10**6)}, "a stage has at most 4096 values"),
        ({"stage0": np.zeros(3), "stage0__stats": np.zeros(2)}, "stage0__stats must hold 6 numbers"),
        ({"token_ids": np.array(3)}, r"token_ids must hold \(K, L\) integers"),
        ({"token_ids": np.zeros((1, 3))}, r"token_ids must hold \(K, L\) integers"),
        ({"x__stats": np.zeros(6)}, "holds no stages"),
    ],
)
def test_arrays_that_can_be_no_stages_are_refused_by_name(tmp_path, arrays, message):
    (tmp_path / "x.json").write_text(json.dumps({"input": {"seed": 1, "shape": [1, 3, 32, 64]}}))
    np.savez_compressed(tmp_path / "x.npz", **arrays)
    with pytest.raises(ValueError, match=rf"x\.npz.*{message}"):
        load_golden(tmp_path / "x.json")


@pytest.mark.parametrize("content", ["single array", "damaged"])
def test_a_file_beside_a_golden_that_holds_something_else_is_refused(tmp_path, content):
    (tmp_path / "x.json").write_text(json.dumps({"input": {"seed": 1, "shape": [1, 3, 32, 64]}}))
    np.savez_compressed(tmp_path / "x.npz", stage0=np.random.default_rng(0).normal(size=4000))
    damaged = bytearray((tmp_path / "x.npz").read_bytes())
    damaged[2000:3000] = bytes(1000)
    if content == "single array":
        with (tmp_path / "x.npz").open("wb") as stream:
            np.save(stream, np.zeros(3))
    else:
        (tmp_path / "x.npz").write_bytes(damaged)
    with pytest.raises(ValueError, match=r"x\.npz holds no arrays"):
        load_golden(tmp_path / "x.json")


def test_a_model_of_half_precision_is_computed_as_a_copy(model, golden):
    half = deepcopy(model).half()
    comparisons = {one.name: one for one in verify(half, golden, 0.2)}
    assert all(one.agrees for one in comparisons.values())
    assert comparisons["head"].difference > 0
    assert half.dtype == torch.float16
