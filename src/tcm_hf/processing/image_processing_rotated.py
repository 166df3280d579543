"""Image processor of rotated object detectors: pictures -> `pixel_values`, and objects back."""

from typing import Any, Literal

from transformers.image_processing_backends import PilBackend, TorchvisionBackend
from transformers.image_utils import OPENAI_CLIP_MEAN, OPENAI_CLIP_STD, PILImageResampling, SizeDict
from transformers.processing_utils import ImagesKwargs

from .any_pictures import AnyPictureProcessing
from .image_sizes import processed_size_hw, shrink_factor
from .post_processing_rotated import RotatedPostProcessing
from .presets_image_processing_rotated import PRESETS
from .tiling import Tile, plan_tiles


class TCMRotatedImageProcessorKwargs(ImagesKwargs, total=False):
    """Settings of our own, beside those of every image processor. Kept in preprocessor_config.json.

    Attributes:
        size_divisor: both sides of the processed image are multiples of this. Default 32.
        threshold: least score of an object, 0..1. Default 0, for average precision.
        candidate_threshold: least probability of a class, 0..1; the score is this times the centerness, where
            the head has one. Default 0.05.
        nms_threshold: of two boxes of a class that overlap more (IoU) the better is kept. Default 0.1.
        max_candidates: pairs of a box and a class that a level of the pyramid may contribute. Default 2000.
        max_detections: of more objects the best are kept. Default 2000.
        tile_px: side of the tiles that a large photo is cut into. Default 1024.
        tile_overlap_px: least overlap of neighbours. Default 200.
    """

    size_divisor: int
    threshold: float | int
    candidate_threshold: float | int
    nms_threshold: float | int
    max_candidates: int
    max_detections: int
    tile_px: int
    tile_overlap_px: int


class _TCMRotatedImageProcessing(RotatedPostProcessing, AnyPictureProcessing):
    """What the two backends share. Defaults: the released detectors', for DOTA's tiles of 1024 pixels."""

    presets = PRESETS
    valid_kwargs = TCMRotatedImageProcessorKwargs
    model_input_names = ["pixel_values"]

    do_convert_rgb = True
    do_resize = True
    size = {"longest_edge": 1024}
    default_to_square = False
    size_divisor = 32
    resample = PILImageResampling.BILINEAR
    do_rescale = True
    do_normalize = True
    # Parity: CLIP's own statistics, other than TCM's text detectors.
    image_mean = OPENAI_CLIP_MEAN
    image_std = OPENAI_CLIP_STD
    tile_px = 1024
    tile_overlap_px = 200

    no_cropping_because = (
        "after either of them the sizes of the images alone no longer lead from the boxes back to the image. "
        'For one size of all images use `size={"height": …, "width": …}`.'
    )
    for_unequal_sizes = "Process them one by one, or leave out `return_tensors` for a list."

    def _processed_size_hw(self, size_hw: tuple[int, int], size: SizeDict, **kwargs: Any) -> tuple[int, int]:
        return processed_size_hw(size_hw, dict(size), kwargs["size_divisor"])

    def get_processed_size_hw(self, size_hw: tuple[int, int]) -> tuple[int, int]:
        """(height, width) that an image of this size gets before the network sees it."""
        return processed_size_hw(size_hw, self.size, self.size_divisor)

    def get_shrink_factor(self, size_hw: tuple[int, int]) -> float:
        """Scale of the objects after resizing: below 1 they become smaller. See `shrink_factor`."""
        return shrink_factor(size_hw, self.size, self.size_divisor)

    def plan_tiles(self, size_hw: tuple[int, int], tile: int | Literal["auto"] | None = None) -> list[Tile]:
        """Tiles to process one by one, so that objects stay as large as those that were learned.

        Args:
            size_hw: (height, width) of the upright image in pixels.
            tile: the side of a tile in pixels of the image, whose overlap grows with it; "auto" for `tile_px`
                with `tile_overlap_px`, DOTA's way; None for no tiles.

        Returns:
            `(x0, y0, x1, y1)` each, all of one size: the whole image where it is no larger than a tile.
        """
        if tile is None:
            return [(0, 0, size_hw[1], size_hw[0])]
        side = self.tile_px if tile == "auto" else tile
        return plan_tiles(size_hw, (side, side), round(side * self.tile_overlap_px / self.tile_px))


class TCMRotatedImageProcessor(_TCMRotatedImageProcessing, TorchvisionBackend):  # type: ignore[misc]
    """Prepares images for rotated object detectors and decodes their boxes; resizes with torchvision.

    Takes PIL images of any mode (turned upright by EXIF, transparency on white), numpy arrays and tensors
    (RGB, RGBA or grey), paths, URLs, base64 text and bytes, alone or in lists. Keeps the aspect ratio up to
    rounding to multiples of `size_divisor`. Settings beside the usual ones: `TCMRotatedImageProcessorKwargs`.
    """


class TCMRotatedImageProcessorPil(_TCMRotatedImageProcessing, PilBackend):  # type: ignore[misc]
    """The same with Pillow instead of torchvision: pixels differ by at most one grey level."""


__all__ = ["TCMRotatedImageProcessor", "TCMRotatedImageProcessorPil"]
