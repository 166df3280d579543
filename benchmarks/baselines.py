"""The usual, straightforward loops of the three detectors; what the benchmarks compare with.

Written for this project after the descriptions of the methods, not copied. DBNet: one polygon at a time,
shapely for area and length, pyclipper for the offset, and for the threshold map the distance of every pixel
of the window to every edge. PAN: a queue of pixels (which the published program has in C++). FCENet: the
overlap of contours pair by pair; targets level by level and text by text, painted over the whole map.
"""

import math
from collections import deque
from collections.abc import Sequence

import cv2
import numpy as np
import pyclipper
from shapely.geometry import Polygon

from tcm_hf.data.text_sides import center_band, text_sides

FOURIER_DEGREE = 5


def plain_decode_dbnet(
    probability_map: np.ndarray,
    *,
    binarize_threshold: float,
    score_threshold: float,
    unclip_ratio: float,
    polygon_mode: str,
    min_side_px: float,
    arc_length_ratio: float | None,
) -> list[tuple[np.ndarray, float]]:
    """Probability map -> (outline, score) pairs."""
    kernels = (probability_map > binarize_threshold).astype(np.uint8) * 255
    contours, _ = cv2.findContours(kernels, cv2.RETR_LIST, cv2.CHAIN_APPROX_SIMPLE)
    found = []
    for contour in contours:
        if arc_length_ratio is not None:
            contour = cv2.approxPolyDP(contour, arc_length_ratio * cv2.arcLength(contour, True), True)
        points = contour.reshape(-1, 2)
        if len(points) < 4:
            continue
        score = _mean_inside(probability_map, points)
        if score < score_threshold:
            continue
        shape = Polygon(points)
        grown = _offset(points, shape.area * unclip_ratio / shape.length)
        if len(grown) != 1:
            continue
        outline = np.array(grown[0])
        if polygon_mode == "quad":
            rectangle = cv2.minAreaRect(outline)
            if min(rectangle[1]) < min_side_px:
                continue
            outline = cv2.boxPoints(rectangle)
        found.append((outline, score))
    return found


def plain_dbnet_targets(
    polygons_xy: list[np.ndarray], size_hw: tuple[int, int], shrink_ratio: float = 0.4
) -> dict[str, np.ndarray]:
    """Polygons, all readable -> the four target maps."""
    kernels, mask = np.zeros(size_hw, np.float32), np.ones(size_hw, np.float32)
    nearness, band_mask = np.zeros(size_hw, np.float32), np.zeros(size_hw, np.float32)
    for polygon in polygons_xy:
        shape = Polygon(polygon)
        distance_px = shape.area * (1 - shrink_ratio**2) / shape.length
        shrunk, padded = _offset(polygon, -distance_px), _offset(polygon, distance_px)
        if not shrunk or not padded:
            cv2.fillPoly(mask, [polygon.astype(np.int32)], 0)
            continue
        cv2.fillPoly(kernels, [np.array(shrunk[0], np.int32)], 1)
        band = np.array(padded[0], np.int32)
        cv2.fillPoly(band_mask, [band], 1)
        left, top = np.maximum(band.min(axis=0), 0)
        right, bottom = np.minimum(band.max(axis=0) + 1, size_hw[::-1])
        distance = _distance_to_edges(polygon - (left, top), (bottom - top, right - left))
        window = nearness[top:bottom, left:right]
        np.maximum(window, 1 - np.clip(distance / distance_px, 0, 1), out=window)
    return {
        "probability_map": kernels,
        "probability_mask": mask,
        "threshold_map": 0.3 + 0.4 * nearness,
        "threshold_mask": band_mask,
    }


def plain_decode_pan(
    text_logits: np.ndarray,
    kernel_logits: np.ndarray,
    pixel_embeddings: np.ndarray,
    *,
    score_threshold: float,
    embedding_distance: float,
    polygon_mode: str,
) -> list[tuple[np.ndarray, float]]:
    """Region, kernels and embeddings -> (outline, score) pairs."""
    probability = 1 / (1 + np.exp(-text_logits))
    kernels = (probability > 0.5) & (kernel_logits > 0)
    count, labels = cv2.connectedComponents(kernels.astype(np.uint8), connectivity=4)
    _grow_pixel_by_pixel(labels, probability > 0.5, pixel_embeddings, embedding_distance)
    found = []
    for label in range(1, count):
        points = np.argwhere(labels == label)[:, ::-1].astype(np.int32)
        score = float(probability[labels == label].mean())
        if len(points) < 16 or score < score_threshold:
            continue
        if polygon_mode == "quad":
            outline = cv2.boxPoints(cv2.minAreaRect(points))
        else:
            mask = np.zeros(labels.shape, np.uint8)
            mask[points[:, 1], points[:, 0]] = 1
            outline = cv2.findContours(mask, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_SIMPLE)[0][0].reshape(-1, 2)
        found.append((outline, score))
    return found


def plain_pan_targets(polygons_xy: list[np.ndarray], size_hw: tuple[int, int]) -> dict[str, np.ndarray]:
    """Polygons, all readable -> the three target maps."""
    regions, kernels = np.zeros(size_hw, np.float32), np.zeros(size_hw, np.float32)
    for number, polygon in enumerate(polygons_xy, start=1):
        shape = Polygon(polygon)
        for canvas, ratio in ((regions, 1.0), (kernels, 0.5)):
            distance_px = min(int(shape.area * (1 - ratio**2) / shape.length + 0.5), 20)
            shrunk = _offset(polygon, -distance_px)
            if shrunk:
                cv2.fillPoly(canvas, [np.array(shrunk[0], np.int32)], number)
    return {"instance_map": regions, "kernel_map": kernels, "text_mask": np.ones(size_hw, np.float32)}


def plain_decode_fcenet(
    region_logits: Sequence[np.ndarray],
    center_logits: Sequence[np.ndarray],
    fourier_coefficients: Sequence[np.ndarray],
    *,
    score_threshold: float,
    polygon_mode: str,
    nms_threshold: float = 0.1,
) -> list[tuple[np.ndarray, float]]:
    """Maps of the levels -> (outline, score) pairs."""
    found: list[tuple[np.ndarray, float]] = []
    for level, (region, center, coefficients) in enumerate(
        zip(region_logits, center_logits, fourier_coefficients, strict=True)
    ):
        score_map = _yes(region) ** 1.2 * _yes(center)
        blobs, _ = cv2.findContours(
            (score_map > score_threshold).astype(np.uint8), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_SIMPLE
        )
        of_level: list[tuple[np.ndarray, float]] = []
        for blob in blobs:
            inside = np.zeros(score_map.shape, np.uint8)
            cv2.drawContours(inside, [blob], -1, 1, -1)
            cells = np.argwhere((inside > 0) & (score_map > score_threshold))
            contours = _contours(coefficients, cells, 8 * 2**level)
            scores = score_map[tuple(cells.T)].tolist()
            of_level += _without_overlaps(list(zip(contours, scores, strict=True)), nms_threshold)
        found += _without_overlaps(of_level, nms_threshold)
    found = _without_overlaps(found, nms_threshold)
    if polygon_mode == "quad":
        found = [(cv2.boxPoints(cv2.minAreaRect(contour)), score) for contour, score in found]
    return found


def plain_fcenet_targets(polygons_xy: list[np.ndarray], size_hw: tuple[int, int]) -> dict[str, np.ndarray]:
    """Polygons, all readable -> the maps of the three levels and of the matching loss."""
    targets = {}
    for stride, (above, up_to) in zip((8, 16, 32), ((0, 0.4), (0.3, 0.7), (0.6, 1)), strict=True):
        kept = [polygon for polygon in polygons_xy if above < _relative_size(polygon, size_hw) <= up_to]
        level_hw = size_hw[0] // stride, size_hw[1] // stride
        maps = np.zeros((3 + 2 * (2 * FOURIER_DEGREE + 1), *level_hw), np.float32)
        maps[2] = 1
        center_map, bands = np.zeros(level_hw, np.uint8), []
        for polygon in kept:
            _paint_contour(polygon / stride, maps)
            upper, lower = text_sides(polygon)  # the package's own: the same on both sides of the comparison
            bands += list(center_band(upper / stride, lower / stride).astype(np.int32))
        if bands:
            cv2.fillPoly(center_map, bands, 1)
        maps[1] = center_map
        targets[f"contour_maps_{stride}"] = maps
    matching_hw = size_hw[0] // 32, size_hw[1] // 32
    matching = np.zeros(matching_hw, np.float32)
    for polygon in polygons_xy:
        cv2.fillPoly(matching, [(polygon / 32).astype(np.int32)], 1)
    return {**targets, "matching_target": matching, "matching_mask": np.ones(matching_hw, np.float32)}


def _offset(polygon: np.ndarray, distance_px: float) -> list:
    offset = pyclipper.PyclipperOffset()
    offset.AddPath(polygon.astype(int).tolist(), pyclipper.JT_ROUND, pyclipper.ET_CLOSEDPOLYGON)
    return offset.Execute(distance_px)


def _mean_inside(probability_map: np.ndarray, points: np.ndarray) -> float:
    left, top = points.min(axis=0)
    right, bottom = points.max(axis=0) + 1
    mask = np.zeros((bottom - top, right - left), np.uint8)
    cv2.fillPoly(mask, [(points - (left, top)).astype(np.int32)], 1)
    return cv2.mean(probability_map[top:bottom, left:right], mask)[0]


def _distance_to_edges(polygon: np.ndarray, size_hw: tuple[int, int]) -> np.ndarray:
    """Distance of every pixel to the nearest edge, by the law of cosines (all edges, all pixels)."""
    y, x = np.mgrid[: size_hw[0], : size_hw[1]]
    nearest = np.full(size_hw, np.inf)
    for start, end in zip(polygon, np.roll(polygon, -1, axis=0), strict=True):
        to_start = (x - start[0]) ** 2 + (y - start[1]) ** 2
        to_end = (x - end[0]) ** 2 + (y - end[1]) ** 2
        length = ((end - start) ** 2).sum()
        cosine = (length - to_start - to_end) / (2 * np.sqrt(to_start * to_end) + 1e-9)
        sine_squared = np.nan_to_num(1 - np.square(cosine))
        across = np.sqrt(np.maximum(to_start * to_end * sine_squared / max(length, 1e-9), 0))
        beside = cosine >= 0
        distance = np.where(beside, across, np.sqrt(np.minimum(to_start, to_end)))
        nearest = np.minimum(nearest, distance)
    return nearest


def _grow_pixel_by_pixel(
    labels: np.ndarray, text: np.ndarray, pixel_embeddings: np.ndarray, distance: float
) -> None:
    """Breadth-first growth of the kernels, in place; plain lists, which are faster here than arrays."""
    height, width = labels.shape
    means = [pixel_embeddings[:, labels == label].mean(axis=1).tolist() for label in range(labels.max() + 1)]
    vectors = np.moveaxis(pixel_embeddings, 0, -1).tolist()
    is_text, grown = text.tolist(), labels.tolist()
    queue = deque(np.argwhere(labels).tolist())
    while queue:
        y, x = queue.popleft()
        for step_x, step_y in ((-1, 0), (1, 0), (0, -1), (0, 1)):
            to_x, to_y = x + step_x, y + step_y
            if not (0 <= to_x < width and 0 <= to_y < height) or grown[to_y][to_x] or not is_text[to_y][to_x]:
                continue
            if math.dist(vectors[to_y][to_x], means[grown[y][x]]) < distance:
                grown[to_y][to_x] = grown[y][x]
                queue.append([to_y, to_x])
    labels[:] = grown


def _yes(logits: np.ndarray) -> np.ndarray:
    """Probability of the second class."""
    exponentials = np.exp(logits - logits.max(axis=0))
    return exponentials[1] / exponentials.sum(axis=0)


def _contours(coefficients: np.ndarray, cells: np.ndarray, stride: int, num_points: int = 50) -> np.ndarray:
    """Inverse Fourier transform at the cells, `(N, P, 2)` float32 in pixels of the network's input."""
    real, imaginary = np.split(coefficients[:, cells[:, 0], cells[:, 1]].T, 2, axis=1)
    spectrum = np.zeros((len(cells), num_points), complex)
    values = real + 1j * imaginary
    values[:, FOURIER_DEGREE] += cells[:, 1] + 1j * cells[:, 0]
    spectrum[:, : FOURIER_DEGREE + 1] = values[:, FOURIER_DEGREE:]
    spectrum[:, -FOURIER_DEGREE:] = values[:, :FOURIER_DEGREE]
    points = np.fft.ifft(spectrum, axis=1) * num_points * stride
    return np.stack([points.real, points.imag], axis=-1).astype(np.float32)


def _without_overlaps(
    found: list[tuple[np.ndarray, float]], threshold: float
) -> list[tuple[np.ndarray, float]]:
    """Non-maximum suppression, every pair through shapely."""
    waiting, kept = sorted(found, key=lambda item: -item[1]), []
    while waiting:
        best, waiting = waiting[0], waiting[1:]
        kept.append(best)
        waiting = [item for item in waiting if _overlap(best[0], item[0]) <= threshold]
    return kept


def _overlap(first_xy: np.ndarray, second_xy: np.ndarray) -> float:
    first, second = (Polygon(points).buffer(0) for points in (first_xy, second_xy))
    shared = first.intersection(second).area
    return shared / (first.area + second.area - shared)


def _relative_size(polygon: np.ndarray, size_hw: tuple[int, int]) -> float:
    width, height = cv2.boundingRect(polygon.astype(np.int32))[2:]
    return max(width, height) / max(size_hw)


def _paint_contour(polygon: np.ndarray, maps: np.ndarray) -> None:
    """Region and Fourier coefficients of one text, every coefficient over the whole map."""
    mask = np.zeros(maps.shape[1:], np.uint8)
    cv2.fillPoly(mask, [polygon.astype(np.int32)], 1)
    maps[0][mask > 0] = 1
    signature = _fourier_signature(polygon)
    count = len(signature)
    for index, value in enumerate(signature):
        for channel, part in ((3 + index, value.real), (3 + count + index, value.imag)):
            maps[channel] = mask * part + (1 - mask) * maps[channel]
    for y, x in np.argwhere(mask > 0):
        maps[3 + FOURIER_DEGREE, y, x] -= x
        maps[3 + count + FOURIER_DEGREE, y, x] -= y


def _fourier_signature(polygon: np.ndarray) -> np.ndarray:
    """Coefficients k = -K … K of a clockwise contour that starts at its top."""
    following = np.roll(polygon, -1, axis=0)
    lengths = [math.dist(start, end) for start, end in zip(polygon, following, strict=True)]
    points = []
    for start, end, length in zip(polygon, following, lengths, strict=True):
        share = int(length / sum(lengths) * 400)
        points += [start + (end - start) * step / share for step in range(share)]
    contour = np.array(points)
    offsets = contour - contour.mean(axis=0)
    nearest = np.argsort(np.abs(offsets[:, 0]), kind="stable")[:8]
    contour = np.roll(contour, -nearest[np.argmin(offsets[nearest, 1])], axis=0)
    spectrum = np.fft.fft(contour[:, 0] + 1j * contour[:, 1]) / len(contour)
    signature = np.concatenate([spectrum[-FOURIER_DEGREE:], spectrum[: FOURIER_DEGREE + 1]])
    clockwise = abs(signature[FOURIER_DEGREE + 1]) > abs(signature[FOURIER_DEGREE - 1])
    return signature if clockwise else signature[::-1]
