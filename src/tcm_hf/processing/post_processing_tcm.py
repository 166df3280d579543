"""Probability maps -> polygons on the original image: the part of the image processor behind the model."""

from collections.abc import Sequence
from typing import Any, Literal

import numpy as np
import torch

from .decode_dbnet import decode_dbnet
from .polygons import (
    bounding_box,
    clamp_to_image,
    clip_to_image,
    order_clockwise,
    polygon_area,
    simplify_polygon,
)

_CENTRE = 0.5  # index i of the map names the pixel between the edges i and i + 1
_OUTLINE_TOLERANCE_PX = 0.75  # pixels of the map


class TCMPostProcessing:
    """Decoding: its settings are attributes, saved with the processor, and defaults of its methods."""

    threshold = 0.3
    binarize_threshold = 0.3
    unclip_ratio = 1.5
    shrink_ratio = None
    polygon_mode: Literal["quad", "polygon"] = "quad"
    min_side_px = 3
    max_detections = None
    max_candidates = 3000
    arc_length_ratio = 0.001

    def post_process_text_detection(
        self,
        outputs: Any,
        threshold: float | None = None,
        target_sizes: torch.Tensor | Sequence[tuple[int, int]] | None = None,
        polygon_mode: Literal["quad", "polygon"] | None = None,
        binarize_threshold: float | None = None,
        unclip_ratio: float | None = None,
        max_detections: int | None = None,
    ) -> list[dict[str, Any]]:
        """Text instances of each image, from the probability maps of the model.

        Arguments that are None take the value of the attribute of the same name.

        Args:
            outputs: what the model returned, or a dict; `"probability_map"` is `(B, H, W)`, or a list of
                `(H, W)`, probabilities of any float type on any device.
            threshold: least score (mean probability in the kernel), 0..1.
            target_sizes: (height, width) in pixels of each upright original image, as a list or `(B, 2)`;
                None leaves coordinates in pixels of the map.
            polygon_mode: "quad" or "polygon".
            binarize_threshold: a pixel is text if its probability is above this.
            unclip_ratio: how far kernels grow.
            max_detections: of more instances the best are kept.

        Returns:
            Per image a dict, best score first: `"scores"` `(N,)`; `"polygons"`, a list of N tensors `(P, 2)`;
            `"boxes"` `(N, 4)` as xmin, ymin, xmax, ymax. All float32 on the CPU. Coordinates are (x, y) in
            pixels at pixel edges, x right, y down, inside the image; polygons run clockwise from the
            top-left-most corner.

        Raises:
            ValueError: if there is not one target size per image, or `polygon_mode` is unknown.
        """
        maps = _probability_maps(outputs)
        mode = self.polygon_mode if polygon_mode is None else polygon_mode
        best = self.max_detections if max_detections is None else max_detections
        results = []
        for probability_map, size_hw in zip(maps, _target_sizes(target_sizes, maps), strict=True):
            polygons, scores = decode_dbnet(
                probability_map,
                binarize_threshold=self.binarize_threshold
                if binarize_threshold is None
                else binarize_threshold,
                score_threshold=self.threshold if threshold is None else threshold,
                unclip_ratio=self.unclip_ratio if unclip_ratio is None else unclip_ratio,
                polygon_mode=mode,
                min_side_px=self.min_side_px,
                max_candidates=self.max_candidates,
                arc_length_ratio=self.arc_length_ratio or None,
                shrink_ratio=self.shrink_ratio if unclip_ratio is None else None,
            )
            fitted = [_in_image(polygon, probability_map.shape, size_hw, mode) for polygon in polygons]
            found = [i for i in np.argsort(-scores, kind="stable") if polygon_area(fitted[i]) > 0][:best]
            results.append(_detections([fitted[i] for i in found], scores[found]))
        return results

    def post_process_object_detection(
        self,
        outputs: Any,
        threshold: float = 0.5,
        target_sizes: torch.Tensor | Sequence[tuple[int, int]] | None = None,
    ) -> list[dict[str, torch.Tensor]]:
        """The same instances as upright boxes, as the stock object-detection pipeline wants them.

        Args:
            outputs: as in `post_process_text_detection`.
            threshold: least score, 0..1.
            target_sizes: as in `post_process_text_detection`.

        Returns:
            Per image a dict: `"scores"` `(N,)`, `"labels"` `(N,)`, all 0 ("text"), and `"boxes"` `(N, 4)` as
            xmin, ymin, xmax, ymax around the polygons.
        """
        results = self.post_process_text_detection(outputs, threshold=threshold, target_sizes=target_sizes)
        return [
            {
                "scores": result["scores"],
                "labels": torch.zeros(len(result["scores"]), dtype=torch.long),
                "boxes": result["boxes"],
            }
            for result in results
        ]


def _probability_maps(outputs: Any) -> list[np.ndarray]:
    maps = outputs["probability_map"]
    if isinstance(maps, torch.Tensor) and maps.ndim != 3:
        raise ValueError(f"`probability_map` must have shape (B, H, W): got {tuple(maps.shape)}.")
    return [torch.as_tensor(one).detach().float().cpu().numpy() for one in maps]


def _target_sizes(target_sizes: Any, maps: list[np.ndarray]) -> list[tuple[float, float]]:
    if target_sizes is None:
        return [one.shape for one in maps]
    if len(target_sizes) != len(maps):
        raise ValueError(
            f"`target_sizes` must have one (height, width) per image: got {len(target_sizes)} for a batch of "
            f"{len(maps)}."
        )
    return [(float(height), float(width)) for height, width in target_sizes]


def _in_image(
    polygon_xy: np.ndarray, map_hw: tuple[int, int], size_hw: tuple[float, float], polygon_mode: str
) -> np.ndarray:
    """From pixel indices of the map to the edge frame of the image, cut at its border."""
    scale_xy = np.array([size_hw[1] / map_hw[1], size_hw[0] / map_hw[0]])
    if polygon_mode == "quad":
        return order_clockwise(clamp_to_image((polygon_xy + _CENTRE) * scale_xy, size_hw))
    # Growing a kernel rounds its corners with dozens of points that nobody can tell from a few.
    outline = simplify_polygon(polygon_xy, _OUTLINE_TOLERANCE_PX)
    return clip_to_image((outline + _CENTRE) * scale_xy, size_hw)


def _detections(polygons: list[np.ndarray], scores: np.ndarray) -> dict[str, Any]:
    boxes = (
        np.stack([bounding_box(polygon) for polygon in polygons])
        if polygons
        else np.zeros((0, 4), np.float32)
    )
    return {
        "scores": torch.from_numpy(scores),
        "polygons": [torch.from_numpy(polygon) for polygon in polygons],
        "boxes": torch.from_numpy(boxes),
    }
