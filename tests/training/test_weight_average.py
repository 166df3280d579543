import pytest
import torch
from torch import nn

from tcm_hf.training.weight_average import WeightAverage


@pytest.fixture
def model():
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(3, 3), nn.BatchNorm1d(3), nn.Linear(3, 2).requires_grad_(False))


def test_the_average_follows_its_formula(model):
    average = WeightAverage(model, decay=0.9)
    expected = model[0].weight.detach().clone()
    for step in (200, 201):
        with torch.no_grad():
            model[0].weight += 1
        expected = 0.9 * expected + 0.1 * model[0].weight.detach()
        average.update(model, step)
    torch.testing.assert_close(average.average["0.weight"], expected)


def test_the_random_start_is_forgotten_fast(model):
    average = WeightAverage(model, decay=0.999)
    with torch.no_grad():
        model[0].weight.zero_()
    for step in range(1, 60):
        average.update(model, step)
    assert average.average["0.weight"].abs().max() < 1e-3


def test_the_live_weights_come_back_unchanged(model):
    average = WeightAverage(model, decay=0.9)
    with torch.no_grad():
        model[0].weight += 1
    live = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    with average.applied_to(model):
        torch.testing.assert_close(model[0].weight.detach(), live["0.weight"] - 1)
    assert all(torch.equal(tensor, live[name]) for name, tensor in model.state_dict().items())


def test_norm_statistics_are_averaged_and_counters_copied(model):
    average = WeightAverage(model, decay=0.9)
    model(torch.randn(8, 3) + 5)
    average.update(model, step=1000)
    torch.testing.assert_close(average.average["1.running_mean"], 0.1 * model[1].running_mean)
    assert average.average["1.num_batches_tracked"] == 1


def test_frozen_weights_are_not_held_twice(model):
    assert not any(name.startswith("2.") for name in WeightAverage(model, decay=0.9).average)
