"""ICDAR's challenges with label files: 2013 (focused), 2015 (incidental), MLT 2017 and 2019, RCTW-17."""

from __future__ import annotations

import re
from pathlib import Path

from tcm_hf.data.corpora.files import (
    box_points,
    first_lines,
    images_by_stem,
    is_number,
    natural_key,
    number_of,
    text_instance,
    unquoted,
)
from tcm_hf.data.corpora.label_files import MMOCR_PARTS, LabelFiles, Part, read_lines
from tcm_hf.data.corpora.problems import Problems
from tcm_hf.data.records import DO_NOT_CARE, TextInstance, TextRecord

__all__ = [
    "ICDAR_2013",
    "ICDAR_2015",
    "MLT_2017",
    "MLT_2019",
    "RCTW_17",
    "load_icdar2015",
    "read_icdar2013_labels",
    "read_icdar2015_labels",
    "read_mlt_labels",
    "read_rctw_labels",
]

SCRIPTS = ("Arabic", "Latin", "Chinese", "Japanese", "Korean", "Bangla", "Hindi", "Symbols", "Mixed", "None")
"""What the field before the transcription of MLT can be."""

# Possessive (`*+`): spaces that three parts could share would be tried in all ways, for hours on a long line.
_BOX_LINE = re.compile(r"\s*+" + r"(-?\d+(?:\.\d+)?)[, ]\s*+" * 4 + r'(".*"|[^,]*+)\s*')


def load_icdar2015(images_dir: Path | str, labels_dir: Path | str) -> list[TextRecord]:
    """Read ICDAR 2015 Incidental Scene Text (task 4.1 / 4.4): `gt_img_1.txt` beside `img_1.jpg`.

    Args:
        images_dir: holds the images; any usual suffix.
        labels_dir: holds one `gt_<image>.txt` an image, lines as in `read_icdar2015_labels`; may be the same.

    Returns:
        One record a label file, in the order of the image numbers.

    Raises:
        ValueError: there is no label file, an image is missing, or a line cannot be read; the message has
            file, line and reason.
    """
    labels = sorted(Path(labels_dir).glob("gt_*.txt"), key=lambda path: natural_key(path.name))
    if not labels:
        raise ValueError(f"Expected label files gt_<image>.txt in {labels_dir}: found none.")
    images = images_by_stem([Path(images_dir)])
    records = []
    for path in labels:
        stem = path.stem.removeprefix("gt_")
        if stem not in images:
            raise ValueError(
                f"{path}: expected its image {stem}.jpg (or another suffix) in {images_dir}: none there."
            )
        records.append(TextRecord(images[stem], read_icdar2015_labels(path)))
    return records


def read_icdar2015_labels(path: Path | str, problems: Problems | None = None) -> list[TextInstance]:
    """Read one label file: a text a line as `x1,y1,x2,y2,x3,y3,x4,y4,transcription`.

    The transcription may hold commas; "###" is do-not-care. A byte order mark and empty lines are skipped.
    Corners annotated anticlockwise are turned round, the first one (where the text starts) stays the first.

    Args:
        path: the file.
        problems: broken lines are added to this list and left out; None: they are an error.

    Raises:
        ValueError: the file is not UTF-8, or (where `problems` is None) a line has fewer than eight numbers
            and a transcription; the message has file, line and reason.
    """
    return read_lines(path, problems, _icdar2015_line)


def read_mlt_labels(path: Path | str, problems: Problems | None = None) -> list[TextInstance]:
    """Read a label file of MLT 2017 or 2019: `x1,y1,…,x4,y4,script,transcription` a line.

    The script ("Latin", "Arabic", …) becomes the language of the instance; "None" is None. The rest is as of
    `read_icdar2015_labels`.
    """
    return read_lines(path, problems, _mlt_line)


def read_rctw_labels(path: Path | str, problems: Problems | None = None) -> list[TextInstance]:
    """Read a label file of RCTW-17: `x1,y1,…,x4,y4,difficult,"transcription"` a line of text.

    What is difficult (1) is do-not-care, its transcription is kept. The rest is as of
    `read_icdar2015_labels`.
    """
    return read_lines(path, problems, _rctw_line)


def read_icdar2013_labels(path: Path | str, problems: Problems | None = None) -> list[TextInstance]:
    """Read a label file of ICDAR 2013 (task 2.1): an upright box and its text a line.

    Training files are `left top right bottom "text"`, test files `left, top, right, bottom, "text"`; double
    quotes and backslashes of the text are escaped by a backslash. The rest is as of `read_icdar2015_labels`.
    """
    return read_lines(path, problems, _icdar2013_line)


def _icdar2015_line(line: str) -> TextInstance:
    numbers, text = _numbers_and_rest(line, "a text")
    return text_instance(numbers, text or None)


def _mlt_line(line: str) -> TextInstance:
    numbers, rest = _numbers_and_rest(line, "a script and a text")
    script, comma, text = rest.partition(",")
    if not comma:
        raise ValueError(f"expected a script and a text behind the coordinates, got {rest[:40]!r}")
    return text_instance(numbers, text or None, language=None if script == "None" else script)


def _rctw_line(line: str) -> TextInstance:
    numbers, rest = _numbers_and_rest(line, "a flag and a text")
    flag, comma, text = rest.partition(",")
    if not comma or flag.strip() not in ("0", "1"):
        raise ValueError(f"expected 0 or 1 (difficult) and a text behind the coordinates, got {rest[:40]!r}")
    text = unquoted(text)
    return text_instance(numbers, text or None, flag.strip() == "1" or text.strip() == DO_NOT_CARE)


def _icdar2013_line(line: str) -> TextInstance:
    match = _BOX_LINE.fullmatch(line)
    if match is None:
        raise ValueError(f'expected left, top, right, bottom and a "text", got {line.strip()[:60]!r}')
    left, top, right, bottom = map(float, match.groups()[:4])
    return text_instance(box_points(left, top, right, bottom), unquoted(match[5]) or None)


def _numbers_and_rest(line: str, rest: str) -> tuple[list[float], str]:
    """Eight coordinates and what stands behind them."""
    parts = line.split(",", 8)
    if len(parts) < 9:
        raise ValueError(f"expected 8 coordinates and {rest}, got {len(parts)} values: {line.strip()[:60]!r}")
    return [number_of(part) for part in parts[:8]], parts[8]


def _after_eight_numbers(path: Path) -> list[str]:
    """Of the first lines that begin with eight numbers, what stands behind these."""
    rows = [line.split(",", 8) for line in first_lines(path)]
    return [row[8] for row in rows if len(row) == 9 and all(map(is_number, row[:8]))]


def _is_mlt(path: Path) -> bool:
    return any(rest.partition(",")[0] in SCRIPTS and "," in rest for rest in _after_eight_numbers(path))


def _is_quads(path: Path) -> bool:
    return bool(_after_eight_numbers(path)) and not _is_mlt(path) and not _is_rctw(path)


def _is_rctw(path: Path) -> bool:
    return any(re.match(r'[01]\s*,\s*"', rest) for rest in _after_eight_numbers(path))


def _is_boxes(path: Path) -> bool:
    return any(re.match(r"(\d+[, ]\s*){4}\"", line) for line in first_lines(path))


_LABELS_2013 = LabelFiles(
    parts=(
        Part("train", ("Challenge2_Training_Task12_Images",), ("Challenge2_Training_Task1_GT",)),
        Part("test", ("Challenge2_Test_Task12_Images",), ("Challenge2_Test_Task1_GT",)),
        *MMOCR_PARTS,
    ),
    patterns=("gt_*.txt",),
    fits=_is_boxes,
    read=read_icdar2013_labels,
)
_LABELS_2015 = LabelFiles(
    parts=(
        Part("train", ("ch4_training_images",), ("ch4_training_localization_transcription_gt",)),
        Part("test", ("ch4_test_images",), ("Challenge4_Test_Task1_GT",)),
        *MMOCR_PARTS,
    ),
    patterns=("gt_*.txt",),
    fits=_is_quads,
    read=read_icdar2015_labels,
)
_LABELS_MLT_2017 = LabelFiles(
    parts=(
        Part("train", ("ch8_training_images_*",), ("ch8_training_localization_transcription_gt*",)),
        Part("validation", ("ch8_validation_images",), ("ch8_validation_localization_transcription_gt*",)),
    ),
    patterns=("gt_*.txt",),
    fits=_is_mlt,
    read=read_mlt_labels,
)
_LABELS_MLT_2019 = LabelFiles(
    parts=(
        Part(
            "train",
            ("ImagesPart*", "ImagesPart*/ImagesPart*", "TrainImages"),
            ("train_gt_t13", "train_gt_t13/*", "TrainGT", "TrainGT/TrainGT"),
        ),
    ),
    patterns=("tr_img_*.txt",),
    fits=_is_mlt,
    read=read_mlt_labels,
)
_LABELS_RCTW = LabelFiles(
    parts=(Part("train", ("train_images", "imgs"), ("train_gts", "annotations")),),
    patterns=("image_*.txt",),
    fits=_is_rctw,
    read=read_rctw_labels,
    level="line",
)

ICDAR_2013 = _LABELS_2013.corpus(
    name="icdar2013",
    title="ICDAR 2013 Focused Scene Text (task 2.1)",
    layout='gt_*.txt (left top right bottom "text" a line): Challenge2_Training_Task1_GT/ beside '
    "Challenge2_Training_Task12_Images/, Challenge2_Test_Task1_GT/ beside Challenge2_Test_Task12_Images/",
    homepage="https://rrc.cvc.uab.es/?ch=2",
)
ICDAR_2015 = _LABELS_2015.corpus(
    name="icdar2015",
    title="ICDAR 2015 Incidental Scene Text (tasks 4.1 and 4.4)",
    layout="gt_img_1.txt (x1,y1,…,x4,y4,text a line): ch4_training_localization_transcription_gt/ beside "
    "ch4_training_images/, Challenge4_Test_Task1_GT/ beside ch4_test_images/",
    homepage="https://rrc.cvc.uab.es/?ch=4",
)
MLT_2017 = _LABELS_MLT_2017.corpus(
    name="mlt2017",
    title="ICDAR 2017 Multi-lingual Scene Text",
    layout="gt_img_1.txt (x1,y1,…,x4,y4,script,text a line): ch8_training_localization_transcription_gt_v2/ "
    "beside ch8_training_images_1/ … _8/, ch8_validation_localization_transcription_gt_v2/ beside "
    "ch8_validation_images/",
    homepage="https://rrc.cvc.uab.es/?ch=8",
)
MLT_2019 = _LABELS_MLT_2019.corpus(
    name="mlt2019",
    title="ICDAR 2019 Multi-lingual Scene Text",
    layout="tr_img_00001.txt (x1,y1,…,x4,y4,script,text a line): train_gt_t13/ beside ImagesPart1/ and "
    "ImagesPart2/",
    homepage="https://rrc.cvc.uab.es/?ch=15",
)
RCTW_17 = _LABELS_RCTW.corpus(
    name="rctw17",
    title="ICDAR 2017 Reading Chinese Text in the Wild",
    layout='image_0.txt (x1,y1,…,x4,y4,difficult,"text" a line): train_gts/ beside train_images/',
    homepage="https://rctw.vlrlab.net/dataset",
)
