"""Where the characters of a text lie, guessed from its outline: the pseudo character centres of CLEval.

Source: Baek et al., "CLEval: Character-Level Evaluation for Text Detection and Recognition Tasks",
arXiv 2006.06244, and the authors' program (clovaai/CLEval, version of 2023).
"""

import numpy as np

from tcm_hf.data.text_sides import text_sides

__all__ = ["aspect_ratio", "character_centers", "false_alarm_length", "unread_length"]

_VERTICAL_RATIO = 0.5  # a quad narrower than this part of its height is written from one end to the other
_LONGEST_GUESS = 10
_SIDE_STEPS = 8
_TINY = 1e-5


def character_centers(polygon_xy: np.ndarray, count: int) -> np.ndarray:
    """Centres of the characters: the line midway between the two long sides, cut into equal pieces.

    Args:
        polygon_xy: (P >= 3, 2) from the beginning of the text, clockwise; with an even number of points the
            first half is the upper side. Pieces between two points of a side count alike, however long.
        count: of characters.

    Returns:
        (count, 2) in reading order.
    """
    upper, lower = _sides(polygon_xy)
    middle = (upper + lower) / 2
    # Parity: a standing quad is read from the bottom to the top, which only decides the order of its pieces.
    if len(polygon_xy) == 4 and aspect_ratio(polygon_xy) < _VERTICAL_RATIO:
        middle = np.stack([polygon_xy[2:].mean(axis=0), polygon_xy[:2].mean(axis=0)])
    places = np.linspace(0, len(middle) - 1, count + 1)
    ends = np.stack([np.interp(places, np.arange(len(middle)), middle[:, axis]) for axis in (0, 1)], axis=1)
    return (ends[1:] + ends[:-1]) / 2


def aspect_ratio(polygon_xy: np.ndarray) -> float:
    """Length of a text over its height, from the mean of its long sides and the mean of its two ends."""
    upper, lower = _sides(polygon_xy)
    length = (_length(upper) + _length(lower)) / 2
    height = np.hypot(*(upper - lower)[[0, -1]].T).mean()
    return float((length + _TINY) / (height + _TINY))


def unread_length(polygon_xy: np.ndarray) -> int:
    """How many characters a do-not-care text is taken to have, 1..10."""
    along = aspect_ratio(polygon_xy)
    return min(round(0.5 + max(along, 1 / along)), _LONGEST_GUESS)


def false_alarm_length(polygon_xy: np.ndarray) -> int:
    """How many characters a prediction on no text is taken to have, 1..10."""
    # Parity: the program of 2023 has height over length here, so that most false alarms are one character.
    return min(round(0.5 + 1 / (_TINY + aspect_ratio(polygon_xy))), _LONGEST_GUESS)


def _sides(polygon_xy: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Upper and lower side with equally many points, both in reading direction."""
    half = len(polygon_xy) // 2
    if len(polygon_xy) % 2 == 0:
        return polygon_xy[:half], polygon_xy[half:][::-1]
    upper, lower = text_sides(polygon_xy)
    return _in_steps(upper), _in_steps(lower[::-1])


def _in_steps(line: np.ndarray) -> np.ndarray:
    lengths = np.concatenate([[0], np.cumsum(np.hypot(*np.diff(line, axis=0).T))])
    places = np.linspace(0, lengths[-1], _SIDE_STEPS + 1)
    return np.stack([np.interp(places, lengths, line[:, axis]) for axis in (0, 1)], axis=1)


def _length(line: np.ndarray) -> float:
    return float(np.hypot(*np.diff(line, axis=0).T).sum())
