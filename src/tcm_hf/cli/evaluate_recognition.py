"""`tcm-hf evaluate recognition`: how many words were read right."""

import argparse
import sys
from collections import defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tcm_hf.cli.errors import CommandError
from tcm_hf.cli.evaluation_arguments import add_kind_parser
from tcm_hf.cli.evaluation_files import read_records, read_text, report_unpaired, word_in
from tcm_hf.cli.image_reports import check_report_name, write_report

if TYPE_CHECKING:
    from tcm_hf.data.words import WordRecord

DESCRIPTION = """\
Word accuracy and similarity (1 - normalised edit distance) of words read. Crops are paired by path, or by
file name where the path is another.

PREDICTIONS  what tcm-hf recognize writes: .jsonl, .json, .csv, .tsv, or .txt (a line is a path, a tab and
             the word)
REFERENCES   a corpus of words: a folder with metadata.jsonl (file_name, text), or with gt.txt or labels.txt
             ("word_1.png, "text"" or apart by a tab), such a file, an LMDB of the STR benchmark, or a saved
             Hugging Face dataset; PATH:1-100 takes the files with these numbers only

Characters that count: 36 = letters and digits, upper and lower case alike; 62 = with case; 94 = with marks
too; any = every language, case aside. A crop without a prediction counts as one where nothing was read. The
result is one JSON document on stdout.
"""

Prediction = tuple[str, str]  # the path of a crop and what was read there


def add_parser(kinds: Any) -> None:
    """Add the kind `recognition` to the verb `evaluate`."""
    parser = add_kind_parser(
        kinds, "recognition", "accuracy and edit distance of words", DESCRIPTION, "REFERENCES"
    )
    parser.add_argument(
        "--characters",
        nargs="+",
        choices=("36", "62", "94", "any"),
        default=("36", "62", "94"),
        help="the characters that count (36 62 94)",
    )
    parser.add_argument(
        "--subset",
        choices=("ic13-857", "ic13-1015", "ic15-1811", "ic15-2077"),
        help="the part of a test set that papers report; ic15-1811 needs --kept, or the 1811 words alone",
    )
    parser.add_argument(
        "--per-image",
        type=Path,
        metavar="FILE",
        help="write what each crop says, what was read and their similarity (1: right) to a .jsonl or .csv",
    )
    parser.add_argument(
        "--kept", type=Path, metavar="FILE", help="the names of the subset's crops, one a line"
    )


def score(args: argparse.Namespace) -> dict[str, Any]:
    """The numbers that the arguments ask for.

    Raises:
        CommandError, ValueError: for files that are missing, cannot be read or do not fit together.
    """
    check_report_name(args.per_image)
    if args.kept and not args.subset:
        raise CommandError("--kept goes with --subset")
    words = _references(args.references)
    read = _paired(_read_predictions(args.predictions), words)
    if args.subset:
        words, read = _subset(args, words, read)

    from tcm_hf.evaluation.recognition import TextRecognitionMetric

    metric = TextRecognitionMetric(args.characters)
    metric.update(read, [word.text for word in words])
    if args.per_image:
        write_report(
            args.per_image, [_report_row(*pair, args.characters) for pair in zip(words, read, strict=True)]
        )
    about = {"protocol": "word accuracy", "subset": args.subset, "num_words": len(words)}
    return {**about, **metric.compute()}


def _report_row(word: "WordRecord", read: str, characters: Sequence[str]) -> dict[str, Any]:
    from tcm_hf.evaluation.recognition import PROTOCOLS

    similarities = {
        f"one_minus_ned_{name}": PROTOCOLS[name].similarity(read, word.text) for name in characters
    }
    return {"image": word.name, "text": word.text, "read": read, **similarities}


def _references(spec: str) -> list["WordRecord"]:
    from tcm_hf.data.word_corpora import load_words
    from tcm_hf.training.recognition_words import WordSpec

    path = Path(spec).expanduser()
    words = load_words(path) if path.is_file() else WordSpec.parse(spec).records()
    return [words[index] for index in range(len(words))]


def _read_predictions(path: Path) -> list[Prediction]:
    if path.suffix in (".csv", ".tsv"):
        from tcm_hf.data.corpora.files import table_rows

        rows = [row for _, row in table_rows(path, "," if path.suffix == ".csv" else "\t")]
        if rows and not {"path", "text"} <= rows[0].keys():
            raise CommandError(f"{path}: expected the columns path and text, got {', '.join(rows[0])}")
        return [(row["path"], row["text"]) for row in rows]
    if path.suffix == ".txt":
        from tcm_hf.data.word_corpora import read_word_labels

        read_text(path)
        return [entry for _, entry in read_word_labels(path)]
    return read_records(path, _of_record)


def _of_record(record: Mapping[str, Any]) -> Prediction:
    return record["source"]["path"], word_in(record)


def _paired(predictions: Sequence[Prediction], words: Sequence["WordRecord"]) -> list[str]:
    """What was read of each word, "" where there is no prediction."""
    by_path = {
        word.image.resolve(): place for place, word in enumerate(words) if isinstance(word.image, Path)
    }
    by_name: dict[str, list[int]] = defaultdict(list)
    for index, word in enumerate(words):
        by_name[Path(word.name).stem].append(index)
    read: dict[int, str] = {}
    names = []
    for path, text in predictions:
        place = by_path.get(Path(path).resolve())
        if place is None:
            places = by_name.get(Path(path).stem, [])
            if len(places) > 1:
                raise CommandError(
                    f"{path} may be {words[places[0]].name} or {words[places[1]].name}: crops are paired by "
                    "name where their paths differ, and these share one"
                )
            place = places[0] if places else None
        names.append(path if place is None else words[place].name)
        if place is not None and place in read:
            raise CommandError(f"two predictions for the crop {words[place].name}; keep one")
        if place is not None:
            read[place] = text
    report_unpaired(names, [word.name for word in words], "crop")
    return [read.get(place, "") for place in range(len(words))]


def _subset(
    args: argparse.Namespace, words: list["WordRecord"], read: list[str]
) -> tuple[list["WordRecord"], list[str]]:
    from tcm_hf.evaluation.word_subsets import WORD_SUBSETS

    subset = WORD_SUBSETS[args.subset]
    kept = None
    if args.kept:
        kept = {line.strip() for line in read_text(args.kept).splitlines() if line.strip()}
    names = [word.name for word in words]
    places = subset.select([word.text for word in words], names, kept).nonzero()[0].tolist()
    if len(places) != subset.size:
        print(
            f"{args.subset} has {subset.size} of {subset.full_size} words: {len(places)} of {len(words)} are "
            "counted here, which is another test set",
            file=sys.stderr,
        )
    return [words[place] for place in places], [read[place] for place in places]
