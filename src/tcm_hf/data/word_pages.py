"""Pages of word pictures: many words close together, for learning to read at the price of one image."""

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.random import Generator

from tcm_hf.data.augmentation import Augmentation, Compose, RandomWarpCrop, transformed, warp_image
from tcm_hf.data.augmentation_spotting import SpottingSample

__all__ = ["WordPage", "default_word_page"]


@dataclass(frozen=True)
class WordPage:
    """Pastes word pictures in rows onto a soft background.

    A spotter reads in the end what a recogniser reads, but a photo has few words, and most of the time goes
    into its background. A page of word pictures has twenty in a crop of 320 pixels.

    Attributes:
        size_hw: height and width of a page in pixels.
        heights_px: least and largest height of a row, drawn log-uniformly.
        aspect: least and largest ratio of a pasted word's width to its height; pictures beyond are squeezed.
        stretch: most that a word's width is changed, as a factor.
        gap: least and largest space between words, in row heights.
        max_angle_deg: the page is turned by an angle in ± this.
        parts: change pixel values only.
    """

    size_hw: tuple[int, int]
    heights_px: tuple[float, float] = (16.0, 34.0)
    aspect: tuple[float, float] = (0.5, 8.0)
    stretch: float = 1.25
    gap: tuple[float, float] = (0.05, 0.3)
    max_angle_deg: float = 6.0
    parts: tuple[Augmentation, ...] = ()

    def __call__(
        self, images: Sequence[np.ndarray], texts: Sequence[str], generator: Generator
    ) -> SpottingSample:
        """A page with as many of the words as there is room for, in their order.

        Args:
            images: (h, w, 3) uint8 RGB, cut tightly around a word.
            texts: what they say.
            generator: the only source of chance.
        """
        page = self._background(generator)
        quads, placed = self._paste(page, images, generator)
        turn = RandomWarpCrop(self.size_hw, (0.95, 1.05), 1.1, self.max_angle_deg, wide_angle_probability=0.0)
        everything = np.array([[0, 0], [1, 0], [1, 1], [0, 1]], np.float32) * self.size_hw[::-1] * 0.98
        matrix = turn.draw_matrix(self.size_hw, [everything.astype(np.float32)], [False], generator)
        page = warp_image(page, matrix, self.size_hw)
        polygons = [transformed(quad, matrix) for quad in quads]
        page, _, _ = Compose(self.parts)(page, [], [], generator)
        return SpottingSample(page, polygons, [texts[index] for index in placed], np.zeros(len(placed), bool))

    def _background(self, generator: Generator) -> np.ndarray:
        """Colours that change slowly."""
        cells = generator.integers(2, 7, size=2)
        base = generator.integers(0, 256, size=3)
        spread = generator.integers(1, 70)
        colours = base + generator.normal(0, spread, size=(*cells, 3))
        colours = colours.clip(0, 255).astype(np.uint8)
        return cv2.resize(colours, self.size_hw[::-1], interpolation=cv2.INTER_CUBIC)

    def _paste(
        self, page: np.ndarray, images: Sequence[np.ndarray], generator: Generator
    ) -> tuple[list[np.ndarray], list[int]]:
        """Fill the page row by row; quads of the words and which of the pictures they are."""
        margin = 0.02 * np.array(self.size_hw)
        quads: list[np.ndarray] = []
        placed: list[int] = []
        top, row, left = margin[0], self._row_height(generator), margin[1]
        for index, image in enumerate(images):
            height, width = self._word_size(image, row, generator)
            if left + width > self.size_hw[1] - margin[1]:
                top += row * (1 + generator.uniform(*self.gap))
                row, left = self._row_height(generator), margin[1] * generator.uniform(0.3, 4)
                height, width = self._word_size(image, row, generator)
                width = min(width, int(self.size_hw[1] - margin[1] - left))
            if top + row > self.size_hw[0] - margin[0]:
                break
            x, y = int(left), int(top + generator.uniform(0, row - height + 1))
            shrinks = height < image.shape[0]
            page[y : y + height, x : x + width] = cv2.resize(
                image, (width, height), interpolation=cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR
            )
            corners = [(x, y), (x + width, y), (x + width, y + height), (x, y + height)]
            quads.append(np.array(corners, np.float32))
            placed.append(index)
            left += width + row * generator.uniform(*self.gap)
        return quads, placed

    def _row_height(self, generator: Generator) -> float:
        return float(np.exp(generator.uniform(*np.log(self.heights_px))))

    def _word_size(self, image: np.ndarray, row: float, generator: Generator) -> tuple[int, int]:
        """(height, width) in pixels."""
        height = max(int(row * generator.uniform(0.75, 1.0)), 4)
        aspect = image.shape[1] / image.shape[0] * self.stretch ** generator.uniform(-1, 1)
        width = int(height * np.clip(aspect, *self.aspect))
        return height, min(width, int(0.9 * self.size_hw[1]))


def default_word_page(size_hw: tuple[int, int]) -> WordPage:
    """The pages that spotters are trained with.

    Their words can be read: generated ones come blurred and pale already, and a reader that begins with words
    which nobody could read learns nothing for long.
    """
    return WordPage(size_hw)
