"""Two processes with two images each learn what one process learns from all four, whatever the head."""

import numpy as np
import pytest
import torch

from tcm_hf.modeling.global_batch import alone, joined, largest, processes, shared_count, total
from tiny import tiny_images, tiny_labels, tiny_model
from tiny_recognizer import tiny_crops, tiny_recognizer
from tiny_rotated import tiny_objects, tiny_rotated_model
from tiny_spotter import ABCNET_HEAD, HEAD, POINTS_HEAD, tiny_spotter, tiny_spotting_labels
from two_processes import can_fork, in_two_processes

pytestmark = can_fork

IMAGES = 4
DETECTORS = {
    "dbnet": {"head_type": "dbnet"},
    "dbnet, dice": {
        "head_type": "dbnet",
        "balanced_probability_loss": False,
        "balanced_matching_loss": False,
    },
    "pan": {"head_type": "pan"},
    "fcenet": {"head_type": "fcenet"},
    "segnet": {"head_type": "segnet"},
}
SPOTTERS = {
    "testr": {"head_config": HEAD},
    "deepsolo": {"head_config": POINTS_HEAD},
    "abcnet": {"head_config": ABCNET_HEAD},
}
ROTATED = ("rotated_fcos", "rotated_retinanet")
CASES = [*DETECTORS, *SPOTTERS, *ROTATED, "recognizer"]
# Of each image its own loss: nothing is divided by a count of the batch.
IMAGE_BY_IMAGE = {"pan"}


def model_and_batch(case: str):
    """A model in eval mode (batch norms are another matter), four images and labels as unequal as can be."""
    torch.manual_seed(0)
    if case in DETECTORS:
        head = dict(DETECTORS[case])
        kind = head.pop("head_type")
        model = tiny_model(head_type=kind)
        for name, value in head.items():
            setattr(model.config.head_config, name, value)
        return model, tiny_images(IMAGES), without_text_in_the_first(tiny_labels(IMAGES, head_type=kind))
    if case in SPOTTERS:
        return tiny_spotter(**SPOTTERS[case]), tiny_images(IMAGES), tiny_spotting_labels((0, 1, 3, 2))
    if case in ROTATED:
        labels = tiny_objects(IMAGES)
        labels["class_labels"][0] = -1
        labels["class_labels"][1, 0] = -1
        return tiny_rotated_model(case), tiny_images(IMAGES), labels
    words = torch.tensor(
        [[3, 0, -100, -100, -100], [1, 2, 0, -100, -100], [4, 5, 6, 7, 0], [1, 1, 1, 0, -100]]
    )
    return tiny_recognizer(), tiny_crops(IMAGES), words


def without_text_in_the_first(labels: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    for name, maps in labels.items():
        if name.startswith("contour_maps"):
            maps[0, :2] = 0
        elif name == "threshold_mask" or "mask" not in name:
            maps[0] = 0
        maps[1] = maps[1].roll(5, dims=-1)
    return labels


def part_of(labels, images: slice):
    return {n: maps[images] for n, maps in labels.items()} if isinstance(labels, dict) else labels[images]


def loss_of(case: str, images: slice):
    model, pixels, labels = model_and_batch(case)
    return model(pixel_values=pixels[images], labels=part_of(labels, images)).loss, model


def learned(case: str, images: slice) -> tuple[float, dict[str, np.ndarray]]:
    """Loss and gradients."""
    loss, model = loss_of(case, images)
    loss.backward()
    grads = {name: parameter.grad for name, parameter in model.named_parameters()}
    return loss.item(), {name: grad.numpy() for name, grad in grads.items() if grad is not None}


def in_each(rank: int) -> dict:
    images = slice(2 * rank, 2 * rank + 2)
    with torch.no_grad():  # nothing is exchanged
        apart = {case: loss_of(case, images)[0].item() for case in CASES}
    return {"joint": {case: learned(case, images) for case in CASES}, "apart": apart}


@pytest.fixture(scope="module")
def of_two():
    return in_two_processes(in_each)


@pytest.mark.parametrize("case", CASES)
def test_two_processes_have_the_loss_and_the_gradients_of_one(of_two, case):
    loss, gradients = learned(case, slice(None))
    joint = [result["joint"][case] for result in of_two]
    assert np.mean([own for own, _ in joint]) == pytest.approx(loss, rel=1e-5)
    for name, gradient in gradients.items():
        mean = sum(own.get(name, np.zeros_like(gradient)) for _, own in joint) / 2
        error = np.linalg.norm(mean - gradient)
        assert error <= 1e-3 * np.linalg.norm(gradient) + 1e-5, name


@pytest.mark.parametrize("case", sorted(set(CASES) - IMAGE_BY_IMAGE))
def test_each_for_itself_would_learn_something_else(of_two, case):
    """Or the test above would show nothing."""
    with torch.no_grad():
        loss = loss_of(case, slice(None))[0].item()
    apart = np.mean([result["apart"][case] for result in of_two])
    assert apart != pytest.approx(loss, rel=1e-4)


def exchanged(rank: int) -> dict:
    value = torch.tensor([1.0 + rank, 5.0], requires_grad=True)
    (total(value).square().sum()).backward()
    own = torch.arange(3.0 - rank, requires_grad=True)
    everyone = joined(own)
    (everyone * torch.arange(1.0, 7.0)).sum().backward()
    with torch.no_grad():
        without = processes()
    with alone():
        by_itself = (processes(), total(value).tolist(), largest(rank, value.device))
    return {
        "total": total(value).tolist(),
        "gradient": value.grad.tolist(),
        "joined": everyone.tolist(),
        "joined gradient": own.grad.tolist(),
        "count": shared_count(rank, value).item(),
        "least": shared_count(0, value, least=1.0).item(),
        "largest": largest(rank, value.device),
        "without gradients": without,
        "alone": by_itself,
    }


def test_what_processes_tell_one_another():
    first, second = in_two_processes(exchanged)
    for rank, result in enumerate((first, second)):
        assert result["total"] == [3.0, 10.0]
        assert result["gradient"] == [2 * 2 * 3.0, 2 * 2 * 10.0]  # the mean over two processes halves it
        assert result["joined"] == [0.0, 1.0, 2.0, 0.0, 1.0, 0.0]
        assert result["count"] == 0.5
        assert result["least"] == 0.5
        assert result["largest"] == 1
        assert result["without gradients"] == 1
        assert result["alone"] == (1, [1.0 + rank, 5.0], rank)
    assert first["joined gradient"] == [2.0, 4.0, 6.0]
    assert second["joined gradient"] == [8.0, 10.0]


def test_one_process_exchanges_nothing():
    values = torch.tensor([2.0, 1.0], requires_grad=True)
    assert processes() == 1
    assert total(values) is values
    assert joined(values) is values
    assert shared_count(3, values).item() == 3.0
    assert shared_count(0, values).item() == 1.0
