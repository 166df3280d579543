"""What all our image processors share: any picture in, presets by name."""

from collections.abc import Iterable, Sequence
from typing import Any, ClassVar, Self

import numpy as np
import torch
from transformers.image_processing_backends import PilBackend, TorchvisionBackend
from transformers.image_processing_utils import BaseImageProcessor, BatchFeature
from transformers.image_utils import ChannelDimension, SizeDict, is_valid_image
from transformers.utils import logging

from .image_loading import load_rgb_image
from .pixel_arrays import array_to_rgb, as_numpy, has_channels_last, to_8_bits

logger = logging.get_logger(__name__)


class AnyPictureProcessing(BaseImageProcessor):
    """Base of an image processor, to be combined with a backend of transformers.

    Takes PIL images of any mode (turned upright by EXIF, transparency on white), numpy arrays and tensors
    (RGB, RGBA or grey), paths, URLs, base64 text and bytes, alone or in lists.

    Attributes:
        presets: settings of published and shipped models, by name.
        no_cropping_because: end of the error for `do_center_crop` and `do_pad`.
        for_unequal_sizes: end of the error for a batch of images that have different processed sizes.
    """

    presets: ClassVar[dict[str, dict[str, Any]]] = {}
    no_cropping_because: ClassVar[str]
    for_unequal_sizes: ClassVar[str]

    def __init__(self, **kwargs: Any):
        if not type(self).__module__.startswith("transformers_modules"):
            # What is saved here again must not point at code that is not beside it.
            kwargs.pop("auto_map", None)
        super().__init__(**kwargs)

    @classmethod
    def from_preset(cls, name: str, **overrides: Any) -> Self:
        """The sizes and other settings of a published or shipped model.

        Args:
            name: a name of the configuration's `from_preset` that has settings of its own.
            **overrides: attributes that replace the preset's.

        Raises:
            ValueError: if there is no such preset.
        """
        if name not in cls.presets:
            raise ValueError(f"There is no preset {name!r}: choose from {sorted(cls.presets)}.")
        return cls(**(cls.presets[name] | overrides))

    def fetch_images(self, image_url_or_urls: Any) -> Any:
        """Load paths, URLs, base64 text and bytes; PIL images, arrays and tensors pass through."""
        if isinstance(image_url_or_urls, (list, tuple)):
            return [self.fetch_images(image) for image in image_url_or_urls]
        return image_url_or_urls if is_valid_image(image_url_or_urls) else load_rgb_image(image_url_or_urls)

    def _prepare_images_structure(self, images: Any, expected_ndims: int = 3) -> list:
        """A flat list of single images; unlike the stock one it takes `(H, W)` arrays and mixed lists."""
        return list(_single_images(self.fetch_images(images)))

    def process_image(
        self,
        image: Any,
        do_convert_rgb: bool | None = None,
        input_data_format: str | ChannelDimension | None = None,
        **kwargs,
    ) -> Any:
        """One image in the format of the backend: `(3, H, W)`, upright, on the scale of 0..255."""
        if do_convert_rgb:
            image, input_data_format = self._rgb_pixels(image, input_data_format, **kwargs)
        elif isinstance(image, (np.ndarray, torch.Tensor)):
            input_data_format = _layout(image, input_data_format)
            image = as_numpy(image) if isinstance(self, PilBackend) else image
        if isinstance(self, TorchvisionBackend) and _is_photo(image, input_data_format):
            # The stock method takes the channels apart at once; together, torch resizes them twice as fast.
            return torch.from_numpy(image).permute(2, 0, 1).to(kwargs.get("device"))
        return super().process_image(
            image, do_convert_rgb=False, input_data_format=input_data_format, **kwargs
        )

    def _processed_size_hw(self, size_hw: tuple[int, int], size: SizeDict, **kwargs: Any) -> tuple[int, int]:
        """The size that an image of this size is stretched to."""
        raise NotImplementedError

    def _preprocess(
        self,
        images: list,
        do_resize: bool,
        size: SizeDict,
        resample: Any,
        do_center_crop: bool | None,
        do_pad: bool | None,
        return_tensors: Any,
        **kwargs,
    ) -> BatchFeature:
        if do_center_crop or do_pad:
            raise ValueError(f"`do_center_crop` and `do_pad` must be off: {self.no_cropping_because}")
        if not images:
            return BatchFeature({"pixel_values": []})
        if do_resize:
            # One by one: photos and crops of words hardly ever share a size.
            images = [self._stretched(image, size, resample, **kwargs) for image in images]
        if isinstance(self, TorchvisionBackend):  # numbers that follow are faster with the channels apart
            images = [image.contiguous() for image in images]
        shapes = {tuple(image.shape) for image in images}
        if return_tensors is not None and len(shapes) > 1:
            raise ValueError(
                f"Images of one batch must have one processed size: got {sorted(shapes)}. "
                f"{self.for_unequal_sizes}"
            )
        return super()._preprocess(  # type: ignore[misc]
            images,
            do_resize=False,
            size=size,
            resample=resample,
            do_center_crop=False,
            do_pad=False,
            return_tensors=return_tensors,
            **kwargs,
        )

    def _stretched(self, image: Any, size: SizeDict, resample: Any, **kwargs) -> Any:
        processed_hw = self._processed_size_hw(tuple(image.shape[-2:]), size, **kwargs)
        if tuple(image.shape[-2:]) == processed_hw:
            return image
        exact = SizeDict(height=processed_hw[0], width=processed_hw[1])
        return self.resize(image, exact, resample=resample)  # type: ignore[attr-defined]

    def load_rgb_image(self, image: Any, timeout: float | None = None) -> np.ndarray:
        """Load an image from anything, upright: `(H, W, 3)` uint8 RGB. See `load_rgb_image` for its kinds."""
        return np.array(load_rgb_image(image, timeout))

    def _rgb_pixels(
        self,
        image: Any,
        input_data_format: str | ChannelDimension | None,
        image_mean: Sequence[float] | None = None,
        do_rescale: bool | None = None,
        **kwargs,
    ) -> tuple[Any, ChannelDimension]:
        if not isinstance(image, (np.ndarray, torch.Tensor)):
            return np.array(load_rgb_image(image)), ChannelDimension.LAST
        layout = _layout(image, input_data_format)
        last = layout == ChannelDimension.LAST
        is_float = "float" in str(image.dtype)
        if is_float and do_rescale and 0 not in image.shape and image.max() <= 1:
            logger.warning_once(
                "A floating-point image with values in 0..1 came while `do_rescale` is on, which divides by "
                "255. Pass `do_rescale=False`, or pixels in 0..255."
            )
        # Who gives one mean a channel has chosen the number of channels.
        channels = len(image_mean) if isinstance(image_mean, Sequence) else 3
        is_ready = image.ndim == 3 and image.shape[-1 if last else 0] == channels
        if is_ready and image.dtype in (torch.uint8, torch.float32) and isinstance(self, TorchvisionBackend):
            return image, layout  # it may live on a GPU
        pixels = as_numpy(image)
        pixels = pixels if is_ready else array_to_rgb(pixels, last)
        pixels = pixels.astype(np.float32, copy=False) if is_float else to_8_bits(pixels)
        layout = layout if is_ready else ChannelDimension.LAST
        return np.require(pixels, requirements=["C", "W"]), layout  # torch takes no views from back to front


def _single_images(images: Any) -> Iterable[Any]:
    if isinstance(images, (list, tuple)):
        for nested in images:
            yield from _single_images(nested)
    elif getattr(images, "ndim", 0) == 4:
        yield from images
    else:
        yield images


def _is_photo(image: Any, layout: Any) -> bool:
    """Whether these are pixels as they are decoded: `(H, W, 3)` uint8."""
    return (
        isinstance(image, np.ndarray)
        and image.dtype == np.uint8
        and image.ndim == 3
        and image.shape[-1] == 3
        and layout == ChannelDimension.LAST
    )


def _layout(image: np.ndarray | torch.Tensor, input_data_format: Any) -> ChannelDimension:
    """Where the channels are: as told, or by our own rule (5.17 knows 1 and 3 channels only)."""
    if input_data_format is None:
        return ChannelDimension.LAST if has_channels_last(image) else ChannelDimension.FIRST
    return ChannelDimension(input_data_format)
