import json

import pytest

from tcm_hf.training.resuming import (
    changed_settings,
    has_stopped_early,
    keep_settings,
    last_checkpoint,
    say_how_it_goes_on,
)

SETTINGS = {"model": None, "preset": "tiny", "crop": 320, "train": ["a"], "weights": None, "steps": 9}


@pytest.fixture
def output(tmp_path):
    """A folder with a checkpoint of step 5 and the settings it was made with."""
    (tmp_path / "checkpoint-5").mkdir()
    (tmp_path / "checkpoint-5" / "trainer_state.json").write_text("{}")
    keep_settings(tmp_path, SETTINGS)
    return tmp_path


def test_the_last_complete_checkpoint_is_found(tmp_path):
    assert last_checkpoint(tmp_path) is None
    for step, complete in ((900, True), (1000, True), (1100, False)):
        (tmp_path / f"checkpoint-{step}").mkdir()
        if complete:
            (tmp_path / f"checkpoint-{step}" / "trainer_state.json").write_text("{}")
    assert last_checkpoint(tmp_path) == tmp_path / "checkpoint-1000"


@pytest.mark.parametrize("content", ["", '{"global_step": 4'])
def test_a_checkpoint_whose_last_file_is_cut_off_is_passed_over(output, content):
    (output / "checkpoint-7").mkdir()
    (output / "checkpoint-7" / "trainer_state.json").write_text(content)
    assert last_checkpoint(output) == output / "checkpoint-5"


@pytest.mark.parametrize(("counted", "patience", "stopped"), [(2, 2, True), (1, 2, False), (2, 0, False)])
def test_a_training_has_stopped_early_when_its_patience_is_over(output, counted, patience, stopped):
    callbacks = {"EarlyStoppingCallback": {"attributes": {"early_stopping_patience_counter": counted}}}
    state = json.dumps({"stateful_callbacks": callbacks})
    (output / "checkpoint-5" / "trainer_state.json").write_text(state)
    assert has_stopped_early(output / "checkpoint-5", patience) is stopped


def test_a_state_without_early_stopping_has_not_stopped(output):
    assert not has_stopped_early(output / "checkpoint-5", 3)


def test_another_optimizer_does_not_go_on_but_an_older_version_may(output):
    assert changed_settings(output, SETTINGS | {"optimizer": "sgd"}) == {}  # nothing was said of it then
    keep_settings(output, SETTINGS | {"optimizer": "adamw"})
    with pytest.raises(ValueError, match="optimizer adamw, now sgd"):
        changed_settings(output, SETTINGS | {"optimizer": "sgd"})


@pytest.mark.parametrize(("name", "value"), [("model", "/x"), ("preset", "large"), ("crop", 640)])
def test_another_training_does_not_go_on(output, name, value):
    with pytest.raises(ValueError, match=rf"{name} .*{value}.*another --output") as caught:
        changed_settings(output, SETTINGS | {name: value})
    assert "\n" not in str(caught.value)


def test_other_data_and_steps_are_allowed_and_told(output, capsys):
    say_how_it_goes_on(output, SETTINGS | {"train": ["a", "b"], "weights": [1, 2], "steps": 20})
    told = capsys.readouterr().err
    for part in ("train than before: ['a', 'b'], was ['a']", "weights", "steps", "from step 5 of 20"):
        assert part in told


@pytest.mark.parametrize("steps", [5, 3])
def test_a_training_that_is_done_is_told(output, steps, capsys):
    say_how_it_goes_on(output, SETTINGS | {"steps": steps})
    assert "nothing is trained" in capsys.readouterr().err


def test_a_folder_from_before_the_settings_were_kept_goes_on(output, capsys):
    (output / "training_settings.json").unlink()
    say_how_it_goes_on(output, SETTINGS | {"crop": 640})
    assert capsys.readouterr().err.splitlines() == [f"Going on from step 5 of 9 in {output}."]


def test_a_new_training_says_nothing_and_takes_any_setting(tmp_path, capsys):
    keep_settings(tmp_path, SETTINGS)
    assert changed_settings(tmp_path, SETTINGS | {"crop": 640}) == {}
    say_how_it_goes_on(tmp_path, SETTINGS)
    assert capsys.readouterr().err == ""
