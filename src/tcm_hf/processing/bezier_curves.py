"""Cubic Bezier curves along the sides of words, as ABCNet (arXiv 2002.10200) describes curved text."""

import numpy as np

__all__ = ["bezier_basis", "bezier_outlines", "fit_bezier"]


def bezier_basis(t: np.ndarray) -> np.ndarray:
    """Weights of the four control points at curve parameters, (n,) in 0..1 -> (n, 4)."""
    t = np.asarray(t, dtype=np.float64)[:, None]
    return np.concatenate([(1 - t) ** 3, 3 * t * (1 - t) ** 2, 3 * t**2 * (1 - t), t**3], axis=1)


def bezier_outlines(control_points: np.ndarray, points_per_curve: int) -> np.ndarray:
    """Points along two curves a word, at even steps of the curves' parameter.

    Args:
        control_points: `(N, 8, 2)`, the top's from left to right, the foot's from right to left.
        points_per_curve: n; the first and the last are the curve's ends.

    Returns:
        `(N, 2 n, 2)`, the first curve's, then the second's.

    Raises:
        ValueError: for another number of control points, or less than two points.
    """
    if control_points.shape[1:] != (8, 2) or points_per_curve < 2:
        raise ValueError(
            "Two cubic curves need control points (N, 8, 2) and 2 or more points each: got "
            f"{control_points.shape} and {points_per_curve}."
        )
    curves = bezier_basis(np.linspace(0, 1, points_per_curve)) @ control_points.reshape(-1, 2, 4, 2)
    return curves.reshape(len(control_points), 2 * points_per_curve, 2)


def fit_bezier(side_xy: np.ndarray) -> np.ndarray:
    """The curve that runs nearest to a line of points (least squares) from its first to its last one.

    Parameters are the points' places along the line, ABCNet eq. 2; a line of two points, and one that has no
    length, gives a straight curve.

    Args:
        side_xy: (P >= 2, 2).

    Returns:
        (4, 2) control points; the outer two are the line's ends.
    """
    side = np.asarray(side_xy, dtype=np.float64)
    straight = side[0] + np.linspace(0, 1, 4)[:, None] * (side[-1] - side[0])
    along = np.concatenate([[0], np.hypot(*np.diff(side, axis=0).T).cumsum()])
    if len(side) == 2 or along[-1] == 0:
        return straight
    basis = bezier_basis(along / along[-1])
    rest = side - basis[:, [0, 3]] @ straight[[0, 3]]
    # Of all bends that fit equally well the least: one point between the ends does not settle two.
    inner = np.linalg.lstsq(basis[:, 1:3], rest - basis[:, 1:3] @ straight[1:3], rcond=None)[0]
    return np.stack([straight[0], *(straight[1:3] + inner), straight[3]])
