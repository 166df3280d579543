"""labelme's files: shapes become texts, wherever the picture has gone in the meantime."""

import base64
import io
import json

import numpy as np
import pytest
from PIL import Image

from tcm_hf.data.corpora.loading import load_corpus
from tcm_hf.data.corpora.problems import Problems

QUAD = [[10, 5], [60, 8], [59, 20], [9, 17]]


def shape(label="text", points=QUAD, kind="polygon", **known):
    return {"label": label, "points": points, "group_id": None, "shape_type": kind, "flags": {}, **known}


def write(folder, *shapes, name="a", **document):
    folder.mkdir(exist_ok=True)
    head = {"version": "5.5.0", "flags": {}, "shapes": shapes, "imagePath": f"{name}.jpg", "imageData": None}
    (folder / f"{name}.json").write_text(
        json.dumps({**head, "imageHeight": 64, "imageWidth": 96, **document})
    )
    return folder


@pytest.mark.parametrize(
    ("known", "text", "ignore"),
    [
        ({"label": "Straße"}, "Straße", False),
        ({"label": "text"}, None, False),
        ({"label": "text", "description": "Straße"}, "Straße", False),
        ({"label": "sign", "description": "Straße"}, "Straße", False),
        ({"label": "Straße", "description": "score 0.913"}, "Straße", False),  # of `detect --format labelme`
        ({"label": "text", "description": "score 0.913"}, None, False),
        ({"label": "###"}, "###", True),
        ({"label": "illegible"}, None, True),
        ({"label": "Straße", "flags": {"ignore": True}}, "Straße", True),
        ({"label": "Straße", "flags": {"ignore": False}}, "Straße", False),
        ({"label": "Straße", "difficult": True}, "Straße", True),  # of X-AnyLabeling
    ],
)
def test_the_text_is_the_description_or_the_label(tmp_path, known, text, ignore):
    (record,) = load_corpus(write(tmp_path, shape(**known)))
    assert (record.texts, record.ignore.tolist()) == ([text], [ignore])
    assert record.size_hw == (64, 96)


@pytest.mark.parametrize(
    ("kind", "points", "polygon"),
    [
        ("polygon", QUAD, QUAD),
        ("rectangle", [[60, 20], [10, 5]], [[10, 5], [60, 5], [60, 20], [10, 20]]),
        ("rectangle", QUAD, QUAD),
        ("rotation", QUAD, QUAD),
        ("oriented_rectangle", QUAD, QUAD),
    ],
)
def test_outlines(tmp_path, kind, points, polygon):
    (record,) = load_corpus(write(tmp_path, shape(points=points, kind=kind)))
    np.testing.assert_array_equal(record.polygons_xy[0], polygon)


def test_other_shapes_and_broken_ones_are_named(tmp_path):
    write(tmp_path, shape(kind="circle"), shape(points=QUAD[:2]), shape(points="x"), {"label": "a"}, shape())
    (tmp_path / "b.json").write_text('{"shapes": [')
    problems = Problems()
    (record,) = load_corpus(tmp_path, problems=problems)
    assert len(record.instances) == 1
    reasons = [str(problem) for problem in problems]
    assert "a.json: shape 1: a circle is no outline" in reasons[0]
    assert [f"shape {number}:" in reason for number, reason in enumerate(reasons, 1)] == [True] * 4 + [False]
    assert "b.json, line 1: not JSON: " in reasons[4]


def test_the_picture_is_found_where_it_is_now(tmp_path):
    for name, path in (("a", "C:\\photos\\a.jpg"), ("b", "../images/b.png"), ("c", "old-name.jpg")):
        write(tmp_path / "labels", name=name, imagePath=path)
    places = [tmp_path / "labels" / "photos" / "a.jpg", tmp_path / "images" / "b.png"]
    places.append(tmp_path / "labels" / "c.webp")
    for place in places:
        place.parent.mkdir(exist_ok=True)
        place.touch()
    found = [record.image.resolve() for record in load_corpus(tmp_path / "labels")]
    assert found == places


def test_a_picture_inside_the_file_serves_where_there_is_none_beside_it(tmp_path):
    stream = io.BytesIO()
    Image.new("RGB", (96, 64), (200, 10, 10)).save(stream, "PNG")
    write(tmp_path, shape(), imageData=base64.b64encode(stream.getvalue()).decode())
    (record,) = load_corpus(tmp_path)
    assert record.load_image().shape == (64, 96, 3)


def test_sub_folders_are_parts(tmp_path):
    write(tmp_path / "train", shape("a"))
    write(tmp_path / "val", shape("b"))
    assert load_corpus(f"{tmp_path}@val")[0].texts == ["b"]
    assert load_corpus(tmp_path / "val" / "a.json")[0].texts == ["b"]
