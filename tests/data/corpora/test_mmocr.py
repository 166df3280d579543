"""MMOCR's annotation files of version 1."""

import json

import numpy as np

from tcm_hf.data.corpora.loading import load_corpus
from tcm_hf.data.corpora.problems import Problems

QUAD = [10, 5, 60, 8, 59, 20, 9, 17]


def write(folder, task, *entries, part="train"):
    metainfo = {"dataset_type": "TextRecogDataset" if task == "textrecog" else "TextDetDataset"}
    document = {"metainfo": {**metainfo, "task_name": task}, "data_list": entries}
    (folder / f"{task}_{part}.json").write_text(json.dumps(document))
    return folder


def test_texts_of_a_photo(tmp_path):
    instances = [
        {"polygon": QUAD, "bbox": [9, 5, 60, 20], "bbox_label": 0, "text": "a", "ignore": False},
        {"bbox": [9, 5, 60, 20], "bbox_label": 0, "text": "###", "ignore": True},
        {"polygon": QUAD[:5], "ignore": False},
        {"ignore": False},
    ]
    entry = {"img_path": "textdet_imgs/train/a.jpg", "height": 64, "width": 96, "instances": instances}
    problems = Problems()
    (record,) = load_corpus(write(tmp_path, "textdet", entry), problems=problems)
    assert record.image == tmp_path / "textdet_imgs" / "train" / "a.jpg" and record.size_hw == (64, 96)
    assert record.texts == ["a", "###"] and record.ignore.tolist() == [False, True]
    np.testing.assert_array_equal(record.polygons_xy[1], [[9, 5], [60, 5], [60, 20], [9, 20]])
    assert [problem.reason.split(":")[0] for problem in problems] == [
        "image 1 (textdet_imgs/train/a.jpg), instance 3",
        "image 1 (textdet_imgs/train/a.jpg), instance 4",
    ]


def test_words_and_parts(tmp_path):
    for part in ("train", "test"):
        write(tmp_path, "textrecog", {"img_path": f"{part}.png", "instances": [{"text": part}]}, part=part)
    problems = Problems()
    (word,) = load_corpus(f"{tmp_path}@textrecog_test", problems=problems)
    assert (word.name, word.text) == ("test.png", "test") and not problems
    write(tmp_path, "textrecog", {"img_path": "a.png", "instances": []}, {"img_path": "b.png"}, 3)
    assert load_corpus(f"{tmp_path}@textrecog_train", problems=problems) == []
    assert len(problems) == 3
