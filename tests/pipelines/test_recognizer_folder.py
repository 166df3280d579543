from pathlib import Path
from types import SimpleNamespace

import pytest

from tcm_hf.pipelines import recognizer_folder
from tcm_hf.pipelines.recognizer_folder import RECOGNIZER_FOLDER, find_recognizer


def detector(source, revision=None):
    return SimpleNamespace(name_or_path=str(source), config=SimpleNamespace(_commit_hash=revision))


def test_a_folder_with_a_recognizer_has_one(tmp_path):
    assert find_recognizer(detector(tmp_path)) is None
    (tmp_path / RECOGNIZER_FOLDER).mkdir()
    assert find_recognizer(detector(tmp_path)) == tmp_path / RECOGNIZER_FOLDER


@pytest.mark.parametrize("source", ["", "/a/folder/that/is/gone", "no such/name of a/repository"])
def test_a_detector_from_nowhere_has_none(source):
    assert find_recognizer(detector(source)) is None


def test_a_repository_is_asked_at_the_revision_of_the_detector(tmp_path, monkeypatch):
    asked = []
    monkeypatch.setattr(
        recognizer_folder,
        "cached_file",
        lambda source, name, **options: asked.append((source, options)) or "config.json",
    )
    monkeypatch.setattr(
        recognizer_folder,
        "snapshot_download",
        lambda source, **options: asked.append((source, options)) or str(tmp_path),
    )
    assert find_recognizer(detector("me/reader", "abc123")) == Path(tmp_path) / RECOGNIZER_FOLDER
    assert [source for source, _ in asked] == ["me/reader"] * 2
    assert [options["revision"] for _, options in asked] == ["abc123"] * 2
    assert asked[0][1]["subfolder"] == RECOGNIZER_FOLDER
    assert asked[1][1]["allow_patterns"] == [f"{RECOGNIZER_FOLDER}/*"]


def test_a_repository_without_a_recognizer_is_not_downloaded(monkeypatch):
    monkeypatch.setattr(recognizer_folder, "cached_file", lambda *args, **options: None)
    monkeypatch.setattr(recognizer_folder, "snapshot_download", lambda *args, **options: pytest.fail())
    assert find_recognizer(detector("me/detector")) is None
