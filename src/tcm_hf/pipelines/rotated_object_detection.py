"""`pipeline("rotated-object-detection")`: a picture in, objects with turned boxes and class names out."""

# The base class types its flags as None and its four methods by names that every subclass changes.
# mypy: disable-error-code="override,assignment"

import math
from collections.abc import Iterator
from typing import Any, TypedDict, overload

import numpy as np
from torch.utils.data import Dataset
from transformers.pipelines.base import ChunkPipeline

from .parameter_checks import check_range
from .picture_pipeline import image_of, single
from .pixel_boxes import Box, whole_pixel_box
from .tiled_pipeline import TiledPipeline, batches_of_one_shape


class RotatedObject(TypedDict):
    """One object found in an image, in pixels of the upright (EXIF-rotated) original; x right, y down.

    Attributes:
        score: In [0, 1].
        label: Name of its class.
        box: Upright box around the polygon, cut to the image.
        polygon: Four corners, clockwise; the first side is one of the two longer ones. They may lie outside
            the image.
        angle_deg: Which way the longer sides run, in degrees from x towards y (clockwise on screen), in
            [-90, 90).
    """

    score: float
    label: str
    box: Box
    polygon: list[list[float]]
    angle_deg: float


class RotatedObjectDetectionPipeline(TiledPipeline, ChunkPipeline):
    """Finds objects that lie any way round, for example in photos from above.

    ```python
    >>> import tcm_hf
    >>> from transformers import pipeline

    >>> detector = pipeline("rotated-object-detection", model="runs/aerial")
    >>> detector("harbour.png", tile="auto")
    [{'score': 0.93, 'label': 'ship', 'box': {'xmin': 22, ...}, 'polygon': [[22.0, 12.4], [216.8, 12.0],
    ...], 'angle_deg': -0.1}] ```

    Works through a scene tile by tile, so that its size is bounded by the memory for its pixels alone.
    Parameters given when the pipeline is made are the defaults of every call; see `__call__`.
    """

    lost_when_shrunk = "small objects are lost"
    preprocess_parameters = ("timeout", "tile")
    forward_parameters = ("threshold", "nms_threshold", "max_detections")
    postprocess_parameters = ("nms_threshold", "max_detections")

    def _check_parameters(self, parameters: dict[str, Any]) -> None:
        super()._check_parameters(parameters)
        check_range(parameters, "threshold", 0, 1)
        check_range(parameters, "nms_threshold", 0, 1)
        check_range(parameters, "max_detections", 1)

    @overload
    def __call__(self, inputs: list | tuple, **kwargs: Any) -> list[list[RotatedObject]]: ...

    @overload
    def __call__(self, inputs: Dataset | Iterator, **kwargs: Any) -> Iterator[list[RotatedObject]]: ...

    @overload
    def __call__(self, inputs: Any, **kwargs: Any) -> list[RotatedObject]: ...

    def __call__(self, inputs: Any, **kwargs: Any) -> Any:
        """Find the objects of one image, of a list of images, or of a stream of images.

        Args:
            inputs: As for `TextDetectionPipeline`: paths, URLs, bytes, PIL images, RGB arrays or tensors,
                alone, in lists, or in generators and datasets, which are consumed lazily.
            kwargs: Any of these; `None` means the value stored with the image processor.

                - `threshold`: smallest score of an object, in [0, 1].
                - `nms_threshold`: boxes of one class that overlap more than this (IoU) are one object.
                - `max_detections`: at most so many objects per image, best first.
                - `tile`: `None` (the whole image at once), "auto" (an image larger than the tiles that the
                  detector was made for is cut in overlapping tiles of that size) or the side of a tile in
                  pixels of the original.
                - `timeout`: seconds to wait for a URL; `None` waits for ever.
                - `batch_size`: how many images or tiles at once; speed and memory only, results are the same.

        Returns:
            For one image a list of `RotatedObject`, best first, empty where nothing was found. For a list,
            one such list per image. For a stream, an iterator over them.

        Raises:
            TypeError: For an unknown keyword, or an input that is no image.
            ValueError: For a value out of range, or an image that cannot be read.
        """
        return super().__call__(inputs, **kwargs)

    def preprocess(
        self, image: Any, timeout: float | None = None, tile: str | int | None = None
    ) -> Iterator[dict]:
        """Decode an image and make the model's inputs of it, one a tile.

        Yields:
            `{"tiles": [tile], "is_last": …}` with `tile` a dict of "pixel_values" `(3, h, w)`, "box", its
            (x0, y0, x1, y1) in original pixels, and "size_hw" of the original. A list, because lists of
            unequal tiles pass through the stock collation while tensors do not.
        """
        image_rgb: np.ndarray = self.image_processor.load_rgb_image(image_of(image), timeout=timeout)
        size_hw = image_rgb.shape[:2]
        boxes = self.image_processor.plan_tiles(size_hw, tile)
        if tile is None:
            self._warn_if_shrunk(size_hw)
        for index, (x0, y0, x1, y1) in enumerate(boxes):
            features = self.image_processor(images=[image_rgb[y0:y1, x0:x1]], return_tensors="pt")
            prepared = {
                "pixel_values": features["pixel_values"][0].to(self.input_dtype),
                "box": (x0, y0, x1, y1),
                "size_hw": size_hw,
            }
            yield {"tiles": [prepared], "is_last": index == len(boxes) - 1}

    def _forward(
        self,
        model_inputs: dict,
        threshold: float | None = None,
        nms_threshold: float | None = None,
        max_detections: int | None = None,
    ) -> dict:
        # Decoded here and not at the end: the maps of all tiles of a scene would fill the memory.
        tiles = [single(item) for item in model_inputs["tiles"]]
        found: list[dict] = [{}] * len(tiles)
        for places, batch in batches_of_one_shape([tile["pixel_values"] for tile in tiles], len(tiles)):
            boxes = [tiles[place]["box"] for place in places]
            results = self.image_processor.post_process_rotated_object_detection(
                self.network(pixel_values=batch),
                threshold=threshold,
                target_sizes=[(y1 - y0, x1 - x0) for x0, y0, x1, y1 in boxes],
                nms_threshold=nms_threshold,
                max_detections=max_detections,
            )
            for place, result in zip(places, results, strict=True):
                found[place] = result | {"box": tiles[place]["box"], "size_hw": tiles[place]["size_hw"]}
        return {"tiles": found, "is_last": model_inputs["is_last"]}

    def postprocess(
        self,
        model_outputs: list[dict],
        nms_threshold: float | None = None,
        max_detections: int | None = None,
    ) -> list[RotatedObject]:
        """Put the tiles of one image together."""
        tiles = [single(output["tiles"]) for output in model_outputs]
        found = self.image_processor.merge_tiles(
            tiles,
            [tile["box"] for tile in tiles],
            nms_threshold=nms_threshold,
            max_detections=max_detections,
        )
        height, width = tiles[0]["size_hw"]
        names: Any = self.model.config.id2label
        return [
            {
                "score": score,
                "label": names[label],
                "box": _box_inside(polygon, width, height),
                "polygon": polygon,
                "angle_deg": math.degrees(box[4]),
            }
            for score, label, box, polygon in zip(
                *(found[name].tolist() for name in ("scores", "labels", "boxes", "polygons")), strict=True
            )
        ]


def _box_inside(polygon_xy: list[list[float]], width: int, height: int) -> Box:
    """The box of whole pixels around the part of a polygon that is in the image."""
    xs = [min(max(x, 0), width) for x, _ in polygon_xy]
    ys = [min(max(y, 0), height) for _, y in polygon_xy]
    return whole_pixel_box((min(xs), min(ys), max(xs), max(ys)))
