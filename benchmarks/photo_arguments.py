"""What the benchmarks on photos have in common on their command lines."""

import argparse

from harness import REPOSITORY

from tcm_hf.training.corpus_spec import CorpusSpec


def add_photos(parser: argparse.ArgumentParser) -> None:
    """`--photos`: a corpus as `tcm-hf` names it; by default the generated scenes of `examples/`."""
    parser.add_argument(
        "--photos",
        default=str(REPOSITORY / "examples" / "images"),
        metavar="DATA",
        help="folder with metadata.jsonl or another corpus, FOLDER:FIRST-LAST for a part (%(default)s)",
    )


def timing_parser(description: str | None, repeats: int) -> argparse.ArgumentParser:
    """A command line with `--photos`, `--threads`, `--dtypes` and `--repeats`."""
    parser = argparse.ArgumentParser(
        description=description, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add_photos(parser)
    parser.add_argument("--threads", type=int, nargs="+", default=[1], help="thread counts (%(default)s)")
    parser.add_argument("--dtypes", nargs="+", default=["float32", "auto"], help="of ours (%(default)s)")
    parser.add_argument("--repeats", type=int, default=repeats, help="runs of each photo (%(default)s)")
    return parser


def photo_paths(data: str) -> list[str]:
    """Files of the photos of a corpus."""
    return [str(record.image) for record in CorpusSpec.parse(data).records()]
