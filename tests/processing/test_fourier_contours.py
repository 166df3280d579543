"""Contours as Fourier series."""

import numpy as np
import pytest

from tcm_hf.processing.fourier_contours import contour_from_fourier

K = 5


def coefficients(**by_k):
    """`k1=3 + 1j, k_1=…`: 2 (2K + 1) numbers with c_1 = 3 + i, c_-1 = …"""
    values = np.zeros(2 * K + 1, complex)
    for name, value in by_k.items():
        values[K + int(name[1:].replace("_", "-"))] = value
    return np.concatenate([values.real, values.imag])


def test_one_positive_frequency_is_a_circle_that_runs_clockwise_on_the_screen():
    circle = contour_from_fourier(coefficients(k0=100 + 40j, k1=30), 60)
    assert circle.shape == (60, 2)
    np.testing.assert_allclose(np.hypot(*(circle - (100, 40)).T), 30)
    np.testing.assert_allclose(circle[0], (130, 40))
    np.testing.assert_allclose(circle[15], (100, 70), atol=1e-9)  # a quarter on: down, as y points down


def test_two_opposite_frequencies_are_an_ellipse():
    ellipse = contour_from_fourier(coefficients(k0=10, k1=5, k_1=3), 40)
    np.testing.assert_allclose(((ellipse - (10, 0)) / (8, 2) * (1, 1)) ** 2 @ (1, 1), 1)


def test_the_fourier_transform_of_an_outline_gives_it_back():
    side = np.linspace(0, 1, 50, endpoint=False)[:, None]
    corners = np.array([[20, 10], [120, 10], [120, 50], [20, 50]])
    outline = np.concatenate(
        [a + side * (b - a) for a, b in zip(corners, np.roll(corners, -1, axis=0), strict=True)]
    )
    spectrum = np.fft.fft(outline @ (1, 1j)) / len(outline)
    values = spectrum[np.arange(-40, 41)]
    found = contour_from_fourier(np.concatenate([values.real, values.imag]), len(outline))
    np.testing.assert_allclose(found, outline, atol=0.6)  # corners stay a little round


def test_many_contours_at_once_equal_one_by_one():
    values = np.random.default_rng(0).standard_normal((3, 4, 2 * (2 * K + 1))).astype(np.float32)
    together = contour_from_fourier(values, 17)
    assert together.shape == (3, 4, 17, 2)
    np.testing.assert_allclose(together[2, 1], contour_from_fourier(values[2, 1], 17))
    assert contour_from_fourier(values[:0], 17).shape == (0, 4, 17, 2)


@pytest.mark.parametrize("size", [21, 20])
def test_numbers_that_are_not_real_and_imaginary_parts_are_refused(size):
    with pytest.raises(ValueError, match="2K"):
        contour_from_fourier(np.zeros((3, size)), 50)
