"""Several processes train as one: samples, losses, weights, scores, checkpoints; and what they agree on."""

import json
from itertools import chain

import numpy as np
import pytest
import torch
from accelerate.data_loader import prepare_data_loader, skip_first_batches
from torch import nn
from torch.utils.data import DataLoader, Dataset
from transformers import TrainerState

from tcm_hf.processing.image_processing_tcm import TCMImageProcessor
from tcm_hf.training.batch_norm import ProcessBatchNorm, synchronise_batch_norms
from tcm_hf.training.datasets import MixedDataset, PassSampler
from tcm_hf.training.evaluation_loop import evaluate_detector
from tcm_hf.training.processes import ALONE, Processes, launched_in_vain
from tcm_hf.training.progress import StopOnSignal
from two_processes import can_fork, in_two_processes


class Numbers(Dataset):
    """Samples that are their numbers; goes on beyond its length, as ours do."""

    def __init__(self, length: int, first: int = 0):
        self.length, self.first = length, first

    def __len__(self) -> int:
        return self.length

    def __getitem__(self, number: int) -> int:
        return self.first + int(number) % self.length


def shards(dataset, length: int, processes: int, workers: int = 0, batch_size: int = 2) -> list:
    """The loaders of all processes, as the Trainer prepares them."""
    loader = DataLoader(
        dataset, batch_size, sampler=PassSampler(length), num_workers=workers, multiprocessing_context=None
    )
    return [
        prepare_data_loader(loader, num_processes=processes, process_index=rank, put_on_device=False)
        for rank in range(processes)
    ]


def steps_of(loaders: list) -> list[list[int]]:
    """Samples of each step, all processes together."""
    return [torch.cat(batches).tolist() for batches in zip(*loaders, strict=True)]


@pytest.mark.parametrize("processes", [1, 2, 3])
def test_processes_share_the_samples_of_an_epoch_without_repeats_or_gaps(processes):
    loaders = shards(Numbers(1000), 12, processes)
    for epoch in range(2):
        for loader in loaders:
            loader.set_epoch(epoch)
        steps = steps_of(loaders)
        assert list(chain(*steps)) == list(range(12 * epoch, 12 * (epoch + 1)))
        assert {len(step) for step in steps} == {2 * processes}


def test_loader_processes_change_nothing():
    assert steps_of(shards(Numbers(1000), 16, 2, workers=2)) == steps_of(shards(Numbers(1000), 16, 2))


def test_going_on_skips_what_all_processes_have_seen():
    loaders = [skip_first_batches(loader, 3) for loader in shards(Numbers(1000), 24, 2)]
    assert list(chain(*steps_of(loaders))) == list(range(12, 24))


def test_a_mix_keeps_its_shares_over_the_processes():
    mix = MixedDataset([Numbers(50), Numbers(1000, first=1000)], [3, 1], length=1000)
    seen = list(chain(*steps_of(shards(mix, 1000, 2, batch_size=10))))
    ours = [number for number in seen if number < 1000]
    assert len(ours) == 750
    assert sorted(ours) == sorted(list(range(50)) * 15)  # pass after pass, whoever takes them


@pytest.mark.parametrize("length", [0, 1, 5, 6])
def test_every_record_is_in_one_share(length):
    shares = [set(Processes(rank, 3).share(length)) for rank in range(3)]
    assert set.union(*shares) == set(range(length))
    assert sum(map(len, shares)) == length


def test_one_process_asks_nobody():
    assert ALONE.gathered({1: "a"}) == {1: "a"}
    assert ALONE.agree(True, 1)
    assert not ALONE.agree(False, 10)
    assert ALONE.means({"loss": 2.0}) == {"loss": 2.0}


@pytest.mark.parametrize(
    ("environment", "in_vain"),
    [
        ({}, False),
        ({"ACCELERATE_USE_CPU": "True", "MASTER_ADDR": "127.0.0.1"}, True),
        ({"ACCELERATE_USE_CPU": "True"}, False),  # --num_processes 1
        ({"ACCELERATE_USE_CPU": "True", "MASTER_ADDR": "127.0.0.1", "WORLD_SIZE": "2"}, False),
        ({"ACCELERATE_USE_CPU": "True", "MASTER_ADDR": "127.0.0.1", "PMI_SIZE": "2"}, False),
        ({"ACCELERATE_USE_CPU": "False", "MASTER_ADDR": "127.0.0.1"}, False),
        ({"MASTER_ADDR": "127.0.0.1", "WORLD_SIZE": "2"}, False),
    ],
)
def test_a_launch_that_starts_one_process_only_is_noticed(environment, in_vain):
    assert launched_in_vain(environment) is in_vain


def exchanged(rank: int) -> dict:
    processes = Processes(rank, 2)
    stop = StopOnSignal(processes)
    stop.asked = rank == 1

    class Control:
        should_evaluate, should_save, should_training_stop = True, False, False

    stop.on_step_end(None, TrainerState(global_step=3), Control)
    return {
        "gathered": processes.gathered({rank: f"of {rank}"}),
        "agree": (processes.agree(rank == 1, 3), processes.agree(False, 3)),
        "means": processes.means({"loss": 1.0 + 2 * rank}),
        "stops": (Control.should_training_stop, Control.should_save, stop.stopped),
    }


@can_fork
def test_what_one_process_knows_all_know():
    for result in in_two_processes(exchanged):
        assert result["gathered"] == {0: "of 0", 1: "of 1"}
        assert result["agree"] == (True, False)
        assert result["means"] == {"loss": 2.0}
        assert result["stops"] == (True, True, True)


def normalised(part: slice, synchronised: bool) -> dict[str, np.ndarray]:
    generator = torch.Generator().manual_seed(0)
    pixels = torch.randn(4, 3, 5, 7, generator=generator) * 2 + torch.arange(4.0)[:, None, None, None]
    goal = torch.randn(4, 3, 5, 7, generator=generator)
    model = nn.Sequential(nn.BatchNorm2d(3), nn.Conv2d(3, 3, 1), nn.BatchNorm2d(3, affine=False))
    with torch.no_grad():
        for number, parameter in enumerate(model.parameters()):
            parameter.copy_(torch.randn(parameter.shape, generator=generator) + number)
    if synchronised:
        synchronise_batch_norms(model, "cpu")
    own = pixels[part].requires_grad_()
    output = model(own)
    # The Trainer's processes average their gradients: of a mean over images, half of this one's.
    ((output - goal[part]) ** 2).mean().backward()
    return {
        "output": output.detach().numpy(),
        "input gradient": own.grad.numpy(),
        "weight gradient": model[0].weight.grad.numpy(),
        **{name: value.numpy() for name, value in model.state_dict().items()},
    }


def normalised_in(rank: int) -> dict[str, np.ndarray]:
    return normalised(slice(2 * rank, 2 * rank + 2), synchronised=True)


@can_fork
def test_batch_norms_of_two_processes_normalise_as_one():
    whole = normalised(slice(None), synchronised=False)
    parts = in_two_processes(normalised_in)
    joined = {name: np.concatenate([part[name] for part in parts]) for name in ("output", "input gradient")}
    np.testing.assert_allclose(joined["output"], whole["output"], rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(joined["input gradient"] / 2, whole["input gradient"], rtol=1e-3, atol=1e-6)
    mean = sum(part["weight gradient"] for part in parts) / 2
    np.testing.assert_allclose(mean, whole["weight gradient"], rtol=1e-3, atol=1e-5)
    for part in parts:
        assert part.keys() == whole.keys()
        for name in ("0.running_mean", "0.running_var", "0.num_batches_tracked", "2.running_var"):
            np.testing.assert_allclose(part[name], whole[name], rtol=1e-5, atol=1e-6, err_msg=name)


def test_alone_and_in_evaluation_a_process_norm_is_a_batch_norm():
    pixels = torch.randn(2, 3, 4, 5, generator=torch.Generator().manual_seed(1))
    plain, ours = nn.BatchNorm2d(3), nn.Sequential(nn.BatchNorm2d(3))
    synchronise_batch_norms(ours, "cpu")
    assert type(ours[0]) is ProcessBatchNorm
    for mode in (True, False):
        assert torch.equal(plain.train(mode)(pixels), ours.train(mode)(pixels))
    assert torch.equal(plain.running_var, ours[0].running_var)


def trained(trainer) -> dict:
    trainer.train()
    log = trainer.state.log_history
    state = {name: value.numpy() for name, value in trainer.model.state_dict().items()}
    return {
        "losses": [entry["loss"] for entry in log if "loss" in entry],
        "parts": [entry["loss_probability"] for entry in log if "loss" in entry],
        "weights": {name: value for name, value in state.items() if value.dtype == np.float32},
        "scores": [entry["eval_best_hmean"] for entry in log if "eval_best_hmean" in entry],
    }


@can_fork
def test_two_processes_train_as_one_with_twice_the_batch(make_trainer, bar_records, tmp_path):
    """Losses, gradients, batch norms, average, evaluation, checkpoints: all of it at once."""
    changes = {
        "average_decay": 0.9,
        "optimizer": "sgd",  # steps and their noise in proportion to gradients
        "learning_rate": 1e-4,
        "max_grad_norm": 0.0,  # which would hide a wrong size of gradients
        "eval_dataset": bar_records,
    }
    start = make_trainer("start").model.state_dict()
    one = trained(make_trainer("one", per_device_train_batch_size=4, **changes))

    def in_each(rank: int) -> dict:
        return trained(make_trainer("two", per_device_train_batch_size=2, **changes))

    first, second = in_two_processes(in_each)
    for result in (first, second):
        assert result["losses"] == pytest.approx(one["losses"], rel=2e-4)
        assert result["parts"] == pytest.approx(one["parts"], rel=2e-4)
        assert result["scores"] == pytest.approx(one["scores"], abs=1e-3)
    moved, apart = [], []
    for name, value in one["weights"].items():
        moved.append((value - start[name].numpy()).ravel())
        apart.append((first["weights"][name] - value).ravel())
        np.testing.assert_array_equal(first["weights"][name], second["weights"][name])
    assert np.linalg.norm(np.concatenate(apart)) < 1e-2 * np.linalg.norm(np.concatenate(moved))
    checkpoint = tmp_path / "two" / "checkpoint-4"
    written = {path.name for path in checkpoint.iterdir()}
    assert {"rng_state_0.pth", "rng_state_1.pth", "model.safetensors"} <= written
    log = json.loads((checkpoint / "trainer_state.json").read_text())["log_history"]
    assert [entry["step"] for entry in log if "loss" in entry] == [1, 2, 3, 4]


@can_fork
def test_an_evaluation_that_is_shared_counts_every_photo_once(tiny_detector, bar_records):
    processor = TCMImageProcessor(size={"shortest_edge": 64, "longest_edge": 128}, threshold=0.1)
    model = tiny_detector()
    alone = evaluate_detector(model, processor, bar_records)
    results = in_two_processes(
        lambda rank: evaluate_detector(model, processor, bar_records, processes=Processes(rank, 2))
    )
    for shared in results:
        assert shared.keys() == alone.keys()
        for name in set(alone) - {"images_per_second"}:
            assert shared[name] == alone[name], name
