from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file
from transformers import PrinterCallback

from tcm_hf.data.augmentation_words import default_word_augmentation, light_word_augmentation
from tcm_hf.processing.image_processing_clip4str import CLIP4STRImageProcessor
from tcm_hf.training.arguments import RECOMPUTE_FIELD
from tcm_hf.training.datasets import MixedDataset
from tcm_hf.training.recognition_arguments import TextRecognitionTrainingArguments
from tcm_hf.training.recognition_datasets import WordCollator, WordDataset, normalize_pixels, stretch
from tcm_hf.training.recognition_losses import rate_factor
from tcm_hf.training.recognition_recipe import RecognizerRecipe, load_recognizer_start
from tcm_hf.training.recognition_trainer import CTC_HEAD_NAME, TextRecognitionTrainer
from written_words import tiny_recognizer_config, written_word

SIZE_HW = (16, 64)


@pytest.fixture(scope="session")
def words():
    return [written_word(seed) for seed in range(64)]


@pytest.fixture
def make_trainer(words, tmp_path):
    """Makes trainers on 64 written words; those without validation words evaluate nothing."""

    def make(name="run", eval_dataset=None, augmentation=None, config=None, **arguments):
        (config or tiny_recognizer_config()).to_json_file(tmp_path / "config.json")
        recipe = RecognizerRecipe([], tmp_path / "none", config=tmp_path / "config.json")
        model, processor = load_recognizer_start(recipe, [words])
        corpus = WordDataset(words, augmentation or light_word_augmentation(), size_hw=SIZE_HW)
        if eval_dataset is None:
            arguments |= {
                "eval_strategy": "no",
                "load_best_model_at_end": False,
                "metric_for_best_model": None,
            }
        defaults = {
            "max_steps": 6,
            "per_device_train_batch_size": 4,
            "contrastive_steps": 3,
            "num_permutations": 2,
            "save_steps": 2,
            "eval_steps": 2,
            "logging_steps": 1,
            "use_cpu": True,
            "disable_tqdm": True,
        }
        args = TextRecognitionTrainingArguments(str(tmp_path / name), **(defaults | arguments))
        samples = args.max_steps * args.per_device_train_batch_size
        trainer = TextRecognitionTrainer(
            model,
            args,
            processor=processor,
            train_dataset=MixedDataset([corpus], length=samples),
            eval_dataset=eval_dataset,
        )
        trainer.remove_callback(PrinterCallback)
        return trainer

    return make


def tensors(model) -> dict[str, torch.Tensor]:
    return {name: tensor.clone() for name, tensor in model.state_dict().items()}


def assert_equal(one: dict, other: dict) -> None:
    assert one.keys() == other.keys()
    assert [name for name in one if not torch.equal(one[name], other[name])] == []


def losses_of(trainer) -> list[dict]:
    return [entry for entry in trainer.state.log_history if "loss" in entry]


def test_both_branches_learn_64_words(make_trainer):
    trainer = make_trainer(
        max_steps=45,
        per_device_train_batch_size=16,
        contrastive_steps=15,
        learning_rate=1e-2,
        save_strategy="no",
    )
    trainer.train()
    log = losses_of(trainer)
    for name, entries, least_fall in (
        ("loss_ctc", log, 0.3),
        ("loss_visual", log[15:], 0.2),
        ("loss_cross", log[15:], 0.2),
    ):
        values = [entry[name] for entry in entries]
        assert sum(values[-4:]) < (1 - least_fall) * sum(values[:4]), name


def test_the_warm_up_has_its_losses_and_reading_has_others(make_trainer):
    trainer = make_trainer(save_strategy="no")
    trainer.train()
    names = [{name for name in entry if name.startswith("loss_")} for entry in losses_of(trainer)]
    assert names[:3] == [{"loss_contrast", "loss_ctc"}] * 3
    assert names[3:] == [{"loss_visual", "loss_cross", "loss_ctc"}] * 3
    for entry in losses_of(trainer)[:3]:
        assert 0.2 * entry["loss_contrast"] + entry["loss_ctc"] == pytest.approx(entry["loss"], rel=1e-3)
    first = losses_of(trainer)[3]
    assert first["loss_visual"] + first["loss_cross"] + 0.1 * first["loss_ctc"] == pytest.approx(
        first["loss"], rel=1e-3
    )


@pytest.mark.parametrize("ctc_weight", [0.0, 0.1])
def test_the_permutations_of_a_step_are_those_of_the_plan(make_trainer, monkeypatch, ctc_weight):
    trainer = make_trainer(
        contrastive_steps=0,
        final_permutations_from=0.5,
        final_num_permutations=4,
        ctc_auxiliary_weight=ctc_weight,
        save_strategy="no",
    )
    seen = []
    draw = trainer.model._orders

    def drawn(num_characters, num_permutations):
        seen.append((num_permutations, trainer.model.config.num_permutations))
        return draw(num_characters, num_permutations)

    monkeypatch.setattr(trainer.model, "_orders", drawn)
    trainer.train()
    assert seen == [(2, 6)] * 3 + [(4, 6)] * 3


def test_decoders_begin_after_the_warm_up_and_the_rest_at_once(make_trainer):
    trainer = make_trainer(max_steps=3, contrastive_steps=3, weight_decay=0.1, save_strategy="no")
    before = tensors(trainer.model)
    trainer.train()
    changed = {
        name for name, tensor in trainer.model.state_dict().items() if not torch.equal(tensor, before[name])
    }
    assert not any("_decoder." in name for name in changed)
    for part in ("clip.vision_model.", "clip.text_model.", "clip.logit_scale"):
        assert any(name.startswith(part) for name in changed), part


def test_the_rate_rises_and_falls_and_a_late_part_meets_the_others():
    early = [rate_factor(step, start=0, warm_up=4, total=20) for step in range(21)]
    late = [rate_factor(step, start=6, warm_up=4, total=20) for step in range(21)]
    assert early[:5] == pytest.approx([0.25, 0.5, 0.75, 1.0, 1.0])
    assert early[20] == 0
    assert late[:6] == [0.0] * 6
    assert late[9:] == early[9:]
    assert sorted(early[4:], reverse=True) == early[4:]


@pytest.mark.parametrize(("step", "average_decay"), [(2, 0.9), (4, 0.0)])  # in the warm-up, and after it
def test_a_run_that_resumes_equals_one_that_was_never_stopped(make_trainer, average_decay, step):
    straight = make_trainer("straight", average_decay=average_decay, save_total_limit=None)
    straight.train()
    resumed = make_trainer("resumed", average_decay=average_decay)
    resumed.train(resume_from_checkpoint=str(Path(straight.args.output_dir) / f"checkpoint-{step}"))
    assert_equal(tensors(straight.model), tensors(resumed.model))
    assert_equal(tensors(straight.ctc_head), tensors(resumed.ctc_head))
    assert [entry["loss"] for entry in losses_of(resumed)][-1] == losses_of(straight)[-1]["loss"]


def test_a_checkpoint_is_a_whole_recognizer_without_the_ctc_head(make_trainer):
    trainer = make_trainer(average_decay=0.9)
    trainer.train()
    checkpoint = Path(trainer.args.output_dir) / "checkpoint-6"
    weights = load_file(checkpoint / "model.safetensors")
    assert not [name for name in weights if "ctc" in name]
    assert set(load_file(checkpoint / CTC_HEAD_NAME)) == {"classifier.weight", "classifier.bias"}
    from tcm_hf.modeling.modeling_clip4str import CLIP4STRForTextRecognition
    from tcm_hf.processing.processing_clip4str import CLIP4STRProcessor

    model, report = CLIP4STRForTextRecognition.from_pretrained(checkpoint, output_loading_info=True)
    assert not report["missing_keys"]
    assert not report["unexpected_keys"]
    assert model.config.num_permutations == 6  # that of the config, not that of the step
    processor = CLIP4STRProcessor.from_pretrained(checkpoint)
    ids = torch.tensor([processor.tokenizer("Stop")["input_ids"]])
    caption = processor.caption_tokenizer.encode_captions(["stop"])
    assert np.array_equal(model.caption_tokenizer(ids).numpy(), caption)
    assert not (Path(trainer.args.output_dir) / CTC_HEAD_NAME).exists()


def test_evaluation_counts_words_of_both_branches_and_keeps_the_best(make_trainer, words):
    trainer = make_trainer(eval_dataset=words[:5], per_device_eval_batch_size=2, average_decay=0.5)
    trainer.train()
    entries = [entry for entry in trainer.state.log_history if "eval_accuracy_36" in entry]
    assert len(entries) == 3
    for entry in entries:
        assert entry["eval_num_words"] == 5
        for name in ("accuracy_36", "accuracy_94", "visual_accuracy_36", "visual_accuracy_94"):
            assert 0 <= entry[f"eval_{name}"] <= 1
    assert trainer.state.best_model_checkpoint is not None
    assert trainer.model.training


def test_evaluate_without_words_says_what_to_do(make_trainer):
    with pytest.raises(ValueError, match="pass `eval_dataset`"):
        make_trainer().evaluate()


def test_bf16_channels_last_and_a_loader_process_train(make_trainer):
    trainer = make_trainer(bf16=True, channels_last=True, dataloader_num_workers=1, save_steps=6)
    trainer.train()
    saved = load_file(Path(trainer.args.output_dir) / "checkpoint-6" / "model.safetensors")
    assert {tensor.dtype for tensor in saved.values() if tensor.is_floating_point()} == {torch.float32}
    assert all(np.isfinite(entry["loss"]) for entry in losses_of(trainer))


def test_without_cross_branch_there_is_no_contrast(make_trainer):
    config = tiny_recognizer_config(use_cross_branch=False)
    trainer = make_trainer(config=config, save_strategy="no")
    trainer.train()
    names = {name for entry in losses_of(trainer) for name in entry if name.startswith("loss_")}
    assert names == {"loss_ctc", "loss_visual"}


def test_what_the_decoders_do_not_see_has_no_ctc_head(make_trainer):
    config = tiny_recognizer_config(project_visual_memory=False)
    with pytest.raises(ValueError, match="ctc_weight"):
        make_trainer(config=config)
    trainer = make_trainer(config=config, ctc_weight=0.0, ctc_auxiliary_weight=0.0, save_strategy="no")
    trainer.train()
    assert trainer.ctc_head is None


def test_vectors_and_what_the_decoders_ask_with_are_not_decayed(make_trainer):
    trainer = make_trainer(weight_decay=0.1)
    trainer.create_optimizer()
    name_of = {parameter: name for name, parameter in trainer.model.named_parameters()}
    decayed = [
        name_of[parameter]
        for group in trainer.optimizer.param_groups
        if group["weight_decay"]
        for parameter in group["params"]
    ]
    for name in decayed:
        assert not name.endswith(("bias", "pos_queries", "logit_scale"))
        assert "norm" not in name
        assert not name.endswith(("text_embed.weight", "class_embedding"))
    assert "clip.vision_model.embeddings.stages.0.conv.weight" in decayed
    assert "visual_decoder.head.weight" in decayed
    every = [parameter for group in trainer.optimizer.param_groups for parameter in group["params"]]
    assert len(every) == len(set(every)) == len(name_of) + len(list(trainer.ctc_head.parameters()))


@pytest.mark.parametrize("size_hw", [(24, 60), (7, 9), (64, 256), (16, 64), (120, 33)])
def test_training_sees_the_pixels_that_inference_sees(size_hw):
    image = np.random.default_rng(0).integers(0, 255, (*size_hw, 3), np.uint8)
    processor = CLIP4STRImageProcessor(size={"height": SIZE_HW[0], "width": SIZE_HW[1]})
    wanted = processor(images=[image], return_tensors="pt")["pixel_values"]
    pixels = torch.from_numpy(stretch(image, SIZE_HW).copy())[None]
    ours = normalize_pixels(pixels, processor.image_mean, processor.image_std)
    assert ours.shape == wanted.shape
    assert torch.allclose(ours, wanted, atol=1e-6)


def test_a_batch_holds_bytes_and_labels_to_the_longest_word(words):
    from tcm_hf.processing.tokenization_clip4str import CharacterTokenizer

    dataset = WordDataset(words, default_word_augmentation(), size_hw=SIZE_HW)
    samples = [{**dataset[number], "text": text} for number, text in enumerate(["ab1", "1"])]
    batch = WordCollator(CharacterTokenizer.from_charset("1ab"))(samples)
    assert (batch["pixel_values"].shape, batch["pixel_values"].dtype) == ((2, 16, 64, 3), torch.uint8)
    assert batch["labels"].tolist() == [[2, 3, 1, 0], [1, 0, -100, -100]]


def test_a_sample_is_a_function_of_its_number(words):
    first, second = (WordDataset(words, default_word_augmentation(), size_hw=SIZE_HW) for _ in range(2))
    for number in (130, 3, 64):
        assert np.array_equal(first[number]["pixel_values"], second[number]["pixel_values"])
        assert first[number]["text"] == second[number]["text"]
    texts = [first[number]["text"] for number in range(64, 128)]
    assert sorted(texts) == sorted(record.text for record in words)  # a pass shows every word once


def test_no_words_are_an_error():
    with pytest.raises(ValueError, match="at least one word"):
        WordDataset([], light_word_augmentation(), size_hw=SIZE_HW)


def test_with_everything_on_a_run_that_resumes_has_the_same_curve(make_trainer):
    """Reading from the first step; replays from the third round on; a checkpoint between two log lines."""
    options = {
        "contrastive_steps": 0,
        "optimizer": "ranger",
        "lr_scheduler_type": "polynomial",
        "average_decay": 0.9,
        "replay_share": 0.5,
        "replay_round_steps": 6,
        "logging_steps": 4,
        "max_steps": 14,
        "save_steps": 9,
    }
    straight = make_trainer("straight", **options)
    straight.train()
    resumed = make_trainer("resumed", **options)
    resumed.train(resume_from_checkpoint=str(Path(straight.args.output_dir) / "checkpoint-9"))
    curves = [
        [{name: entry[name] for name in entry if name.startswith("loss")} for entry in losses_of(trainer)]
        for trainer in (straight, resumed)
    ]
    assert curves[0] == curves[1]
    assert_equal(tensors(straight.model), tensors(resumed.model))
    plans = [trainer.replay.examples.plans for trainer in (straight, resumed)]
    assert [plan.tolist() for plan in plans[0]] == [plan.tolist() for plan in plans[1]]
    assert [len(plan) for plan in plans[0]] == [0, 0, 12, 12]


def test_the_loss_of_a_word_is_that_of_its_characters_alone(make_trainer):
    trainer = make_trainer(contrastive_steps=0)
    losses, model = trainer.sample_losses(), trainer.model.train()
    batch = trainer.data_collator([trainer.train_dataset[number] for number in range(4)])
    image_processor = trainer.processor.image_processor
    pixels = normalize_pixels(batch["pixel_values"], image_processor.image_mean, image_processor.image_std)
    torch.manual_seed(0)
    model(pixel_values=pixels, labels=batch["labels"], num_permutations=2)
    together = losses.of(batch["labels"])
    logits = []
    model.visual_decoder.register_forward_hook(lambda module, args, output: logits.append(output))
    torch.manual_seed(0)
    model(pixel_values=pixels, labels=batch["labels"], num_permutations=2)
    for index, loss in enumerate(together):
        characters = batch["labels"][index][batch["labels"][index] > 0]
        wanted = [
            -logits[0][2 * index + order, place].log_softmax(-1)[character]
            for order in range(2)
            for place, character in enumerate(characters)
        ]
        torch.testing.assert_close(loss, torch.stack(wanted).mean().detach(), rtol=1e-4, atol=1e-5)
    assert losses.of(batch["labels"]) is not None  # of the second forward
    assert losses.of(batch["labels"]) is None


def test_frozen_towers_stay_bit_equal(make_trainer):
    trainer = make_trainer(
        image_tower_lr_factor=0.0, text_tower_lr_factor=0.0, weight_decay=0.1, max_steps=4, save_strategy="no"
    )
    before = tensors(trainer.model)
    trainer.train()
    changed = {
        name for name, tensor in trainer.model.state_dict().items() if not torch.equal(tensor, before[name])
    }
    assert changed
    assert not [name for name in changed if name.startswith("clip.")]


@pytest.mark.slow  # two trainings; what is special about them the tests of the models have
def test_gradient_checkpointing_changes_neither_the_curve_nor_the_model(make_trainer):
    runs = []
    for recomputes in (False, True):
        trainer = make_trainer(
            max_steps=2, contrastive_steps=1, save_strategy="no", **{RECOMPUTE_FIELD: recomputes}
        )
        trainer.train()
        runs.append(trainer)
    assert [entry["loss"] for entry in losses_of(runs[0])] == [entry["loss"] for entry in losses_of(runs[1])]
    assert_equal(tensors(runs[0].model), tensors(runs[1].model))


def test_an_optimizer_of_ones_own_gets_the_schedule(make_trainer):
    trainer = make_trainer()
    trainer.optimizer = torch.optim.SGD(trainer.model.parameters(), lr=1.0)
    assert trainer.create_scheduler(10).get_last_lr() == [1.0]


def test_another_schedule_is_an_error(make_trainer):
    with pytest.raises(ValueError, match="cosine, polynomial: got 'linear'"):
        make_trainer(lr_scheduler_type="linear")


def test_the_poly_schedule_falls_to_zero():
    rates = [rate_factor(step, start=0, warm_up=2, total=10, schedule="polynomial") for step in range(11)]
    assert rates[1:3] == [1.0, 1.0]
    assert rates[6] == pytest.approx(0.5**0.9)
    assert rates[10] == 0
