"""`load_corpus`: any known corpus or file format from a folder or file, by name or recognised."""

from __future__ import annotations

import os
import re
from collections import Counter
from collections.abc import Collection, Iterable, Sequence
from pathlib import Path
from typing import Any, NamedTuple, overload

from tcm_hf.data.corpora.corpus import Corpus
from tcm_hf.data.corpora.dataset_photos import records_of_dataset
from tcm_hf.data.corpora.files import part_folders
from tcm_hf.data.corpora.problems import Problems, collected
from tcm_hf.data.corpora.table import CORPORA, corpus_named

__all__ = ["Source", "load_corpus", "parse_source", "recognise"]

_KINDS = {
    "photos": "photos with outlines of texts",
    "words": "crops of words",
    "objects": "photos with rotated objects",
}
_NAMED = re.compile(r"(?P<name>[A-Za-z][\w.-]+):(?P<rest>.+)", re.DOTALL)
_SPLIT = re.compile(r"(?P<path>.+)@(?P<split>[\w./-]+)", re.DOTALL)


class Source(NamedTuple):
    """Where a corpus lies, and which part of it is meant."""

    corpus: Corpus | None
    """None: to be recognised."""
    path: Path
    split: str | None
    """None: there is one part only."""

    def resolve(self, kinds: Collection[str] = tuple(_KINDS)) -> tuple[Corpus, str | None]:
        """The corpus, recognised where it is not named, and the part, which is there.

        Args:
            kinds: What it may hold, see `Corpus.kind`.

        Raises:
            ValueError: There is no such file or folder, its kind is not known or not certain or not among
                `kinds`, or the part is not there or has to be named.
        """
        if not self.path.exists():
            raise ValueError(f"Expected a folder or file of annotations: {self.path} is not there.")
        corpus = self.corpus or recognise(self.path, kinds)
        if corpus.kind not in kinds:
            wanted = " or ".join(_KINDS[kind] for kind in kinds)
            raise ValueError(
                f"Expected {wanted}: {self.path} holds {_KINDS[corpus.kind]} ({corpus.name}). Give another "
                "folder, or name the corpus as in NAME:FOLDER where it is another one (tcm-hf data list)."
            )
        splits = corpus.splits(self.path)
        if self.split is None and len(splits) > 1:
            raise ValueError(
                f"{self.path} ({corpus.name}) has the parts {', '.join(splits)}: name one, as in "
                f"{self.path}@{splits[0]}."
            )
        if self.split is not None and self.split not in splits:
            there = f"the parts {', '.join(splits)}" if splits else "one part only: leave the name out"
            raise ValueError(f"{self.path} ({corpus.name}) has no part {self.split!r}: it has {there}.")
        return corpus, self.split or (splits[0] if splits else None)


@overload
def load_corpus(
    source: str | os.PathLike[str],
    *,
    corpus: str | None = None,
    split: str | None = None,
    problems: Problems | None = None,
) -> Sequence[Any]: ...
@overload
def load_corpus(
    source: object, *, corpus: None = None, split: str | None = None, problems: Problems | None = None
) -> Iterable[Any]: ...
def load_corpus(
    source: Any,
    *,
    corpus: str | None = None,
    split: str | None = None,
    problems: Problems | None = None,
) -> Iterable[Any]:
    """Read the annotations of a corpus; no pixel is read.

    Args:
        source: A folder or file, or `"NAME:FOLDER@SPLIT"`, where name and part may be left out; or what
            `datasets.load_dataset` gave, see `records_of_dataset`.
        corpus: One of the names of `tcm-hf data list`; None: as in `source`, or recognised.
        split: The part, "train" or "test" as a rule; None: as in `source`, or the only one.
        problems: Broken rows are added to this list and left out; None: they are an error.

    Returns:
        By the kind of the corpus: `TextRecord`s (photos), `WordRecord`s (crops of words) or `RotatedRecord`s
        (objects from above); a sequence, and an iterable for a dataset that is streamed.

    Raises:
        ValueError: The source is not there, its kind is not known or not certain, or a part is not there or
            has to be named.
        CorpusError: Rows are broken, and `problems` is None; the message has file, line and reason.

    Example:
        >>> records = load_corpus("totaltext:~/data/totaltext@train")
    """
    if not isinstance(source, str | os.PathLike):
        if corpus is not None:
            raise ValueError(f"A dataset is told by its columns: leave out corpus={corpus!r}.")
        return records_of_dataset(source, split, problems)
    parsed = parse_source(source)
    named = corpus_named(corpus) if corpus is not None else parsed.corpus
    found, part = Source(named, parsed.path, split or parsed.split).resolve()
    with collected(problems) as noted:
        records = found.load(parsed.path, part, noted)
    return records


def parse_source(source: str | os.PathLike) -> Source:
    """Read `[NAME:]FOLDER[@SPLIT]`; a path that is there is taken as it is.

    Raises:
        ValueError: There is no such path, and what stands before the colon is not the name of a corpus.
    """
    text = os.fspath(source)
    if Path(text).expanduser().exists():
        return Source(None, Path(text).expanduser(), None)
    named = _NAMED.fullmatch(text)
    corpus = None
    if named is not None and isinstance(source, str):
        corpus, text = corpus_named(named["name"]), named["rest"]
    path = Path(text).expanduser()
    parted = None if path.exists() else _SPLIT.fullmatch(text)
    if parted is None:
        return Source(corpus, path, None)
    return Source(corpus, Path(parted["path"]).expanduser(), parted["split"])


def recognise(path: Path, kinds: Collection[str] = tuple(_KINDS)) -> Corpus:
    """The corpus that a folder or file is.

    Args:
        path: The folder or file.
        kinds: Where several corpora fit, those of these kinds count.

    Raises:
        ValueError: None fits, or more than one; the message lists them or what was looked for.
    """
    fitting = [corpus for corpus in CORPORA if corpus.recognises(path)]
    fitting = [corpus for corpus in fitting if corpus.kind in kinds] or fitting
    if len(fitting) == 1:
        return fitting[0]
    if fitting:
        names = ", ".join(corpus.name for corpus in fitting)
        raise ValueError(f"{path} could be {names}: name one, as in {fitting[0].name}:{path}.")
    raise ValueError(
        f"{path} is no corpus that we know: it holds {_what_lies_in(path)}.{_parts_in(path)} "
        f"`tcm-hf data list` says how each of the {len(CORPORA)} that we read lies on disk; name one, as in "
        f"icdar2015:{path}, where its files are damaged."
    )


def _parts_in(path: Path) -> str:
    """The folders of a corpus whose parts lie in corpora of their own, as a sentence."""
    found = [
        f"{corpus.name}:{folder}"
        for folder in part_folders(path)
        for corpus in CORPORA
        if corpus.recognises(folder)
    ]
    return f" Its parts can be read one by one: {', '.join(found)}." if found else ""


def _what_lies_in(path: Path) -> str:
    if path.is_file():
        return f"{path.stat().st_size} bytes"
    there = sorted(path.iterdir())
    kinds = Counter("folder" if file.is_dir() else f"{file.suffix or 'nameless'} file" for file in there)
    counts = [f"{count} {kind}{'s' if count > 1 else ''}" for kind, count in kinds.most_common(4)]
    return f"{', '.join(counts)} such as {there[0].name}" if there else "nothing"
