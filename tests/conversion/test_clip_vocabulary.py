"""CLIP's vocabulary is read from what carries it, and from nowhere else."""

import gzip
import importlib.util
import json
import subprocess
import sys
from pathlib import Path

import pytest

from tcm_hf.conversion.clip_vocabulary import load_clip_vocabulary

TOKENS = {"<|startoftext|>": 4, "<|endoftext|>": 5, "a": 0, "b</w>": 1, "ab</w>": 2, "b": 3}
MERGES = [("a", "b</w>")]

needs_open_clip = pytest.mark.skipif(
    importlib.util.find_spec("open_clip") is None, reason="open_clip_torch, which carries the file, is absent"
)


def write_pair(folder: Path, tokens: dict = TOKENS, merges: str = "#version: 0.2\na b</w>\n") -> Path:
    (folder / "vocab.json").write_text(json.dumps(tokens))
    (folder / "merges.txt").write_text(merges)
    return folder


@needs_open_clip
def test_the_installed_file_gives_clips_own_ids():
    tokens, merges = load_clip_vocabulary()
    assert (len(tokens), len(merges)) == (49408, 48894)
    assert (tokens["!"], tokens["<|startoftext|>"], tokens["<|endoftext|>"]) == (0, 49406, 49407)
    # From the golden ids of "the pixels of … text instances.", the released prompt.
    words = {"the": 518, "of": 539, "many": 1346, "text": 4160, ".": 269}
    assert {word: tokens[f"{word}</w>"] for word in words} == words
    assert merges[0] == ("i", "n")


@needs_open_clip
def test_reading_it_imports_neither_open_clip_nor_torch():
    code = (
        "import sys; from tcm_hf.conversion.clip_vocabulary import load_clip_vocabulary as load; load();"
        "sys.exit(bool({'torch', 'open_clip', 'transformers'} & set(sys.modules)))"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_without_the_package_the_error_names_the_extra(monkeypatch):
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(ImportError, match=r"tcm_hf\[clip\]"):
        load_clip_vocabulary()


def test_a_folder_with_vocab_and_merges_is_read(tmp_path):
    assert load_clip_vocabulary(write_pair(tmp_path)) == (TOKENS, MERGES)


@pytest.mark.parametrize("merges", [["a b</w>"], [["a", "b</w>"]]], ids=["old spelling", "new spelling"])
def test_tokenizer_json_is_read_with_its_added_tokens(tmp_path, merges):
    inside = {token: number for token, number in TOKENS.items() if not token.startswith("<|")}
    added = [{"content": token, "id": TOKENS[token]} for token in ("<|startoftext|>", "<|endoftext|>")]
    content = {"added_tokens": added, "model": {"type": "BPE", "vocab": inside, "merges": merges}}
    (tmp_path / "tokenizer.json").write_text(json.dumps(content))
    assert load_clip_vocabulary(tmp_path) == (TOKENS, MERGES)


@pytest.mark.parametrize(
    ("tokens", "merges", "message"),
    [
        ({"a": 0}, "", "no token <|startoftext|>"),
        (TOKENS, "a a\n", "1 of 1 make no token"),
        (TOKENS, "a b c\n", "two tokens a merge"),
    ],
)
def test_what_is_no_clip_vocabulary_is_refused(tmp_path, tokens, merges, message):
    with pytest.raises(ValueError, match=message.replace("|", r"\|")):
        load_clip_vocabulary(write_pair(tmp_path, tokens, merges))


def test_a_folder_without_a_vocabulary_and_a_path_that_is_none_are_refused(tmp_path):
    with pytest.raises(ValueError, match=r"neither tokenizer\.json nor vocab\.json"):
        load_clip_vocabulary(tmp_path)
    with pytest.raises(ValueError, match="There is no vocabulary at"):
        load_clip_vocabulary(tmp_path / "absent")


@pytest.mark.parametrize(
    "content", [b"", b"not gzip", gzip.compress(b"header\ni n\n")], ids=["empty", "no gzip", "no merges"]
)
def test_a_broken_merges_file_is_refused(tmp_path, content):
    path = tmp_path / "bpe_simple_vocab_16e6.txt.gz"
    path.write_bytes(content)
    with pytest.raises(ValueError, match=r"must hold 48894 merges|not a readable"):
        load_clip_vocabulary(path)
