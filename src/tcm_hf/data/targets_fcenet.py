"""FCENet training targets: polygons -> maps of three levels, and the target of the matching map."""

from collections.abc import Sequence

import cv2
import numpy as np

from tcm_hf.data.target_polygons import checked_polygons
from tcm_hf.data.text_sides import center_band, text_sides
from tcm_hf.processing.polygons import polygon_area

__all__ = ["fcenet_targets", "fourier_signature"]

STRIDES = (8, 16, 32)
MATCHING_STRIDE = 32

_CONTOUR_POINTS = 400
_START_CANDIDATES = 8


def fcenet_targets(
    polygons_xy: Sequence[np.ndarray],
    ignore: Sequence[bool],
    size_hw: tuple[int, int],
    *,
    fourier_degree: int = 5,
    center_shrink_ratio: float = 0.3,
    center_step_px: float = 4.0,
    level_ranges: Sequence[tuple[float, float]] = ((0, 0.4), (0.3, 0.7), (0.6, 1)),
) -> dict[str, np.ndarray]:
    """Maps that the FCENet head learns from one annotated image.

    A text belongs to the levels whose range holds its size: the longer side of its upright box over the
    longer side of the image. There its region is 1 in the text map, a band around its centre line 1 in the
    centre map, and every cell of the region knows the whole contour as Fourier coefficients, the constant one
    relative to the cell. Source: FCENet, arXiv 2104.10442, sections 3.2 and 3.3.

    Ignored texts and polygons without area (below 1 square pixel) are not supervised on the levels of their
    size: the train mask is 0 inside them. A text larger than every range belongs to the last level.

    Parity: on the other levels a text is background, ignored or not; coordinates are truncated toward zero to
    whole cells; where texts overlap, the later one has the cell. Upstream compares with the height of its
    square images; so does this, and with the longer side of others.

    Args:
        polygons_xy: one (P >= 3, 2) array a text, any orientation, pixels of the image; may leave it.
            Not modified.
        ignore: one flag a polygon, true = do not care.
        size_hw: height and width of the image in pixels.
        fourier_degree: K >= 1; a contour has 2K + 1 complex coefficients.
        center_shrink_ratio: height of the centre band in heights of the text, 0..1.
        center_step_px: step along the centre line, in cells of the level.
        level_ranges: (above, up to) of the relative size on the levels of stride 8, 16, 32.

    Returns:
        `contour_maps_8`, `contour_maps_16`, `contour_maps_32`: (3 + 2(2K + 1), H / stride, W / stride)
        float32, sides rounded up: text region {0, 1}, centre region {0, 1}, train mask {0, 1}, real parts for
        k = -K … K, imaginary parts likewise, in cells of the level, 0 outside the texts.
        `matching_target`, `matching_mask`: (H / 32, W / 32) float32, rounded up: regions of the texts of all
        sizes, and 0 in those not supervised.

    Raises:
        ValueError: the lengths of `polygons_xy` and `ignore` differ, a polygon is not a finite (P >= 3, 2)
            array, a side of the image is not positive, or `level_ranges` has not three ranges.
    """
    _check(size_hw, fourier_degree, level_ranges)
    texts: list[np.ndarray] = []
    ignored: list[np.ndarray] = []
    for polygon, do_not_care in zip(checked_polygons(polygons_xy, ignore), ignore, strict=True):
        (ignored if do_not_care or polygon_area(polygon) < 1 else texts).append(polygon)
    largest = max(up_to for _, up_to in level_ranges)
    sizes = [min(_relative_size(polygon, size_hw), largest) for polygon in texts]
    ignored_sizes = [min(_relative_size(polygon, size_hw), largest) for polygon in ignored]
    signatures = [fourier_signature(polygon, fourier_degree) for polygon in texts]
    sides = [text_sides(_without_repeated_points(polygon)) for polygon in texts]
    targets: dict[str, np.ndarray] = {}
    for level, stride in enumerate(STRIDES):
        kept = _members(sizes, *level_ranges[level])
        left_out = _members(ignored_sizes, *level_ranges[level])
        maps = _level_maps(
            [texts[i] / stride for i in kept],
            [ignored[i] / stride for i in left_out],
            [signatures[i] / stride for i in kept],
            _cells(size_hw, stride),
            fourier_degree,
        )
        bands = [
            center_band(sides[i][0] / stride, sides[i][1] / stride, center_shrink_ratio, center_step_px)
            for i in kept
        ]
        maps[1] = _center_region(bands, maps.shape[1:])
        targets[f"contour_maps_{stride}"] = maps
    cells_hw = _cells(size_hw, MATCHING_STRIDE)
    targets["matching_target"] = (
        _numbered_regions([polygon / MATCHING_STRIDE for polygon in texts], cells_hw) > 0
    ).astype(np.float32)
    targets["matching_mask"] = _train_mask([polygon / MATCHING_STRIDE for polygon in ignored], cells_hw)
    return targets


def fourier_signature(polygon_xy: np.ndarray, fourier_degree: int = 5) -> np.ndarray:
    """Fourier coefficients of a closed contour: FCENet, arXiv 2104.10442, eq. 3.

    The contour at t in [0, 1) is `sum_k c_k exp(2 pi i k t)` with x the real and y the imaginary part. It
    runs clockwise on the screen and starts at its top: of the 8 contour points nearest in x to the mean, the
    highest one.

    Parity: upstream sorts the 8 by an unstable sort, so for upright rectangles, where many points are equally
    near, its coefficients depend on the numpy build (by up to 1 px). Here the sort is stable, which is what
    upstream's numpy of the time gave.

    Args:
        polygon_xy: (P >= 3, 2) with a length; a scaled polygon gives scaled coefficients.
        fourier_degree: K >= 1.

    Returns:
        (2K + 1, 2) float64: real and imaginary parts for k = -K … K, in the unit of the polygon.
    """
    contour = _resampled(np.asarray(polygon_xy, dtype=np.float64))
    offsets = contour - contour.mean(axis=0)
    nearest = np.argsort(np.abs(offsets[:, 0]), kind="stable")[:_START_CANDIDATES]
    start = nearest[np.argmin(offsets[nearest, 1])]
    points = np.roll(contour[:, 0] + 1j * contour[:, 1], -start)
    spectrum = np.fft.fft(points) / len(points)
    coefficients = np.concatenate([spectrum[-fourier_degree:], spectrum[: fourier_degree + 1]])
    magnitudes = np.abs(coefficients)
    forwards = magnitudes[fourier_degree + 1 :][:2].tolist()
    backwards = magnitudes[:fourier_degree][::-1][:2].tolist()
    if forwards <= backwards:  # anticlockwise: c_-1 outweighs c_1; the same contour, run through backwards
        coefficients = coefficients[::-1]
    return np.stack([coefficients.real, coefficients.imag], axis=1)


def _check(
    size_hw: tuple[int, int], fourier_degree: int, level_ranges: Sequence[tuple[float, float]]
) -> None:
    if min(size_hw) <= 0:
        raise ValueError(f"`size_hw` must be two positive sides: got {tuple(size_hw)}.")
    if fourier_degree < 1:
        raise ValueError(f"`fourier_degree` must be at least 1: got {fourier_degree}.")
    if len(level_ranges) != len(STRIDES):
        raise ValueError(
            f"`level_ranges` must have one (above, up to) for each stride {STRIDES}: got {len(level_ranges)}."
        )


def _cells(size_hw: tuple[int, int], stride: int) -> tuple[int, int]:
    """Rows and columns of a map; the last ones may reach over the edge of the image, as in the network."""
    return -(-size_hw[0] // stride), -(-size_hw[1] // stride)


def _relative_size(polygon: np.ndarray, size_hw: tuple[int, int]) -> float:
    """Longer side of the upright box over the longer side of the image."""
    corners = polygon.astype(np.int32)  # Parity: truncated, both ends counted
    return float((corners.max(axis=0) - corners.min(axis=0) + 1).max() / max(size_hw))


def _members(sizes: list[float], above: float, up_to: float) -> list[int]:
    """Numbers of the texts in a range of sizes."""
    return [index for index, size in enumerate(sizes) if above < size <= up_to]


def _without_repeated_points(polygon: np.ndarray) -> np.ndarray:
    return polygon[(polygon != np.roll(polygon, 1, axis=0)).any(axis=1)]


def _resampled(polygon: np.ndarray) -> np.ndarray:
    """About 400 points on the outline, every edge divided evenly into its share of them."""
    edges = np.roll(polygon, -1, axis=0) - polygon
    lengths = np.sqrt((edges**2).sum(axis=1))
    wanted = max(_CONTOUR_POINTS, 10 * len(polygon))  # more for outlines whose edges would get no point
    # Parity: shares are rounded down, so short edges are left out and there are fewer points than wanted.
    counts = (lengths / (lengths.sum() + 1e-8) * wanted).astype(np.int64)
    edge_of_point = np.repeat(np.arange(len(polygon)), counts)
    step_on_edge = np.arange(len(edge_of_point)) - np.repeat(np.cumsum(counts) - counts, counts)
    steps = edges / np.maximum(counts, 1)[:, None]
    return polygon[edge_of_point] + steps[edge_of_point] * step_on_edge[:, None]


def _level_maps(
    polygons: list[np.ndarray],
    ignored: list[np.ndarray],
    signatures: list[np.ndarray],
    size_hw: tuple[int, int],
    fourier_degree: int,
) -> np.ndarray:
    """All maps of a level but the centre region; everything in cells of the level."""
    coefficients = 2 * fourier_degree + 1
    numbers = _numbered_regions(polygons, size_hw)
    table = np.zeros((2 * coefficients, len(polygons) + 1), np.float32)
    for index, signature in enumerate(signatures):
        table[:, index + 1] = signature.T.ravel()
    maps = np.zeros((3 + 2 * coefficients, *size_hw), np.float32)
    region = (numbers > 0).astype(np.float32)
    maps[0] = region
    maps[2] = _train_mask(ignored, size_hw)
    np.take(table, numbers, axis=1, out=maps[3:])
    maps[3 + fourier_degree] -= region * np.arange(size_hw[1], dtype=np.float32)
    maps[3 + coefficients + fourier_degree] -= region * np.arange(size_hw[0], dtype=np.float32)[:, None]
    return maps


def _numbered_regions(polygons: list[np.ndarray], size_hw: tuple[int, int]) -> np.ndarray:
    """Cells of the polygons: 0 = none, i + 1 = polygon i, later ones over earlier ones."""
    numbers = np.zeros(size_hw, np.int32)
    for index, polygon in enumerate(polygons):
        cv2.fillPoly(numbers, [polygon.astype(np.int32)], index + 1)
    return numbers


def _train_mask(ignored: list[np.ndarray], size_hw: tuple[int, int]) -> np.ndarray:
    mask = np.ones(size_hw, np.float32)
    for polygon in ignored:
        cv2.fillPoly(mask, [polygon.astype(np.int32)], 0)
    return mask


def _center_region(bands: list[np.ndarray], size_hw: tuple[int, ...]) -> np.ndarray:
    """Cells of the bands. Parity: all in one call, so where bands cross OpenCV may leave a hole."""
    region = np.zeros(size_hw, np.uint8)
    if bands:
        cv2.fillPoly(region, list(np.concatenate(bands).astype(np.int32)), 1)
    return region
