"""Targets of the spotters."""

import numpy as np
import pytest

from tcm_hf.data.targets_spotting import character_ids, control_points_of, spotting_targets
from tcm_hf.processing.decode_spotting import decode_spotting

CHARACTERS = "0123456789abcdefghijklmnopqrstuvwxyz口"
SIZE_HW = (100, 200)
WORD = np.array([[20, 30], [80, 30], [80, 50], [20, 50]], dtype=float)
ARC = np.array([[20, 40], [60, 20], [100, 40], [100, 60], [60, 40], [20, 60]], dtype=float)


def targets(polygons=(WORD,), texts=("abc",), ignore=None, **options):
    ignore = [False] * len(polygons) if ignore is None else ignore
    return spotting_targets(polygons, texts, ignore, SIZE_HW, characters=CHARACTERS, **options)


def test_a_word_becomes_points_a_box_and_ids_in_parts_of_a_landscape_image():
    found = targets(num_control_points=6, num_characters=5)
    top, foot = [[0.1, 0.3], [0.25, 0.3], [0.4, 0.3]], [[0.4, 0.5], [0.25, 0.5], [0.1, 0.5]]
    np.testing.assert_allclose(found["control_points"], [top + foot], atol=1e-6)
    np.testing.assert_allclose(found["boxes"], [[0.25, 0.4, 0.3, 0.2]], atol=1e-6)
    assert found["character_ids"].tolist() == [[10, 11, 12, 37, 37]]
    assert found["matching_target"].shape == (25, 50)
    assert found["matching_target"][10, 10] == 1
    assert 0 < found["matching_target"].mean() < 0.2


def test_a_word_upside_down_is_read_from_its_own_start():
    turned = np.roll(WORD, 2, axis=0)
    points = targets((turned,), num_control_points=4)["control_points"][0]
    np.testing.assert_allclose(points * SIZE_HW[::-1], turned, atol=1e-4)


@pytest.mark.parametrize(("outline", "count"), [("polygon", 16), ("bezier", 8)])
@pytest.mark.parametrize("polygon", [WORD, ARC])
def test_what_is_decoded_from_targets_is_the_word(polygon, outline, count):
    found = targets((polygon,), num_control_points=count)
    name = "bezier_points" if outline == "bezier" else "control_points"
    logits = np.full((1, 25, len(CHARACTERS) + 1), -9.0, np.float32)
    np.put_along_axis(logits, found["character_ids"][..., None], 9.0, axis=2)
    outputs = {"score_logits": np.full((1, count), 9.0), name: found[name], "character_logits": logits}
    decoded = decode_spotting(outputs, size_hw=SIZE_HW)
    (outline_xy,), (word,) = decoded.polygons_xy, decoded.reading.read(decoded.logits, CHARACTERS)
    assert word.text == "abc"
    # Every corner is met; between them a curve is smoother than a line of edges.
    nearest = np.linalg.norm(outline_xy[:, None] - polygon, axis=-1).min(axis=0)
    assert nearest.max() < 7  # half the distance of two points


@pytest.mark.parametrize(
    ("polygons", "texts", "ignore"),
    [
        ((), (), ()),
        ((WORD,), ("abc",), (True,)),
        ((WORD,), (None,), (False,)),
        ((WORD,), ("",), (False,)),
        ((WORD + 500,), ("abc",), (False,)),  # outside
        ((WORD * [1, 0] + [0, 9],), ("abc",), (False,)),  # flat
    ],
)
def test_words_that_cannot_be_learned_are_left_out(polygons, texts, ignore):
    found = targets(polygons, texts, ignore)
    assert found["boxes"].shape == (0, 4)
    assert found["control_points"].shape == (0, 16, 2)
    assert found["character_ids"].shape == (0, 25)
    assert found["matching_target"].sum() == 0


@pytest.mark.parametrize(("text", "ignored"), [("abc", True), (None, False)])
def test_the_matching_map_learns_nothing_in_what_is_ignored_but_of_words(text, ignored):
    word = WORD + np.array([40, 0])  # half of it over what is ignored
    found = targets((word, WORD), ("abc", text), (False, ignored))
    target, mask = found["matching_target"], found["matching_mask"]
    assert mask.shape == target.shape
    assert mask[10, 8] == 0 and target[10, 8] == 0
    assert mask[10, 18] == target[10, 18] == 1
    assert mask[2, 2] == 1
    assert targets()["matching_mask"].all()


def test_a_word_that_leaves_the_image_is_moved_into_it():
    found = targets((WORD - [50, 0],))
    assert found["control_points"].min() == 0
    np.testing.assert_allclose(found["boxes"][0], [0.075, 0.4, 0.15, 0.2], atol=1e-6)


@pytest.mark.parametrize(
    ("text", "ids"),
    [
        ("7z", [7, 35, 37, 37]),
        ("Ab", [10, 11, 37, 37]),
        ("a é!", [10, 36, 36, 36]),
        ("abcdef", [10, 11, 12, 13]),
    ],
)
def test_characters_get_ids(text, ids):
    assert character_ids(text, CHARACTERS, 4).tolist() == ids


def test_the_sides_of_a_polygon_with_an_odd_number_of_points_are_found():
    odd = np.insert(WORD, 1, [50, 30], axis=0)
    np.testing.assert_allclose(control_points_of(odd, 4, "polygon"), WORD)


def test_the_callers_polygons_stay_as_they_are():
    mine = WORD.copy()
    targets((mine,))
    np.testing.assert_array_equal(mine, WORD)


def test_lists_of_different_lengths_are_refused():
    with pytest.raises(ValueError, match="one text per polygon"):
        targets((WORD,), ())
    with pytest.raises(ValueError, match="one flag per polygon"):
        targets((WORD,), ("a",), ())
