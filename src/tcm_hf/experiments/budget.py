"""What all trainings of an experiment have in common."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

_OF_THE_MACHINE = ("cache", "workers", "channels_last", "cpu", "save_steps")


@dataclass(frozen=True)
class Budget:
    """How long is trained, on what sizes, and how it is scored; equal for all rows of a table.

    Args:
        preset: Preset of the models; the rows change some of its settings.
        steps: Optimizer steps of a training, however few its photos are.
        batch_size: Crops in a step.
        crop: Side of a crop in pixels, a multiple of 32.
        learning_rate: Peak rate.
        image_tower_lr_factor: Its part of the rate; None takes the papers' 0.1 where the weights of the tower
            come from a checkpoint, and 1 where they are random.
        average_decay: Decay of the average of the weights.
        min_text_px: Smaller text in a crop is not trained on.
        size: (short, long) bounds in pixels of whole photos; None keeps the preset's.
        calibration_images: Photos of a run's own training photos that choose its decoding.
        decodings: Of the settings that are tried for the decoding at most so many, evenly spread; 0 tries
            all.
        bf16: Mixed precision in bfloat16, in training and scoring.
        channels_last: Channels-last memory order.
        cache: Folder of decoded photos.
        workers: Processes that prepare samples.
        cpu: Leave a GPU alone.
        save_steps: Steps between two checkpoints to go on from.
    """

    preset: str = "fasttcm-dbnet-tiny"
    steps: int = 1000
    batch_size: int = 8
    crop: int = 320
    learning_rate: float = 1e-3
    image_tower_lr_factor: float | None = None
    average_decay: float = 0.99
    min_text_px: float = 6.0
    size: tuple[int, int] | None = None
    calibration_images: int = 40
    decodings: int = 0
    bf16: bool = False
    channels_last: bool = False
    cache: Path | None = None
    workers: int = 1
    cpu: bool = False
    save_steps: int = 500

    def settings(self) -> dict[str, Any]:
        """What changes results, fit for JSON: all but what is a matter of the machine."""
        values = {name: value for name, value in asdict(self).items() if name not in _OF_THE_MACHINE}
        return values | {"size": None if self.size is None else list(self.size)}
