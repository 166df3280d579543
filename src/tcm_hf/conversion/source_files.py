"""Files of a folder, or of a repository on the Hub."""

import json
import re
from pathlib import Path


def may_be_hub_id(source: str | Path) -> bool:
    """Whether this could name a repository on the Hub, `user/name`."""
    return re.fullmatch(r"[\w.-]+/[\w.-]+", str(source)) is not None


def find_file(source: str | Path, name: str) -> Path | None:
    """A file of a folder or of a repository on the Hub.

    Args:
        source: a folder, or the id of a repository.
        name: the file.

    Returns:
        Where it lies, downloaded if need be; None if there is none of that name.

    Raises:
        ValueError: if `source` is no folder and the Hub does not give it.
    """
    if Path(source).is_dir():
        path = Path(source) / name
        return path if path.is_file() else None
    from huggingface_hub import hf_hub_download
    from huggingface_hub.errors import EntryNotFoundError, HfHubHTTPError, LocalEntryNotFoundError

    try:
        return Path(hf_hub_download(str(source), name))
    except LocalEntryNotFoundError as error:
        raise ValueError(
            f"{source} is no folder, and as a Hub id it is neither in the cache nor reachable: check the "
            "name and the connection."
        ) from error
    except EntryNotFoundError:
        return None
    except HfHubHTTPError as error:
        raise ValueError(f"{source} is no folder and could not be read from the Hub: {error}") from error


def read_text(path: Path) -> str:
    """A file's text.

    Raises:
        ValueError: if it is not UTF-8.
    """
    try:
        return path.read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        raise ValueError(f"{path} is not text in UTF-8: {error}") from error


def read_json(path: Path) -> dict:
    """The object in a JSON file.

    Raises:
        ValueError: if it is not JSON, or no object.
    """
    try:
        value = json.loads(read_text(path))
    except json.JSONDecodeError as error:
        raise ValueError(f"{path} is not JSON: {error}") from error
    if not isinstance(value, dict):
        raise ValueError(f"{path} must hold an object: it holds a {type(value).__name__}.")
    return value


__all__ = ["find_file", "may_be_hub_id", "read_json", "read_text"]
