"""Accuracy counted in characters: CLEval, for detection alone and end to end."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import shapely

from tcm_hf.evaluation.character_places import character_centers, false_alarm_length, unread_length
from tcm_hf.evaluation.counting import ImageMetric, ImageVerdict
from tcm_hf.evaluation.overlaps import as_points, as_shapes, ratio, shared_areas
from tcm_hf.evaluation.texts import read_texts, wanted_texts

__all__ = ["CLEvalMetric"]

_OFF_THE_EDGE = 1e-6  # pixels


class CLEvalMetric(ImageMetric):
    """Precision, recall and hmean in characters, where words may be split and merged at a price.

    Each annotated text has as many character centres as characters, spread along its middle. A prediction
    belongs to a text when it holds one of its centres and lies on it with `area_precision` or more of its
    area; it may belong to several texts when it lies on them so together, and a text may have several. Recall
    is the part of the characters that are held, precision the part of the held ones that are held once, with
    `split_penalty` off for each further piece of a text and `merge_penalty` for each further text of a
    prediction. Predictions on no text add characters by their shape. Predictions on do-not-care texts are
    left out. End to end, a character counts when it is in the longest common subsequence of the text and what
    its predictions say. Source: arXiv 2006.06244 and the authors' program, whose numbers come out for quads.

    Example:
        >>> metric = CLEvalMetric()
        >>> word = np.array([[0, 0], [90, 0], [90, 30], [0, 30]])
        >>> half = word * [0.5, 1]
        >>> metric.update([{"polygons_xy": [half]}], [{"polygons_xy": [word], "texts": ["exit"]}])
        >>> result = metric.compute()
        >>> result["recall"], result["precision"]
        (0.5, 1.0)

    Args:
        with_texts: score what was read, too.
        ignore_case: upper and lower case are one.
        area_precision: see above.
        split_penalty: in characters.
        merge_penalty: in characters.
    """

    count_names = (
        "images",
        "characters",
        "split_texts",
        "merged_predictions",
        "overlapping_characters",
        "split_loss",
        "merge_loss",
        "found_hits",
        "found_characters",
        "read_hits",
        "read_characters",
        "read_on_texts",
    )

    def __init__(
        self,
        with_texts: bool = False,
        ignore_case: bool = False,
        area_precision: float = 0.3,
        split_penalty: float = 1.0,
        merge_penalty: float = 1.0,
    ) -> None:
        super().__init__()
        self.with_texts = with_texts
        self.ignore_case = ignore_case
        self.area_precision = area_precision
        self.split_penalty = split_penalty
        self.merge_penalty = merge_penalty

    def measure(self, prediction: Mapping[str, Any], reference: Mapping[str, Any]) -> "_Characters":
        """Which characters of an image each prediction holds.

        Args:
            prediction: has `polygons_xy`, a list of (P >= 3, 2) arrays, and `texts` where what was read is
                scored.
            reference: has `polygons_xy`, each from the beginning of its text, clockwise, and `texts`, and
                where there are any `ignore`, a flag a polygon. "###" is do-not-care.

        Raises:
            ValueError: a polygon is not a finite (P >= 3, 2) array, or a text that counts is not known.
        """
        wanted = wanted_texts(reference)
        read = read_texts(prediction) if self.with_texts else [""] * len(prediction["polygons_xy"])
        if self.ignore_case:
            wanted = [text and text.upper() for text in wanted]
            read = [text.upper() for text in read]
        return _characters(
            as_points(prediction["polygons_xy"], "prediction"),
            as_points(reference["polygons_xy"], "reference"),
            read,
            wanted,
        )

    def judge(self, measured: "_Characters") -> ImageVerdict:
        """What the protocol makes of an image that was measured; nothing is counted."""
        ignored, left_out = measured.ignored, measured.predictions_to_drop(self.area_precision)
        matches = measured.matches(left_out, self.area_precision)
        held = [holds & matches[text, :, None] for text, holds in enumerate(measured.holds)]
        texts_of, pieces_of = matches.sum(axis=0), matches.sum(axis=1)
        split_loss = self.split_penalty * np.maximum(pieces_of - 1, 0)
        merge_loss = self.merge_penalty * np.maximum(texts_of - 1, 0)
        found = np.array([holds.any(axis=0).sum() for holds in held], dtype=int)
        claimed = np.sum([holds.sum(axis=1) for holds in held], axis=0, dtype=int, initial=0)
        new = np.sum([_first_holder(holds).sum(axis=1) for holds in held], axis=0, dtype=int, initial=0)
        alarms = ~left_out & (texts_of == 0)
        found_of = np.where(alarms, measured.false_lengths, claimed)
        counts = {
            "images": 1,
            "characters": int(measured.lengths[~ignored].sum()),
            "split_texts": (pieces_of > 1).sum().item(),
            "merged_predictions": (texts_of > 1).sum().item(),
            "overlapping_characters": (claimed.sum() - found.sum()).item(),
            "split_loss": split_loss.sum().item(),
            "merge_loss": merge_loss.sum().item(),
            "found_hits": found.sum().item(),
            "found_characters": found_of.sum().item(),
        }
        if self.with_texts:
            found, new = _read_right(measured, matches, held)
            found_of = np.array([len(text) for text in measured.read], dtype=int)
            counts |= {
                "read_hits": new.sum().item(),
                "read_characters": found_of[~left_out].sum().item(),
                "read_on_texts": found_of[texts_of > 0].sum().item(),
            }
        return ImageVerdict(
            ratio(np.maximum(found - split_loss, 0), measured.lengths),
            ratio(np.maximum(new - merge_loss, 0), found_of.astype(float)),
            ignored | (measured.lengths == 0),
            left_out,
            [(text, prediction) for text, prediction in np.argwhere(matches).tolist()],
            counts,
        )

    def compute(self) -> dict[str, float]:
        """Accuracy over all images seen.

        Returns:
            `precision`, `recall` and `hmean` in 0..1, with texts those end to end; then also
            `detection_precision`, … for the outlines alone and `recognition_score`, the part of what is read
            on texts that is right. `num_images`, `num_characters` (annotated), `num_split_texts`,
            `num_merged_predictions`, `num_overlapping_characters` (held more than once). Where no image has a
            character, recall is 1; precision is then 1 without predictions, else 0.

        Raises:
            ValueError: no image was added.
        """
        counts = self.counts
        if not counts["images"]:
            raise ValueError("`compute` needs at least one image: got none. Call `update` first.")
        scores = self._scores("found")
        if self.with_texts:
            on_texts = max(counts["read_on_texts"], 1)
            scores = {
                **self._scores("read"),
                **{f"detection_{name}": value for name, value in scores.items()},
                "recognition_score": counts["read_hits"] / on_texts,
            }
        names = ("images", "characters", "split_texts", "merged_predictions", "overlapping_characters")
        return {**scores, **{f"num_{name}": counts[name] for name in names}}

    def _scores(self, what: str) -> dict[str, float]:
        counts = self.counts
        hits, all_predicted = counts[f"{what}_hits"], counts[f"{what}_characters"]
        if counts["characters"]:
            recall = max(hits - counts["split_loss"], 0) / counts["characters"]
            precision = max(hits - counts["merge_loss"], 0) / max(all_predicted, 1)
        else:
            recall, precision = 1.0, float(all_predicted == 0)
        total = precision + recall
        hmean = 2 * precision * recall / total if total else 0.0
        return {"precision": precision, "recall": recall, "hmean": hmean}


@dataclass(frozen=True)
class _Characters:
    """Which characters of R texts P predictions hold.

    Attributes:
        wanted: R texts, None for do-not-care.
        read: P texts.
        lengths: (R,) number of characters.
        holds: R arrays (P, characters), bool.
        area_precision: (R, P) part of a prediction that lies on a text; of a do-not-care text only that part
            counts where no other text is.
        false_lengths: (P,) characters of a prediction that is on no text.
    """

    wanted: list[str | None]
    read: list[str]
    lengths: np.ndarray
    holds: list[np.ndarray]
    area_precision: np.ndarray
    false_lengths: np.ndarray

    @property
    def ignored(self) -> np.ndarray:
        """(R,) bool: do-not-care."""
        return np.array([text is None for text in self.wanted], dtype=bool)

    @property
    def held(self) -> np.ndarray:
        """(R, P) number of characters."""
        return np.array([holds.sum(axis=1) for holds in self.holds]).reshape(self.area_precision.shape)

    def take_predictions(self, chosen: np.ndarray) -> "_Characters":
        """The same image with some of the predictions only, chosen by a boolean (P,) mask."""
        return _Characters(
            self.wanted,
            [text for text, kept in zip(self.read, chosen, strict=True) if kept],
            self.lengths,
            [holds[chosen] for holds in self.holds],
            self.area_precision[:, chosen],
            self.false_lengths[chosen],
        )

    def predictions_to_drop(self, limit: float) -> np.ndarray:
        """(P,) predictions that lie on one do-not-care text, or together on those they hold centres of."""
        on_ignored = self.area_precision[self.ignored]
        together = np.where(self.held[self.ignored] > 0, on_ignored, 0).sum(axis=0)
        return (on_ignored >= limit).any(axis=0) | (self.ignored.any() & (together >= limit))

    def matches(self, left_out: np.ndarray, limit: float) -> np.ndarray:
        """(R, P) bool: which predictions belong to which texts."""
        holds = self.held > 0
        lies_on = holds & (self.area_precision >= limit)
        counts = ~self.ignored[:, None] & ~left_out
        # Parity: one to one looks at all predictions and texts, the others at those that count.
        alone = lies_on & (lies_on.sum(axis=0) == 1) & (lies_on.sum(axis=1, keepdims=True) == 1)
        pieces = lies_on & counts
        split = pieces & (pieces.sum(axis=1, keepdims=True) > 1)
        texts = holds & counts
        together = np.where(texts, self.area_precision, 0).sum(axis=0)
        merged = texts & (texts.sum(axis=0) > 1) & (together >= limit)
        return (alone & counts) | split | merged


def _characters(
    predictions: Sequence[np.ndarray],
    references: Sequence[np.ndarray],
    read: list[str],
    wanted: list[str | None],
) -> _Characters:
    prediction_shapes, reference_shapes = as_shapes(list(predictions)), as_shapes(list(references))
    lengths = [
        unread_length(polygon) if text is None else len(text)
        for polygon, text in zip(references, wanted, strict=True)
    ]
    holds = []
    for polygon, length in zip(references, lengths, strict=True):
        # A centre on the edge between two pieces is in the right or lower one alone.
        x, y = (character_centers(polygon, length) + _OFF_THE_EDGE).T
        holds.append(shapely.contains_xy(prediction_shapes[:, None], x, y))
    ignored = np.array([text is None for text in wanted], dtype=bool)
    if ignored.any() and not ignored.all():
        texts = shapely.union_all(reference_shapes[~ignored])
        reference_shapes[ignored] = shapely.difference(reference_shapes[ignored], texts)
    return _Characters(
        wanted,
        read,
        np.array(lengths, dtype=float),
        holds,
        ratio(shared_areas(reference_shapes, prediction_shapes), shapely.area(prediction_shapes)),
        np.array([false_alarm_length(polygon) for polygon in predictions], dtype=int),
    )


def _first_holder(holds: np.ndarray) -> np.ndarray:
    """The same (P, characters) flags with the first of each column only."""
    return holds & (holds.cumsum(axis=0) == 1)


def _read_right(
    measured: _Characters, matches: np.ndarray, held: list[np.ndarray]
) -> tuple[np.ndarray, np.ndarray]:
    """How many characters of each text were read right, (R,), and of each prediction, (P,)."""
    right = np.zeros(len(measured.wanted), dtype=int)
    left = list(measured.read)  # what a prediction says and no text has taken yet
    for text in np.flatnonzero(matches.any(axis=1)):
        pieces = _in_reading_order(np.flatnonzero(matches[text]).tolist(), held[text])
        taken = _longest_common(measured.wanted[text] or "", "".join(left[piece] for piece in pieces))
        right[text] = len(taken)
        for character in taken:
            piece = next(piece for piece in pieces if character in left[piece])
            left[piece] = left[piece].replace(character, "", 1)
    said = zip(measured.read, left, strict=True)
    return right, np.array([len(read) - len(rest) for read, rest in said], dtype=int)


def _in_reading_order(pieces: list[int], holds: np.ndarray) -> list[int]:
    """Predictions of a text by the first character that no earlier one has taken."""
    waiting, ordered = list(pieces), []
    for column in holds.T:
        if len(waiting) == 1:
            break
        piece = next((piece for piece in waiting if column[piece]), None)
        if piece is not None:
            waiting.remove(piece)
            ordered.append(piece)
    # Parity: of several that hold no character for themselves only the first is read.
    return ordered + waiting[:1]


def _longest_common(text: str, other: str) -> str:
    """The longest common subsequence; of several the one of the original's table (left before up)."""
    table = np.zeros((len(text) + 1, len(other) + 1), dtype=int)
    for row, character in enumerate(text, start=1):
        for column, wanted in enumerate(other, start=1):
            if character == wanted:
                table[row, column] = table[row - 1, column - 1] + 1
            else:
                table[row, column] = max(table[row - 1, column], table[row, column - 1])
    common = []
    row, column = len(text), len(other)
    while row and column:
        if text[row - 1] == other[column - 1]:
            common.append(text[row - 1])
            row, column = row - 1, column - 1
        elif table[row - 1, column] > table[row, column - 1]:
            row -= 1
        else:
            column -= 1
    return "".join(reversed(common))
