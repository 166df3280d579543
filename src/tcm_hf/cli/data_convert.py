"""`tcm-hf data convert`: from any corpus that can be read to any format that can be written."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tcm_hf.cli.arguments import CORPUS_METAVAR, add_verb
from tcm_hf.cli.errors import CommandError

if TYPE_CHECKING:
    from tcm_hf.data.corpora.problems import Problems
    from tcm_hf.data.writing.formats import Format
    from tcm_hf.data.writing.output import Report
    from tcm_hf.training.corpus_spec import AnyCorpusSpec

EXIT_LEFT_OUT = 3
DESCRIPTION = """\
Write a corpus in another format, which this and other programs read. FOLDER must be new or empty; it
appears whole or not at all. Without a part all parts are written, each to FOLDER/PART.

What a format cannot hold is counted on stderr. Broken rows, lost pictures and pictures of another size
than annotated are left out and named there; the command ends with 3 then.
"""
EPILOG = """\
formats:
  photos:
    imagefolder (holds everything), coco, labelme, label-studio, cvat, paddleocr, mmocr, datasets,
    icdar2015, mlt2017, totaltext, ctw1500, art, td500
  crops of words (of photos: their legible words, cut out):
    words, str-lmdb, paddleocr-words, mmocr-words
  objects (texts, too, as objects of one class):
    dota, objects

examples:
  tcm-hf data convert label-studio-export my-photos --to imagefolder
  tcm-hf data convert totaltext:~/data/totaltext@train tt-coco --to coco
  tcm-hf data convert my-photos:1-900 words --to str-lmdb
"""
# Which formats what lies in a source can become.
_CAN_BECOME = {"photos": ("photos", "words", "objects"), "words": ("words",), "objects": ("objects",)}
_HOLDS = {"photos": "photos with outlines of texts", "words": "crops of words", "objects": "rotated objects"}
_SHOWN = 3


def add_parser(kinds: Any) -> None:
    """Add the kind `convert` to the verb `data`."""
    parser = add_verb(kinds, "convert", "write a corpus in another format", DESCRIPTION, EPILOG)
    parser.add_argument("source", metavar=CORPUS_METAVAR, help="a corpus of any kind, see tcm-hf data list")
    parser.add_argument("folder", type=Path, metavar="FOLDER", help="where to; new or empty")
    parser.add_argument("--to", required=True, metavar="FORMAT", help="see below")
    parser.add_argument(
        "--link", action="store_true", help="symbolic links in place of copies of the pictures"
    )


def run(args: argparse.Namespace) -> int:
    """Run the kind.

    Returns:
        0, or 3 where something was left out; the folders are on stdout.

    Raises:
        CommandError: it is no corpus or no format that we know, the format cannot hold it, or the folder is
            not empty.
    """
    from tcm_hf.data.corpora.problems import Problems
    from tcm_hf.data.writing.output import whole_folder
    from tcm_hf.training.corpus_spec import AnyCorpusSpec

    target = _format(args.to)
    left_out = Problems()
    try:
        spec = AnyCorpusSpec.parse(args.source)
        corpus, parts = spec.parts()
        if target.kind not in _CAN_BECOME[corpus.kind]:
            names = ", ".join(_names(*_CAN_BECOME[corpus.kind]))
            raise CommandError(
                f"--to {args.to} holds {_HOLDS[target.kind]}, {args.source} {_HOLDS[corpus.kind]}: give one "
                f"of {names}"
            )
        # All is read before the first is written: a mistake in the last part shows now, not hours later.
        read = _read(replace(spec, corpus=corpus.name), parts, left_out)
        reports: dict[str | None, Report] = {}
        is_cut = corpus.kind == "photos" and target.kind == "words"
        if len(parts) == 1:
            sound = _sound(read[parts[0]], spec.folder, left_out, is_cut)
            reports[None] = target.write(sound, args.folder, copy_images=not args.link)
        else:
            with whole_folder(args.folder) as folder:
                for part, records in read.items():
                    sound = _sound(records, spec.folder, left_out, is_cut)
                    place = _inside(folder, str(part))
                    reports[part] = target.write(sound, place, copy_images=not args.link)
    except (ValueError, ImportError) as error:
        raise CommandError(str(error)) from error
    for part, report in reports.items():
        _tell(args.to, target, report, args.folder / (part or ""))
    for what, count in left_out.notes.items():
        print(f"{count} {what}", file=sys.stderr)
    if left_out:
        first = "; ".join(str(problem) for problem in left_out[:_SHOWN])
        more = f"; and {len(left_out) - _SHOWN} more" if len(left_out) > _SHOWN else ""
        print(f"left out: {first}{more}", file=sys.stderr)
    return EXIT_LEFT_OUT if left_out else 0


def _format(name: str) -> Format:
    from tcm_hf.data.writing.formats import FORMATS

    if name not in FORMATS:
        raise CommandError(f"--to: there is no format {name!r}: give one of {', '.join(FORMATS)}")
    return FORMATS[name]


def _names(*kinds: str) -> list[str]:
    from tcm_hf.data.writing.formats import FORMATS

    return [name for name, target in FORMATS.items() if target.kind in kinds]


def _read(
    spec: AnyCorpusSpec, parts: Sequence[str | None], left_out: Problems
) -> dict[str | None, Sequence[Any]]:
    """The records of the parts; of several, those with nothing in the range are told and passed over.

    Raises:
        ValueError: There is nothing in any, or one cannot be read.
    """
    from tcm_hf.training.corpus_spec import NothingThereError

    read: dict[str | None, Sequence[Any]] = {}
    for part in parts:
        try:
            read[part] = replace(spec, split=part).annotations(left_out)
        except NothingThereError as error:
            if len(parts) == 1 or (part == parts[-1] and not read):
                raise
            print(f"{part}: {error}", file=sys.stderr)
    return read


def _inside(folder: Path, part: str) -> Path:
    """The folder of a part, whose name a file has told.

    Raises:
        ValueError: It would be another's, outside.
    """
    place = (folder / part).resolve()
    if place == folder.resolve() or not place.is_relative_to(folder.resolve()):
        raise ValueError(f"the name {part!r} of a part leads out of the folder: rename it.")
    return place


def _sound(records: Sequence[Any], source: Path, left_out: Problems, cut: bool) -> Iterator[Any]:
    """The records whose pictures are those that were annotated, or the words on them; others are noted."""
    from tqdm import tqdm

    from tcm_hf.data.image_files import size_conflict, upright_size_hw
    from tcm_hf.data.records import TextRecord
    from tcm_hf.data.words import word_crops

    for place in tqdm(range(len(records)), unit="picture", file=sys.stderr, disable=None):
        found: Iterable[Any] = ()
        with left_out.row(source, what=f"picture {place + 1}"):
            record = records[place]
            size_hw = upright_size_hw(record.image)
            told_hw = record.size_hw if isinstance(record, TextRecord) else None
            if conflict := size_conflict(told_hw, size_hw):
                raise ValueError(f"{record.name}: {conflict}: take the pictures that were annotated")
            found = list(word_crops([record])) if cut else [record]
        yield from found


def _tell(name: str, target: Format, report: Report, folder: Path) -> None:
    counted = f"{report.pictures} {'crops of words' if target.kind == 'words' else 'photos'}"
    texts = (
        ""
        if target.kind == "words"
        else f", {report.texts} {'texts' if target.kind == 'photos' else 'objects'}"
    )
    print(f"{counted}{texts}", file=sys.stderr)
    for what, count in report.lost.items():
        print(f"{name} cannot hold: {count} {what}", file=sys.stderr)
    print(folder)
