"""Result files as the Robust Reading Competition (RRC, rrc.cvc.uab.es) and Total-Text take them.

Outlines become whole pixels inside the picture, clockwise from their first corner, and quads where a task
wants quads; what had to be changed is counted. The formats are those of the "Tasks" pages of the competition
and of its evaluation scripts, which refuse a whole submission for one bad line.
"""

import json
import re
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field

import numpy as np
import shapely

from tcm_hf.processing.polygon_overlaps import outline, to_shapely
from tcm_hf.processing.polygons import clamp_to_image, min_area_quad, polygon_area, signed_area

__all__ = ["SUBMISSIONS", "FoundImage", "Submission", "SubmissionFiles"]


@dataclass(frozen=True)
class FoundImage:
    """What was found in a test image.

    Attributes:
        name: of the image file.
        size_hw: height and width, pixels; None for a crop of a word.
        polygons_xy: (P >= 3, 2) each, pixels of the upright image, from the beginning of its text; none for a
            crop.
        scores: 0..1, one a polygon, or None.
        texts: one a polygon, or None; of a crop one.
    """

    name: str
    size_hw: tuple[int, int] | None
    polygons_xy: Sequence[np.ndarray]
    scores: Sequence[float | None]
    texts: Sequence[str | None]


@dataclass
class SubmissionFiles:
    """A submission, ready to be written.

    Attributes:
        contents: text by file name; one file, or those of an archive.
        texts: how many outlines, or words, are in it.
        changes: how many outlines were "boxed" (a polygon made a quad), "moved inside", "turned clockwise",
            "uncrossed", or left out: "without area", "without text".
    """

    contents: dict[str, str] = field(default_factory=dict)
    texts: int = 0
    changes: Counter[str] = field(default_factory=Counter)


@dataclass(frozen=True)
class Entry:
    """A text of a submission: x1, y1, x2, … in whole pixels, its score and what it says."""

    coordinates: tuple[int, ...]
    score: float | None
    text: str


@dataclass(frozen=True)
class Submission:
    """A task and its format.

    Attributes:
        name: on the command line.
        title: what the task is.
        suffix: of the file to send in: ".zip" for a text file an image, ".json", ".txt".
        name_pattern: what names of test images look like; the group is what stays of it.
        wants: which fields each text has beside its outline: "score", "text".
        quads: whether outlines must have four corners.
        render: makes the contents.
        full_size: how many test images there are, None where editions differ.
        crops: whether it takes the words of crops, and not outlines in photos.
    """

    name: str
    title: str
    suffix: str
    name_pattern: str
    wants: tuple[str, ...]
    quads: bool
    render: Callable[[dict[str, list[Entry]]], dict[str, str]]
    full_size: int | None = None
    crops: bool = False

    def files(self, images: Iterable[FoundImage]) -> SubmissionFiles:
        """Make the submission.

        Raises:
            ValueError: there is no image, one is not named as those of the task, two have one name, one is of
                another kind, or a score or text that the task wants is missing.
        """
        made = SubmissionFiles()
        entries: dict[str, list[Entry]] = {}
        for image in images:
            key = self._key(image.name)
            if key in entries:
                raise ValueError(f"Two results for {image.name}: a submission has one an image. Keep one.")
            if (image.size_hw is None) != self.crops:
                kind = "words of crops (tcm-hf recognize)" if self.crops else "outlines (tcm-hf detect, read)"
                raise ValueError(f"{self.name} takes {kind}: the result of {image.name} is another kind.")
            entries[key] = list(self._entries(image, made.changes))
        if not entries:
            raise ValueError(f"{self.name} takes one image or more: got no result.")
        made.contents = self.render(entries)
        made.texts = sum(map(len, entries.values()))
        return made

    def _key(self, name: str) -> str:
        stem = name.rsplit(".", 1)[0]
        match = re.fullmatch(self.name_pattern, stem)
        if match is None:
            raise ValueError(
                f"{name} is no test image of {self.name}, whose names are like {self.name_pattern}: leave it "
                "out, or name another task."
            )
        return match[1]

    def _entries(self, image: FoundImage, changes: Counter[str]) -> Iterable[Entry]:
        if image.size_hw is None:
            yield Entry((), None, _one_line(image.texts[0] or ""))
            return
        for polygon, score, text in zip(image.polygons_xy, image.scores, image.texts, strict=True):
            if "score" in self.wants and score is None:
                raise ValueError(f"{self.name} wants a score for every text: {image.name} has one without.")
            if "text" in self.wants and text is None:
                raise ValueError(f"{self.name} wants what every outline says: {image.name} has one without.")
            if "text" in self.wants and not _one_line(text or ""):
                changes["without text"] += 1
                continue
            points = _whole_pixels(polygon, image.size_hw, self.quads, changes)
            if points is None:
                changes["without area"] += 1
                continue
            yield Entry(tuple(points.reshape(-1).tolist()), score, _one_line(text or ""))


def _whole_pixels(
    polygon_xy: np.ndarray, size_hw: tuple[int, int], as_quad: bool, changes: Counter[str]
) -> np.ndarray | None:
    """The outline as a submission may have it, (P, 2) integers; None where nothing is left of it."""
    points = np.asarray(polygon_xy, dtype=np.float32).reshape(-1, 2)
    if as_quad and len(points) != 4:
        points = min_area_quad(points)
        changes["boxed"] += 1
    inside = clamp_to_image(points, size_hw)
    if not np.array_equal(inside, points):
        changes["moved inside"] += 1
    rounded = np.rint(inside)
    if shapely.MultiPoint(rounded).convex_hull.area and not shapely.Polygon(rounded).is_valid:
        straight = min_area_quad(rounded) if as_quad else outline(to_shapely(rounded))
        rounded = np.rint(clamp_to_image(straight, size_hw))
        changes["uncrossed"] += 1
    if len(rounded) < 3 or polygon_area(rounded) == 0:
        return None
    if signed_area(rounded) < 0:
        rounded = np.roll(rounded[::-1], 1, axis=0)
        changes["turned clockwise"] += 1
    return rounded.astype(int)


def _one_line(text: str) -> str:
    return " ".join(text.split())


def _result_lines(*fields: str) -> Callable[[dict[str, list[Entry]]], dict[str, str]]:
    """`res_KEY.txt` an image, a line x1,y1,…,x4,y4 and these fields."""

    def line(entry: Entry) -> str:
        values = {"score": f"{entry.score or 0:.6f}", "text": entry.text}
        return ",".join([*map(str, entry.coordinates), *(values[name] for name in fields)]) + "\n"

    def render(images: dict[str, list[Entry]]) -> dict[str, str]:
        return {f"res_{key}.txt": "".join(map(line, entries)) for key, entries in images.items()}

    return render


def _total_text(images: dict[str, list[Entry]]) -> dict[str, str]:
    """`KEY.txt` an image, a line y1,x1,y2,x2,…: Total-Text's scripts take y before x."""
    contents = {}
    for key, entries in images.items():
        swapped = (np.reshape(entry.coordinates, (-1, 2))[:, ::-1].reshape(-1) for entry in entries)
        contents[f"{key}.txt"] = "".join(",".join(map(str, row.tolist())) + "\n" for row in swapped)
    return contents


def _json_of(*fields: str) -> Callable[[dict[str, list[Entry]]], dict[str, str]]:
    """One document `{"res_KEY": [{"points": [[x, y], …], …}, …], …}`."""

    def item(entry: Entry) -> dict[str, object]:
        values = {
            "points": np.reshape(entry.coordinates, (-1, 2)).tolist(),
            "confidence": entry.score,
            "transcription": entry.text,
        }
        return {name: values[name] for name in fields}

    def render(images: dict[str, list[Entry]]) -> dict[str, str]:
        document = {f"res_{key}": list(map(item, entries)) for key, entries in images.items()}
        return {"": json.dumps(document, ensure_ascii=False) + "\n"}

    return render


def _word_lines(images: dict[str, list[Entry]]) -> dict[str, str]:
    """One file, a line `word_1.png, "text"` with quotes and backslashes escaped."""
    lines = []
    for key, (entry,) in images.items():
        escaped = entry.text.replace("\\", "\\\\").replace('"', '\\"')
        lines.append(f'{key}.png, "{escaped}"\n')
    return {"": "".join(lines)}


_IC15_NAME = r"(img_\d+)"
_MLT_NAME = r"(?:ts_|tr_|val_)?(img_\d+)"
_NUMBER = r"(?:[a-z]+_)*(\d+)"

SUBMISSIONS: dict[str, Submission] = {
    task.name: task
    for task in (
        Submission(
            "icdar2015-4.1",
            "ICDAR 2015 incidental scene text, text localization",
            ".zip",
            _IC15_NAME,
            (),
            True,
            _result_lines(),
            500,
        ),
        Submission(
            "icdar2015-4.3",
            "ICDAR 2015 incidental scene text, word recognition",
            ".txt",
            r"(word_\d+)",
            (),
            True,
            _word_lines,
            2077,
            crops=True,
        ),
        Submission(
            "icdar2015-4.4",
            "ICDAR 2015 incidental scene text, end to end",
            ".zip",
            _IC15_NAME,
            ("text",),
            True,
            _result_lines("text"),
            500,
        ),
        Submission(
            "mlt-1",
            "MLT 2017 and 2019, text detection",
            ".zip",
            _MLT_NAME,
            ("score",),
            True,
            _result_lines("score"),
        ),
        Submission(
            "mlt-4",
            "MLT 2019, end to end",
            ".zip",
            _MLT_NAME,
            ("score", "text"),
            True,
            _result_lines("score", "text"),
        ),
        Submission(
            "art-1",
            "ArT and LSVT (task 1), text detection",
            ".json",
            _NUMBER,
            ("score",),
            False,
            _json_of("points", "confidence"),
        ),
        Submission(
            "art-2",
            "ArT, word recognition",
            ".json",
            _NUMBER,
            (),
            False,
            _json_of("transcription"),
            crops=True,
        ),
        Submission(
            "art-3",
            "ArT and LSVT (task 2), end to end",
            ".json",
            _NUMBER,
            ("score", "text"),
            False,
            _json_of("points", "confidence", "transcription"),
        ),
        Submission(
            "totaltext", "Total-Text, text detection", ".zip", r"(img\d+)", (), False, _total_text, 300
        ),
    )
}
"""By task; names are those of the competition's pages."""
