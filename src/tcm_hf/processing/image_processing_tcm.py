"""Image processor of TCM text detectors: pictures -> `pixel_values`. The way back: post_processing_tcm.py."""

from typing import Literal

from transformers.image_processing_backends import PilBackend, TorchvisionBackend
from transformers.image_utils import PILImageResampling
from transformers.processing_utils import ImagesKwargs

from .any_pictures import AnyPictureProcessing
from .photo_sizes import PhotoSizes
from .post_processing_tcm import TCMPostProcessing
from .presets_image_processing import PRESETS
from .word_crops import WordCropping

# What the papers' released configs normalise with (RGB, there on the scale of 0..255): the mean is neither
# CLIP's nor ImageNet's, the deviation is ImageNet's.
TCM_MEAN = [122.67891434 / 255, 116.66876762 / 255, 104.00698793 / 255]
TCM_STD = [58.395 / 255, 57.12 / 255, 57.375 / 255]


class TCMImageProcessorKwargs(ImagesKwargs, total=False):
    """Settings of our own, beside those of every image processor. Kept in preprocessor_config.json.

    The defaults are DBNet's: a bare `TCMImageProcessor()` has the sizes, the normalisation and the thresholds
    of the papers' DBNet. For PAN and FCENet, whose pictures are normalised with another mean and whose scores
    mean something else, take `TCMImageProcessor.from_preset`, or the processor saved with the model.

    Attributes:
        size_divisor: both sides of the processed image are multiples of this. Default 32.
        threshold: least score of a text instance, 0..1. Default 0.3.
        binarize_threshold: a pixel is text if its probability is above this, 0..1. Default 0.3.
        unclip_ratio: how far the shrunk kernels of text grow back. Default 1.5.
        shrink_ratio: if set (0.4 for the papers' targets), kernels grow by undoing this shrinking exactly,
            unless a call names an `unclip_ratio`. Default None.
        polygon_mode: "quad" (default) for rectangles of any angle, "polygon" for outlines of any shape.
        min_side_px: an instance whose smaller side is shorter, in pixels of the map, is dropped; 0 keeps all
            (the original's polygon mode does). Default 3.
        max_detections: of more instances the best are kept; None (default) keeps all.
        max_candidates: at most so many blobs of the map are looked at. Default 3000.
        arc_length_ratio: outlines are simplified with this part of their length as the tolerance; 0 takes
            every corner. Default 0.001, as for IC15.
        kernel_threshold: PAN: a pixel belongs to a kernel if its probability is above this. Default 0.5.
        embedding_distance: PAN: a pixel joins a kernel whose mean embedding is nearer. Default 0.85.
        min_area_px: PAN: an instance with fewer pixels of the map is dropped. Default 16.
        region_exponent: FCENet: alpha, weight of the text region in the score. Default 1.2.
        center_exponent: FCENet: beta, weight of the centre region in the score. Default 1.0.
        num_contour_points: FCENet: points of an outline. Default 50.
        nms_threshold: FCENet: of two outlines that overlap more (IoU) the better is kept. Default 0.1.
    """

    size_divisor: int
    threshold: float | int
    binarize_threshold: float | int
    unclip_ratio: float | int
    shrink_ratio: float | int | None
    polygon_mode: Literal["quad", "polygon"]
    min_side_px: float | int
    max_detections: int | None
    max_candidates: int
    arc_length_ratio: float | int | None
    kernel_threshold: float | int
    embedding_distance: float | int
    min_area_px: int
    region_exponent: float | int
    center_exponent: float | int
    num_contour_points: int
    nms_threshold: float | int


class _TCMImageProcessing(PhotoSizes, TCMPostProcessing, WordCropping, AnyPictureProcessing):
    """What the two backends share. Defaults: the papers' TD500 sizes and normalisation."""

    presets = PRESETS
    valid_kwargs = TCMImageProcessorKwargs
    model_input_names = ["pixel_values"]

    do_convert_rgb = True
    do_resize = True
    size = {"shortest_edge": 736, "longest_edge": 4068}
    default_to_square = False
    # mmcv's default, which the papers' configs use. Parity: both backends here smooth when they shrink, mmcv
    # does not.
    resample = PILImageResampling.BILINEAR
    do_rescale = True
    do_normalize = True
    image_mean = TCM_MEAN
    image_std = TCM_STD


class TCMImageProcessor(_TCMImageProcessing, TorchvisionBackend):  # type: ignore[misc]
    """Prepares images for TCM text detectors and decodes their maps; resizes with torchvision.

    Takes PIL images of any mode (turned upright by EXIF, transparency on white), numpy arrays and tensors
    (RGB, RGBA or grey), paths, URLs, base64 text and bytes, alone or in lists. Keeps the aspect ratio up to
    rounding to multiples of `size_divisor`. Settings beside the usual ones: `TCMImageProcessorKwargs`.

    Example:
        >>> from tcm_hf.processing.image_processing_tcm import TCMImageProcessor
        >>> processor = TCMImageProcessor(size={"shortest_edge": 736, "longest_edge": 1312})
        >>> processor.get_processed_size_hw((720, 1280))
        (736, 1312)
    """


class TCMImageProcessorPil(_TCMImageProcessing, PilBackend):  # type: ignore[misc]
    """The same with Pillow instead of torchvision: pixels differ by at most one grey level."""


__all__ = ["TCMImageProcessor", "TCMImageProcessorPil"]
