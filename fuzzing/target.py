"""What an attack is."""

import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path

__all__ = ["Fault", "Target", "folder_for", "written"]


class Fault(AssertionError):
    """Something was done with hostile bytes that must not be done."""


@dataclass(frozen=True)
class Target:
    """A function of ours that is given bytes which nobody vouches for.

    Args:
        name: On the command line and in the table.
        attack: Gives it the bytes. What it promises to raise is caught; all else is a fault, `Fault` too.
        seeds: Inputs to begin with, which the mutations are made of.
        prepare: What is changed in the process that attacks, and in no other.
        longest: Most bytes of an input.
        words: Pieces that mutations may put in, for formats that are made of words.
    """

    name: str
    attack: Callable[[bytes], None]
    seeds: Callable[[], list[bytes]]
    prepare: Callable[[], None] = lambda: None
    longest: int = 4096
    words: tuple[bytes, ...] = ()


@cache
def folder_for(name: str) -> Path:
    """A folder of this process, in memory where there is such a place; it is gone when the process ends."""
    memory = Path("/dev/shm")
    folder = tempfile.TemporaryDirectory(prefix=f"tcm_hf-{name}-", dir=memory if memory.is_dir() else None)
    _KEPT.append(folder)
    return Path(folder.name)


_KEPT: list[tempfile.TemporaryDirectory[str]] = []


def written(path: Path, content: bytes) -> Path:
    """A file with this content, its folders made."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    return path
