"""Photos as labelme's files, `NAME.json` beside `NAME.jpg`."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from tcm_hf.data.corpora.tool_values import is_generic
from tcm_hf.data.records import DO_NOT_CARE, TextInstance, TextRecord
from tcm_hf.data.writing.labelme_document import labelme_document, labelme_shape
from tcm_hf.data.writing.losses import EDGE_SPACES, EMPTY_TEXTS, LINE_LEVEL, read_as_ignored
from tcm_hf.data.writing.output import Report, points_of, written

__all__ = ["write_labelme"]

_LOSSES = (LINE_LEVEL, EMPTY_TEXTS, EDGE_SPACES, read_as_ignored(DO_NOT_CARE))


def write_labelme(records: Iterable[TextRecord], folder: Path | str, *, copy_images: bool = True) -> Report:
    """Write photos for labelme: the label is the transcription, "ignore" is a flag."""
    with written(folder, _LOSSES, copy_images) as output:
        for record in records:
            picture = output.picture(record)
            document = labelme_document(picture.name, picture.size_hw, list(map(_shape, record.instances)))
            output.text(f"{picture.stem}.json", json.dumps(document, ensure_ascii=False, indent=2) + "\n")
    return output.report


def _shape(instance: TextInstance) -> dict[str, Any]:
    language = {} if instance.language is None else {"language": instance.language}
    # A word such as "text" as the label would say nothing of the transcription.
    in_description = instance.text is not None and is_generic(instance.text)
    return labelme_shape(
        "text" if in_description or instance.text is None else instance.text,
        points_of(instance),
        description=instance.text or "" if in_description else "",
        ignore=instance.ignore,
        **language,
    )
