from pathlib import Path

import pytest

from tcm_hf.cli.errors import CommandError
from tcm_hf.cli.inputs import DRAWINGS_MARKER, expand_inputs


@pytest.fixture
def photos(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name in ("b.jpg", "a.PNG", "notes.txt", "trip/c.jpg", "trip/.hidden/d.jpg", "trip/drawn/e.jpg"):
        path = tmp_path / "photos" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    return Path("photos")


def names(inputs):
    return [str(image.name) for image in inputs]


def test_a_folder_gives_its_images_sorted_and_keeps_its_sub_folders(photos):
    found = expand_inputs(["photos"], [])
    assert names(found) == ["a", "b", "trip/c", "trip/drawn/e"]
    assert found[0].path == photos / "a.PNG"


def test_folders_of_drawings_are_left_out(photos):
    assert names(expand_inputs(["photos"], [], exclude=[photos / "trip" / "drawn"])) == ["a", "b", "trip/c"]


@pytest.mark.parametrize(
    ("pattern", "expected"),
    [
        ("photos/*.jpg", ["b"]),
        ("photos/*", ["a", "b"]),
        ("photos/**/*.jpg", ["b", "trip/c", "trip/drawn/e"]),
        ("photos/tri?/*.jpg", ["trip/c"]),
    ],
)
def test_globs_are_named_from_their_fixed_part(photos, pattern, expected):
    assert names(expand_inputs([pattern], [])) == expected
    assert names(expand_inputs([str(Path.cwd() / pattern)], [])) == expected


def test_each_image_comes_once_in_the_order_of_the_words(photos):
    found = expand_inputs(["photos/trip/c.jpg", "photos", "./photos/b.jpg"], [])
    assert names(found) == ["c", "a", "b", "trip/drawn/e"]


def test_a_named_file_is_taken_whatever_its_suffix(photos):
    assert names(expand_inputs(["photos/notes.txt"], [])) == ["notes"]


def test_a_dash_reads_a_list_and_keeps_missing_files_for_later(photos):
    found = expand_inputs(["-"], ["photos/b.jpg\n", "\n", "photos/missing.jpg\n", "photos/trip/*.jpg\n"])
    assert [image.path.as_posix() for image in found] == [
        "photos/b.jpg",
        "photos/missing.jpg",
        "photos/trip/c.jpg",
    ]


def test_a_listed_folder_or_glob_without_images_is_kept_for_later_too(photos):
    Path("empty").mkdir()
    found = expand_inputs(["-"], ["empty\n", "photos/*.txt\n", "photos/b.jpg\n"])
    assert names(found) == ["empty", "*", "b"]


def test_marked_drawings_are_left_out_unless_their_folder_is_named(photos):
    (photos / "trip" / "drawn" / DRAWINGS_MARKER).touch()
    for word in ("photos", "photos/**/*", str(photos.resolve())):
        assert names(expand_inputs([word], [])) == ["a", "b", "trip/c"]
    assert names(expand_inputs(["photos/trip/drawn"], [])) == ["e"]
    assert names(expand_inputs(["photos/trip/drawn/*.jpg"], [])) == ["e"]
    assert names(expand_inputs(["photos/trip/drawn/e.jpg"], [])) == ["e"]


def test_equal_names_are_told_apart(tmp_path):
    paths = [tmp_path / name for name in ("x/img.jpg", "y/img.jpg", "x/img.png", "x/other.jpg")]
    for path in paths:
        path.parent.mkdir(exist_ok=True)
        path.touch()
    assert names(expand_inputs(list(map(str, paths)), [])) == ["img.jpg", "img.jpg-2", "img.png", "other"]


@pytest.mark.parametrize("word", ["missing.jpg", "missing/", "photos/*.webp", "empty"])
def test_a_word_that_means_nothing_is_an_error_that_names_it(photos, word):
    Path("empty").mkdir()
    with pytest.raises(CommandError, match=word.replace("*", r"\*").rstrip("/")):
        expand_inputs([word], [])


def test_an_empty_list_is_an_error(photos):
    with pytest.raises(CommandError, match="no image"):
        expand_inputs(["-"], [])


@pytest.mark.parametrize(
    "pattern", ["photos/*/../../secret/*.jpg", "photos/*/../*.jpg", "photos/**/../b.jpg"]
)
def test_a_pattern_that_climbs_does_not_lead_results_out_of_their_folder(photos, pattern):
    (photos.parent / "secret").mkdir()
    (photos.parent / "secret" / "f.jpg").touch()
    images = expand_inputs([pattern], [])
    assert images and all(".." not in image.name.parts for image in images)
    assert len({image.name for image in images}) == len(images)
