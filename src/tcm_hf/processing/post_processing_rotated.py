"""Predictions of a rotated detector -> objects on the image: the image processor behind the model."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch

from .decode_rotated import RotatedObjects, decode_rotated, merge_tile_objects
from .rotated_boxes import boxes_to_polygons, polygons_to_boxes

_FIRST_STRIDE_PX = 8


class RotatedPostProcessing:
    """Decoding: its settings are attributes, saved with the processor, and defaults of its methods."""

    threshold = 0.0
    candidate_threshold = 0.05
    nms_threshold = 0.1
    max_candidates = 2000
    max_detections = 2000

    def post_process_rotated_object_detection(
        self,
        outputs: Any,
        threshold: float | None = None,
        target_sizes: torch.Tensor | Sequence[tuple[int, int]] | None = None,
        nms_threshold: float | None = None,
        max_detections: int | None = None,
    ) -> list[dict[str, torch.Tensor]]:
        """Objects of each image. Arguments that are None take the value of the attribute of the same name.

        Args:
            outputs: what the model returned, see `TCMRotatedDetectionOutput`.
            threshold: least score of an object, 0..1. Objects whose class is less likely than
                `candidate_threshold` are not there to begin with.
            target_sizes: (height, width) in pixels of each upright original image, as a list or `(B, 2)`;
                None leaves coordinates in pixels of the network's input.
            nms_threshold: boxes of one class that overlap more than this (IoU) are one object.
            max_detections: of more objects the best are kept.

        Returns:
            Per image a dict, best score first: `"scores"` `(N,)`, `"labels"` `(N,)`, `"boxes"` `(N, 5)`: cx,
            cy, w, h and the angle in radians from x towards y, [-π/2, π/2), w the longer side; `"polygons"`
            `(N, 4, 2)`, clockwise. Coordinates are pixels, x right, y down; boxes may leave the image.

        Raises:
            ValueError: if there is not one target size per image.
        """
        images = self.decode_images(outputs, threshold, nms_threshold, max_detections)
        sizes = [None] * len(images) if target_sizes is None else list(target_sizes)
        if len(sizes) != len(images):
            raise ValueError(
                f"`target_sizes` must have one (height, width) per image: got {len(sizes)} for a batch of "
                f"{len(images)}."
            )
        input_hw = _input_size_hw(outputs)
        return [
            _as_dict(found if size_hw is None else _scaled(found, input_hw, size_hw))
            for found, size_hw in zip(images, sizes, strict=True)
        ]

    def decode_images(
        self,
        outputs: Any,
        threshold: float | None = None,
        nms_threshold: float | None = None,
        max_detections: int | None = None,
    ) -> list[RotatedObjects]:
        """Objects of each image in pixels of the network's input; see `decode_rotated`."""
        logits, boxes = outputs["class_logits"], outputs["boxes"]
        centerness = outputs.get("centerness_logits")
        found = [
            decode_rotated(
                _arrays(logits, index),
                _arrays(boxes, index),
                None if centerness is None else _arrays(centerness, index),
                score_threshold=self.candidate_threshold,
                nms_threshold=self.nms_threshold if nms_threshold is None else nms_threshold,
                max_candidates=self.max_candidates,
                max_objects=self.max_detections if max_detections is None else max_detections,
            )
            for index in range(len(logits[0]))
        ]
        # After suppression is as good as before it: no object hides a better one.
        least = self.threshold if threshold is None else threshold
        return [RotatedObjects(*(values[one.scores >= least] for values in one)) for one in found]

    def merge_tiles(
        self,
        results: Sequence[dict[str, torch.Tensor]],
        tiles: Sequence[tuple[int, int, int, int]],
        nms_threshold: float | None = None,
        max_detections: int | None = None,
    ) -> dict[str, torch.Tensor]:
        """Objects of the tiles of one photo as those of the photo, each once.

        Args:
            results: what `post_process_rotated_object_detection` gave for each tile, in pixels of the tile.
            tiles: `(x0, y0, x1, y1)` of each in pixels of the photo.
            nms_threshold: also for objects that two tiles see.
            max_detections: of the whole photo.

        Returns:
            One dict as of `post_process_rotated_object_detection`, in pixels of the photo.
        """
        objects = [
            RotatedObjects(*(result[name].cpu().numpy() for name in ("boxes", "scores", "labels")))
            for result in results
        ]
        overlap = self.nms_threshold if nms_threshold is None else nms_threshold
        best = self.max_detections if max_detections is None else max_detections
        merged = merge_tile_objects(objects, [(x0, y0) for x0, y0, _, _ in tiles], overlap)
        return _as_dict(RotatedObjects(*(values[:best] for values in merged)))

    def post_process_object_detection(
        self,
        outputs: Any,
        threshold: float = 0.5,
        target_sizes: torch.Tensor | Sequence[tuple[int, int]] | None = None,
    ) -> list[dict[str, torch.Tensor]]:
        """The same objects as upright boxes around them, `(N, 4)`, for the stock object-detection pipeline.

        Args:
            outputs: as in `post_process_rotated_object_detection`.
            threshold: as there.
            target_sizes: as there.
        """
        results = self.post_process_rotated_object_detection(outputs, threshold, target_sizes)
        return [
            {
                "scores": result["scores"],
                "labels": result["labels"],
                "boxes": torch.cat([result["polygons"].amin(dim=1), result["polygons"].amax(dim=1)], dim=1),
            }
            for result in results
        ]


def _arrays(levels: Sequence[Any], index: int) -> list[np.ndarray]:
    return [torch.as_tensor(level)[index].detach().float().cpu().numpy() for level in levels]


def _input_size_hw(outputs: Any) -> tuple[int, int]:
    """Size of the network's input, which the first level's grid tells."""
    height, width = outputs["boxes"][0].shape[1:3]
    return height * _FIRST_STRIDE_PX, width * _FIRST_STRIDE_PX


def _scaled(objects: RotatedObjects, input_hw: tuple[int, int], size_hw: Sequence[float]) -> RotatedObjects:
    """From pixels of the input to those of the image; where these differ in shape, the smallest boxes."""
    scale_x, scale_y = float(size_hw[1]) / input_hw[1], float(size_hw[0]) / input_hw[0]
    if scale_x == scale_y:
        boxes = objects.boxes * np.array([scale_x, scale_x, scale_x, scale_x, 1], dtype=np.float32)
    else:
        boxes = polygons_to_boxes(boxes_to_polygons(objects.boxes) * np.array([scale_x, scale_y]))
    return objects._replace(boxes=boxes.astype(np.float32))


def _as_dict(objects: RotatedObjects) -> dict[str, torch.Tensor]:
    return {
        "scores": torch.from_numpy(objects.scores),
        "labels": torch.from_numpy(objects.labels),
        "boxes": torch.from_numpy(objects.boxes),
        "polygons": torch.from_numpy(objects.polygons_xy),
    }
