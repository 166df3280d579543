"""The recogniser that was saved with a detector: in the folder "recognizer" of its folder or repository."""

from pathlib import Path
from typing import Any

from huggingface_hub import snapshot_download
from transformers.utils import cached_file

RECOGNIZER_FOLDER = "recognizer"


def find_recognizer(detector: Any) -> Path | None:
    """Where the recogniser of a detector lies.

    Args:
        detector: A model; where it was loaded from tells where to look.

    Returns:
        A folder of this computer, downloaded if the detector came from the Hub; None if there is none.
    """
    source = getattr(detector, "name_or_path", "")
    if not source:
        return None
    if Path(source).is_dir():
        folder = Path(source) / RECOGNIZER_FOLDER
        return folder if folder.is_dir() else None
    revision = getattr(detector.config, "_commit_hash", None)
    try:
        config = cached_file(
            source,
            "config.json",
            subfolder=RECOGNIZER_FOLDER,
            revision=revision,
            _raise_exceptions_for_missing_entries=False,
            _raise_exceptions_for_connection_errors=False,
        )
    except (OSError, ValueError):  # no repository of the Hub: a folder that is gone, a name of one's own
        return None
    if config is None:
        return None
    patterns = [f"{RECOGNIZER_FOLDER}/*"]
    return Path(snapshot_download(source, revision=revision, allow_patterns=patterns)) / RECOGNIZER_FOLDER
