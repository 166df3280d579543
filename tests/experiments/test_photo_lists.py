"""Which photos a small training set holds is the same for everyone, and can be published."""

import hashlib
from pathlib import Path

import pytest

from tcm_hf.experiments.photo_lists import (
    ChosenPhotos,
    list_names,
    list_path,
    photo_order,
    read_list,
    share_of,
    write_list,
)
from tcm_hf.training.corpus_spec import CorpusSpec

NAMES = [f"img_{number}.webp" for number in range(1, 11)]


def test_the_order_is_that_of_the_digests_whatever_the_suffix_and_the_order_of_the_rows():
    expected = sorted(NAMES, key=lambda name: hashlib.sha256(f"3/{name[:-5]}".encode()).hexdigest())
    assert photo_order(NAMES, 3) == expected
    assert photo_order(NAMES[::-1], 3) == expected
    as_jpeg = photo_order([name.replace("webp", "jpg") for name in NAMES], 3)
    assert [name.replace("jpg", "webp") for name in as_jpeg] == expected
    assert photo_order(NAMES, 4) != expected


# Known for good: a change here would change every published choice.
def test_the_first_photos_of_seed_0():
    assert photo_order(NAMES, 0)[:3] == ["img_5.webp", "img_3.webp", "img_2.webp"]


@pytest.mark.parametrize(("percent", "count"), [(100, 10), (10, 1), (25, 2), (0.1, 1), (99, 10), (55, 6)])
def test_a_share_is_rounded_and_never_empty(percent, count):
    assert share_of(NAMES, percent) == NAMES[:count]


@pytest.mark.parametrize("percent", [0, -5, 100.5])
def test_a_share_that_cannot_be_is_refused(percent):
    with pytest.raises(ValueError, match="above 0 and is at most 100"):
        share_of(NAMES, percent)


def test_a_smaller_share_lies_in_each_larger_one():
    order = photo_order(NAMES, 7)
    for less, more in ((10, 30), (30, 70), (70, 100)):
        assert set(share_of(order, less)) <= set(share_of(order, more))


def test_a_published_list_names_photos_of_any_format(tmp_path):
    path = list_path(tmp_path / "lists", "ic15", 1)
    write_list(path, [name.replace("webp", "jpg") for name in NAMES[::-1]])
    assert path.name == "ic15-seed1.txt"
    assert read_list(path, NAMES) == NAMES[::-1]


@pytest.mark.parametrize("listed", [NAMES[1:], [*NAMES, "img_11.webp"], [*NAMES, NAMES[0]], []])
def test_a_list_of_other_photos_is_refused(tmp_path, listed):
    write_list(tmp_path / "x.txt", listed)
    with pytest.raises(ValueError, match="Expected each of 10 photos once in"):
        read_list(tmp_path / "x.txt", NAMES)


def test_chosen_photos_keep_the_part_and_the_order_of_their_corpus(corpus):
    spec = CorpusSpec.parse(f"{corpus()}:2-5")
    chosen = ChosenPhotos.of(spec, ["img_5.png", "img_2.png"])
    assert [record.name for record in chosen.records()] == ["img_2.png", "img_5.png"]
    assert str(chosen) == str(spec)
    assert len(spec.records()) == 4


def test_lists_of_two_corpora_have_names_of_their_own(corpus, tmp_path):
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
    specs = [CorpusSpec.parse(str(corpus(f"{name}/train"))) for name in ("a", "b")]
    assert list_names(specs) == ["a_train", "b_train"]
    assert list_names(specs[:1]) == ["train"]
    assert list_names([CorpusSpec.parse(f"{tmp_path / 'a' / 'train'}:2-3")]) == ["train_2-3"]


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_the_lists_in_the_docs_are_those_that_are_made(seed):
    names = [f"img_{number}.webp" for number in range(1, 901)]
    published = Path(__file__).parents[2] / "docs" / "photo_lists" / f"ic15-train_1-900-seed{seed}.txt"
    assert read_list(published, names) == photo_order(names, seed)
