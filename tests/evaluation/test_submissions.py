"""Submissions hold to the rules that the competition's scripts check: integers, inside, clockwise, names."""

import json
import re

import numpy as np
import pytest

from tcm_hf.evaluation.submissions import SUBMISSIONS, FoundImage

WORD = np.array([[20.4, 10.2], [120.3, 12.7], [119.6, 40.4], [20.1, 38.5]])
SQUARE = np.array([[20, 10], [120, 10], [120, 40], [20, 40]], dtype=float)
CURVED = np.array([[20, 40], [70, 20], [120, 40], [120, 60], [70, 40], [20, 60]], dtype=float)


def found(name="img_1.jpg", polygons=(WORD,), scores=(0.91,), texts=("Exit!",), size_hw=(180, 320)):
    return FoundImage(name, size_hw, list(polygons), list(scores), list(texts))


def points_of(line: str) -> np.ndarray:
    return np.array([int(value) for value in line.split(",")[:8]]).reshape(4, 2)


def clockwise_sum(points) -> int:
    """What the competition's script adds up; a positive sum is refused."""
    following = np.roll(points, -1, axis=0)
    return int(((following[:, 0] - points[:, 0]) * (following[:, 1] + points[:, 1])).sum())


@pytest.mark.parametrize(
    ("task", "name", "content"),
    [
        ("icdar2015-4.1", "res_img_1.txt", "20,10,120,13,120,40,20,38\n"),
        ("icdar2015-4.4", "res_img_1.txt", "20,10,120,13,120,40,20,38,Exit!\n"),
        ("mlt-1", "res_img_1.txt", "20,10,120,13,120,40,20,38,0.910000\n"),
        ("mlt-4", "res_img_1.txt", "20,10,120,13,120,40,20,38,0.910000,Exit!\n"),
        ("totaltext", "img1.txt", "10,20,13,120,40,120,38,20\n"),
    ],
)
def test_a_text_file_an_image(task, name, content):
    photo = "img1.jpg" if task == "totaltext" else "img_1.jpg"
    made = SUBMISSIONS[task].files([found(photo)])
    assert made.contents == {name: content}
    assert (made.texts, dict(made.changes)) == (1, {})


@pytest.mark.parametrize(
    ("task", "item"),
    [
        ("art-1", {"points": [[20, 10], [120, 13], [120, 40], [20, 38]], "confidence": 0.91}),
        (
            "art-3",
            {
                "points": [[20, 10], [120, 13], [120, 40], [20, 38]],
                "confidence": 0.91,
                "transcription": "Exit!",
            },
        ),
    ],
)
def test_one_document_for_all_images(task, item):
    made = SUBMISSIONS[task].files([found("gt_7.jpg"), found("gt_12.jpg", [], [], [])])
    (document,) = made.contents.values()
    assert json.loads(document) == {"res_7": [item], "res_12": []}


def test_words_are_escaped_one_a_line():
    words = [FoundImage(f"word_{n}.png", None, [], [], [text]) for n, text in ((1, 'a"b\\c'), (2, "é"))]
    assert SUBMISSIONS["icdar2015-4.3"].files(words).contents == {
        "": 'word_1.png, "a\\"b\\\\c"\nword_2.png, "é"\n'
    }
    numbered = FoundImage("gt_3.jpg", None, [], [], ["é"])
    assert SUBMISSIONS["art-2"].files([numbered]).contents == {"": '{"res_3": [{"transcription": "é"}]}\n'}


def test_multilingual_test_images_lose_the_first_part_of_their_name():
    for name in ("ts_img_00042.png", "tr_img_00042.jpg", "val_img_00042.jpg", "img_00042.jpg"):
        assert [*SUBMISSIONS["mlt-1"].files([found(name)]).contents] == ["res_img_00042.txt"]


SHAPES = [
    # reason, outline, what was done, area that is about right
    ("a polygon becomes a box around it", CURVED, {"boxed": 1}, 4000),
    ("anticlockwise", WORD[::-1], {"turned clockwise": 1}, 2720),
    ("out of the picture", WORD + np.array([250, 0]), {"moved inside": 1}, 1300),
    ("above and left of it", WORD - np.array([40, 20]), {"moved inside": 1}, 1500),
    ("crossing itself", WORD[[0, 2, 1, 3]], {"uncrossed": 1}, 2900),
    ("crossing itself, its halves alike", SQUARE[[0, 2, 1, 3]], {"uncrossed": 1}, 3000),
]


@pytest.mark.parametrize(("reason", "polygon", "changes", "area"), SHAPES, ids=[row[0] for row in SHAPES])
def test_outlines_are_made_fit_and_what_was_done_is_counted(reason, polygon, changes, area):
    made = SUBMISSIONS["icdar2015-4.1"].files([found(polygons=[polygon])])
    points = points_of(made.contents["res_img_1.txt"])
    assert (dict(made.changes), made.texts) == (changes, 1)
    assert clockwise_sum(points) < 0
    assert (points >= 0).all()
    assert (points <= [320, 180]).all()
    x, y = points.T
    assert abs(x @ np.roll(y, -1) - y @ np.roll(x, -1)) / 2 == pytest.approx(area, rel=0.2)


def test_a_polygon_stays_one_where_polygons_are_taken():
    made = SUBMISSIONS["art-1"].files([found("gt_1.jpg", [CURVED])])
    (document,) = made.contents.values()
    assert json.loads(document)["res_1"][0]["points"] == CURVED.astype(int).tolist()


@pytest.mark.parametrize(
    ("polygon", "text", "change"),
    [
        (WORD + 5000, "x", "without area"),
        (np.array([[1, 1], [1.2, 1], [1.2, 1.1], [1, 1.1]]), "x", "without area"),
        (WORD, " \n", "without text"),
        (np.array([[9, 9], [99, 9], [50, 9], [9, 9]], dtype=float), "x", "without area"),
    ],
)
def test_what_cannot_be_sent_in_is_left_out_and_counted(polygon, text, change):
    made = SUBMISSIONS["icdar2015-4.4"].files([found(polygons=[polygon], texts=[text])])
    assert (made.texts, made.changes[change], made.contents) == (0, 1, {"res_img_1.txt": ""})


def test_random_outlines_hold_to_the_rules():
    rng = np.random.default_rng(0)
    polygons = [rng.uniform(-60, 380, (rng.integers(3, 9), 2)) for _ in range(60)]
    image = found(polygons=polygons, scores=[0.5] * 60, texts=["a,b"] * 60)
    made = SUBMISSIONS["mlt-4"].files([image])
    lines = made.contents["res_img_1.txt"].splitlines()
    assert len(lines) == made.texts > 50
    for line in lines:
        assert re.fullmatch(r"(-?\d+,){8}[0-1].?[0-9]*,(.*)", line)
        points = points_of(line)
        assert clockwise_sum(points) < 0
        assert ((points >= 0) & (points <= [320, 180])).all()


@pytest.mark.parametrize(
    ("task", "images", "message"),
    [
        ("icdar2015-4.1", [found("holiday.jpg")], "no test image of icdar2015-4.1"),
        ("icdar2015-4.1", [found(), found("img_1.png")], "Two results for img_1.png"),
        ("mlt-1", [found(scores=[None])], "wants a score for every text: img_1.jpg"),
        ("icdar2015-4.4", [found(texts=[None])], "wants what every outline says: img_1.jpg has one without"),
        ("icdar2015-4.1", [], "takes one image or more: got no result"),
        ("art-1", [FoundImage("gt_1.jpg", None, [], [], ["a"])], r"takes outlines \(tcm-hf detect, read\)"),
        ("art-2", [found("gt_1.jpg")], r"words of crops \(tcm-hf recognize\): the result of gt_1\.jpg is an"),
    ],
)
def test_what_the_task_would_refuse_is_an_error(task, images, message):
    with pytest.raises(ValueError, match=message):
        SUBMISSIONS[task].files(images)
