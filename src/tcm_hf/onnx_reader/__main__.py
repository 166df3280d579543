"""`python -m tcm_hf.onnx_reader photo.jpg`: the text of photos on stdout."""

import argparse
import io
import json
import sys
from typing import Any

from tcm_hf.onnx_reader.reader import Reader

EXIT_SOME_FAILED = 3


def main(arguments: list[str] | None = None) -> int:
    """Read the photos that the command line names; returns the exit code.

    Args:
        arguments: of the command line; None for those of this process.
    """
    parser = argparse.ArgumentParser(
        prog="python -m tcm_hf.onnx_reader",
        description="Find and read the words of photos with onnxruntime. Text goes to stdout.",
        epilog="Exit codes: 0 done, 2 wrong use, 3 some photos could not be read (named).",
    )
    parser.add_argument("photos", nargs="+", metavar="PHOTO", help="image files")
    parser.add_argument(
        "--model", metavar="FOLDER", help="what tcm-hf export wrote (default: what came with the reader)"
    )
    parser.add_argument("--recognizer", metavar="FOLDER", help="another recogniser than the one inside")
    parser.add_argument("--backend", choices=("onnx", "onnx-int8"), default="onnx")
    parser.add_argument("--threads", type=int, metavar="N", help="(default: all cores)")
    parser.add_argument(
        "--tile", type=_tile, metavar="auto|PIXELS", help="cut large photos in overlapping tiles"
    )
    parser.add_argument("--json", action="store_true", help="one JSON object a photo and line, with polygons")
    options = parser.parse_args(arguments)
    try:
        reader = Reader(options.model, options.recognizer, options.threads, options.backend)
    except (ValueError, ImportError) as error:
        parser.exit(2, f"{parser.prog}: error: {' '.join(str(error).split())}\n")
    if isinstance(sys.stdout, io.TextIOWrapper):  # names of files may be no text; JSON has the same escapes
        sys.stdout.reconfigure(errors="backslashreplace")
    num_failed = 0
    for photo in options.photos:
        try:
            paragraphs = reader(photo, output="paragraphs", tile=options.tile)
        except ValueError as error:
            num_failed += 1
            print(f"{parser.prog}: skipped {photo}: {' '.join(str(error).split())}", file=sys.stderr)
            continue
        print(_as_json(photo, paragraphs) if options.json else _as_text(photo, paragraphs, options.photos))
    return EXIT_SOME_FAILED if num_failed else 0


def _tile(text: str) -> Any:
    """The word auto, or the side of a tile in pixels."""
    if text == "auto" or (text.isdecimal() and int(text) >= 32):
        return text if text == "auto" else int(text)
    raise argparse.ArgumentTypeError(f"{text} is neither auto nor a side of at least 32 pixels")


def _as_text(photo: str, paragraphs: list[Any], photos: list[str]) -> str:
    """The text, under the photo's name where there are several."""
    head = [f"==> {photo} <=="] if len(photos) > 1 else []
    return "\n\n".join([*head, *(paragraph["text"] for paragraph in paragraphs)])


def _as_json(photo: str, paragraphs: list[Any]) -> str:
    words = [word for paragraph in paragraphs for line in paragraph["lines"] for word in line["words"]]
    return json.dumps({"path": photo, "words": words}, ensure_ascii=False)


if __name__ == "__main__":
    sys.exit(main())
