import json
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from bars import bar_record
from safetensors.torch import load_file

from tcm_hf.data.records import TextRecord
from tcm_hf.training.arguments import TextDetectionTrainingArguments
from tcm_hf.training.base_trainer import LIVE_WEIGHTS_NAME
from tcm_hf.training.curves import plot_curves


def tensors(model) -> dict[str, torch.Tensor]:
    return {name: tensor.clone() for name, tensor in model.state_dict().items()}


def assert_equal(one: dict, other: dict) -> None:
    assert one.keys() == other.keys()
    assert [name for name in one if not torch.equal(one[name], other[name])] == []


@pytest.mark.parametrize(
    ("head_type", "parts"),
    [
        ("dbnet", ("loss_probability", "loss_threshold", "loss_binary", "loss_matching")),
        (
            "pan",
            ("loss_text", "loss_kernel", "loss_aggregation", "loss_discrimination", "loss_matching"),
        ),
        ("fcenet", ("loss_region", "loss_center", "loss_contour_x", "loss_contour_y", "loss_matching")),
    ],
)
def test_the_loss_falls_and_its_parts_are_logged(make_trainer, head_type, parts):
    trainer = make_trainer(head_type=head_type, max_steps=30, learning_rate=5e-3, save_strategy="no")
    trainer.train()
    log = [entry for entry in trainer.state.log_history if "loss" in entry]
    losses = [entry["loss"] for entry in log]
    assert sum(losses[-5:]) < 0.95 * sum(losses[:5])
    for entry in log:
        assert sum(entry[name] for name in parts) == pytest.approx(entry["loss"], rel=1e-3)


def test_the_frozen_text_tower_stays_bit_equal_and_the_rest_learns(make_trainer):
    trainer = make_trainer(weight_decay=0.1)
    before = tensors(trainer.model)
    trainer.train()
    after = tensors(trainer.model)
    changed = {name for name in before if not torch.equal(before[name], after[name])}
    assert not any(name.startswith("model.text_tower.") for name in changed)
    for part in ("model.image_tower.", "model.prompt.", "head."):
        assert any(name.startswith(part) for name in changed), part


def test_the_groups_keep_their_factors_under_the_poly_schedule(make_trainer):
    trainer = make_trainer(max_steps=10, image_tower_lr_factor=0.1, learning_rate=1e-2, warmup_steps=2)
    trainer.create_optimizer_and_scheduler(10)
    rates = []
    for _ in range(10):
        groups = {group["name"]: group["lr"] for group in trainer.optimizer.param_groups}
        assert groups["image_tower"] == pytest.approx(0.1 * groups["rest"])
        rates.append(groups["rest"])
        trainer.optimizer.step()
        trainer.lr_scheduler.step()
    assert rates[:3] == pytest.approx([0, 5e-3, 1e-2])
    assert rates[6] == pytest.approx(1e-2 * (1 - 4 / 8) ** 0.9, rel=1e-4)


@pytest.mark.parametrize(
    ("head_type", "average_decay"), [("dbnet", 0.0), ("dbnet", 0.9), ("pan", 0.9), ("fcenet", 0.9)]
)
def test_a_run_that_resumes_equals_one_that_was_never_stopped(make_trainer, head_type, average_decay):
    straight = make_trainer("straight", head_type=head_type, average_decay=average_decay)
    straight.train()
    resumed = make_trainer("resumed", head_type=head_type, average_decay=average_decay)
    resumed.train(resume_from_checkpoint=str(Path(straight.args.output_dir) / "checkpoint-2"))
    assert_equal(tensors(straight.model), tensors(resumed.model))
    ends = [
        load_file(Path(t.args.output_dir) / "checkpoint-4" / "model.safetensors") for t in (straight, resumed)
    ]
    assert_equal(*ends)


def test_with_an_average_the_checkpoint_holds_it_and_the_live_weights(make_trainer):
    trainer = make_trainer(average_decay=0.9)
    trainer.train()
    checkpoint = Path(trainer.args.output_dir) / "checkpoint-4"
    averaged, live = load_file(checkpoint / "model.safetensors"), load_file(checkpoint / LIVE_WEIGHTS_NAME)
    assert set(live) <= set(averaged)
    assert any(not torch.equal(averaged[name], live[name]) for name in live)
    assert_equal(tensors(trainer.model), averaged)  # training over, the model is the average


@pytest.mark.parametrize("head_type", ["dbnet", "pan", "fcenet"])
def test_a_photo_without_text_does_not_break_training(make_trainer, head_type):
    empty = bar_record(9, bars=0)
    trainer = make_trainer(head_type=head_type, records=[empty], max_steps=2, save_strategy="no")
    trainer.train()
    assert all(torch.isfinite(parameter).all() for parameter in trainer.model.parameters())


def test_the_best_checkpoint_by_hmean_is_kept_and_opens_as_a_pipeline(make_trainer, monkeypatch, bar_records):
    from transformers import pipeline

    import tcm_hf  # noqa: F401  registers the task

    hmeans = iter([0.6, 0.4, 0.2])
    monkeypatch.setattr(
        "tcm_hf.training.trainer.evaluate_detector",
        lambda *_, **__: {"hmean": next(hmeans), "precision": 0.5},
    )
    trainer = make_trainer(eval_dataset=bar_records[:1], max_steps=6, save_total_limit=2)
    trainer.train()
    best = Path(trainer.args.output_dir) / "checkpoint-2"
    assert trainer.state.best_model_checkpoint == str(best)
    assert {path.name for path in best.parent.glob("checkpoint-*")} == {"checkpoint-2", "checkpoint-6"}
    assert_equal(tensors(trainer.model), load_file(best / "model.safetensors"))
    found = pipeline("text-detection", model=str(best))(bar_records[0].load_image())
    assert isinstance(found, list)


@pytest.mark.parametrize("head_type", ["dbnet", "pan", "fcenet"])
def test_evaluate_scores_whole_photos(make_trainer, bar_records, head_type):
    trainer = make_trainer(
        head_type=head_type, eval_dataset=[*bar_records[:2], TextRecord(bar_records[0].image)]
    )
    metrics = trainer.evaluate()
    assert 0 <= metrics["eval_hmean"] <= 1
    assert (metrics["eval_num_images"], metrics["eval_num_references"]) == (3, 4)
    assert trainer.state.log_history[-1]["eval_hmean"] == metrics["eval_hmean"]


def test_evaluate_without_photos_says_what_to_do(make_trainer):
    with pytest.raises(ValueError, match="pass `eval_dataset`"):
        make_trainer().evaluate()


def test_loader_processes_start_after_opencv_has_worked_in_threads(make_trainer):
    # OpenCV hangs in a forked process that resizes the thread pool of its parent.
    cv2.setNumThreads(2)
    cv2.warpAffine(np.zeros((2000, 2000, 3), np.uint8), np.eye(2, 3), (2000, 2000))
    trainer = make_trainer(max_steps=2, save_strategy="no", dataloader_num_workers=1)
    trainer.get_train_dataloader()
    assert cv2.getNumThreads() == 1
    trainer.train()
    assert trainer.state.global_step == 2


def test_bf16_and_channels_last_train(make_trainer):
    trainer = make_trainer(max_steps=2, bf16=True, channels_last=True, average_decay=0.5)
    trainer.train()
    saved = load_file(Path(trainer.args.output_dir) / "checkpoint-2" / "model.safetensors")
    assert {tensor.dtype for tensor in saved.values() if tensor.is_floating_point()} == {torch.float32}


def test_gradient_accumulation_gives_the_gradient_of_the_mean(make_trainer):
    rates = {"max_steps": 1, "save_strategy": "no", "warmup_steps": 0, "max_grad_norm": 0.0}
    norms = []
    for arguments in ({"gradient_accumulation_steps": 2, "per_device_train_batch_size": 1}, {}):
        trainer = make_trainer(**rates, **arguments)
        trainer.model.eval()
        # BatchNorm in training mode would see other batches; its statistics are kept fixed here.
        trainer.model.train = lambda mode=True, model=trainer.model: model
        trainer.train()
        norms.append(next(entry["grad_norm"] for entry in trainer.state.log_history if "grad_norm" in entry))
    # Losses are balanced over a batch, so the two are near but not equal; a sum would be twice as large.
    assert norms[0] == pytest.approx(norms[1], rel=0.3)


@pytest.mark.parametrize(
    ("argument", "value"),
    [("image_tower_lr_factor", -0.1), ("average_decay", 1.0), ("text_tower_lr_factor", -1.0)],
)
def test_arguments_out_of_range_are_named(tmp_path, argument, value):
    with pytest.raises(ValueError, match=argument):
        TextDetectionTrainingArguments(str(tmp_path), use_cpu=True, **{argument: value})


def test_the_curve_is_a_picture(tmp_path):
    pytest.importorskip("matplotlib")
    history = [{"step": 1, "loss": 3.0}, {"step": 2, "loss": 2.0, "x": 1}, {"step": 2, "eval_hmean": 0.4}]
    (tmp_path / "trainer_state.json").write_text(json.dumps({"log_history": history}))
    plot_curves(tmp_path / "trainer_state.json", tmp_path / "curve.png")
    assert (tmp_path / "curve.png").read_bytes().startswith(b"\x89PNG")


def test_without_matplotlib_the_curve_says_how_to_get_it(tmp_path, monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "matplotlib.figure", None)
    with pytest.raises(ImportError, match=r"tcm_hf\[train\]"):
        plot_curves([], tmp_path / "curve.png")
