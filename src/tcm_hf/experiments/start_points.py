"""Where the trainings of an experiment begin: random weights by their seed, and what fits of a checkpoint."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import torch
from torch import Tensor
from transformers import set_seed

from tcm_hf.modeling.configuration_tcm import TCMConfig
from tcm_hf.modeling.modeling_tcm import TCMForTextDetection
from tcm_hf.processing.image_processing_tcm import TCMImageProcessor

# A tower for shorter prompts has the first rows of the table of one for longer prompts.
_POSITIONS = "text_tower.embeddings.position_embedding.weight"


@dataclass(frozen=True)
class StartPoint:
    """Weights of a checkpoint that every row of a table begins with, as far as it has such a part.

    Args:
        weights: Tensors by name.
        digest: Tells them from others; "random" where there are none.
    """

    weights: Mapping[str, Tensor] = field(default_factory=dict)
    digest: str = "random"

    @classmethod
    def shared_by(
        cls, checkpoint: str | Path, configs: Iterable[TCMConfig], only: Sequence[str] = ("",)
    ) -> StartPoint:
        """What fits into all rows alike.

        A tensor that some row has in another shape is left out of all of them: no row may begin with more of
        the checkpoint than another that has the same part. One that a row has no part for, as the baseline
        has no text tower, is taken over by the others: right for the towers of CLIP, an advantage where the
        checkpoint is one of the rows and was trained. Of the text tower's positions each row takes the first
        ones.

        Args:
            checkpoint: A detector's folder, or name on the Hub.
            configs: The rows'.
            only: How the names begin of what may be taken over, as `model.image_tower.`.

        Raises:
            ValueError: If nothing fits.
            OSError: If there is no checkpoint.
        """
        stored = TCMForTextDetection.from_pretrained(checkpoint).state_dict()
        fitting = {name: tensor for name, tensor in stored.items() if name.startswith(tuple(only))}
        for config in configs:
            for name, shape in _shapes(config).items():
                if name in fitting and not _fits(name, fitting[name].shape, shape):
                    del fitting[name]
        if not fitting:
            raise ValueError(
                f"Nothing of {checkpoint} fits the models of this experiment: take a checkpoint of the same "
                "image tower, or the preset of the checkpoint."
            )
        digest = hashlib.sha1()
        for name, tensor in sorted(fitting.items()):
            digest.update(name.encode())
            digest.update(tensor.contiguous().flatten().view(torch.uint8).numpy().tobytes())
        return cls(fitting, digest.hexdigest()[:16])

    def write(self, config: TCMConfig, image_processor: TCMImageProcessor, seed: int, folder: Path) -> None:
        """Save the checkpoint that a run begins with.

        Args:
            config: The run's.
            image_processor: Its image processor.
            seed: Of the weights that are random.
            folder: Of the checkpoint.
        """
        set_seed(seed)
        model = TCMForTextDetection(config)
        own = model.state_dict()
        with torch.no_grad():
            for name, tensor in self.weights.items():
                if name in own:
                    own[name].copy_(tensor[: len(own[name])] if name.endswith(_POSITIONS) else tensor)
        image_processor.save_pretrained(folder)
        model.save_pretrained(folder)  # last: its files say that the folder is whole


def _shapes(config: TCMConfig) -> dict[str, torch.Size]:
    with torch.device("meta"):
        model = TCMForTextDetection(config)
    return {name: tensor.shape for name, tensor in model.state_dict().items()}


def _fits(name: str, stored: torch.Size, wanted: torch.Size) -> bool:
    if name.endswith(_POSITIONS):
        return stored[1:] == wanted[1:] and stored[0] >= wanted[0]
    return stored == wanted
