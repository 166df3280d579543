"""Outputs of a spotter -> words with polygons and texts: the part of the image processor behind the model."""

from collections.abc import Iterable, Sequence
from itertools import islice
from typing import Any, Literal

import numpy as np
import torch

from .character_reading import CharacterReading, readable_charset, text_ids
from .decode_spotting import FoundWords, decode_spotting, fields_of
from .decoding_settings import check_settings
from .image_sizes import SizeHW, each_target_size
from .lexicon import Lexicon, LexiconLike, as_lexicon, check_charset, one_lexicon_each
from .polygons import bounding_box, clamp_to_image, min_area_quad, polygon_area, signed_area
from .tile_outlines import keep_whole_outlines
from .tiling import Tile
from .word_outlines import outline_corners

Fields = dict[str, np.ndarray]
"""Outputs for one image: float32 arrays by field name."""

CHARACTERS_96 = "".join(map(chr, range(ord(" "), ord("~") + 1))) + "\u53e3"
"""The released spotters' characters: printable ASCII, and one that stands for all others."""

_SETTINGS = ("threshold", "polygon_mode", "nms_threshold", "points_per_curve")
_STRAIGHT = 0.05  # how far a straight word's points may lie beside its edges, in heights of the word
_SEAM = 0.01  # how near to the side of a tile a word that it cuts ends, in sides of the tile


class SpottingPostProcessing:
    """Decoding: its settings are attributes, saved with the processor, and defaults of its methods."""

    characters = CHARACTERS_96
    threshold = 0.45
    recognition_threshold = 0.0
    polygon_mode: Literal["quad", "polygon"] = "polygon"
    nms_threshold = 0.5
    points_per_curve = 8
    max_detections = None

    def post_process_text_spotting(
        self,
        outputs: Any,
        threshold: float | None = None,
        target_sizes: torch.Tensor | Sequence[tuple[int, int]] | None = None,
        recognition_threshold: float | None = None,
        polygon_mode: Literal["quad", "polygon"] | None = None,
        max_detections: int | None = None,
        lexicon: LexiconLike | Iterable[LexiconLike] | None = None,
        max_lexicon_distance: float | None = None,
        charset: str | None = None,
    ) -> list[dict[str, Any]]:
        """Words of each image, from the outputs of the model, whatever its head.

        Arguments that are None take the value of the attribute of the same name.

        Args:
            outputs: what the model returned, or a dict with its fields, of any float type on any device; see
                `TCMTextSpottingOutput`.
            threshold: least score of the place, 0..1.
            target_sizes: (height, width) in pixels of each upright original image, as a list or `(B, 2)`;
                None gives coordinates in parts of the image's width and height.
            recognition_threshold: least score of the text, 0..1.
            polygon_mode: "polygon" or "quad".
            max_detections: of more words that can be read so well the best are kept.
            lexicon: words of which the nearest by edit distance is taken, ignoring case; among equally near
                ones the likeliest. One list (or `Lexicon`) for all images, or one list for each.
            max_lexicon_distance: a word that is farther from the lexicon's stays as it was read: edits over
                the length of the longer of the two, 0..1. None always takes a word.
            charset: the only characters that may be read; all of `characters` by default. A letter that
                `characters` has in lower case only may come in either case.

        Returns:
            Per image a dict, best score first: `"scores"` `(N,)` of the places; `"polygons"`, a list of N
            tensors `(P, 2)`; `"boxes"` `(N, 4)` as xmin, ymin, xmax, ymax, all float32 on the CPU; `"texts"`,
            N strings, none empty, in which the last of `characters` stands for any other; `"readings"`, N
            dicts {"text", "score", "characters"} as `CLIP4STRProcessor.post_process_text_recognition` gives
            them, with "edit_distance" where a word of the lexicon was taken. Coordinates are (x, y) at pixel
            edges, x right, y down, inside the image. Polygons run clockwise from where reading starts: along
            the tops of the letters, then back along their feet; straight words have four points.

        Raises:
            ValueError: if the outputs are of no spotter or of one with other characters, there is not one
                target size per image, or a setting has a value that it cannot have.
        """
        images = self.split_images(outputs)
        sizes = each_target_size(target_sizes, len(images))
        lexicons = [None] * len(images) if lexicon is None else one_lexicon_each(lexicon, len(images))
        settings = self._decoding_settings(threshold=threshold, polygon_mode=polygon_mode)
        least = self.recognition_threshold if recognition_threshold is None else recognition_threshold
        check_settings({"recognition_threshold": least})
        best = self.max_detections if max_detections is None else max_detections
        results = []
        for fields, size_hw, words in zip(images, sizes, lexicons, strict=True):
            found = self._on_photo(fields, size_hw, settings)
            results.append(self._result(found, best, least, words, max_lexicon_distance, charset))
        return results

    @staticmethod
    def get_decoding_settings(head_type: str | None = None) -> tuple[str, ...]:
        """Names of the settings that decoding goes by, the same for all heads."""
        return _SETTINGS

    @staticmethod
    def split_images(outputs: Any) -> list[Fields]:
        """The outputs of a batch as float32 arrays on the CPU, image by image.

        Raises:
            ValueError: if they are not those of a spotter, or not of one number of images.
        """
        place, text, _ = fields_of(outputs)
        fields = {
            name: torch.as_tensor(outputs[name]).detach().float().cpu().numpy()
            for name in ("score_logits", place, text)
        }
        counts = {name: len(values) for name, values in fields.items()}
        if len(set(counts.values())) != 1:
            raise ValueError(
                f"The fields must be of one number of images, the first dimension: got {counts}."
            )
        return [
            {name: values[index] for name, values in fields.items()}
            for index in range(counts["score_logits"])
        ]

    def post_process_tiles(
        self,
        tile_maps: Sequence[Fields],
        tiles: Sequence[Tile],
        size_hw: tuple[int, int],
        max_detections: int | None = None,
        recognition_threshold: float | None = None,
        lexicon: Lexicon | None = None,
        max_lexicon_distance: float | None = None,
        charset: str | None = None,
        **settings: Any,
    ) -> dict[str, Any]:
        """Words of one photo that went through the model in tiles.

        A word that two tiles see is taken from the one that sees all of it. One that no tile sees whole, for
        it is longer than tiles overlap, stays a piece.

        Args:
            tile_maps: the outputs of each tile, as `split_images` gives them.
            tiles: as from `plan_tiles`.
            size_hw: (height, width) of the upright photo in pixels.
            max_detections: of more words the best are kept.
            recognition_threshold: least score of the text, 0..1, of words that say something; None keeps all
                words.
            lexicon: as from `make_lexicon`.
            max_lexicon_distance: as in `post_process_text_spotting`.
            charset: as there.
            **settings: as the other settings there.

        Returns:
            One dict as of `post_process_text_spotting`, in pixels of the photo.
        """
        chosen = self._decoding_settings(**settings)
        founds = []
        for fields, (x0, y0, x1, y1) in zip(tile_maps, tiles, strict=True):
            found = self._on_photo(fields, (y1 - y0, x1 - x0), chosen)
            moved = [polygon + np.array((x0, y0), np.float32) for polygon in found.polygons_xy]
            founds.append(found._replace(polygons_xy=moved))
        merged = _merged(founds, tiles, size_hw) if len(tiles) > 1 else founds[0]
        best = self.max_detections if max_detections is None else max_detections
        return self._result(merged, best, recognition_threshold, lexicon, max_lexicon_distance, charset)

    def post_process_text_detection(
        self,
        outputs: Any,
        threshold: float | None = None,
        target_sizes: torch.Tensor | Sequence[tuple[int, int]] | None = None,
        polygon_mode: Literal["quad", "polygon"] | None = None,
        max_detections: int | None = None,
    ) -> list[dict[str, Any]]:
        """The places of words alone, those that cannot be read among them.

        Args:
            outputs: as in `post_process_text_spotting`, like the others.
            threshold: as there.
            target_sizes: as there.
            polygon_mode: as there.
            max_detections: as there.

        Returns:
            Per image a dict of `"scores"`, `"polygons"` and `"boxes"`, as there.
        """
        images = self.split_images(outputs)
        settings = self._decoding_settings(threshold=threshold, polygon_mode=polygon_mode)
        best = self.max_detections if max_detections is None else max_detections
        return [
            _places(_best(self._on_photo(fields, size_hw, settings), best))
            for fields, size_hw in zip(images, each_target_size(target_sizes, len(images)), strict=True)
        ]

    @staticmethod
    def get_word_corners(polygons: Sequence[np.ndarray]) -> np.ndarray:
        """Corners of words in the order of reading, `(N, 4, 2)` float32."""
        corners = [outline_corners(np.asarray(polygon, np.float32)) for polygon in polygons]
        return np.stack(corners) if corners else np.zeros((0, 4, 2), dtype=np.float32)

    @staticmethod
    def make_lexicon(words: LexiconLike) -> Lexicon:
        """The words that may come, prepared for several calls; see `as_lexicon`."""
        return as_lexicon(words)

    def check_charset(self, charset: str) -> None:
        """Raise `ValueError` if a `charset` for `post_process_text_spotting` leaves nothing to read."""
        check_charset(readable_charset(charset, self.characters), self.characters)

    def _decoding_settings(self, **given: Any) -> dict[str, Any]:
        """Attributes of the processor, replaced by what a call gave."""
        given = {name: value for name, value in given.items() if value is not None}
        if unknown := sorted(set(given) - set(_SETTINGS)):
            raise ValueError(f"A spotter has no settings {unknown}: it knows {list(_SETTINGS)}.")
        settings = {name: getattr(self, name) for name in _SETTINGS} | given
        check_settings(settings)
        return settings

    def _on_photo(self, fields: Fields, size_hw: SizeHW | None, settings: dict[str, Any]) -> FoundWords:
        """Words with an area, cut at the border of the photo; None for parts of width and height."""
        size_hw = size_hw or (1.0, 1.0)
        found = decode_spotting(
            fields,
            size_hw=size_hw,
            score_threshold=settings["threshold"],
            nms_threshold=settings["nms_threshold"],
            points_per_curve=settings["points_per_curve"],
        )
        count = found.logits.shape[-1] - 1
        if count != len(self.characters):
            raise ValueError(
                f"The model tells {count} characters apart, and `characters` of the image processor are "
                f"{len(self.characters)}: {self.characters!r:.120}. Give it those of the model's "
                "configuration."
            )
        shaped = [_shaped(polygon, settings["polygon_mode"]) for polygon in found.polygons_xy]
        inside = [clamp_to_image(polygon, size_hw) for polygon in shaped]
        kept = np.flatnonzero([polygon_area(polygon) > 0 for polygon in inside])
        return found._replace(polygons_xy=inside).take(kept)

    def _result(
        self,
        found: FoundWords,
        best: int | None,
        least: float | None,
        lexicon: Lexicon | None,
        max_lexicon_distance: float | None,
        charset: str | None,
    ) -> dict[str, Any]:
        """The best of the words that say something with at least this score; of all words if it is None."""
        found = _best(found, None)
        rows = found.reading.log_probabilities(found.logits, self.characters, charset)
        readings = (self._read(row, found.reading, lexicon, max_lexicon_distance) for row in rows)
        legible = (
            (index, read) for index, read in enumerate(readings) if least is None or _is_legible(read, least)
        )
        # A place of little use must not take that of a word: those that cannot be read go first.
        chosen = list(islice(legible, best))
        places = _places(found.take(np.array([index for index, _ in chosen], np.int64)))
        return places | {"texts": [read["text"] for _, read in chosen], "readings": [r for _, r in chosen]}

    def _read(
        self, row: np.ndarray, reading: CharacterReading, lexicon: Lexicon | None, limit: float | None
    ) -> dict[str, Any]:
        """What a word says, from its log probabilities `(T, V + 1)`."""
        read = reading.read_word(row, self.characters)
        characters = [
            {"character": character, "score": score}
            for character, score in zip(read.characters, read.character_scores.tolist(), strict=True)
        ]
        result: dict[str, Any] = {"text": read.text, "score": read.score, "characters": characters}
        if lexicon is None:
            return result

        def likelihood(word: str) -> float:
            return reading.log_likelihood(row, text_ids(word, self.characters))

        chosen = lexicon.choose(read.text, likelihood, limit)
        return result if chosen is None else result | {"text": chosen[0], "edit_distance": chosen[1]}


def _shaped(outline_xy: np.ndarray, polygon_mode: str) -> np.ndarray:
    """Clockwise from where reading starts; a quad, or the four corners of a straight word."""
    if signed_area(outline_xy) < 0:
        outline_xy = outline_xy[::-1]  # mirrored letters: the foot is above the top
    corners = outline_corners(outline_xy)
    if polygon_mode == "quad":
        quad = min_area_quad(outline_xy)
        turns = [np.roll(quad, -shift, axis=0) for shift in range(4)]
        return min(turns, key=lambda turn: float(np.abs(turn - corners).sum()))
    return corners if _is_straight(outline_xy, corners) else outline_xy


def _is_straight(outline_xy: np.ndarray, corners: np.ndarray) -> bool:
    """Whether top and foot are lines from corner to corner, but for a little."""
    half = len(outline_xy) // 2
    height = np.linalg.norm(corners[[0, 1]] - corners[[3, 2]], axis=1).mean()
    for side in (outline_xy[:half], outline_xy[half:]):
        along = side[-1] - side[0]
        beside = np.abs(along[0] * (side[:, 1] - side[0, 1]) - along[1] * (side[:, 0] - side[0, 0]))
        if (beside > _STRAIGHT * height * max(np.hypot(*along), 1e-6)).any():
            return False
    return True


def _merged(founds: Sequence[FoundWords], tiles: Sequence[Tile], size_hw: SizeHW) -> FoundWords:
    """The words of all tiles, each once."""
    polygons = [found.polygons_xy for found in founds]
    scores = [found.scores for found in founds]
    seam_px = _SEAM * max(tiles[0][2] - tiles[0][0], tiles[0][3] - tiles[0][1])
    kept = keep_whole_outlines(polygons, scores, tiles, size_hw, seam_px=seam_px)
    together = FoundWords(
        [polygon for of_tile in polygons for polygon in of_tile],
        np.concatenate(scores),
        np.concatenate([found.logits for found in founds]),
        founds[0].reading,
    )
    return together.take(kept)


def _best(found: FoundWords, count: int | None) -> FoundWords:
    return found.take(np.argsort(-found.scores, kind="stable")[:count])


def _places(found: FoundWords) -> dict[str, Any]:
    boxes = [bounding_box(polygon) for polygon in found.polygons_xy]
    return {
        "scores": torch.from_numpy(found.scores),
        "polygons": [torch.from_numpy(polygon) for polygon in found.polygons_xy],
        "boxes": torch.from_numpy(np.stack(boxes) if boxes else np.zeros((0, 4), np.float32)),
    }


def _is_legible(read: dict[str, Any], least: float) -> bool:
    return bool(read["text"].strip()) and read["score"] >= least


__all__ = ["SpottingPostProcessing"]
