"""PAN training targets: polygons -> numbered texts, numbered kernels and their mask."""

from collections.abc import Sequence

import cv2
import numpy as np

from tcm_hf.data.target_polygons import checked_polygons, is_too_small, shrunk_kernel

__all__ = ["pan_targets"]


def pan_targets(
    polygons_xy: Sequence[np.ndarray],
    ignore: Sequence[bool],
    size_hw: tuple[int, int],
    *,
    text_ratio: float = 1.0,
    kernel_ratio: float = 0.5,
    max_shrink_px: float = 20,
    min_short_side_px: float = 0,
) -> dict[str, np.ndarray]:
    """Maps that the PAN head learns from one annotated image.

    Every readable text is painted whole (the region) and shrunk (the kernel), both with its number, so that
    the loss can draw the pixels of a text to the embedding of its kernel and kernels apart. The outline of a
    kernel lies D = area * (1 - kernel_ratio**2) / perimeter inside that of the text, at most `max_shrink_px`.
    Where texts overlap, the later one is on top. Source: PAN, arXiv 1908.05900, section 3.4; PSENet,
    arXiv 1903.12473, eq. 1.

    Ignored texts and texts whose short side is below `min_short_side_px` are not supervised (`text_mask` is 0
    inside them) and have no number. A text whose kernel vanishes keeps its number and its region.

    Args:
        polygons_xy: one (P >= 3, 2) array a text, any orientation, pixels of the map; may leave the map.
            Not modified.
        ignore: one flag a polygon, true = do not care.
        size_hw: height and width of the maps in pixels.
        text_ratio: shrink ratio of the region, in (0, 1]; 1 = the text as annotated.
        kernel_ratio: shrink ratio of the kernel, in (0, 1): 0.5 for IC15, 0.7 for CTW1500.
        max_shrink_px: no outline moves farther than this.
        min_short_side_px: texts with a shorter short side (of the minimum-area rectangle) are not supervised;
            0 supervises all, as the published program does.

    Returns:
        `instance_map`: (H, W) float32, 0 = no text, n = region of the n-th supervised text (from 1).
        `kernel_map`: the same numbers in the kernels, 0 wherever `instance_map` is.
        `text_mask`: (H, W) float32, 1 where the maps are supervised.

    Raises:
        ValueError: the lengths of `polygons_xy` and `ignore` differ, or a polygon is not a finite (P >= 3, 2)
            array.
    """
    polygons = checked_polygons(polygons_xy, ignore)
    regions = np.zeros(size_hw, np.float32)
    kernels = np.zeros(size_hw, np.float32)
    mask = np.ones(size_hw, np.float32)
    number = 0
    for polygon, ignored in zip(polygons, ignore, strict=True):
        # Parity: upstream truncates coordinates toward zero (golden E_*).
        integer_polygon = polygon.astype(np.int32)
        if ignored or (min_short_side_px > 0 and is_too_small(polygon, min_short_side_px)):
            cv2.fillPoly(mask, [integer_polygon], 0)
            continue
        number += 1
        for canvas, ratio in ((regions, text_ratio), (kernels, kernel_ratio)):
            parts = shrunk_kernel(integer_polygon, ratio, max_shrink_px)
            if parts:
                cv2.fillPoly(canvas, parts, number)
    # At the crossings of an outline that crosses itself, the kernel may leave the region by a few pixels.
    kernels *= regions > 0
    return {"instance_map": regions, "kernel_map": kernels, "text_mask": mask}
