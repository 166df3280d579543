"""All formats that corpora can be written in."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from tcm_hf.data.writing.coco import write_coco
from tcm_hf.data.writing.cvat import write_cvat
from tcm_hf.data.writing.json_files import write_art, write_imagefolder, write_mmocr, write_paddleocr
from tcm_hf.data.writing.label_files import (
    write_ctw1500,
    write_icdar2015,
    write_mlt2017,
    write_td500,
    write_totaltext,
)
from tcm_hf.data.writing.label_studio import write_label_studio
from tcm_hf.data.writing.labelme import write_labelme
from tcm_hf.data.writing.objects import write_dota, write_objects
from tcm_hf.data.writing.output import Report
from tcm_hf.data.writing.saved_dataset import write_dataset
from tcm_hf.data.writing.words import (
    write_mmocr_words,
    write_paddleocr_words,
    write_word_lmdb,
    write_words,
)

__all__ = ["FORMATS", "Format"]


@dataclass(frozen=True)
class Format:
    """A format that records are written in; `load_corpus` reads it back under the same name.

    Args:
        kind: What it holds, see `Corpus.kind`.
        layout: What lies in the folder, for people.
        write: Writes records to a folder, which appears whole or not at all; `copy_images=False` makes
            symbolic links in place of copies.
    """

    kind: Literal["photos", "words", "objects"]
    layout: str
    write: Callable[..., Report]


FORMATS: dict[str, Format] = {
    "imagefolder": Format("photos", "metadata.jsonl beside the photos; holds everything", write_imagefolder),
    "coco": Format("photos", "annotations/instances_default.json, images/", write_coco),
    "labelme": Format("photos", "NAME.json beside NAME.jpg", write_labelme),
    "label-studio": Format("photos", "tasks.json, labeling_interface.xml, images/", write_label_studio),
    "cvat": Format("photos", "annotations.xml (CVAT for images 1.1), images/", write_cvat),
    "paddleocr": Format("photos", "Label.txt, images/", write_paddleocr),
    "mmocr": Format("photos", "textspotting_train.json (MMOCR 1.x), images/", write_mmocr),
    "datasets": Format("photos", "what datasets.load_from_disk reads, photos inside", write_dataset),
    "icdar2015": Format("photos", "gt_NAME.txt, images/", write_icdar2015),
    "totaltext": Format("photos", "poly_gt_NAME.txt, images/", write_totaltext),
    "ctw1500": Format("photos", "0001.txt, images/0001.jpg", write_ctw1500),
    "mlt2017": Format("photos", "gt_NAME.txt, images/", write_mlt2017),
    "td500": Format("photos", "IMG_0001.gt, images/IMG_0001.jpg", write_td500),
    "art": Format("photos", "train_labels.json, train_images/gt_0.jpg", write_art),
    "words": Format("words", "metadata.jsonl beside the crops of words", write_words),
    "str-lmdb": Format("words", "data.mdb as of the STR benchmarks", write_word_lmdb),
    "paddleocr-words": Format("words", "rec_gt.txt, crop_img/", write_paddleocr_words),
    "mmocr-words": Format("words", "textrecog_train.json (MMOCR 1.x), crops/", write_mmocr_words),
    "dota": Format("objects", "labelTxt/NAME.txt, images/", write_dota),
    "objects": Format("objects", "metadata.jsonl with classes beside the photos", write_objects),
}
"""By name."""
