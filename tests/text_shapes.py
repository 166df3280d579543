"""Outlines of words that the tests of targets and decoders share: `(P, 2)` float64, pixels, clockwise."""

import numpy as np


def tilted(center, width, height, degrees):
    """A rectangle turned clockwise."""
    angle = np.deg2rad(degrees)
    along, across = np.array([np.cos(angle), np.sin(angle)]), np.array([-np.sin(angle), np.cos(angle)])
    return np.array([center + a * width / 2 * along + b * height / 2 * across
                     for a, b in ((-1, -1), (1, -1), (1, 1), (-1, 1))])  # fmt: skip


def curved(center, radius, height, degrees=120):
    """24 points along an arch: `radius` to its lower edge, standing on `center`."""
    angles = np.deg2rad(np.linspace(-90 - degrees / 2, -90 + degrees / 2, 12))
    arc = np.stack([np.cos(angles), np.sin(angles)], axis=1)
    return np.concatenate([center + (radius + height) * arc, (center + radius * arc)[::-1]])
