"""Whatever a file holds, a loader ends with problems or a ValueError; what is sound comes back as it is."""

import contextlib
import copy
import functools
import json
import random

import pytest

from corpus_files import place
from export_documents import EXPORTS
from tcm_hf.data.corpora.loading import load_corpus
from tcm_hf.data.corpora.problems import Problems

TEXT = {"transcription": "a", "points": [[1, 2], [9, 2], [9, 7]], "illegibility": False, "language": "Latin"}
LINE = {"points": [1, 2, 9, 2, 9, 7, 1, 7], "transcription": "a", "ignore": 0}
PHOTO = {"id": 901, "file_name": "train/901.jpg", "set": "train", "width": 64, "height": 48}
WORD = {
    "id": 901,
    "image_id": 901,
    "bbox": [1, 2, 8, 5],
    "mask": LINE["points"],
    "points": LINE["points"],
    "legibility": "legible",
    "language": "english",
    "utf8_string": "a",
}
IMGS = {"imgs": {"901": PHOTO}, "anns": {"901": WORD}, "imgToAnns": {"901": [901]}}
BEZIER = {"id": 901, "image_id": 901, "bezier_pts": list(range(16)), "rec": [33, 96], "iscrowd": 0}
DOCUMENTS = {
    "art": ("train_labels.json", {"gt_901": [TEXT]}),
    "lsvt": ("train_full_labels.json", {"gt_901": [TEXT]}),
    "rects": ("a.json", {"chars": [LINE], "lines": [LINE]}),
    "cocotext": ("cocotext.v2.json", IMGS),
    "textocr": ("TextOCR_0.1_train.json", IMGS),
    "syntext150k": ("train.json", {"images": [PHOTO], "annotations": [BEZIER], "categories": []}),
    **EXPORTS,
}
# How deep in a document that begins which belongs to one photo; 0: a file, or a line, is of one photo.
DEPTHS = {
    "art": 1,
    "lsvt": 1,
    "rects": 0,
    "cocotext": 2,
    "textocr": 2,
    "syntext150k": 2,
    "coco": 2,
    "labelme": 0,
    "label-studio": 1,
    "mmocr": 2,
    "imagefolder": 0,
}
ODD = (None, [], {}, "x", -1, float("inf"), 10**12, 1e300, [[1, 2], [3]], True)
# Damage that says that there is nothing, and so nothing to be told.
NOTHING = (None, [], {})
# Damage after which something is of another part, or a file of another program.
OTHERS = ("set", "shapes")

FILES = {
    "icdar2013": ("gt_1.txt", '1 2 9 7 "a \\" b"\n1, 2, 9, 7, "c"\n'),
    "icdar2015": ("gt_1.txt", "1,2,9,2,9,7,1,7,a, b\n"),
    "mlt2017": ("gt_1.txt", "1,2,9,2,9,7,1,7,Latin,a, b\n"),
    "mlt2019": ("tr_img_00001.txt", "1,2,9,2,9,7,1,7,Hindi,a\n"),
    "rctw17": ("image_1.txt", '1,2,9,2,9,7,1,7,0,"a"\n'),
    "totaltext": ("poly_gt_img1.txt", "x: [[1 9 9]], y: [[2 2 7]], ornt: [u'c'], transcriptions: [u'a']\n"),
    "ctw1500": ("0001001.txt", ",".join(map(str, range(28))) + ",####a\n"),
    "paddleocr": ("Label.txt", 'a.jpg\t[{"transcription": "a", "points": [[1, 2], [9, 2], [9, 7]]}]\n'),
    "td500": ("IMG_1.gt", "0 0 1 2 8 5 0.1\n"),
    "hust-tr400": ("a.gt", "0 0 1 2 8 5 0.1\n"),
}


def places(node, path=()):
    """Paths to all values of a document."""
    yield path
    children = node.items() if isinstance(node, dict) else enumerate(node) if isinstance(node, list) else ()
    for key, child in children:
        yield from places(child, (*path, key))


def replaced(document, path, value):
    if not path:
        return value
    document = copy.deepcopy(document)
    node = document
    for key in path[:-1]:
        node = node[key]
    node[path[-1]] = value
    return document


def numbered(node, number):
    """A document of photo 901 as that of another one."""
    text = json.dumps(node).replace("901", str(number))
    return json.loads(text)


def merged(first, second):
    """Two documents as one."""
    if isinstance(first, list) and isinstance(second, list):
        return first + second
    if isinstance(first, dict) and isinstance(second, dict):
        shared = {key: merged(first[key], second[key]) for key in first.keys() & second.keys()}
        return {**first, **second, **shared}
    return second


def place_photos(folder, name, documents):
    """Write the documents of photos as one corpus."""
    file = DOCUMENTS[name][0]
    if file.endswith(".jsonl"):
        return place(folder, {file: "\n".join(map(json.dumps, documents))})
    if DEPTHS[name] == 0:
        files = {f"{901 + index}.json": json.dumps(one) for index, one in enumerate(documents)}
        return place(folder, files)
    return place(folder, {file: json.dumps(functools.reduce(merged, documents))})


def shown(record):
    """All that a record says."""
    texts = [(one.text, one.ignore, one.language, one.polygon_xy.tolist()) for one in record.instances]
    return record.size_hw, record.level, texts


def try_to_load(name, folder):
    """Read every record; what is wrong may be a problem or a ValueError."""
    with contextlib.suppress(ValueError):
        list(load_corpus(f"{name}:{folder}", problems=Problems()))


@pytest.mark.parametrize("name", DOCUMENTS)
def test_no_odd_value_in_a_json_file_is_more_than_a_problem(tmp_path, name):
    file, document = DOCUMENTS[name]
    for path in places(document):
        for value in ODD:
            if len(path) < max(DEPTHS[name], 1):  # the whole, or what all photos share
                place(tmp_path, {file: json.dumps(replaced(document, path, value))})
                try_to_load(name, tmp_path)


@pytest.mark.parametrize("name", DOCUMENTS)
def test_the_neighbours_of_an_odd_value_come_back_as_they_are(tmp_path, name):
    first, second, third = (numbered(DOCUMENTS[name][1], number) for number in (901, 902, 903))
    place_photos(tmp_path, name, [first, second, third])
    sound = {record.name: shown(record) for record in load_corpus(f"{name}:{tmp_path}")}
    assert len(sound) in (3, 6)
    expected = sum(len(record[2]) for record in sound.values())
    paths = [path for path in places(second) if len(path) >= max(DEPTHS[name], 1)]
    for index, path in enumerate(paths):
        for value in ODD[index % 2 :: 2]:
            place_photos(tmp_path, name, [first, replaced(second, path, value), third])
            problems = Problems()
            found = {one.name: shown(one) for one in load_corpus(f"{name}:{tmp_path}", problems=problems)}
            for record_name, record in sound.items():
                if "902" not in record_name:
                    assert found.get(record_name) == record, (path, value, record_name)
            count = sum(len(record[2]) for record in found.values())
            told = problems or problems.notes or value in NOTHING or path[-1] in OTHERS
            assert count >= expected or told, (path, value)


@pytest.mark.parametrize("name", FILES)
def test_no_odd_character_in_a_text_file_is_more_than_a_problem(tmp_path, name):
    file, text = FILES[name]
    random_ = random.Random(0)
    place(tmp_path, {file: text})
    assert len(load_corpus(f"{name}:{tmp_path}")[0].instances) == text.count("\n")
    for _ in range(60):
        characters = list(text * 2)
        for _ in range(random_.randint(1, 3)):
            characters[random_.randrange(len(characters))] = random_.choice("x,[]'\"\n\0 -9:#\u2028")
        place(tmp_path, {file: "".join(characters)[: random_.randint(1, 3 * len(text))]})
        try_to_load(name, tmp_path)
