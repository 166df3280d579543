"""Attacks with annotations: label files of all corpora, and what tells them apart."""

import shutil
import warnings
from functools import cache
from pathlib import Path

from fuzzing.annotation_seeds import FILES
from fuzzing.target import Fault, Target, folder_for, written
from tcm_hf.data.corpora.loading import load_corpus, recognise
from tcm_hf.data.corpora.mat_files import read_mat
from tcm_hf.data.corpora.problems import Problems
from tcm_hf.data.corpora.table import CORPORA
from tcm_hf.data.records import TextRecord

__all__ = ["TARGETS"]

_FARTHEST_PX = 1e7


def _place(content: bytes) -> tuple[str, Path]:
    """The corpus that the first byte names, and a folder that holds the rest as its label file."""
    corpus, name, _ = FILES[(content[0] if content else 0) % len(FILES)]
    folder = folder_for("annotations")
    for path in folder.iterdir():
        shutil.rmtree(path) if path.is_dir() else path.unlink()
    written(folder / name, content[1:])
    return corpus, folder


def load(content: bytes) -> None:
    """Broken rows are noted, sound ones are records that can be written down; or a ValueError."""
    corpus, folder = _place(content)
    problems = Problems()
    try:
        records = list(load_corpus(f"{corpus}:{folder}", problems=problems))
    except ValueError:
        return
    for record in records:
        record.name.encode(errors="surrogatepass")
        if isinstance(record, TextRecord):
            _check_texts(record)
    str([str(problem) for problem in problems]).encode(errors="surrogatepass")


def _check_texts(record: TextRecord) -> None:
    for instance in record.instances:
        if not abs(instance.polygon_xy).max(initial=0) <= _FARTHEST_PX:  # NaN, too
            raise Fault(f"an outline {instance.polygon_xy.tolist()}")
        if instance.text is not None:
            instance.text.encode()


def tell_apart(content: bytes) -> None:
    """Recognisers say yes or no, whatever lies there."""
    _, folder = _place(content)
    for corpus in CORPORA:
        for path in (folder, *folder.iterdir()):
            if not isinstance(corpus.recognises(path), bool):
                raise Fault(f"{corpus.name} is not certain")
    try:
        recognise(folder)
    except ValueError:
        return


def read_matlab(content: bytes) -> None:
    """Variables of a MATLAB file; or a ValueError."""
    path = written(folder_for("matlab") / "a.mat", content)
    try:
        read_mat(path, "polygt", "gt", "txt", "x")
    except ValueError:
        return


def _be_quiet() -> None:
    warnings.simplefilter("ignore")  # of scipy, and of numpy about odd types


@cache
def _label_seeds() -> list[bytes]:
    return [bytes([place]) + content for place, (_, _, content) in enumerate(FILES)]


def _matlab_seeds() -> list[bytes]:
    import numpy as np
    from scipy.io import savemat

    seeds = []
    cells = np.array([["x:", np.array([[1, 2, 3]]), "y:", np.array([[1, 2, 3]]), "text", "c"]], dtype=object)
    for options in ({}, {"do_compression": True}, {"format": "4"}):
        path = folder_for("matlab") / "seed.mat"
        variables = {"x": np.eye(2)} if options.get("format") else {"polygt": cells, "x": np.eye(2)}
        savemat(path, variables, **options)
        seeds.append(path.read_bytes())
        path.unlink()
    return seeds


_WORDS = (
    *(
        b"###",
        b"\\u0000",
        b"\\ud800",
        b"1e999",
        b"NaN",
        b"-1",
        b"null",
        b"[[",
        b"]]",
        b"&amp;",
        b"../",
        b"<image",
    ),
    *(
        b'"polygons"',
        b'"points"',
        b'"segmentation"',
        b'"file_name"',
        b"transcriptions:",
        b"\xe2\x80\xa8",
        b"\xef\xbb\xbf",
    ),
)
TARGETS = (
    Target("annotations", load, _label_seeds, words=_WORDS),
    Target("recognisers", tell_apart, _label_seeds, words=_WORDS),
    Target("matlab-files", read_matlab, _matlab_seeds, _be_quiet),
)
