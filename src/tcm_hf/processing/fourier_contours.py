"""Closed contours as Fourier series, the representation of FCENet (arXiv 2104.10442, section 3.1).

A contour is a closed curve in the complex plane, `f(t) = sum over k of c_k exp(2 pi i k t)` for t in 0..1 and
k = -K … K; x is the real part, y the imaginary part. Its 2K + 1 coefficients are stored as real numbers: real
parts for k = -K … K, then imaginary parts, 2 (2K + 1) numbers.
"""

from functools import lru_cache

import numpy as np


@lru_cache(maxsize=8)
def _basis(num_coefficients: int, num_points: int) -> np.ndarray:
    """`(2 (2K + 1), 2 P)`: coefficients times this give the interleaved x, y of the points."""
    degree = num_coefficients // 2
    angles = 2 * np.pi / num_points * np.outer(np.arange(-degree, degree + 1), np.arange(num_points))
    cos, sin = np.cos(angles), np.sin(angles)
    basis = np.stack([np.concatenate([cos, -sin]), np.concatenate([sin, cos])], axis=-1)
    basis = basis.reshape(2 * num_coefficients, 2 * num_points)
    basis.flags.writeable = False
    return basis


def contour_from_fourier(coefficients: np.ndarray, num_points: int) -> np.ndarray:
    """Points of contours at equal steps of the parameter (eq. 2), all contours in one matrix product.

    Args:
        coefficients: `(…, 2 (2K + 1))`: real parts for k = -K … K, then imaginary parts.
        num_points: P, points a contour.

    Returns:
        `(…, P, 2)` float64, in the unit and frame of the coefficients.

    Raises:
        ValueError: if the number of coefficients is not twice an odd number.
    """
    coefficients = np.asarray(coefficients, dtype=np.float64)
    num_coefficients, rest = divmod(coefficients.shape[-1], 2)
    if rest or num_coefficients % 2 == 0:
        raise ValueError(
            "A contour has real and imaginary parts for k = -K … K, 2 (2K + 1) numbers: got "
            f"{coefficients.shape[-1]}."
        )
    points = coefficients @ _basis(num_coefficients, num_points)
    return points.reshape(*coefficients.shape[:-1], num_points, 2)
