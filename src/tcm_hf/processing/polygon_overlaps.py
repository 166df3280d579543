"""What outlines share with the image and with one another, by shapely. Frame and order as in polygons.py."""

import numpy as np
import shapely
from shapely.geometry import MultiPolygon, Polygon

from .polygons import as_polygon, order_clockwise


def clip_to_image(polygon_xy: np.ndarray, size_hw: tuple[float, float]) -> np.ndarray:
    """Cut off what lies outside the image: the exact intersection, which may have more or fewer points.

    Args:
        polygon_xy: `(P, 2)`.
        size_hw: (height, width) of the image in pixels.

    Returns:
        `(P', 2)` float32, clockwise from the top left; `(0, 2)` if nothing is inside. Of several
        remaining parts the largest is kept.
    """
    height, width = size_hw
    points = as_polygon(polygon_xy)
    inside = (points >= 0) & (points <= np.array([width, height], dtype=np.float32))
    if inside.all():
        return order_clockwise(points)
    return outline(to_shapely(points).intersection(shapely.box(0, 0, width, height)))


def to_shapely(polygon_xy: np.ndarray) -> Polygon | MultiPolygon:
    """A valid shapely geometry of the polygon; empty if it has no area.

    Crossing outlines are repaired by `buffer(0)`, as the ICDAR evaluation scripts do.
    """
    points = as_polygon(polygon_xy)
    if len(points) < 3:
        return Polygon()
    polygon = Polygon(points)
    return polygon if polygon.is_valid else polygon.buffer(0)


def outline(geometry: shapely.Geometry) -> np.ndarray:
    """Outer ring of the largest polygon in a shapely geometry.

    Returns:
        `(P, 2)` float32, clockwise from the top left; `(0, 2)` if there is no area. Holes are filled.
    """
    parts = [part for part in shapely.get_parts(geometry) if isinstance(part, Polygon) and part.area > 0]
    if not parts:
        return np.zeros((0, 2), dtype=np.float32)
    largest = max(parts, key=lambda part: part.area)
    return order_clockwise(shapely.get_coordinates(largest.exterior)[:-1])


def polygon_iou(first_xy: np.ndarray, second_xy: np.ndarray) -> float:
    """Intersection over union of two polygons, 0..1; 0 if neither has an area."""
    first, second = to_shapely(first_xy), to_shapely(second_xy)
    shared = first.intersection(second).area
    union = first.area + second.area - shared
    return float(shared / union) if union > 0 else 0.0
