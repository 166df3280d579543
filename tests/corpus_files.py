"""Small corpora on disk, written by the tests."""

from pathlib import Path


def place(root: Path, files: dict[str, str | bytes]) -> Path:
    """Write files, by their paths below a folder."""
    for name, content in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content if isinstance(content, bytes) else content.encode("utf-8"))
    return root
