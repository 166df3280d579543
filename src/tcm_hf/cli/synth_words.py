"""`tcm-hf synth-words`: render pictures of single words into an LMDB, to train a recogniser on."""

from __future__ import annotations

import argparse
import hashlib
import sys
from functools import partial
from pathlib import Path

from tcm_hf.cli.arguments import positive_int, probability
from tcm_hf.cli.errors import CommandError
from tcm_hf.cli.generating import add_generating_arguments, in_processes, keep_settings


def add_parser(subparsers) -> argparse.ArgumentParser:
    """Add the verb to the command line.

    Args:
        subparsers: What `ArgumentParser.add_subparsers` returned.
    """
    parser = subparsers.add_parser(
        "synth-words",
        help="render pictures of single words",
        description="Render words as a detector cuts them out of photos, into an LMDB in the layout of the "
        "scene text recognition benchmarks. The same seed gives the same words. The same command goes on "
        "where it stopped; a larger --count adds words.",
    )
    parser.add_argument("--output", type=Path, required=True, metavar="LMDB", help="folder of the data base")
    add_generating_arguments(parser, 1000, "words", "words")
    parser.add_argument(
        "--words",
        type=Path,
        nargs="+",
        default=[],
        metavar="FILE",
        help="word lists, a word a line, e.g. /usr/share/dict/words (default: some hundred words of signs)",
    )
    parser.add_argument(
        "--charset", help="the characters of the words (default: digits, Latin letters, ASCII punctuation)"
    )
    parser.add_argument(
        "--max-length", type=positive_int, default=25, help="longest word (default: %(default)s)"
    )
    parser.add_argument(
        "--degradation",
        type=probability,
        default=1.0,
        help="how badly the words are photographed, 0 to 1 (default: %(default)s)",
    )
    parser.add_argument("--quality", type=int, default=90, help="JPEG quality (default: %(default)s)")
    return parser


def run(args: argparse.Namespace) -> int:
    """Render the words; what was made stays after Ctrl-C, and the same command goes on.

    Args:
        args: The parsed arguments.

    Returns:
        The exit code, 0.

    Raises:
        CommandError: If the arguments do not fit one another, or the output folder holds other words.
    """
    from tcm_hf.data.words import append_lmdb

    try:
        make = partial(_make_one, _make_generator(args), args.seed, args.quality)
        done = _words_done(args)
        if done:
            print(f"{min(done, args.count)} of {args.count} words are there already.", file=sys.stderr)
        append_lmdb(args.output, in_processes(make, range(done, args.count), args.workers, "word"))
    except (ImportError, ValueError) as error:
        raise CommandError(str(error)) from error
    print(args.output)
    return 0


def _make_generator(args: argparse.Namespace):
    from tcm_hf.data.synthetic.backgrounds import PhotoBackgrounds
    from tcm_hf.data.synthetic.fonts import FontLibrary
    from tcm_hf.data.synthetic.word_generator import SyntheticWordGenerator
    from tcm_hf.data.synthetic.word_texts import CHARSET_94, WordTexts, read_word_list
    from tcm_hf.training.corpus_spec import CorpusSpec

    words = [word for path in args.words for word in read_word_list(path)]
    photos = [record for spec in args.backgrounds for record in CorpusSpec.parse(spec).records()]
    return SyntheticWordGenerator(
        WordTexts(CHARSET_94 if args.charset is None else args.charset, words, args.max_length),
        FontLibrary.from_folders(args.fonts),
        PhotoBackgrounds(photos) if photos else None,
        args.degradation,
    )


def _words_done(args: argparse.Namespace) -> int:
    """How many words an earlier run with the same settings made."""
    from tcm_hf.data.words import LMDBWords

    there = (args.output / "data.mdb").exists()
    if args.output.exists() and not there and any(args.output.iterdir()):
        raise ValueError(f"{args.output} is there and is no LMDB: give another --output.")
    keep_settings(
        args.output,
        {
            "seed": args.seed,
            # A word list that was edited makes other words.
            "words": [hashlib.sha256(path.read_bytes()).hexdigest() for path in args.words],
            "charset": args.charset,
            "max_length": args.max_length,
            "fonts": [str(folder) for folder in args.fonts or []],
            "backgrounds": [str(Path(spec)) for spec in args.backgrounds],
            "degradation": args.degradation,
            "quality": args.quality,
        },
    )
    return len(LMDBWords(args.output)) if there else 0


def _make_one(generator, seed: int, quality: int, index: int):
    """A word with its picture as a JPEG: less to send between processes, and the workers encode it."""
    from dataclasses import replace

    from tcm_hf.data.words import encode_word

    word = generator(seed, index)
    return replace(word, image=encode_word(word, quality))
