"""Word accuracy of recognisers, with and without their branches, beside other readers on the same crops.

    python benchmarks/recognition_accuracy.py --words ../shared/data/iiit5k-train --peers tesseract rapidocr
    python benchmarks/recognition_accuracy.py --words my-words.lmdb my-photos:1-50 --model runs/a runs/b

WORDS is a corpus as `tcm-hf evaluate recognition` takes it; the legible words of annotated photos are cut
out, exactly along their polygons (--margin). Accuracy counts letters and digits in one case (36), with case
(62), and with punctuation (94). What the other readers made of a crop is kept in --cache.
"""

import argparse
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import torch
from harness import REPOSITORY, machine, print_table
from peers import WORD_READERS, PeerCache
from transformers import pipeline

from tcm_hf import default_checkpoint
from tcm_hf.data.words import WordRecord, word_crops
from tcm_hf.evaluation.recognition import TextRecognitionMetric
from tcm_hf.training.corpus_spec import CorpusSpec
from tcm_hf.training.recognition_words import WordSpec

CACHE = REPOSITORY / "data_cache" / "peers.json"
# Cross branch or not, and refinements: the whole method first, the visual branch alone last.
SETTINGS = {"cross-1": (True, 1), "cross-0": (True, 0), "visual-1": (False, 1), "visual-0": (False, 0)}


def load_crops(words: str, margin: float, limit: int | None) -> tuple[list[np.ndarray], list[str]]:
    """Pictures and texts of a corpus of words or of annotated photos."""
    try:
        photos = CorpusSpec.parse(words).records()
        records: Sequence[WordRecord] = list(word_crops(photos, margin=margin))
    except (ValueError, KeyError):  # rows without polygons, or no metadata at all
        records = WordSpec.parse(words).records()
    chosen = [records[index] for index in range(len(records))[:limit]]
    return [record.load_image() for record in chosen], [record.text for record in chosen]


def table_row(
    name: str, settings: str, texts: Sequence[str], read: Callable[[], list[str]]
) -> tuple[str | float, ...]:
    """A reader, its accuracies, and its words a second."""
    began = time.perf_counter()
    found = read()
    seconds = time.perf_counter() - began
    metric = TextRecognitionMetric()
    metric.update(found, texts)
    result = metric.compute()
    accuracies = (f"{result[key]:.3f}" for key in ("accuracy_36", "accuracy_62", "accuracy_94"))
    return name, settings, *accuracies, f"{result['one_minus_ned_36']:.3f}", len(texts) / seconds


def model_rows(
    name: str, crops: list[np.ndarray], texts: list[str], arguments: argparse.Namespace
) -> tuple[list[tuple[str | float, ...]], dict[str, list[str]]]:
    """A row for each of the settings, and what was read with it."""
    recognizer = pipeline("text-recognition", model=name, device=arguments.device, dtype=arguments.dtype)
    rows, readings = [], {}
    for settings in arguments.settings:
        cross, refinements = SETTINGS[settings]
        readings[settings] = []

        def read(
            cross: bool = cross, refinements: int = refinements, kept: list[str] = readings[settings]
        ) -> list[str]:
            found = recognizer(
                crops,
                batch_size=arguments.batch_size,
                use_cross_branch=cross,
                refine_iterations=refinements,
            )
            kept[:] = [word["text"] for word in found]
            return kept

        described = f"{'with' if cross else 'without'} cross branch, {refinements} refinement(s)"
        rows.append(table_row(Path(name).name, described, texts, read))
    return rows, readings


def paired_lines(readings: dict[str, list[str]], texts: list[str]) -> list[str]:
    """Each setting beside the first on the same words (36): who alone is right, and the difference."""
    (protocol,) = TextRecognitionMetric(["36"]).protocols
    wanted = [protocol.normalized(text) for text in texts]
    right = {
        settings: np.array(
            [protocol.normalized(text) == word for text, word in zip(found, wanted, strict=True)]
        )
        for settings, found in readings.items()
    }
    first, *others = right
    lines = []
    for other in others:
        difference = right[first].astype(int) - right[other]
        interval = 1.96 * difference.std() / len(difference) ** 0.5
        lines.append(
            f"{first} alone is right {(difference > 0).sum()} times, {other} alone "
            f"{(difference < 0).sum()} times in {len(texts)}: {100 * difference.mean():+.1f} ± "
            f"{100 * interval:.1f} points (95 %)"
        )
    return lines


def peer_rows(
    crops: list[np.ndarray], texts: list[str], arguments: argparse.Namespace
) -> list[tuple[str | float, ...]]:
    """A row for each of the other readers; words a second only where none came from the cache."""
    rows = []
    for name in arguments.peers:
        peer, cache = WORD_READERS[name](), PeerCache(arguments.cache)
        known = cache.knows(peer, "words", crops)
        row = table_row(peer.identity, "", texts, lambda p=peer, c=cache: c.ask(p, "words", crops))
        rows.append((*row[:-1], "" if known else row[-1]))
    return rows


@torch.inference_mode()
def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--words", nargs="+", required=True, metavar="WORDS", help="corpora")
    parser.add_argument("--model", nargs="*", metavar="PATH", help="recognisers (the shipped one)")
    parser.add_argument(
        "--settings", nargs="+", choices=tuple(SETTINGS), default=tuple(SETTINGS), help="of these (all)"
    )
    parser.add_argument(
        "--peers", nargs="*", choices=tuple(WORD_READERS), default=[], help="other readers (none)"
    )
    parser.add_argument(
        "--margin", type=float, default=0.0, help="around words cut out, in heights (%(default)s)"
    )
    parser.add_argument("--limit", type=int, metavar="N", help="the first N words of each corpus only")
    parser.add_argument("--batch-size", type=int, default=16, help="words in one forward (%(default)s)")
    parser.add_argument("--device", default="cpu", help="where to run (%(default)s)")
    parser.add_argument("--dtype", default="float32", help='"auto" as a user gets it (%(default)s)')
    parser.add_argument(
        "--cache", type=Path, default=CACHE, help="answers of the other readers (%(default)s)"
    )
    arguments = parser.parse_args()
    models = [str(default_checkpoint("text-recognition"))] if arguments.model is None else arguments.model
    print(f"{torch.get_num_threads()} thread(s), batches of {arguments.batch_size}; {machine()}")
    for words in arguments.words:
        crops, texts = load_crops(words, arguments.margin, arguments.limit)
        rows, pairs = [], []
        for name in models:
            own_rows, readings = model_rows(name, crops, texts, arguments)
            rows += own_rows
            pairs += [f"{Path(name).name}: {line}" for line in paired_lines(readings, texts)]
        rows += peer_rows(crops, texts, arguments)
        print(f"\n{len(texts)} words of {words}\n")
        print_table(("reader", "settings", "36", "62", "94", "1-NED, 36", "words/s"), rows)
        print("", *pairs, sep="\n")


if __name__ == "__main__":
    main()
