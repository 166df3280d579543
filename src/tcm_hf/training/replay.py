"""Hard samples come again: which, when, and how a training that resumes knows of it.

The run is cut into rounds of equal length. What was hardest in a round comes again in the round after the
next, at places that are drawn by the seed; in between the samples go on in their order, none is left out. By
the time the loader asks for a round its plan is made, however many batches are prepared ahead, so a run is
the same with any number of loader processes. Plans and losses lie in the checkpoints.

The idea of showing hard samples more often is that of "Training Region-based Object Detectors with Online
Hard Example Mining" (arXiv 1604.03540), here over samples instead of regions.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import torch
from safetensors.numpy import load_file, save_file
from transformers import TrainerCallback

from tcm_hf.training.arguments import AveragedTrainingArguments
from tcm_hf.training.datasets import EndlessDataset, PassSampler

REPLAY_NAME = "replay.safetensors"
NUMBERS = "sample_numbers"
"""Key of a batch for the numbers of its samples."""


class SampleLosses(Protocol):
    """What tells the loss of each sample; see `tcm_hf.training.sample_losses`."""

    def of(self, labels: Any) -> torch.Tensor | None:
        """(B,) losses of the batch that the model has seen last; None where there are none."""


class HardExamples:
    """The losses of the round that runs, and the plan of those that follow.

    Args:
        round_size: Samples of a round.
        share: Share of a round that are hard samples of the round before the last.
        seed: Decides their places.
    """

    def __init__(self, round_size: int, share: float, seed: int = 0):
        self.round_size = round_size
        self.count = round(share * round_size)
        self.seed = seed
        # Nothing is known before the first round ends, and the second may be prepared by then.
        self.plans: list[np.ndarray] = [np.empty(0, np.int64)] * 2
        self._losses: dict[int, float] = {}
        self._round: tuple[int, np.ndarray, int] | None = None

    def note(self, numbers: Sequence[int], losses: Sequence[float]) -> None:
        """Take what samples of this round have cost; the last loss of a sample that came twice counts."""
        self._losses.update(zip(map(int, numbers), map(float, losses), strict=True))

    def end_round(self) -> None:
        """Plan the round after the next: the hardest of this one come again, the hardest first."""
        finite = [(loss, number) for number, loss in self._losses.items() if np.isfinite(loss)]
        hardest = sorted(finite, key=lambda row: (-row[0], row[1]))[: self.count]
        self.plans.append(np.array([number for _, number in hardest], np.int64))
        self._losses = {}

    def number_at(self, place: int) -> int:
        """The number of the sample at place 0, 1, … of the run.

        Raises:
            ValueError: If the round of that place is not planned yet.
        """
        index, inside = divmod(place, self.round_size)
        if index >= len(self.plans):
            raise ValueError(
                f"Sample {place} is asked for before round {index} is planned: the loader prepares more than "
                "a round ahead. Raise `replay_round_steps`."
            )
        if self._round is None or self._round[0] != index:
            self._round = (index, self._planned(index), self._first_new(index))
        replayed, first = self._round[1:]
        if replayed[inside] >= 0:
            return int(replayed[inside])
        return first + inside - int((replayed[:inside] >= 0).sum())

    def save(self, folder: Path) -> None:
        """Write plans and losses into a checkpoint."""
        save_file(
            {
                "planned": np.concatenate(self.plans),
                "planned_per_round": np.array([len(plan) for plan in self.plans]),
                "noted": np.array(list(self._losses), np.int64),
                "losses": np.array(list(self._losses.values()), np.float64),
            },
            folder / REPLAY_NAME,
        )

    def load(self, folder: Path) -> None:
        """Go on with the plans and losses of a checkpoint; without them nothing comes again at first."""
        file = folder / REPLAY_NAME
        if not file.is_file():
            return
        kept = load_file(file)
        ends = np.cumsum(kept["planned_per_round"])
        self.plans = np.split(kept["planned"], ends[:-1])
        self._losses = dict(zip(kept["noted"].tolist(), kept["losses"].tolist(), strict=True))
        self._round = None

    def _planned(self, index: int) -> np.ndarray:
        """The number that comes again at each place of a round, -1 where a new sample comes."""
        plan = self.plans[index]
        places = np.random.default_rng((self.seed, index, 3)).permutation(self.round_size)[: len(plan)]
        replayed = np.full(self.round_size, -1, np.int64)
        replayed[places] = plan
        return replayed

    def _first_new(self, index: int) -> int:
        return index * self.round_size - sum(len(plan) for plan in self.plans[:index])


class ReplaySampler(PassSampler):
    """The numbers of `PassSampler`, hard ones again among them.

    Args:
        length: Samples of one epoch.
        examples: Says which number is at a place; asked as late as possible.
    """

    def __init__(self, length: int, examples: HardExamples):
        super().__init__(length)
        self.examples = examples

    def __iter__(self) -> Iterator[int]:
        """The numbers of the current epoch."""
        return (self.examples.number_at(place) for place in super().__iter__())


class NumberedDataset(EndlessDataset):
    """A data set whose samples know their number.

    Args:
        dataset: A data set of dicts that takes numbers beyond its length.
    """

    def __init__(self, dataset: Any):
        self.dataset = dataset

    def __len__(self) -> int:
        """Number of samples of one epoch."""
        return len(self.dataset)

    def __getitem__(self, number: int) -> dict[str, Any]:
        """Sample `number`."""
        return {**self.dataset[number], NUMBERS: int(number)}


class NumberedCollator:
    """A collator whose batches have the numbers of their samples, (B,) int64, under `NUMBERS`.

    Args:
        collator: Makes the batches; passes over what it does not know.
    """

    def __init__(self, collator: Callable[[Any], Any]):
        self.collator = collator

    def __call__(self, samples: Sequence[dict[str, Any]]) -> dict[str, Any]:
        """Stack samples of a `NumberedDataset`."""
        numbers = torch.tensor([sample[NUMBERS] for sample in samples])
        return {**self.collator(samples), NUMBERS: numbers}


class Replay(TrainerCallback):
    """Collects the losses of the samples of a training, in all its processes, and ends the rounds.

    Every process keeps the same plans: after each step they tell one another their losses.

    Args:
        args: The training arguments.
        losses: Tells the loss of each sample.
        gather: Joins the (n,) tensors of all processes, `Accelerator.gather`.

    Attributes:
        examples: The plans.

    Raises:
        ValueError: If the loader prepares more than a round ahead.
    """

    def __init__(
        self,
        args: AveragedTrainingArguments,
        losses: SampleLosses,
        gather: Callable[[torch.Tensor], torch.Tensor],
    ):
        ahead = args.dataloader_num_workers * (args.dataloader_prefetch_factor or 2)
        ahead += args.gradient_accumulation_steps + 4  # accelerate holds one back, samplers group them
        if args.replay_round_steps * args.gradient_accumulation_steps <= ahead:
            raise ValueError(
                f"`replay_round_steps` {args.replay_round_steps} is too few: up to {ahead} batches are "
                "prepared ahead, and a round must have more. Raise it, or take fewer loader processes."
            )
        batch = args.per_device_train_batch_size * args.gradient_accumulation_steps * args.world_size
        self.examples = HardExamples(args.replay_round_steps * batch, args.replay_share, args.seed)
        self._losses = losses
        self._gather = gather
        self._noted: list[tuple[torch.Tensor, torch.Tensor]] = []

    def note(self, numbers: torch.Tensor, labels: Any) -> None:
        """Take the losses of the samples of the batch that the model has seen last."""
        losses = self._losses.of(labels)
        if losses is not None:
            self._noted.append((numbers, losses))

    def on_step_end(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        """Called after the step of the optimizer, before a checkpoint is written."""
        if self._noted:
            numbers, losses = (self._gather(torch.cat(column)) for column in zip(*self._noted, strict=True))
            self.examples.note(numbers.tolist(), losses.tolist())
            self._noted = []
        if state.global_step % args.replay_round_steps == 0:
            self.examples.end_round()
