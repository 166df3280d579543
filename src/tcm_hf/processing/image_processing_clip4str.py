"""Image processor of CLIP4STR word recognizers: crops of single words -> `pixel_values`."""

from typing import Any

from transformers.image_processing_backends import PilBackend, TorchvisionBackend
from transformers.image_utils import OPENAI_CLIP_MEAN, OPENAI_CLIP_STD, PILImageResampling, SizeDict

from .any_pictures import AnyPictureProcessing

# Parity: the released test.py and read.py normalise with these, although training used CLIP's statistics.
# `CLIP4STRImageProcessor.from_preset("clip4str-base", **UPSTREAM_TEST_NORMALIZATION)` repeats that.
UPSTREAM_TEST_NORMALIZATION = {"image_mean": [0.5, 0.5, 0.5], "image_std": [0.5, 0.5, 0.5]}

_SQUARE = {"size": {"height": 224, "width": 224}}
_PRESETS: dict[str, dict[str, Any]] = {
    "clip4str-base-32": _SQUARE,
    "clip4str-base": _SQUARE,
    "clip4str-base-datacomp": _SQUARE,
    "clip4str-large": _SQUARE,
    "clip4str-large-datacomp": _SQUARE,
    "clip4str-huge-laion": _SQUARE,
    "clip4str-huge-dfn": _SQUARE,
    "clip4str-adapter-linear": _SQUARE,
    "clip4str-adapter-attention": _SQUARE,
    "clip4str-adapter-ladder": _SQUARE,
    "clip4str-adapter-ladder-pruning": _SQUARE,
    "clip4str-tiny": {"size": {"height": 32, "width": 128}},
}


class _CLIP4STRImageProcessing(AnyPictureProcessing):
    """What the two backends share. Defaults: the paper's 224 x 224, stretched, with CLIP's statistics."""

    presets = _PRESETS
    model_input_names = ["pixel_values"]

    do_convert_rgb = True
    do_resize = True
    size = {"height": 224, "width": 224}
    default_to_square = True
    resample = PILImageResampling.BICUBIC
    do_rescale = True
    do_normalize = True
    image_mean = OPENAI_CLIP_MEAN
    image_std = OPENAI_CLIP_STD

    no_cropping_because = (
        "the network expects a word that fills its picture. Crop before, and leave the stretching to "
        "`do_resize`."
    )
    for_unequal_sizes = "Leave `do_resize` on."

    def _processed_size_hw(self, size_hw: tuple[int, int], size: SizeDict, **kwargs: Any) -> tuple[int, int]:
        if not (size.height and size.width):
            raise ValueError(
                'Expected `size={"height": …, "width": …}`, the size of the network\'s picture: got '
                f"{dict(size)}. A word is stretched to it, its aspect ratio is not kept."
            )
        return size.height, size.width


class CLIP4STRImageProcessor(_CLIP4STRImageProcessing, TorchvisionBackend):  # type: ignore[misc]
    """Prepares crops of words for CLIP4STR; resizes with torchvision.

    Takes PIL images of any mode (turned upright by EXIF, transparency on white), numpy arrays and tensors
    (RGB, RGBA or grey), paths, URLs, base64 text and bytes, alone or in lists. Every crop is stretched to
    `size` by bicubic interpolation, whatever its aspect ratio.

    The default normalisation is CLIP's, with which the published models were trained; their evaluation
    scripts used mean and deviation 0.5, see `UPSTREAM_TEST_NORMALIZATION`.

    Example:
        >>> from tcm_hf.processing.image_processing_clip4str import CLIP4STRImageProcessor
        >>> CLIP4STRImageProcessor.from_preset("clip4str-tiny").size["width"]
        128
    """


class CLIP4STRImageProcessorPil(_CLIP4STRImageProcessing, PilBackend):  # type: ignore[misc]
    """The same with Pillow instead of torchvision, as the original: pixels differ by few grey levels."""


__all__ = ["UPSTREAM_TEST_NORMALIZATION", "CLIP4STRImageProcessor", "CLIP4STRImageProcessorPil"]
