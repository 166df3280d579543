"""All corpora and file formats that can be read, in the order in which they are listed and tried."""

from __future__ import annotations

import difflib

from tcm_hf.data.corpora.coco import COCO
from tcm_hf.data.corpora.coco_text import COCO_TEXT, TEXT_OCR
from tcm_hf.data.corpora.corpus import Corpus
from tcm_hf.data.corpora.ctw1500 import CTW1500
from tcm_hf.data.corpora.cute80 import CUTE80, CUTE80_WORDS
from tcm_hf.data.corpora.cvat import CVAT
from tcm_hf.data.corpora.dataset_photos import DATASETS
from tcm_hf.data.corpora.icdar import ICDAR_2013, ICDAR_2015, MLT_2017, MLT_2019, RCTW_17
from tcm_hf.data.corpora.icdar_words import ICDAR_2013_WORDS, ICDAR_2015_WORDS
from tcm_hf.data.corpora.iiit5k import IIIT5K
from tcm_hf.data.corpora.label_studio import LABEL_STUDIO
from tcm_hf.data.corpora.labelme import LABELME
from tcm_hf.data.corpora.metadata import IMAGEFOLDER
from tcm_hf.data.corpora.mmocr import MMOCR, MMOCR_WORDS
from tcm_hf.data.corpora.nighttime_art import NIGHTTIME_ART
from tcm_hf.data.corpora.objects import DOTA, OBJECTS
from tcm_hf.data.corpora.paddleocr import PADDLEOCR, PADDLEOCR_WORDS
from tcm_hf.data.corpora.rrc_json import ART, LSVT, RECTS
from tcm_hf.data.corpora.str_lmdb import STR_LMDB
from tcm_hf.data.corpora.svt import SVT
from tcm_hf.data.corpora.syntext150k import SYNTHTEXT_150K
from tcm_hf.data.corpora.synthtext import SYNTHTEXT
from tcm_hf.data.corpora.td500 import HUST_TR400, MSRA_TD500
from tcm_hf.data.corpora.totaltext import TOTAL_TEXT
from tcm_hf.data.corpora.word_folders import WORDS

__all__ = ["CORPORA", "corpus_named"]

CORPORA: tuple[Corpus, ...] = (
    # photos, as their makers offer them
    ICDAR_2013,
    ICDAR_2015,
    MLT_2017,
    MLT_2019,
    ART,
    LSVT,
    RECTS,
    RCTW_17,
    TOTAL_TEXT,
    CTW1500,
    MSRA_TD500,
    HUST_TR400,
    COCO_TEXT,
    TEXT_OCR,
    SYNTHTEXT,
    SYNTHTEXT_150K,
    NIGHTTIME_ART,
    SVT,
    CUTE80,
    # photos, as tools write them
    COCO,
    LABELME,
    LABEL_STUDIO,
    CVAT,
    PADDLEOCR,
    MMOCR,
    DATASETS,
    IMAGEFOLDER,
    # crops of words
    IIIT5K,
    CUTE80_WORDS,
    ICDAR_2013_WORDS,
    ICDAR_2015_WORDS,
    STR_LMDB,
    PADDLEOCR_WORDS,
    MMOCR_WORDS,
    WORDS,
    # photos from above
    DOTA,
    OBJECTS,
)
"""A recogniser must not take what is another's: `recognise` refuses what fits two."""


def corpus_named(name: str) -> Corpus:
    """The corpus of a name.

    Raises:
        ValueError: There is none; the message has the names that are like it.
    """
    for corpus in CORPORA:
        if corpus.name == name.lower():
            return corpus
    names = [corpus.name for corpus in CORPORA]
    close = difflib.get_close_matches(name.lower(), names, n=3) or names
    raise ValueError(f"There is no corpus {name!r}: expected one of {', '.join(close)} (`tcm-hf data list`).")
