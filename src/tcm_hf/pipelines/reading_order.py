"""The order in which a reader meets the detected texts."""


def reading_order(boxes_xyxy: list[tuple[float, float, float, float]]) -> list[int]:
    """Order boxes line by line from the top, and from left to right inside a line.

    A box joins the line above it when the two overlap vertically by more than half of the lower one of the
    two heights; the line's band is that of its first (top-most centre) box, so a slowly drifting line does
    not swallow the next one. This suits horizontal scripts written from left to right; rotated words are
    ordered by their bounding boxes.

    Args:
        boxes_xyxy: One (xmin, ymin, xmax, ymax) per text, in pixels, y down.

    Returns:
        A permutation of `range(len(boxes_xyxy))`.
    """
    by_height = sorted(range(len(boxes_xyxy)), key=lambda index: boxes_xyxy[index][1] + boxes_xyxy[index][3])
    lines: list[list[int]] = []
    for index in by_height:
        line = next((line for line in lines if _same_line(boxes_xyxy[line[0]], boxes_xyxy[index])), None)
        if line is None:
            lines.append([index])
        else:
            line.append(index)
    return [
        index for line in lines for index in sorted(line, key=lambda i: boxes_xyxy[i][0] + boxes_xyxy[i][2])
    ]


def _same_line(first: tuple[float, float, float, float], second: tuple[float, float, float, float]) -> bool:
    overlap = min(first[3], second[3]) - max(first[1], second[1])
    return overlap > 0.5 * min(first[3] - first[1], second[3] - second[1])
