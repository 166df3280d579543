"""Recognition corpora: whatever holds pictures of words with their texts gives `WordRecord`s.

No picture is read here, except where words are cut out of photos. Words without a transcription (null, "###")
are left out.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from tcm_hf.data.corpora.loading import parse_source
from tcm_hf.data.corpora.problems import Problems, collected
from tcm_hf.data.corpora.word_folders import load_word_labels, load_word_metadata, read_word_labels
from tcm_hf.data.dataset_words import DatasetWords, dataset_words
from tcm_hf.data.image_files import require_pictures
from tcm_hf.data.words import WordRecord, word_crops

__all__ = ["DatasetWords", "load_word_labels", "load_word_metadata", "load_words", "read_word_labels"]


def load_words(source: Any, *, problems: Problems | None = None) -> Sequence[WordRecord]:
    """The words of a corpus; its kind is recognised where it is not named.

    Args:
        source: `[NAME:]FOLDER[@SPLIT]`, where the corpus is one of crops of words (`tcm-hf data list`:
            folders with `metadata.jsonl`, `gt.txt` or `labels.txt`, LMDBs, IIIT5K, …) or one of annotated
            photos, whose legible words are cut out; or a `datasets.Dataset`, or anything like it, with a
            column of images and one of texts.
        problems: Broken rows are added to this list and left out; None: they are an error.

    Returns:
        The words in the order of the corpus. LMDBs and datasets are read word by word.

    Raises:
        ValueError: The kind is not known, or something is wrong with the corpus: the message has file, line
            and reason of the first broken rows, or the first missing picture.
        ImportError: A package that this kind needs is not installed.
    """
    if not isinstance(source, str) and not hasattr(source, "__fspath__"):
        return dataset_words(source)
    parsed = parse_source(source)
    corpus, split = parsed.resolve(("words", "photos"))
    with collected(problems) as noted:
        records = corpus.load(parsed.path, split, noted)
    require_pictures(records, parsed.path)
    return list(word_crops(records)) if corpus.kind == "photos" else records
