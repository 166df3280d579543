"""PaddleOCR's label files: a photo and the JSON of its texts a line, or the crop of a word and its text."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tcm_hf.data.corpora.corpus import Corpus
from tcm_hf.data.corpora.files import few_files, first_bytes, json_of, lines_of, text_instance
from tcm_hf.data.corpora.image_lookup import ImageIndex, file_name
from tcm_hf.data.corpora.problems import Problems
from tcm_hf.data.corpora.tool_values import as_list, as_object, part_file
from tcm_hf.data.records import DO_NOT_CARE, TextInstance, TextRecord, flag_of
from tcm_hf.data.words import WordRecord

__all__ = ["PADDLEOCR", "PADDLEOCR_WORDS", "load_paddleocr", "load_paddleocr_words"]

_IGNORED = (DO_NOT_CARE, "*")
_LOOKED_AT = 5  # lines: some may be broken


def load_paddleocr(source: Path | str, split: str | None, problems: Problems) -> list[TextRecord]:
    """Read label files of text detection: the path of a photo, a tab, and a JSON list of its texts a line.

    A text has `points` and `transcription`; "###" and "*" are do-not-care, and `difficult` is. The paths
    begin at the folder that holds the file, or at the one above it (PPOCRLabel).

    Args:
        source: A label file, or the folder that holds one (`Label.txt`) or several (`train.txt`, …).
        split: Which of several files.
        problems: Takes broken lines and texts.

    Returns:
        One record a line, in the order of the file.
    """
    path = part_file(_files(Path(source)), split, Path(source), "Label.txt", ("Label.txt",))
    index = ImageIndex(path.parent)
    records = []
    for number, line in lines_of(path):
        with problems.row(path, number):
            name, texts = _parted(line)
            record = TextRecord(_image(path, name, index))
            for position, text in enumerate(as_list(json_of(texts), "a list of texts"), start=1):
                with problems.row(path, number, f"text {position}"):
                    record.instances.append(_instance(text))
            records.append(record)
    return records


def load_paddleocr_words(source: Path | str, split: str | None, problems: Problems) -> list[WordRecord]:
    """Read label files of text recognition: the path of a word's picture, a tab, and the word a line.

    Several pictures of one word may stand as a JSON list before the tab.

    Args:
        source: A label file, or the folder that holds one (`rec_gt.txt`) or several (`rec_gt_train.txt`, …).
        split: Which of several files.
        problems: Takes broken lines.

    Returns:
        The words in the order of the file.
    """
    path = part_file(_word_files(Path(source)), split, Path(source), "rec_gt.txt", ("rec_gt*.txt",))
    index = ImageIndex(path.parent)
    records = []
    for number, line in lines_of(path):
        with problems.row(path, number):
            names, text = _parted(line)
            if not text:
                raise ValueError("expected a word after the tab, got none")
            if text.strip() in _IGNORED:
                continue
            for name in json_of(names) if names.startswith("[") else [names]:
                records.append(WordRecord(_image(path, name, index), text))
    return records


def _parted(line: str) -> tuple[str, str]:
    name, tab, rest = line.partition("\t")
    if not tab or not name:
        raise ValueError(f"expected the path of an image, a tab and its label, got {line[:60]!r}")
    return name, rest


def _instance(text: dict[str, Any]) -> TextInstance:
    said = as_object(text)["transcription"]
    ignore = flag_of(text.get("difficult")) or str(said).strip() in _IGNORED
    return text_instance(text["points"], said or None, ignore)


def _image(path: Path, name: str, index: ImageIndex) -> Path:
    above = path.parent.parent / file_name(name)
    return above if above.is_file() else index.find(name)


def _files(source: Path) -> dict[str, Path]:
    """Files of photos by the name of their part; a file that is given itself has none."""
    return {"": source} if source.is_file() else {file.stem: file for file in _photo_files(source)}


def _photo_files(folder: Path) -> Iterator[Path]:
    return (file for file in few_files(folder, "*.txt") if _is_photo_file(file))


def _word_files(source: Path) -> dict[str, Path]:
    if source.is_file():
        return {"": source}
    files = [file for file in sorted(source.glob("rec_gt*.txt")) if _is_word_file(file)]
    return {file.stem.removeprefix("rec_gt").strip("_") or "all": file for file in files}


def _is_photo_file(path: Path) -> bool:
    return any(map(_is_of_photo, _some_lines(path)))


def _is_word_file(path: Path) -> bool:
    return bool(_some_lines(path)) and not _is_photo_file(path)


def _is_of_photo(line: list[bytes]) -> bool:
    rest = line[1].strip()
    return rest == b"[]" or (rest.startswith(b"[{") and b'"points"' in rest)


def _some_lines(path: Path) -> list[list[bytes]]:
    """What stands before and behind the tab of the first lines that have one."""
    lines = [line.split(b"\t", 1) for line in first_bytes(path, 1 << 16).split(b"\n")]
    return [line for line in lines if len(line) == 2 and line[0].strip() and line[1].strip()][:_LOOKED_AT]


def _recognises_words(path: Path) -> bool:
    if path.is_file():  # any other name is that of CORPORA's "words"
        return path.name.startswith("rec_gt") and _is_word_file(path)
    return bool(_word_files(path))


PADDLEOCR = Corpus(
    name="paddleocr",
    title="PaddleOCR and PPOCRLabel, text detection",
    kind="photos",
    layout="Label.txt (or several *.txt): IMAGE<tab>[{transcription, points}, …] a line",
    homepage="https://github.com/PFCCLab/PPOCRLabel",
    recognises=lambda path: _is_photo_file(path) if path.is_file() else any(True for _ in _photo_files(path)),
    load=load_paddleocr,
    splits=lambda source: [name for name in _files(source) if name],
)

PADDLEOCR_WORDS = Corpus(
    name="paddleocr-words",
    title="PaddleOCR, text recognition",
    kind="words",
    layout="rec_gt.txt (or rec_gt_train.txt, …): IMAGE<tab>TEXT a line",
    homepage="https://github.com/PFCCLab/PPOCRLabel",
    recognises=_recognises_words,
    load=load_paddleocr_words,
    splits=lambda source: [name for name in _word_files(source) if name],
)
