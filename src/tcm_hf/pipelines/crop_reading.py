"""Words read by a second model: a detector finds them, a recogniser reads what is cut out of the photo."""

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, NamedTuple

import numpy as np

from .recognized_text import RecognizedText
from .spotting_results import ReadWord, read_word

_LEAST_HEIGHT_PX = 64
_TALL = 1.5  # crops higher than this many widths hold rotated words, or letters below one another
# Both chosen on the training photos 831-890 of ICDAR 2015: hmean 0.397 end to end; without a threshold 0.348.
_MARGIN = 0.05  # detectors cut descenders; in heights of the word
_LEAST_SCORE = 0.3
_WORDS_AT_ONCE = 16
_UPSIDE_DOWN_BELOW = 0.5  # readings with a higher score need no second look
_CLEARLY = 0.5  # by which it must be better then: words upside down are rare, odd letters are not


def crop_height_px(network_size: Mapping[str, int]) -> int:
    """Height of crops that loses nothing: that of the network's picture, or more where that is small."""
    return max(_LEAST_HEIGHT_PX, int(network_size["height"]))


class _Reading(NamedTuple):
    """What a crop says after so many quarter turns anticlockwise."""

    found: RecognizedText
    quarter_turns: int


class CropReading:
    """Reads the words that a detector finds.

    Args:
        image_processor: the detector's, which also cuts words out.
        recognizer: a `TextRecognitionPipeline`, or another that is called like it.
    """

    parameters: ClassVar[tuple[str, ...]] = (
        "recognition_threshold",
        "lexicon",
        "max_lexicon_distance",
        "charset",
        "refine_iterations",
        "use_cross_branch",
        "recognition_batch_size",
        "rotations",
        "crop_margin",
    )
    """Parameters of the pipeline that it goes by."""

    def __init__(self, image_processor: Any, recognizer: Any):
        self.image_processor = image_processor
        self.recognizer = recognizer

    def prepare_parameters(self, parameters: dict[str, Any]) -> dict[str, Any]:
        """Check parameters against the recogniser, and prepare the lexicon; see there."""
        return self.recognizer.prepare_parameters(parameters)

    def read(
        self, images: Sequence[Mapping[str, Any]], decoding: dict[str, Any], reading: dict[str, Any]
    ) -> list[list[ReadWord]]:
        """Find and read the words of photos; those that cannot be read are left out.

        Args:
            images: per photo "image_rgb" `(H, W, 3)` uint8, and "tile_maps", "boxes" and "size_hw" as the
                detection pipeline has them.
            decoding: settings of the detector's decoding.
            reading: those of `parameters` that were given.
        """
        options = dict(reading)
        least = options.pop("recognition_threshold", None)
        least = _LEAST_SCORE if least is None else least
        rotations, margin = options.pop("rotations", None), options.pop("crop_margin", None)
        options["batch_size"] = options.pop("recognition_batch_size", None) or _WORDS_AT_ONCE
        founds = [
            self.image_processor.post_process_tiles(
                image["tile_maps"], image["boxes"], image["size_hw"], **decoding
            )
            for image in images
        ]
        crops = [
            self.image_processor.crop_words(
                image["image_rgb"],
                [np.asarray(polygon) for polygon in found["polygons"]],
                short_side_px=self.recognizer.crop_height_px,
                margin=_MARGIN if margin is None else margin,
            )
            for image, found in zip(images, founds, strict=True)
        ]
        of_all = [crop.image for of_image in crops for crop in of_image]
        readings = iter(self._read_crops(of_all, rotations is not False, options))
        words = [
            [
                read_word(score, crop, *next(readings))
                for score, crop in zip(found["scores"].tolist(), of_image, strict=True)
            ]
            for found, of_image in zip(founds, crops, strict=True)
        ]
        return [
            [word for word in of_image if word["read"]["text"].strip() and word["read"]["score"] >= least]
            for of_image in words
        ]

    def _read_crops(
        self, crops: Sequence[np.ndarray], rotations: bool, options: dict[str, Any]
    ) -> list[_Reading]:
        """Read crops of all photos together, the way round that makes most sense of each."""
        tall = [rotations and crop.shape[0] > _TALL * crop.shape[1] for crop in crops]
        tries = [(i, turns) for i in range(len(crops)) for turns in ((0, 1, 3) if tall[i] else (0,))]
        best: dict[int, _Reading] = {}
        for (i, turns), found in zip(tries, self._read_turned(crops, tries, options), strict=True):
            if i not in best or found["score"] > best[i].found["score"]:
                best[i] = _Reading(found, turns)
        doubtful = [
            (i, 2)
            for i in range(len(crops))
            if rotations and not tall[i] and best[i].found["score"] < _UPSIDE_DOWN_BELOW
        ]
        for (i, turns), found in zip(doubtful, self._read_turned(crops, doubtful, options), strict=True):
            if found["score"] > best[i].found["score"] + _CLEARLY:
                best[i] = _Reading(found, turns)
        return [best[i] for i in range(len(crops))]

    def _read_turned(
        self, crops: Sequence[np.ndarray], tries: list[tuple[int, int]], options: dict[str, Any]
    ) -> list[RecognizedText]:
        """Read crops, each given by its index and the number of quarter turns anticlockwise."""
        turned = [np.ascontiguousarray(np.rot90(crops[i], turns)) for i, turns in tries]
        # It counts calls to warn of work that comes one by one; ours comes in batches.
        self.recognizer.call_count = 0
        return self.recognizer(turned, return_characters=True, **options)
