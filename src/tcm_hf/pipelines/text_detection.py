"""`pipeline("text-detection")`: a picture in, the texts' polygons in the picture's own pixels out."""

# The base class types its flags as None and its four methods by names that every subclass changes.
# mypy: disable-error-code="override,assignment"

from collections.abc import Iterator, Sequence
from typing import Any, TypedDict, overload

import numpy as np
import torch
from torch.utils.data import Dataset

from .parameter_checks import check_choice, check_range
from .picture_pipeline import image_of, single
from .pixel_boxes import Box, whole_pixel_box
from .reading_order import reading_order
from .tiled_pipeline import TiledPipeline, batches_of_one_shape


class TextDetection(TypedDict):
    """One text found in an image, in pixels of the upright (EXIF-rotated) original; x right, y down."""

    score: float
    label: str
    box: Box
    polygon: list[list[float]]


class TextDetectionPipeline(TiledPipeline):
    """Finds the texts of an image with any `AutoModelForTextDetection`.

    ```python
    >>> import tcm_hf
    >>> from transformers import pipeline

    >>> detector = pipeline("text-detection")
    >>> detector("street.jpg")
    [{'score': 0.93, 'label': 'text', 'box': {'xmin': 22, ...}, 'polygon': [[22.0, 12.4], [216.8, 12.0],
    ...]}] ```

    Parameters given when the pipeline is made are the defaults of every call; see `__call__`.
    """

    lost_when_shrunk = "small text becomes illegible"
    preprocess_parameters = ("timeout", "tile")
    decoding_parameters = (
        "threshold",
        "binarize_threshold",
        "unclip_ratio",
        "polygon_mode",
        "max_detections",
    )
    postprocess_parameters = (*decoding_parameters, "sort")

    @property
    def decoding_settings(self) -> tuple[str, ...]:
        """Those of `decoding_parameters` that this detector goes by."""
        head_type = getattr(getattr(self.model.config, "head_config", None), "head_type", None)
        known = (*self.image_processor.get_decoding_settings(head_type), "max_detections")
        return tuple(name for name in self.decoding_parameters if name in known)

    def _check_parameters(self, parameters: dict[str, Any]) -> None:
        super()._check_parameters(parameters)
        for name in self.decoding_parameters:
            if parameters.get(name) is not None and name not in self.decoding_settings:
                known = ", ".join(f"`{known}`" for known in self.decoding_settings)
                raise ValueError(f"`{name}` is nothing that this kind of detector goes by: it takes {known}.")
        for name in ("threshold", "binarize_threshold"):
            check_range(parameters, name, 0, 1)
        check_range(parameters, "unclip_ratio", 0)
        check_range(parameters, "max_detections", 1)
        check_choice(parameters, "polygon_mode", ("quad", "polygon"))
        check_choice(parameters, "sort", ("score", "reading"))

    @overload
    def __call__(self, inputs: list | tuple, **kwargs: Any) -> list[list[TextDetection]]: ...

    @overload
    def __call__(self, inputs: Dataset | Iterator, **kwargs: Any) -> Iterator[list[TextDetection]]: ...

    @overload
    def __call__(self, inputs: Any, **kwargs: Any) -> list[TextDetection]: ...

    def __call__(self, inputs: Any, **kwargs: Any) -> Any:
        """Find the texts of one image, of a list of images, or of a stream of images.

        Args:
            inputs: An image: a path, a URL, a base64 string or data URI, `Path`, `bytes`, a PIL image of any
                mode, an RGB array (H, W, 3) uint8 or a tensor (3, H, W). EXIF orientation is honoured.
                Or a list of such; or a generator, a `KeyDataset` or another dataset of such (or of rows
                `{"image": …}`), which is consumed lazily.
            kwargs: Any of these; `None` means the value stored with the image processor.

                - `threshold`: smallest score of a text, in [0, 1].
                - `binarize_threshold`: probability above which a pixel is text, in [0, 1] (not FCENet).
                - `unclip_ratio`: how far the shrunk text kernel is grown (DBNet, arXiv 1911.08947, D'; not
                  PAN, FCENet).
                - `polygon_mode`: "quad" (four corners) or "polygon" (any number).
                - `max_detections`: at most so many texts per image, best first.
                - `sort`: "score" (best first, the default) or "reading" (lines from the top, left to right).
                - `tile`: `None` (the whole image at once), "auto" (large photos are cut in overlapping tiles
                  so that small text stays legible) or the side of a tile in pixels of the original.
                - `timeout`: seconds to wait for a URL; `None` waits for ever.
                - `batch_size`, `num_workers`: speed and memory only, results are the same.

        Returns:
            For one image a list of `TextDetection`, empty where no text was found. For a list, one such list
            per image. For a stream, an iterator over them.

        Raises:
            TypeError: For an unknown keyword, or an input that is no image.
            ValueError: For a value out of range or that this detector does not go by, or an image that cannot
                be read.
        """
        return super().__call__(inputs, **kwargs)

    def preprocess(self, image: Any, timeout: float | None = None, tile: str | int | None = None) -> dict:
        """Decode an image and make the model's input of it, or of its tiles.

        Returns:
            `{"images": [image]}` with `image` a dict of "pixel_values" (a (3, h, w) tensor per tile),
            "boxes" (the tiles' (x0, y0, x1, y1) in original pixels) and "size_hw" of the original. A list,
            because lists of unequal images pass through the stock collation while tensors do not.
        """
        image_rgb = self.image_processor.load_rgb_image(image_of(image), timeout=timeout)
        return {"images": [self._prepared(image_rgb, tile)]}

    def _prepared(self, image_rgb: np.ndarray, tile: str | int | None) -> dict:
        size_hw = image_rgb.shape[:2]
        boxes = self.image_processor.plan_tiles(size_hw, tile)
        if tile is None:
            self._warn_if_shrunk(size_hw)
        pixel_values = []
        for x0, y0, x1, y1 in boxes:
            features = self.image_processor(images=[image_rgb[y0:y1, x0:x1]], return_tensors="pt")
            pixel_values.append(features["pixel_values"][0].to(self.input_dtype))
        return {"pixel_values": pixel_values, "boxes": boxes, "size_hw": size_hw}

    def _forward(self, model_inputs: dict) -> dict:
        # One image comes as it left `preprocess`; a batch comes as a list of those lists.
        images = [single(item) for item in model_inputs["images"]]
        places = [(i, j) for i, image in enumerate(images) for j in range(len(image["pixel_values"]))]
        tiles = [images[i]["pixel_values"][j] for i, j in places]
        maps: list[list] = [[None] * len(image["pixel_values"]) for image in images]
        # `batch_size` bounds the memory of tiles as well: never more at once than the images of this batch.
        for chunk, batch in batches_of_one_shape(tiles, len(images)):
            for index, tile_maps in zip(chunk, self._maps(batch), strict=True):
                i, j = places[index]
                maps[i][j] = tile_maps
        return {
            "images": [
                {"tile_maps": tile_maps, "boxes": image["boxes"], "size_hw": image["size_hw"]}
                for tile_maps, image in zip(maps, images, strict=True)
            ]
        }

    def _maps(self, pixel_values: torch.Tensor) -> list[dict[str, Any]]:
        """(B, 3, h, w) -> what `postprocess` needs of each."""
        return self.image_processor.split_images(self.network(pixel_values=pixel_values))

    def postprocess(
        self,
        model_outputs: dict,
        threshold: float | None = None,
        binarize_threshold: float | None = None,
        unclip_ratio: float | None = None,
        polygon_mode: str | None = None,
        max_detections: int | None = None,
        sort: str | None = "score",
    ) -> list[TextDetection]:
        """Decode the maps of one image to a list of `TextDetection`."""
        image = single(model_outputs["images"])
        found = self.image_processor.post_process_tiles(
            image["tile_maps"],
            image["boxes"],
            image["size_hw"],
            threshold=threshold,
            polygon_mode=polygon_mode,
            binarize_threshold=binarize_threshold,
            unclip_ratio=unclip_ratio,
            max_detections=max_detections,
        )
        boxes = found["boxes"].tolist()
        order: Sequence[int] = range(len(boxes))
        if sort == "reading":
            order = reading_order(self.image_processor.get_word_corners(found["polygons"]))
        return [
            {
                "score": found["scores"][i].item(),
                "label": "text",
                "box": whole_pixel_box(boxes[i]),
                "polygon": found["polygons"][i].tolist(),
            }
            for i in order
        ]
