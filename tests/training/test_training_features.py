"""What a Trainer can be asked for besides: on the smallest detector, in the test's process."""

from pathlib import Path

import pytest
import torch
from alone import assert_sample_losses_are_those_of_images_alone
from timm.optim.lookahead import Lookahead
from torch.utils.data import Dataset

from tcm_hf.training.arguments import RECOMPUTE_FIELD
from tcm_hf.training.progress import StopOnSignal
from tcm_hf.training.replay import REPLAY_NAME
from tcm_hf.training.resuming import has_stopped_early
from tcm_hf.training.running import train_or_go_on
from tiny import HEADS

EVERYTHING = {
    "optimizer": "ranger",
    "lr_scheduler_type": "cosine",
    "average_decay": 0.9,
    "replay_share": 0.5,
    "replay_round_steps": 6,
    "logging_steps": 4,
    "max_steps": 14,
    "save_steps": 9,
    "seed": 3,
}


def curve(trainer) -> list[dict]:
    """The log without what tells the time."""
    timed = ("data_time_share", "train_", "epoch", "total_flos")
    return [
        {name: value for name, value in entry.items() if not name.startswith(timed)}
        for entry in trainer.state.log_history
        if "loss" in entry
    ]


def assert_equal(one: dict, other: dict) -> None:
    assert one.keys() == other.keys()
    assert [name for name, value in one.items() if not torch.equal(value, other[name])] == []


def test_with_everything_on_a_run_that_resumes_between_two_log_lines_has_the_same_curve(make_trainer):
    """Slow weights of Lookahead, average, plans of the replay, sums of the line of the log that was begun."""
    straight = make_trainer("straight", **EVERYTHING)
    straight.train()
    checkpoint = Path(straight.args.output_dir) / "checkpoint-9"
    resumed = make_trainer("resumed", **EVERYTHING)
    resumed.train(resume_from_checkpoint=str(checkpoint))
    assert curve(resumed) == curve(straight)
    assert [entry["step"] for entry in curve(straight)] == [4, 8, 12]
    assert_equal(resumed.model.state_dict(), straight.model.state_dict())
    plans = [trainer.replay.examples.plans for trainer in (straight, resumed)]
    assert [len(plan) for plan in plans[0]] == [0, 0, 6, 6]
    assert [plan.tolist() for plan in plans[0]] == [plan.tolist() for plan in plans[1]]
    assert (checkpoint / REPLAY_NAME).is_file()
    assert isinstance(straight.optimizer.optimizer, Lookahead)
    kept = torch.load(checkpoint / "optimizer.pt", weights_only=True)
    assert {group["lookahead_step"] for group in kept["param_groups"]} == {9}
    assert all("lookahead_slow_buff" in state for state in kept["state"].values())
    shares = [entry["data_time_share"] for entry in straight.state.log_history if "loss" in entry]
    assert all(0 < share < 1 for share in (*shares, straight.data_clock.share))


def test_sgd_has_the_momentum_that_was_asked_for(make_trainer):
    optimizer = make_trainer(optimizer="sgd", momentum=0.7).create_optimizer()
    assert isinstance(optimizer, torch.optim.SGD)
    assert {group["momentum"] for group in optimizer.param_groups} == {0.7}


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"optimizer": "lion"}, "adamw, sgd, ranger: got 'lion'"),
        ({"optim": "adafactor"}, "choose with `optimizer`"),
        ({"optim_args": "betas=(0.1,0.2)"}, "`optim_args` is not looked at"),
        ({"momentum": 1.0}, "momentum"),
        ({"replay_share": 0.95}, "replay_share"),
        ({"replay_round_steps": 0}, "replay_round_steps"),
        ({"early_stopping_patience": 2}, "Give validation data"),
    ],
)
def test_arguments_that_cannot_be_are_named(make_trainer, arguments, message):
    with pytest.raises(ValueError, match=message):
        make_trainer(**arguments)


@pytest.mark.parametrize(("steps", "warm_up"), [(1, 0), (2, 1), (100, 2)])
def test_a_step_is_left_after_the_warm_up(make_trainer, steps, warm_up):
    assert make_trainer().args.get_warmup_steps(steps) == warm_up


def test_what_is_predicted_in_between_is_not_in_the_log(make_trainer):
    trainer = make_trainer(max_steps=1, save_strategy="no")
    batch = trainer.data_collator([trainer.train_dataset[0]])
    trainer.model.eval()
    trainer.compute_loss(trainer.model, dict(batch))
    assert trainer._losses.count == 0


def test_a_loader_that_prepares_more_than_a_round_is_refused(make_trainer):
    with pytest.raises(ValueError, match="replay_round_steps"):
        make_trainer(replay_share=0.5, replay_round_steps=12, dataloader_num_workers=4)


def test_a_frozen_image_tower_stays_bit_equal_with_its_statistics(make_trainer):
    trainer = make_trainer(
        image_tower_lr_factor=0.0, weight_decay=0.1, average_decay=0.5, max_steps=2, save_strategy="no"
    )
    before = {name: value.clone() for name, value in trainer.model.state_dict().items()}
    trainer.train()
    changed = {
        name for name, value in trainer.model.state_dict().items() if not torch.equal(value, before[name])
    }
    assert any("running_mean" in name for name in before if name.startswith("model.image_tower."))
    assert changed
    assert not [name for name in changed if name.startswith(("model.image_tower.", "model.text_tower."))]


def test_gradient_checkpointing_changes_neither_the_curve_nor_the_model(make_trainer):
    runs = []
    for recomputes in (False, True):
        trainer = make_trainer(
            max_steps=2, gradient_accumulation_steps=2, save_strategy="no", **{RECOMPUTE_FIELD: recomputes}
        )
        trainer.train()
        assert trainer.model.is_gradient_checkpointing == recomputes
        runs.append(trainer)
    assert curve(runs[0]) == curve(runs[1])
    assert_equal(runs[0].model.state_dict(), runs[1].model.state_dict())


def test_early_stopping_counts_on_after_a_stop_and_ends_for_good(
    make_trainer, monkeypatch, bar_records, capsys, tmp_path
):
    hmeans = iter([0.6, 0.5, 0.4, 0.3, 0.2])
    monkeypatch.setattr("tcm_hf.training.trainer.evaluate_detector", lambda *_, **__: {"hmean": next(hmeans)})
    options = {"eval_dataset": bar_records[:1], "eval_steps": 1, "save_steps": 1, "max_steps": 9}
    first = make_trainer(**(options | {"max_steps": 2}))  # without it at first
    first.train()
    settings = {"steps": 9}
    trainer = make_trainer(early_stopping_patience=2, **options)
    assert train_or_go_on(trainer, tmp_path / "run", settings)
    assert trainer.state.global_step == 4
    assert has_stopped_early(tmp_path / "run" / "checkpoint-4", 2)
    best = trainer.model.state_dict()
    again = make_trainer(early_stopping_patience=2, **options)
    assert train_or_go_on(again, tmp_path / "run", settings)
    assert "has ended after 2 evaluations" in capsys.readouterr().err
    assert (again.state.global_step, again.state.best_metric) == (4, 0.6)
    assert_equal(again.model.state_dict(), best)
    more = make_trainer(early_stopping_patience=3, **options)  # the new number counts
    assert train_or_go_on(more, tmp_path / "run", settings)
    assert more.state.global_step == 5


@pytest.mark.parametrize("head_type", HEADS)
def test_the_loss_of_a_sample_is_that_of_its_image_alone(make_trainer, head_type):
    assert_sample_losses_are_those_of_images_alone(make_trainer(head_type=head_type))


def test_a_run_that_a_signal_has_stopped_goes_on(make_trainer):
    """The checkpoint says that the training should stop; that was meant for the one that wrote it."""
    first = make_trainer(max_steps=2)
    with StopOnSignal() as stop:
        stop.asked = True
        first.add_callback(stop)
        first.train()
    assert first.state.global_step == 1
    again = make_trainer(max_steps=2, save_strategy="no")
    again.train(resume_from_checkpoint=f"{first.args.output_dir}/checkpoint-1")
    assert again.state.global_step == 2


def test_lora_trains_at_the_rates_of_its_parts_and_all_else_stays(make_trainer, tmp_path, tiny_detector):
    """The batch norms of the base model, too: their statistics are in no adapter."""
    peft = pytest.importorskip("peft", reason='LoRA needs `pip install "tcm_hf[peft]"`')
    settings = peft.LoraConfig(r=2, target_modules=["q_proj", "v_proj"], modules_to_save=["head"])
    trainer = make_trainer(
        tuned=lambda model: peft.get_peft_model(model, settings), max_steps=2, save_strategy="no"
    )
    before = {name: value.clone() for name, value in trainer.model.state_dict().items()}
    trainer.train()
    after = trainer.model.state_dict()
    changed = {name for name in before if not torch.equal(before[name], after[name])}
    for part in (".head.", ".image_tower."):
        assert any(part in name for name in changed), part
    # The text tower has the factor 0, and its adapters with it.
    assert not [name for name in changed if ".text_tower." in name]
    assert not [name for name in changed if ".image_tower." in name and "lora" not in name]
    trainer.save_model(str(tmp_path / "adapter"))
    again = peft.PeftModel.from_pretrained(tiny_detector(), tmp_path / "adapter")
    assert_equal(after, again.state_dict())


def test_a_data_set_of_ones_own_is_shuffled_anew_in_every_pass(make_trainer):
    class Own(Dataset):
        def __init__(self, samples):
            self.samples, self.seen = samples, []

        def __len__(self):
            return len(self.samples)

        def __getitem__(self, index):
            self.seen.append(index)
            return self.samples[index]

    donor = make_trainer().train_dataset
    own = Own([donor[number] for number in range(5)])
    trainer = make_trainer(dataset=own, max_steps=-1, num_train_epochs=2, save_strategy="no")
    trainer.train()
    assert len(own.seen) >= 10
    passes = own.seen[:5], own.seen[5:10]
    assert sorted(passes[0]) == sorted(passes[1]) == list(range(5))
    assert passes[0] != passes[1]


def test_what_would_be_passed_over_or_done_wrongly_is_refused(make_trainer, bar_records):
    with pytest.raises(ValueError, match="scores_on"):
        make_trainer(compute_metrics=lambda prediction: {})
    trainer = make_trainer()
    with pytest.raises(ValueError, match="records such as"):
        trainer.evaluate(trainer.train_dataset.datasets[0])
    trainer.args._n_gpu = 2
    with pytest.raises(ValueError, match="--nproc_per_node 2"):
        trainer._check_use()


def test_several_collections_are_evaluated_by_name(make_trainer, bar_records):
    metrics = make_trainer().evaluate({"day": bar_records[:1], "night": bar_records[1:3]})
    assert (metrics["eval_day_num_images"], metrics["eval_night_num_images"]) == (1, 2)
