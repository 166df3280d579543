"""`tcm-hf synth`: render annotated text images into a folder that `datasets` loads as an "imagefolder"."""

from __future__ import annotations

import argparse
import json
import math
import os
import sys
from functools import partial
from pathlib import Path

from tcm_hf.cli.arguments import count_int, positive_int
from tcm_hf.cli.atomic import whole_file, write_text_whole
from tcm_hf.cli.errors import CommandError

SETTINGS_FILE = "synth.json"
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
    parser.add_argument(
        "--count", type=positive_int, default=100, help="how many images (default: %(default)s)"
    )
    parser.add_argument(
        "--seed", type=count_int, default=0, help="the data set's seed (default: %(default)s)"
    )
    parser.add_argument(
        "--size",
        type=_size_hw,
        default=(480, 640),
        metavar="WxH",
        help="image size in pixels (default: 640x480)",
    )
    parser.add_argument(
        "--fonts", type=Path, nargs="+", metavar="DIR", help="folders of fonts (default: the system's fonts)"
    )
    parser.add_argument(
        "--backgrounds",
        nargs="+",
        default=[],
        metavar="FOLDER",
        help="folders of annotated photos (metadata.jsonl; FOLDER:1-900 takes those with these numbers "
        "only); text-free crops of them lie behind the text",
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
    parser.add_argument(
        "--workers", type=positive_int, default=os.cpu_count() or 1, help="processes (default: one a core)"
    )
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
        for number, (index, row) in enumerate(_rendered(args, generator, todo), start=1):
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
    args.output.mkdir(parents=True, exist_ok=True)
    kept = args.output / SETTINGS_FILE
    if kept.exists() and json.loads(kept.read_text()) != settings:
        raise ValueError(
            f"{args.output} holds images made with other settings ({kept}). "
            "Give another --output, or the same settings."
        )
    write_text_whole(kept, json.dumps(settings, indent=1) + "\n")
    metadata = args.output / "metadata.jsonl"
    if not metadata.exists():
        return {}
    # Not `splitlines`: a transcription may hold one of Unicode's other line ends.
    rows = [json.loads(line) for line in metadata.read_text(encoding="utf-8").split("\n") if line.strip()]
    numbered = {int(Path(row["file_name"]).stem.rsplit("_", 1)[1]): row for row in rows}
    return {index: row for index, row in numbered.items() if (args.output / row["file_name"]).exists()}


def _rendered(args: argparse.Namespace, generator, todo: list[int]):
    """Yield (index, metadata row) as images get written, with a progress bar on stderr."""
    import multiprocessing

    from tqdm import tqdm

    write = partial(_write_one, args.output, args.seed, SUFFIXES[args.format], args.quality)
    with tqdm(total=len(todo), unit="image", file=sys.stderr, disable=None) as progress:
        if args.workers == 1 or len(todo) < 2:
            for index in todo:
                yield write(generator, index)
                progress.update()
            return
        context = multiprocessing.get_context("spawn")
        with context.Pool(min(args.workers, len(todo)), _start_worker, (generator, write)) as pool:
            for result in pool.imap_unordered(_work, todo, chunksize=8):
                yield result
                progress.update()


_worker: tuple = ()


def _start_worker(generator, write) -> None:
    import signal

    import cv2

    global _worker
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the parent's to handle
    cv2.setNumThreads(1)
    _worker = (generator, write)


def _work(index: int):
    generator, write = _worker
    return write(generator, index)


def _write_one(output: Path, seed: int, suffix: str, quality: int, generator, index: int) -> tuple[int, dict]:
    from PIL import Image

    from tcm_hf.data.records import row_from_record

    record = generator(seed, index)
    image = record.load_image()
    path = output / f"{record.name}{suffix}"
    with whole_file(path) as temporary:
        Image.fromarray(image).save(temporary, quality=quality)
    return index, row_from_record(record, path.name, image.shape[:2])


def _size_hw(text: str) -> tuple[int, int]:
    width, _, height = text.lower().partition("x")
    try:
        return int(height), int(width)
    except ValueError:
        raise argparse.ArgumentTypeError(f"expected WIDTHxHEIGHT such as 640x480, got {text!r}") from None


def _options(text: str) -> dict:
    try:
        value = json.loads(text)
    except json.JSONDecodeError as error:
        raise argparse.ArgumentTypeError(f"expected a JSON object, got {text!r} ({error})") from None
    if not isinstance(value, dict):
        raise argparse.ArgumentTypeError(f"expected a JSON object, got {text!r}")
    return value
