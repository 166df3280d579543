"""Maps and embeddings of PAN -> text outlines with scores. Undoes what `pan.py` predicts; needs no torch."""

import cv2
import numpy as np

from .decode_dbnet import PolygonMode
from .decoding_settings import check_settings
from .polygons import order_clockwise


def decode_pan(
    text_logits: np.ndarray,
    kernel_logits: np.ndarray,
    pixel_embeddings: np.ndarray,
    *,
    binarize_threshold: float = 0.5,
    kernel_threshold: float = 0.5,
    score_threshold: float = 0.85,
    embedding_distance: float = 0.85,
    min_area_px: int = 16,
    polygon_mode: PolygonMode = "quad",
) -> tuple[list[np.ndarray], np.ndarray]:
    """Find the text instances of one image: PAN, arXiv 1908.05900, section 3.3 (pixel aggregation).

    Every blob of kernel pixels is one text. It grows over the pixels of the text region, one pixel a round in
    the four directions, as long as their embedding is near the mean embedding of the kernel; a pixel belongs
    to the kernel that reaches it first. The outline of the grown text is the result.

    Args:
        text_logits: `(h, w)`, text region before the sigmoid.
        kernel_logits: `(h, w)`, shrunk texts before the sigmoid.
        pixel_embeddings: `(E, h, w)`, the vectors that tell texts apart.
        binarize_threshold: a pixel is text if its probability is above this.
        kernel_threshold: a text pixel belongs to a kernel if its kernel probability is above this.
        score_threshold: an instance is kept if its mean text probability is at least this.
        embedding_distance: pixels nearer than this to the mean embedding of a kernel may join it. The
            published programs take their `score_threshold` for it.
        min_area_px: instances of fewer map pixels are left out.
        polygon_mode: "quad" gives rectangles of any angle, "polygon" outlines of any shape.

    Returns:
        The outlines and their scores, by the top row of their kernels. Outlines are `(P, 2)` float32 in map
        pixels, clockwise from the top left, through the outermost pixels of the text; scores `(N,)` float32,
        the mean text probability. A point is named after the cell of the map that it sits on. Cells are
        taught the label of one pixel of the network's input, number 4 i for cell i (`PANHead.loss`), so
        `4 * polygon + 0.5` is the outline in pixels of the input, frame of pixel edges.

    Parity: the outline runs through the middle of the outermost cells, as published: on each side the text
    reaches up to a cell, half a cell on the average, farther.

    Raises:
        ValueError: for maps that are not `(h, w)`, `(h, w)` and `(E, h, w)`, or a setting out of its range:
            thresholds from 0 to 1, a distance above 0, an area of at least 0.
    """
    _check_shapes(text_logits, kernel_logits, pixel_embeddings)
    check_settings(
        {
            "binarize_threshold": binarize_threshold,
            "kernel_threshold": kernel_threshold,
            "score_threshold": score_threshold,
            "embedding_distance": embedding_distance,
            "min_area_px": min_area_px,
            "polygon_mode": polygon_mode,
        }
    )
    text_map = _sigmoid(text_logits)
    text = text_map > binarize_threshold
    kernels = text & (_sigmoid(kernel_logits) > kernel_threshold)
    if not kernels.any():
        return [], np.zeros(0, dtype=np.float32)
    # Parity: kernels that touch at a corner only are two (4-connected), unlike outlines (8-connected).
    _, label_map = cv2.connectedComponents(kernels.view(np.uint8), connectivity=4)
    pixels = np.flatnonzero(text)  # from here on only text pixels matter, row by row
    embeddings = pixel_embeddings.reshape(len(pixel_embeddings), -1)[:, pixels].T.astype(np.float32)
    # A kernel is taught to lie in the middle of its text, so no text is farther from it than the map is long.
    # What noise makes, ways as long as the map has pixels, would take a round a pixel.
    labels = _aggregated(
        label_map.ravel()[pixels],
        embeddings,
        _neighbors(text, pixels),
        embedding_distance,
        most_rounds=sum(text.shape),
    )
    np.put(label_map, pixels, labels)
    areas = np.bincount(labels)
    means = np.bincount(labels, weights=text_map.ravel()[pixels]) / np.maximum(areas, 1)
    is_kept = (areas >= min_area_px) & (means >= score_threshold)
    boxes = _boxes(labels, np.stack(np.divmod(pixels, text.shape[1])))
    polygons, scores = [], []
    for label in (np.flatnonzero(is_kept[1:]) + 1).tolist():
        polygon = _outline(label_map, label, boxes[label - 1], polygon_mode)
        if polygon is not None:
            polygons.append(order_clockwise(polygon))
            scores.append(means[label])
    return polygons, np.array(scores, dtype=np.float32)


def _check_shapes(text_logits: np.ndarray, kernel_logits: np.ndarray, pixel_embeddings: np.ndarray) -> None:
    if (
        text_logits.ndim != 2
        or kernel_logits.shape != text_logits.shape
        or pixel_embeddings.ndim != 3
        or pixel_embeddings.shape[1:] != text_logits.shape
    ):
        raise ValueError(
            "`text_logits`, `kernel_logits` and `pixel_embeddings` must have the shapes (h, w), (h, w) and "
            f"(E, h, w): got {text_logits.shape}, {kernel_logits.shape} and {pixel_embeddings.shape}. Decode "
            "image by image."
        )


def _sigmoid(logits: np.ndarray) -> np.ndarray:
    """In float32, in an array of its own; written with tanh, which cannot overflow."""
    values = np.multiply(logits, 0.5, dtype=np.float32)
    np.tanh(values, out=values)
    values += 1
    values *= 0.5
    return values


def _neighbors(text: np.ndarray, pixels: np.ndarray) -> np.ndarray:
    """Numbers of the text pixels left, right, above and below each of them, N for background: `(N, 4)`."""
    height, width = text.shape
    stride = width + 2  # a border, so that no step leaves the map
    numbers = np.full((height + 2, stride), len(pixels))
    numbers[1:-1, 1:-1][text] = np.arange(len(pixels))
    rows, columns = np.divmod(pixels, width)
    places = (rows + 1) * stride + columns + 1
    return numbers.ravel()[places[:, None] + np.array([-1, 1, -stride, stride])]


def _aggregated(
    kernel_labels: np.ndarray,
    embeddings: np.ndarray,
    neighbors: np.ndarray,
    embedding_distance: float,
    most_rounds: int,
) -> np.ndarray:
    """Grow the kernels over the N text pixels; `(N,)` labels in, `(N,)` labels out, 0 = none.

    A breadth-first search with all pixels of a round in one array, in the order in which a queue would hold
    them: kernels row by row, then left, right, up, down of each pixel. So a pixel that two kernels reach in
    the same round goes to the one that a queue would serve first.
    """
    means = _means(embeddings, kernel_labels)
    labels = np.append(kernel_labels, 0)
    is_open = labels == 0
    is_open[-1] = False  # the background
    frontier = np.flatnonzero(labels)
    turn = np.empty(len(labels), np.intp)
    for _ in range(most_rounds):
        if not len(frontier):
            break
        reached = neighbors[frontier].ravel()
        free = is_open[reached]
        reached, owners = reached[free], np.repeat(labels[frontier], 4)[free]
        away = embeddings[reached] - means[owners]
        near = np.einsum("ne,ne->n", away, away) < embedding_distance**2
        reached, owners = reached[near], owners[near]
        # Of several writes to one place the last remains: written backwards, that is the first in the queue.
        turns = np.arange(len(reached))
        turn[reached[::-1]] = turns[::-1]
        first = turn[reached] == turns
        frontier = reached[first]
        labels[frontier] = owners[first]
        is_open[frontier] = False
    return labels[:-1]


def _means(embeddings: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Mean embedding of every label, `(labels + 1, E)` float32; row 0 is not used."""
    counts = np.maximum(np.bincount(labels), 1)
    means = np.empty((len(counts), embeddings.shape[1]), np.float32)
    for index, channel in enumerate(embeddings.T):
        means[:, index] = np.bincount(labels, weights=channel) / counts
    return means


def _boxes(labels: np.ndarray, rows_columns: np.ndarray) -> np.ndarray:
    """First row and column, last row and column of the labels 1..n, each of which has a pixel: `(n, 4)`."""
    order = np.argsort(labels, kind="stable")
    starts = np.searchsorted(labels[order], np.arange(1, labels.max() + 1))
    rows_columns = rows_columns[:, order]
    lows = np.minimum.reduceat(rows_columns, starts, axis=1)
    highs = np.maximum.reduceat(rows_columns, starts, axis=1)
    return np.concatenate([lows, highs]).T


def _outline(labels: np.ndarray, label: int, box: np.ndarray, polygon_mode: PolygonMode) -> np.ndarray | None:
    """Outline or smallest rectangle of one instance; None if it is as thin as a line."""
    top, left, bottom, right = box.tolist()
    mask = (labels[top : bottom + 1, left : right + 1] == label).view(np.uint8)
    # One piece, because it grew in the four directions; holes are filled.
    contours, _ = cv2.findContours(mask, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_SIMPLE, offset=(left, top))
    contour = contours[0].reshape(-1, 2)
    if polygon_mode == "polygon":
        return contour if len(contour) >= 4 else None  # Parity: triangles and bars are no text
    rectangle = cv2.minAreaRect(contour)
    return cv2.boxPoints(rectangle) if min(rectangle[1]) > 0 else None
