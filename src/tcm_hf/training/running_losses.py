"""Losses between two lines of the log, kept in checkpoints: a curve that goes on has no seam."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import torch
from safetensors.torch import load_file, save_file

_TOTAL, _LOGGED, _COUNT = "total", "last_logged_step", "count"
_SINGLE = "single."


class RunningLosses:
    """Sums of the single losses since the last line of the log.

    Attributes:
        sums: The sums by name.
        count: Forwards in them.
    """

    def __init__(self) -> None:
        self.sums: dict[str, torch.Tensor] = {}
        self.count = 0

    def note(self, losses: Mapping[str, torch.Tensor]) -> None:
        """Take the single losses of one forward into the sums."""
        for name, value in losses.items():
            value = value.detach().float()
            self.sums[name] = self.sums[name] + value if name in self.sums else value
        self.count += 1

    def take_means(self) -> dict[str, float]:
        """The means since this was asked for the last time; empty where there was no forward."""
        means = {name: (total / self.count).item() for name, total in self.sums.items()}
        self.sums, self.count = {}, 0
        return means

    def save(self, folder: Path, rank: int, total: torch.Tensor, last_logged_step: int) -> None:
        """Write the sums of one process.

        Args:
            folder: The checkpoint.
            rank: Number of the process.
            total: The Trainer's own sum of the whole loss.
            last_logged_step: Step of the last line of the log.
        """
        folder.mkdir(parents=True, exist_ok=True)
        tensors = {f"{_SINGLE}{name}": value.cpu() for name, value in self.sums.items()}
        counts = {_LOGGED: torch.tensor(last_logged_step), _COUNT: torch.tensor(self.count)}
        save_file({**tensors, **counts, _TOTAL: total.detach().cpu()}, _file(folder, rank))

    def load(self, folder: Path, rank: int, device: torch.device) -> tuple[torch.Tensor, int] | None:
        """Go on with the sums in a checkpoint.

        Returns:
            `total` and `last_logged_step` as they were saved; None where the checkpoint has none of this
            process.
        """
        file = _file(folder, rank)
        if not file.is_file():
            return None
        kept = load_file(file)
        total, logged, self.count = kept.pop(_TOTAL), int(kept.pop(_LOGGED)), int(kept.pop(_COUNT))
        self.sums = {name.removeprefix(_SINGLE): value.to(device) for name, value in kept.items()}
        return total.to(device), logged


def _file(folder: Path, rank: int) -> Path:
    return folder / f"running_losses_{rank}.safetensors"
