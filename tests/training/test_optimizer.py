import pytest
import torch
from torch import nn

from tcm_hf.training.optimizer import parameter_groups


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
