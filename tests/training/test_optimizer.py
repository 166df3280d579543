import re

import pytest
import torch
from torch import nn

from tcm_hf.conversion.key_rules import apply_rules
from tcm_hf.conversion.keys_clip4str import CLIP4STR
from tcm_hf.training.optimizer import make_optimizer, parameter_groups, recognizer_parameter_groups
from tcm_hf.training.recognition_arguments import TextRecognitionTrainingArguments
from tcm_hf.training.recognition_losses import rate_factor
from upstream_clip4str import freezing_case, golden


class Detector(nn.Module):
    """The names of a detector's parts, nothing else."""

    def __init__(self):
        super().__init__()
        self.model = nn.Module()
        self.model.image_tower = nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4))
        self.model.text_tower = nn.Linear(4, 4)
        self.head = nn.Linear(4, 4)
        self.scale = nn.Parameter(torch.ones(7))


def groups_by_name(**factors) -> dict:
    groups = parameter_groups(Detector(), learning_rate=1.0, weight_decay=0.5, **factors)
    return {group["name"]: group for group in groups}


def test_the_image_tower_learns_at_a_tenth_and_the_text_tower_not_at_all():
    groups = groups_by_name()
    assert {name: group["lr"] for name, group in groups.items()} == {
        "image_tower": 0.1,
        "image_tower, no decay": 0.1,
        "rest": 1.0,
        "rest, no decay": 1.0,
    }


def test_norms_biases_and_raw_vectors_are_not_decayed():
    groups = groups_by_name(text_tower_lr_factor=1.0)
    for name, group in groups.items():
        undecayed = name.endswith("no decay")
        assert group["weight_decay"] == (0.0 if undecayed else 0.5)
        assert all((parameter.ndim <= 1) == undecayed for parameter in group["params"])
    assert len(groups["image_tower, no decay"]["params"]) == 3  # bias of the convolution, BatchNorm's two
    assert len(groups["rest, no decay"]["params"]) == 2  # bias of the head, the raw vector


def test_a_frozen_parameter_is_in_no_group():
    detector = Detector()
    detector.head.requires_grad_(False)
    groups = parameter_groups(detector, learning_rate=1.0, weight_decay=0.5)
    grouped = {id(parameter) for group in groups for parameter in group["params"]}
    assert id(detector.head.weight) not in grouped
    assert id(detector.model.text_tower.weight) not in grouped  # factor 0


def test_nothing_to_train_is_an_error():
    with pytest.raises(ValueError, match="Nothing to train"):
        parameter_groups(Detector().requires_grad_(False), learning_rate=1.0, weight_decay=0.0)


def clip4str_arguments(reference: dict, tmp_path) -> TextRecognitionTrainingArguments:
    """Our arguments for the original's recipe; what is not named is the default."""
    return TextRecognitionTrainingArguments(
        str(tmp_path),
        learning_rate=reference["base_lr"] * reference["lr_scale"],
        weight_decay=0.2,
        decoder_lr_factor=19,
        metric_for_best_model=None,
        use_cpu=True,
    )


def clip4str_groups(case_name: str, args: TextRecognitionTrainingArguments) -> tuple[nn.Module, list[dict]]:
    model = freezing_case(case_name)[1]
    groups = recognizer_parameter_groups(
        model,
        learning_rate=args.learning_rate,
        weight_decay=args.weight_decay,
        decoder_lr_factor=args.decoder_lr_factor,
        image_tower_lr_factor=args.image_tower_lr_factor,
        text_tower_lr_factor=args.text_tower_lr_factor,
    )
    return model, make_optimizer(groups, args).param_groups


def test_recognizers_are_grouped_as_in_the_original(tmp_path):
    reference = golden("clip4str_train")[0]["optimizer_tiny3"]
    model, groups = clip4str_groups("tiny3", clip4str_arguments(reference, tmp_path))
    name_of = {parameter: name for name, parameter in model.named_parameters()}
    ours = {
        name_of[parameter]: (group["weight_decay"], group["betas"], group["eps"], group["lr"])
        for group in groups
        for parameter in group["params"]
    }
    wanted = {}
    for group in reference["groups"]:
        settings = (group["weight_decay"], tuple(group["betas"]), group["eps"], group["max_lr"])
        theirs = apply_rules({name: torch.zeros(3, 1) for name in group["names"]}, CLIP4STR).tensors
        wanted |= dict.fromkeys(theirs, settings)
    assert ours.keys() == wanted.keys()
    assert {name: (ours[name], settings) for name, settings in wanted.items() if ours[name] != settings} == {}


def test_a_recognizer_of_full_size_has_groups_of_the_originals_sizes(tmp_path):
    reference = golden("clip4str_train")[0]["optimizer_vit_b16"]
    model, groups = clip4str_groups("full_vit_b16", clip4str_arguments(reference, tmp_path))
    name_of = {parameter: name for name, parameter in model.named_parameters()}
    ours = {}
    for group in groups:
        # The original's query, key and value projections are one parameter.
        names = {re.sub(r"\b(q|k|v|kv)_proj\b", "in_proj", name_of[item]) for item in group["params"]}
        ours.setdefault((group["lr"], group["weight_decay"]), set()).update(names)
    wanted = {(group["max_lr"], group["weight_decay"]): group["n"] for group in reference["groups"]}
    assert {key: len(names) for key, names in ours.items()} == wanted


def test_after_its_rise_the_rate_of_recognizers_falls_as_in_the_original(tmp_path):
    """The rise differs: ours is a line, the original's a cosine from a 25th."""
    reference = golden("clip4str_train")[0]["optimizer_vit_b16"]
    settings = reference["scheduler"]
    args = clip4str_arguments(reference, tmp_path)
    assert args.warmup_steps == settings["pct_start"]
    total = settings["total_steps"]
    warm_up = args.get_warmup_steps(total)
    optimizer = torch.optim.SGD([nn.Parameter(torch.zeros(1))], lr=1.0)
    one_cycle = torch.optim.lr_scheduler.OneCycleLR(
        optimizer, 1.0, total, pct_start=settings["pct_start"], cycle_momentum=False
    )
    for step in range(total):
        if step >= warm_up - 1:
            ours = rate_factor(step, start=0, warm_up=warm_up, total=total)
            assert ours == pytest.approx(one_cycle.get_last_lr()[0], abs=2e-3)
        optimizer.step()
        if step + 1 < total:
            one_cycle.step()
