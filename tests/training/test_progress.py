import os
import signal
from types import SimpleNamespace

import pytest
from transformers import TrainerControl, TrainerState

from tcm_hf.training.progress import LogLines, StopOnSignal


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_the_training_after_a_checkpoint(number, capsys):
    control = TrainerControl()
    before = signal.getsignal(number)
    with StopOnSignal() as stop:
        stop.on_step_end(None, TrainerState(), control)
        assert not control.should_training_stop
        os.kill(os.getpid(), number)
        assert signal.getsignal(number) == before  # a second one stops at once
        stop.on_step_end(None, TrainerState(), control)
    assert stop.stopped
    assert (control.should_save, control.should_training_stop, control.should_evaluate) == (True, True, False)
    assert "checkpoint" in capsys.readouterr().err


def test_the_handlers_come_back_without_a_signal():
    before = signal.getsignal(signal.SIGINT)
    with StopOnSignal() as stop:
        assert signal.getsignal(signal.SIGINT) != before
    assert signal.getsignal(signal.SIGINT) == before
    assert not stop.stopped


def test_a_log_line_tells_losses_speed_and_time_left(capsys):
    args = SimpleNamespace(train_batch_size=4, gradient_accumulation_steps=2, world_size=1)
    state = SimpleNamespace(global_step=0, max_steps=100, is_world_process_zero=True)
    lines = LogLines()
    lines.on_step_begin(args, state, None)
    state.global_step = 10
    lines.on_log(
        args,
        state,
        None,
        logs={"loss": 2.5, "loss_binary": 0.5, "learning_rate": 1e-3, "epoch": 0.1, "data_time_share": 0.03},
    )
    lines.on_log(args, state, None, logs={"eval_hmean": 0.75, "eval_num_images": 20, "epoch": 0.1})
    losses, scores = capsys.readouterr().err.splitlines()
    assert losses.startswith("step 10/100  loss 2.5  loss_binary 0.5  lr 1.00e-03  ")
    assert "images/s  left 0:00:0" in losses
    assert losses.endswith("waited for data 3%")
    assert scores == "step 10/100  eval_hmean 0.75  eval_num_images 20"
