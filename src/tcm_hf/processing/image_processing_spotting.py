"""Image processor of end-to-end spotters: pictures -> `pixel_values`, and words with their texts back."""

from typing import Literal

from transformers.image_processing_backends import PilBackend, TorchvisionBackend
from transformers.image_utils import IMAGENET_DEFAULT_MEAN, IMAGENET_DEFAULT_STD, PILImageResampling
from transformers.processing_utils import ImagesKwargs

from .any_pictures import AnyPictureProcessing
from .photo_sizes import PhotoSizes
from .post_processing_spotting import SpottingPostProcessing
from .presets_image_processing_spotting import PRESETS
from .word_crops import WordCropping


class TCMSpottingImageProcessorKwargs(ImagesKwargs, total=False):
    """Settings of our own, beside those of every image processor. Kept in preprocessor_config.json.

    Attributes:
        size_divisor: both sides of the processed image are multiples of this. Default 32.
        characters: those of the model's configuration, in the order of their ids. Default: the released 96.
        threshold: least score of a word's place, 0..1. Default 0.45, as for Total-Text.
        recognition_threshold: least score of what a word reads, 0..1. Default 0, as the released spotters.
        polygon_mode: "polygon" (default) for outlines of any shape, straight words with four points; "quad"
            for rectangles of any angle.
        nms_threshold: of two outlines that overlap more (IoU) the better is kept; 1 keeps all, as the
            released spotters do. Default 0.5.
        points_per_curve: points along the top, and along the foot, in outlines from Bezier curves. Default 8.
        max_detections: of more words the best are kept; None (default) keeps all.
    """

    size_divisor: int
    characters: str
    threshold: float | int
    recognition_threshold: float | int
    polygon_mode: Literal["quad", "polygon"]
    nms_threshold: float | int
    points_per_curve: int
    max_detections: int | None


class _TCMSpottingImageProcessing(PhotoSizes, SpottingPostProcessing, WordCropping, AnyPictureProcessing):
    """What the two backends share. Defaults: the released spotters', for Total-Text."""

    presets = PRESETS
    valid_kwargs = TCMSpottingImageProcessorKwargs
    model_input_names = ["pixel_values"]

    do_convert_rgb = True
    do_resize = True
    size = {"shortest_edge": 1600, "longest_edge": 1824}
    default_to_square = False
    resample = PILImageResampling.BILINEAR
    do_rescale = True
    do_normalize = True
    # The released spotters' image tower is an ordinary ResNet, of ImageNet's pictures.
    image_mean = IMAGENET_DEFAULT_MEAN
    image_std = IMAGENET_DEFAULT_STD


class TCMSpottingImageProcessor(_TCMSpottingImageProcessing, TorchvisionBackend):  # type: ignore[misc]
    """Prepares images for end-to-end spotters and decodes their words; resizes with torchvision.

    Takes PIL images of any mode (turned upright by EXIF, transparency on white), numpy arrays and tensors
    (RGB, RGBA or grey), paths, URLs, base64 text and bytes, alone or in lists. Keeps the aspect ratio up to
    rounding to multiples of `size_divisor`. Settings beside the usual ones:
    `TCMSpottingImageProcessorKwargs`.
    """


class TCMSpottingImageProcessorPil(_TCMSpottingImageProcessing, PilBackend):  # type: ignore[misc]
    """The same with Pillow instead of torchvision: pixels differ by at most one grey level."""


__all__ = ["TCMSpottingImageProcessor", "TCMSpottingImageProcessorPil"]
