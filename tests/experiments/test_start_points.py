"""Every row begins with the same weights of a checkpoint, and with no more of it than the others."""

import pytest
import torch

from tcm_hf.experiments.methods import Method
from tcm_hf.experiments.start_points import StartPoint
from tcm_hf.modeling.modeling_tcm import TCMForTextDetection
from tcm_hf.processing.image_processing_tcm import TCMImageProcessor

PRESET = "fasttcm-dbnet-tiny"
LATERAL = "head.neck.lateral"


@pytest.fixture
def rows(small_methods):
    baseline, tcm = small_methods
    longer = {"num_learnable_prompts": 2, "text_tower_config": {"max_position_embeddings": 16}}
    return (baseline, tcm, Method("short", "", _merged(tcm.settings, longer)))


def _merged(settings, changes):
    text = {**settings["text_tower_config"], **changes["text_tower_config"]}
    return {**settings, **changes, "text_tower_config": text}


@pytest.fixture
def checkpoint(rows, tmp_path):
    """TCM with weights that no seed gives."""
    model = TCMForTextDetection(rows[1].config(PRESET))
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.uniform_(-1, 1)
    model.save_pretrained(tmp_path / "checkpoint")
    return tmp_path / "checkpoint"


def begun(row, point, seed, folder):
    point.write(row.config(PRESET), TCMImageProcessor.from_preset(PRESET), seed, folder)
    return TCMForTextDetection.from_pretrained(folder).state_dict()


def test_what_fits_all_rows_is_taken_over_and_nothing_else(rows, checkpoint, tmp_path):
    stored = TCMForTextDetection.from_pretrained(checkpoint).state_dict()
    point = StartPoint.shared_by(checkpoint, [row.config(PRESET) for row in rows])
    starts = [begun(row, point, 0, tmp_path / row.name) for row in rows]
    for state in starts:
        taken = {name for name, tensor in state.items() if name in point.weights}
        assert any(name.startswith("model.image_tower.") for name in taken)
        for name in taken:
            assert torch.equal(
                state[name], stored[name][: len(state[name])] if state[name].ndim else stored[name]
            )
    # The lateral layer that reads the matching map has other channels in the baseline: random in all rows.
    random = {name for name in stored if name not in point.weights}
    assert any("lateral" in name for name in random)
    assert not any(torch.equal(starts[1][name], stored[name]) for name in random if stored[name].ndim > 1)
    # The baseline has no text tower; the others take it over, of the positions the first ones.
    positions = next(
        name for name in stored if name.endswith("text_tower.embeddings.position_embedding.weight")
    )
    assert positions not in starts[0]
    assert [len(state[positions]) for state in starts[1:]] == [18, 16]


def test_the_seed_decides_what_is_random(rows, checkpoint, tmp_path):
    point = StartPoint.shared_by(checkpoint, [row.config(PRESET) for row in rows])
    one, same, other = (begun(rows[1], point, seed, tmp_path / f"{n}") for n, seed in enumerate((0, 0, 1)))
    assert all(torch.equal(one[name], same[name]) for name in one)
    differing = [name for name in one if not torch.equal(one[name], other[name])]
    assert differing
    assert not set(differing) & set(point.weights)


def test_only_the_named_part_is_taken(rows, checkpoint):
    point = StartPoint.shared_by(checkpoint, [rows[1].config(PRESET)], only=["model.image_tower.trunk."])
    assert point.weights
    assert all(name.startswith("model.image_tower.trunk.") for name in point.weights)
    whole = StartPoint.shared_by(checkpoint, [rows[1].config(PRESET)])
    assert whole.digest != point.digest


def test_a_checkpoint_that_fits_nowhere_is_refused(rows, checkpoint):
    with pytest.raises(ValueError, match=r"Nothing of .* fits"):
        StartPoint.shared_by(checkpoint, [rows[0].config(PRESET)], only=["no.such.part."])
