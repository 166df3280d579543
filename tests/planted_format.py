"""A format that takes no time: a file with a number by which the outputs are off."""

from pathlib import Path

import numpy as np

from tcm_hf.export.formats import Format


class PlantedFormat(Format):
    """Writes `error` to its file; what runs it gives the model's outputs plus that."""

    file = "planted/model.txt"
    packages = ()
    example = "run({folder})  # {task}"

    def __init__(self, error: float = 0.0):
        self.error, self.source = error, None

    def write(self, source, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(str(self.error))
        self.source = source

    def open(self, path: Path):
        import torch

        error, model = float(path.read_text()), self.source.traced.model
        return lambda pixels: {
            name: np.asarray(value) + error for name, value in model(torch.from_numpy(pixels)).items()
        }
