"""CLIP's byte-pair vocabulary, read from an installed package, a folder or the Hub; it is not in ours."""

import gzip
import importlib.util
from collections.abc import Iterable
from pathlib import Path

from tcm_hf.conversion.source_files import find_file, may_be_hub_id, read_json, read_text

OPEN_CLIP_FILE = "bpe_simple_vocab_16e6.txt.gz"
"""The merges file of OpenAI's release, which open_clip_torch carries."""

NUM_MERGES = 48894
"""Merges that CLIP uses of the file: 49152 - 256 bytes - 2 special tokens."""

START_TOKEN = "<|startoftext|>"
END_TOKEN = "<|endoftext|>"

Vocabulary = dict[str, int]
Merges = list[tuple[str, str]]


def load_clip_vocabulary(source: str | Path | None = None) -> tuple[Vocabulary, Merges]:
    """CLIP's tokens and merges.

    Tokens are spelled with the 256 printable stand-ins for bytes of GPT-2 and end in `</w>` at the end of a
    word. Source: CLIP, arXiv 2103.00020, sec. 2.4.

    Args:
        source: folder, or id of a repository on the Hub, with `vocab.json` and `merges.txt` or with
            `tokenizer.json`; or the file `bpe_simple_vocab_16e6.txt.gz` itself. `None` takes that file from
            the installed package open_clip_torch.

    Returns:
        The id of every token (49408 in CLIP's own vocabulary), and the merges, the first applied first.

    Raises:
        ImportError: without `source`, if open_clip_torch is not installed.
        ValueError: if `source` holds no byte-pair vocabulary.
    """
    if source is None:
        return _read_merges_file(_open_clip_file())
    path = Path(source)
    if path.is_file():
        return _read_merges_file(path)
    if not path.is_dir() and not may_be_hub_id(source):
        raise ValueError(
            f"There is no vocabulary at {source}: give a folder or a Hub id (user/name) with vocab.json and "
            "merges.txt, or with tokenizer.json."
        )
    if (tokenizer := find_file(source, "tokenizer.json")) is not None:
        return _read_tokenizer_json(tokenizer)
    tokens, merges = find_file(source, "vocab.json"), find_file(source, "merges.txt")
    if tokens is None or merges is None:
        raise ValueError(
            f"{source} has neither tokenizer.json nor vocab.json with merges.txt: name a CLIP checkpoint, "
            "for example openai/clip-vit-base-patch16, or leave the vocabulary out to take open_clip_torch's."
        )
    return _checked(read_json(tokens), _split_merges(read_text(merges).splitlines(), merges), tokens)


def has_vocabulary(source: str | Path) -> bool:
    """Whether a folder or a repository on the Hub carries files of a vocabulary.

    Raises:
        ValueError: if `source` is no folder and the Hub does not give it.
    """
    return any(find_file(source, name) is not None for name in ("tokenizer.json", "vocab.json"))


def _open_clip_file() -> Path:
    # The package itself would import torchvision and timm only to tell where it lies.
    package = importlib.util.find_spec("open_clip")
    for folder in (package.submodule_search_locations or ()) if package else ():
        if (path := Path(folder) / OPEN_CLIP_FILE).is_file():
            return path
    raise ImportError(
        "CLIP's vocabulary comes from the package open_clip_torch, which is not installed: "
        "pip install 'tcm_hf[clip]', or name a folder or Hub id that holds vocab.json and merges.txt, for "
        "example openai/clip-vit-base-patch16."
    )


def _read_tokenizer_json(path: Path) -> tuple[Vocabulary, Merges]:
    tokenizer = read_json(path)
    model = tokenizer.get("model")
    if not isinstance(model, dict) or "vocab" not in model or "merges" not in model:
        raise ValueError(f"{path} holds no byte-pair model with `vocab` and `merges`, as CLIP's does.")
    added = {token["content"]: token["id"] for token in tokenizer.get("added_tokens", [])}
    # Written as "a b" by older versions of tokenizers, as ["a", "b"] by newer ones.
    lines = [merge if isinstance(merge, str) else " ".join(merge) for merge in model["merges"]]
    return _checked(model["vocab"] | added, _split_merges(lines, path), path)


def _split_merges(lines: Iterable[str], path: Path) -> Merges:
    merges = []
    for line in lines:
        if not line.strip() or line.startswith("#version"):
            continue
        parts = line.split()
        if len(parts) != 2:
            raise ValueError(f"{path} must hold two tokens a merge: one is {line!r}.")
        merges.append((parts[0], parts[1]))
    return merges


def _checked(tokens: dict, merges: Merges, path: Path) -> tuple[Vocabulary, Merges]:
    """The vocabulary, if each merge makes a token of it and the special tokens are there."""
    if missing := [token for token in (START_TOKEN, END_TOKEN) if token not in tokens]:
        raise ValueError(f"{path} is not CLIP's vocabulary: it has no token {' and no '.join(missing)}.")
    if unknown := [pair for pair in merges if "".join(pair) not in tokens]:
        raise ValueError(
            f"{path} does not fit its merges: {len(unknown)} of {len(merges)} make no token, the first "
            f"{unknown[0]}."
        )
    return tokens, merges


def _byte_stand_ins() -> list[str]:
    """GPT-2's printable character of each byte, in the order in which CLIP numbers them."""
    printable = [
        *range(ord("!"), ord("~") + 1),
        *range(ord("¡"), ord("¬") + 1),
        *range(ord("®"), ord("ÿ") + 1),
    ]
    others = 256 - len(printable)
    return [chr(code) for code in printable] + [chr(256 + index) for index in range(others)]


def _read_merges_file(path: Path) -> tuple[Vocabulary, Merges]:
    """The vocabulary of OpenAI's merges: bytes, bytes at a word's end, merges, two special tokens."""
    try:
        with gzip.open(path, "rt", encoding="utf-8") as stream:
            lines = stream.read().splitlines()
    except (OSError, EOFError, UnicodeDecodeError) as error:
        raise ValueError(f"{path} is not a readable {OPEN_CLIP_FILE}: {error}") from error
    merges = _split_merges(lines[1 : NUM_MERGES + 1], path)
    if len(merges) != NUM_MERGES:
        raise ValueError(f"{path} must hold {NUM_MERGES} merges, as CLIP's file: it holds {len(merges)}.")
    characters = _byte_stand_ins()
    tokens = [*characters, *(f"{character}</w>" for character in characters)]
    tokens += ["".join(pair) for pair in merges]
    tokens += [START_TOKEN, END_TOKEN]
    return {token: index for index, token in enumerate(tokens)}, merges


__all__ = ["has_vocabulary", "load_clip_vocabulary"]
