"""What a model is traced with: a lean copy of it, a small batch, and the axes that stay open."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch

from tcm_hf.modeling.recognition_decoding import end_of_word_logits
from tcm_hf.processing.detector_decoding import DECODINGS


@dataclass(frozen=True)
class Traced:
    """A model that is ready for an exporter.

    Attributes:
        model: A copy for inference, which returns a dict of what post-processing reads and nothing else.
        pixel_values: (2, 3, H, W) to trace with; of a batch of one the axis would freeze.
        axes: Names of the axes that stay open, by their index.
        cell_px: Sides of the input are multiples of this, where they are open.
    """

    model: Any
    pixel_values: torch.Tensor
    axes: dict[int, str]
    cell_px: int = 1

    @property
    def inputs(self) -> dict[str, Any]:
        """By name, as the exporters want them."""
        return {"pixel_values": self.pixel_values}

    @property
    def dynamic_shapes(self) -> dict[str, dict[int, Any]]:
        """Likewise; an axis that the model's code would freeze is an error, not a constant."""
        return {"pixel_values": dict.fromkeys(self.axes, torch.export.Dim.DYNAMIC)}


def prepare(model: Any) -> Traced:
    """What an exporter needs of a model.

    Args:
        model: A `TCMForTextDetection` or `CLIP4STRForTextRecognition`; it stays as it is.

    Raises:
        ValueError: For a model of another kind, or one that is not in float32.
    """
    kind = getattr(model.config, "model_type", None)
    if kind not in _KINDS:
        raise ValueError(
            f"Expected a model of the type {' or '.join(_KINDS)}: got {type(model).__name__} ({kind!r})."
        )
    if model.dtype != torch.float32:
        raise ValueError(f'An export starts from float32: got {model.dtype}. Load it with dtype="float32".')
    copy = model.inference_copy().to("cpu")
    return _KINDS[kind](copy)


def _trace_detector(model: Any) -> Traced:
    head_type = model.config.head_config.head_type
    decoding = next(decoding for decoding in DECODINGS if head_type in decoding.head_types)
    _return_only(model, decoding.fields)
    cell = model.model.image_tower.size_divisor
    # Neither square, nor of the size of a position embedding: what is frozen shall show.
    return Traced(model, _noise(3 * cell, 5 * cell), {0: "batch", 2: "height", 3: "width"}, cell)


def _trace_recognizer(model: Any) -> Traced:
    _return_only(model, ("logits",))
    read, num_steps = model.forward, model.config.max_label_length + 1

    def forward(pixel_values: torch.Tensor) -> dict[str, torch.Tensor]:
        logits = read(pixel_values)["logits"]
        blank = end_of_word_logits(logits.shape[-1], model.config.end_id, logits.device)
        rest = blank.expand(logits.shape[0], num_steps - logits.shape[1], -1)
        return {"logits": torch.cat([logits, rest], dim=1)}  # as many steps in PyTorch as in a program

    model.forward = forward
    return Traced(model, _noise(*model.config.image_size_hw), {0: "batch"})


_KINDS: dict[str, Callable[[Any], Traced]] = {"tcm": _trace_detector, "clip4str": _trace_recognizer}


def _noise(height: int, width: int) -> torch.Tensor:
    return torch.randn(2, 3, height, width, generator=torch.Generator().manual_seed(0))


def _return_only(model: Any, fields: Sequence[str]) -> None:
    whole = model.forward

    def forward(pixel_values: torch.Tensor) -> dict[str, Any]:
        outputs = whole(pixel_values=pixel_values)
        return {name: outputs[name] for name in fields}

    model.forward = forward
