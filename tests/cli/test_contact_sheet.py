"""The contact sheet: what is drawn how, and which pictures are on it."""

import json

import numpy as np
from PIL import Image

from tcm_hf.cli.contact_sheet import COUNTED, DOUBTFUL, IGNORED, contact_sheet
from tcm_hf.data.corpora.loading import recognise
from tcm_hf.data.inspection import inspect_corpus

BOX = [[16, 10], [144, 10], [144, 30], [16, 30]]
LOWER = [[16, 50], [144, 50], [144, 70], [16, 70]]
CROSSING = [[16, 50], [144, 70], [144, 50], [16, 70]]


def sheet_of(folder, rows, count=None):
    for number, row in enumerate(rows):
        row["file_name"] = f"{number}.png"
        Image.new("RGB", (160, 90), (0, 0, 0)).save(folder / row["file_name"])
    (folder / "metadata.jsonl").write_text("\n".join(map(json.dumps, rows)))
    return contact_sheet(inspect_corpus(recognise(folder), folder, [None]), count)


def holds(picture, color):
    return bool((np.asarray(picture) == color).all(axis=2).any())


def test_what_counts_is_solid_and_what_is_ignored_dashed(tmp_path):
    sheet = np.asarray(sheet_of(tmp_path, [{"polygons": [BOX, LOWER], "ignore": [False, True]}]))
    pixels = sheet[10:280, 10:490]  # the only cell, three times as large as its picture
    assert pixels.shape == (270, 480, 3)
    assert (pixels[30, 60:420] == COUNTED).all()
    dashed = (pixels[150, 60:420] == IGNORED).all(axis=1)
    assert 0.4 < dashed.mean() < 0.8


def test_doubtful_outlines_are_red_and_their_pictures_come_first(tmp_path):
    rows = [{"polygons": [BOX]} for _ in range(30)]
    assert not holds(sheet_of(tmp_path, rows, 6), DOUBTFUL)
    rows[17] = {"polygons": [BOX, CROSSING]}
    assert holds(sheet_of(tmp_path, rows, 6), DOUBTFUL)


def test_rows_are_as_high_as_their_pictures(tmp_path):
    sheet = sheet_of(tmp_path, [{"polygons": []} for _ in range(5)])
    assert sheet.size == (4 * 490 + 10, 2 * (270 + 18 + 10) + 10)
    assert sheet_of(tmp_path, [{"polygons": []} for _ in range(20)]).height == 3 * (270 + 28) + 10
