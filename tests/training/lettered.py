"""Drawn photos with words, for the spotters of this folder; landscape."""

import cv2
import numpy as np

from tcm_hf.data.records import TextInstance, TextRecord
from tcm_hf.data.words import WordRecord

SIZE_HW = (64, 96)
CHARACTERS = "0123456789abcdefghijklmnopqrstuvwxyz口"


def word_image(text: str, height: int = 32) -> np.ndarray:
    """Dark letters on white, cut tightly."""
    (width, tall), low = cv2.getTextSize(text, cv2.FONT_HERSHEY_SIMPLEX, 1.0, 2)
    image = np.full((tall + low + 4, width + 4, 3), 255, np.uint8)
    cv2.putText(image, text, (2, tall + 1), cv2.FONT_HERSHEY_SIMPLEX, 1.0, (0, 0, 0), 2, cv2.LINE_AA)
    return cv2.resize(image, (round(height * image.shape[1] / image.shape[0]), height))


def word_record(text: str) -> WordRecord:
    return WordRecord(word_image(text), text)


def lettered_record(seed: int, words: int = 2, size_hw=(120, 200)) -> TextRecord:
    """A dark noisy photo with white labels one below the other, three letters or digits each."""
    generator = np.random.default_rng(seed)
    image = generator.integers(0, 60, (*size_hw, 3)).astype(np.uint8)
    instances = []
    for number in range(words):
        text = "".join(generator.choice(list(CHARACTERS[:-1]), size=3))
        label = word_image(text, 32)
        height, width = label.shape[:2]
        x, y = int(generator.integers(4, size_hw[1] - width - 4)), 10 + 50 * number
        image[y : y + height, x : x + width] = label
        corners = [(x, y), (x + width, y), (x + width, y + height), (x, y + height)]
        instances.append(TextInstance(np.array(corners), text))
    return TextRecord(image, instances, name=f"lettered_{seed}")
