"""Bend and project a flat block into the image, and move its points exactly the same way.

All points are pixel edges (x right, y down). A warp first bends the flat block (`bend`), then a homography
puts it into the image.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import cv2
import numpy as np


class Bend(Protocol):
    """A bending of the flat block around its centre: both directions, exact."""

    def forward(self, points_xy: np.ndarray) -> np.ndarray:
        """Flat points (N, 2) to bent points (N, 2)."""

    def inverse(self, points_xy: np.ndarray) -> np.ndarray:
        """Bent points (N, 2) to flat points (N, 2)."""


@dataclass(frozen=True)
class ArcBend:
    """The baseline becomes a circle's arc.

    Args:
        radius_px: Radius at the block's middle line; positive arches up, negative sags.
    """

    radius_px: float

    def forward(self, points_xy: np.ndarray) -> np.ndarray:
        """Flat (u, v) to ((R - v) sin(u/R), R - (R - v) cos(u/R))."""
        u, v = points_xy[:, 0], points_xy[:, 1]
        angle, reach = u / self.radius_px, self.radius_px - v
        return np.stack([reach * np.sin(angle), self.radius_px - reach * np.cos(angle)], axis=-1)

    def inverse(self, points_xy: np.ndarray) -> np.ndarray:
        """The flat points; exact within half a turn."""
        sign = np.sign(self.radius_px)
        x, y = points_xy[:, 0] * sign, (self.radius_px - points_xy[:, 1]) * sign
        angle, reach = np.arctan2(x, y), sign * np.hypot(x, y)
        return np.stack([self.radius_px * angle, self.radius_px - reach], axis=-1)


@dataclass(frozen=True)
class WaveBend:
    """The baseline becomes a sine wave.

    Args:
        amplitude_px: Half the height of the wave.
        length_px: One period.
        phase_rad: Where in the wave the block's centre lies.
    """

    amplitude_px: float
    length_px: float
    phase_rad: float

    def _rise(self, u: np.ndarray) -> np.ndarray:
        return self.amplitude_px * np.sin(2 * np.pi * u / self.length_px + self.phase_rad)

    def forward(self, points_xy: np.ndarray) -> np.ndarray:
        """Shift every column by the wave."""
        return np.stack([points_xy[:, 0], points_xy[:, 1] + self._rise(points_xy[:, 0])], axis=-1)

    def inverse(self, points_xy: np.ndarray) -> np.ndarray:
        """Shift every column back."""
        return np.stack([points_xy[:, 0], points_xy[:, 1] - self._rise(points_xy[:, 0])], axis=-1)


def view_homography(yaw_rad: float, pitch_rad: float, roll_rad: float, focal_px: float) -> np.ndarray:
    """The picture of a turned plane through a pinhole, scale 1 at its centre.

    Args:
        yaw_rad: Turn about the vertical axis.
        pitch_rad: Turn about the horizontal axis.
        roll_rad: Turn in the picture, clockwise on screen.
        focal_px: Distance of the eye from the plane's centre; short means strong perspective.

    Returns:
        (3, 3) float64: plane points about the origin to picture points about the origin.
    """
    cy, sy = np.cos(yaw_rad), np.sin(yaw_rad)
    cp, sp = np.cos(pitch_rad), np.sin(pitch_rad)
    cr, sr = np.cos(roll_rad), np.sin(roll_rad)
    about_y = np.array([[cy, 0, sy], [0, 1, 0], [-sy, 0, cy]])
    about_x = np.array([[1, 0, 0], [0, cp, -sp], [0, sp, cp]])
    about_z = np.array([[cr, -sr, 0], [sr, cr, 0], [0, 0, 1]])
    turn = about_z @ about_x @ about_y
    camera = np.diag([focal_px, focal_px, 1.0])
    return camera @ np.column_stack([turn[:, 0], turn[:, 1], [0, 0, focal_px]]) / focal_px


def translation(x: float, y: float) -> np.ndarray:
    """(3, 3) homography that moves by (x, y)."""
    return np.array([[1, 0, x], [0, 1, y], [0, 0, 1]], dtype=np.float64)


def project(points_xy: np.ndarray, homography: np.ndarray) -> np.ndarray:
    """Points (N, 2) through a homography."""
    lifted = np.column_stack([points_xy, np.ones(len(points_xy))]) @ homography.T
    return lifted[:, :2] / lifted[:, 2:]


@dataclass(frozen=True)
class BlockWarp:
    """Where a flat block of (width, height) goes.

    Args:
        size_wh: The block's width and height, pixels.
        bend: The bending, or None for a plane block.
        homography: (3, 3) from bent points about the block's centre to image points.
    """

    size_wh: tuple[int, int]
    bend: Bend | None
    homography: np.ndarray

    def moved(self, x: float, y: float) -> BlockWarp:
        """The same warp, shifted in the image."""
        return BlockWarp(self.size_wh, self.bend, translation(x, y) @ self.homography)

    def points(self, points_xy: np.ndarray) -> np.ndarray:
        """Block points (N, 2), origin at the block's top-left, to image points (N, 2)."""
        centred = np.asarray(points_xy, dtype=np.float64) - np.array(self.size_wh) / 2
        bent = centred if self.bend is None else self.bend.forward(centred)
        return project(bent, self.homography)

    def box_polygon(self, box_xyxy: tuple[float, float, float, float], points_per_edge: int) -> np.ndarray:
        """The image polygon of an upright box: top edge left to right, then bottom edge right to left.

        Args:
            box_xyxy: Left, top, right, bottom in the block.
            points_per_edge: 2 gives the quad; more follow a bend.

        Returns:
            (2 * points_per_edge, 2) float64.
        """
        left, top, right, bottom = box_xyxy
        x = np.linspace(left, right, points_per_edge)
        upper = np.column_stack([x, np.full(points_per_edge, top)])
        lower = np.column_stack([x[::-1], np.full(points_per_edge, bottom)])
        return self.points(np.concatenate([upper, lower]))

    def outline(self) -> np.ndarray:
        """The whole block's polygon in the image."""
        points_per_edge = 2 if self.bend is None else 12
        return self.box_polygon((0, 0, *self.size_wh), points_per_edge)

    def window(self, size_hw: tuple[int, ...]) -> tuple[slice, slice]:
        """The rows and columns of an image of this height and width that the block can touch."""
        outline = self.outline()
        low = np.maximum(np.floor(outline.min(0)).astype(int) - 1, 0)
        high = np.minimum(np.ceil(outline.max(0)).astype(int) + 1, size_hw[1::-1])
        return slice(int(low[1]), int(high[1])), slice(int(low[0]), int(high[0]))

    def render(self, layers: np.ndarray, low_xy: tuple[int, int], size_hw: tuple[int, int]) -> np.ndarray:
        """Draw the block's layers as the image region sees them; zero outside the block.

        Args:
            layers: (H, W, C) with C up to 4, the block's size.
            low_xy: The region's left and top, image pixels.
            size_hw: The region's height and width.

        Returns:
            (h, w, C), the type of `layers`.
        """
        to_block = translation(self.size_wh[0] / 2 - 0.5, self.size_wh[1] / 2 - 0.5)
        from_region = translation(low_xy[0] + 0.5, low_xy[1] + 0.5)
        back = np.linalg.inv(self.homography) @ from_region
        height, width = size_hw
        if self.bend is None:
            flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
            return cv2.warpPerspective(layers, to_block @ back, (width, height), flags=flags)
        grid_x, grid_y = np.meshgrid(np.arange(width), np.arange(height))
        flat = self.bend.inverse(project(np.column_stack([grid_x.ravel(), grid_y.ravel()]), back))
        flat += np.array(self.size_wh) / 2 - 0.5
        places = flat.reshape(height, width, 2).astype(np.float32)
        return cv2.remap(layers, places[..., 0], places[..., 1], cv2.INTER_LINEAR)
