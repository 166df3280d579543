"""`tcm-hf synth`: render annotated text images into a folder that `datasets` loads as an "imagefolder"."""

from __future__ import annotations

import argparse
import json
import math
import sys
from functools import partial
from pathlib import Path

from tcm_hf.cli.arguments import positive_int
from tcm_hf.cli.errors import CommandError
from tcm_hf.cli.generating import add_generating_arguments, in_processes, keep_settings, size_hw
from tcm_hf.results.atomic import whole_file, write_text_whole

CHECKPOINT_EVERY = 500
SUFFIXES = {"jpg": ".jpg", "png": ".png", "webp": ".webp"}


def add_parser(subparsers) -> argparse.ArgumentParser:
    """Add the verb to the command line.

    Args:
        subparsers: What `ArgumentParser.add_subparsers` returned.
    """
    parser = subparsers.add_parser(
        "synth",
        help="render annotated text images",
        description="Render scenes with text, exact word polygons and transcriptions. The same seed gives "
        "the same images. The same command goes on where it stopped; a larger --count adds images.",
    )
    parser.add_argument("--output", type=Path, required=True, metavar="DIR", help="folder to write into")
    add_generating_arguments(parser, 100, "images", "text")
    parser.add_argument(
        "--size",
        type=size_hw,
        default=(480, 640),
        metavar="WxH",
        help="image size in pixels (default: 640x480)",
    )
    parser.add_argument(
        "--backgrounds-first",
        type=positive_int,
        metavar="N",
        help="use only the first N photos of each folder (keeps a validation tail out)",
    )
    parser.add_argument(
        "--options",
        type=_options,
        default={},
        metavar="JSON",
        help="fields of SyntheticTextOptions, e.g. '{\"median_height_px\": 16}'",
    )
    parser.add_argument(
        "--format", choices=sorted(SUFFIXES), default="jpg", help="image type (default: %(default)s)"
    )
    parser.add_argument("--quality", type=int, default=92, help="JPEG or WebP quality (default: %(default)s)")
    return parser


def run(args: argparse.Namespace) -> int:
    """Render the images; what was made stays after Ctrl-C, and the same command goes on.

    Args:
        args: The parsed arguments.

    Returns:
        The exit code, 0.

    Raises:
        CommandError: If the arguments do not fit one another, or the output folder holds other images.
    """
    try:
        generator = _make_generator(args)
        rows = _rows_done(args)
    except (TypeError, ValueError) as error:
        raise CommandError(str(error)) from error
    metadata = args.output / "metadata.jsonl"
    todo = [index for index in range(args.count) if index not in rows]
    if len(todo) < args.count:
        print(f"{args.count - len(todo)} of {args.count} images are there already.", file=sys.stderr)
    try:
        write = partial(_write_one, args.output, args.seed, SUFFIXES[args.format], args.quality, generator)
        made = in_processes(write, todo, args.workers, "image")
        for number, (index, row) in enumerate(made, start=1):
            rows[index] = row
            if number % CHECKPOINT_EVERY == 0:
                _write_rows(rows, metadata)
    finally:
        _write_rows(rows, metadata)
    print(metadata)
    return 0


def _write_rows(rows: dict[int, dict], path: Path) -> None:
    lines = [json.dumps(rows[index], ensure_ascii=False) + "\n" for index in sorted(rows)]
    write_text_whole(path, "".join(lines))


def _make_generator(args: argparse.Namespace):
    from tcm_hf.data.synthetic.backgrounds import PhotoBackgrounds
    from tcm_hf.data.synthetic.composition import SyntheticTextOptions
    from tcm_hf.data.synthetic.fonts import FontLibrary
    from tcm_hf.data.synthetic.generator import SyntheticTextGenerator
    from tcm_hf.training.corpus_spec import CorpusSpec

    _check_options(args.options, SyntheticTextOptions())
    photos = [
        record
        for words in args.backgrounds
        for record in CorpusSpec.parse(words).records()[: args.backgrounds_first]
    ]
    return SyntheticTextGenerator(
        args.size,
        FontLibrary.from_folders(args.fonts),
        PhotoBackgrounds(photos) if photos else None,
        SyntheticTextOptions(**args.options),
    )


def _check_options(options: dict, examples: object) -> None:
    """Raise `ValueError` for a value of another kind than the default; fields that do not exist pass."""
    for name, value in options.items():
        match getattr(examples, name, None):
            case None:
                continue
            case dict():
                fits = isinstance(value, dict) and all(map(_is_amount, value.values()))
                expected = "an object of numbers >= 0"
            case tuple() as several:
                fits = isinstance(value, list) and len(value) == len(several) and all(map(_is_amount, value))
                expected = f"{len(several)} numbers >= 0"
            case _:
                fits, expected = _is_amount(value), "a number >= 0"
        if not fits:
            raise ValueError(f"--options: expected {expected} for {name}, got {value!r}")


def _is_amount(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value < math.inf


def _rows_done(args: argparse.Namespace) -> dict[int, dict]:
    """The rows of images that an earlier run with the same settings made, by index."""
    settings = {
        "seed": args.seed,
        "size_hw": list(args.size),
        "format": args.format,
        "fonts": [str(folder) for folder in args.fonts or []],
        "backgrounds": [str(Path(words)) for words in args.backgrounds],
        "backgrounds_first": args.backgrounds_first,
        "options": args.options,
    }
    keep_settings(args.output, settings)
    metadata = args.output / "metadata.jsonl"
    if not metadata.exists():
        return {}
    # Not `splitlines`: a transcription may hold one of Unicode's other line ends.
    rows = [json.loads(line) for line in metadata.read_text(encoding="utf-8").split("\n") if line.strip()]
    numbered = {int(Path(row["file_name"]).stem.rsplit("_", 1)[1]): row for row in rows}
    return {index: row for index, row in numbered.items() if (args.output / row["file_name"]).exists()}


def _write_one(output: Path, seed: int, suffix: str, quality: int, generator, index: int) -> tuple[int, dict]:
    from PIL import Image

    from tcm_hf.data.records import row_from_record

    record = generator(seed, index)
    image = record.load_image()
    path = output / f"{record.name}{suffix}"
    with whole_file(path) as temporary:
        Image.fromarray(image).save(temporary, quality=quality)
    return index, row_from_record(record, path.name, image.shape[:2])


def _options(text: str) -> dict:
    try:
        value = json.loads(text)
    except json.JSONDecodeError as error:
        raise argparse.ArgumentTypeError(f"expected a JSON object, got {text!r} ({error})") from None
    if not isinstance(value, dict):
        raise argparse.ArgumentTypeError(f"expected a JSON object, got {text!r}")
    return value
