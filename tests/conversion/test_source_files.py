"""Files come from a folder or from a repository on the Hub, and errors say which is meant."""

import huggingface_hub
import pytest
from huggingface_hub.errors import EntryNotFoundError, LocalEntryNotFoundError

from tcm_hf.conversion.source_files import find_file, may_be_hub_id, read_json


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("openai/clip-vit-base-patch16", True),
        ("timm/resnet50_clip.openai", True),
        ("gpt2", False),
        ("/folder/name", False),
        ("a/b/c", False),
        ("", False),
    ],
)
def test_a_hub_id_is_user_and_name(source, expected):
    assert may_be_hub_id(source) is expected


def test_a_file_of_a_folder_is_found_or_none(tmp_path):
    (tmp_path / "config.json").write_text('{"a": 1}')
    assert read_json(find_file(tmp_path, "config.json")) == {"a": 1}
    assert find_file(tmp_path, "vocab.json") is None


def test_a_file_of_a_repository_is_found_none_or_an_error(tmp_path, monkeypatch):
    def download(repository, name):
        if repository == "user/unreachable":
            raise LocalEntryNotFoundError("offline")
        if name == "absent":
            raise EntryNotFoundError("no such file")
        return str(tmp_path / name)

    monkeypatch.setattr(huggingface_hub, "hf_hub_download", download)
    assert find_file("user/name", "config.json") == tmp_path / "config.json"
    assert find_file("user/name", "absent") is None
    with pytest.raises(ValueError, match="neither in the cache nor reachable"):
        find_file("user/unreachable", "config.json")


@pytest.mark.parametrize(("content", "message"), [("{", "is not JSON"), ("[]", "must hold an object")])
def test_what_is_no_json_object_is_refused(tmp_path, content, message):
    (tmp_path / "x.json").write_text(content)
    with pytest.raises(ValueError, match=message):
        read_json(tmp_path / "x.json")
