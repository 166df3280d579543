"""Photos as annotated tasks of Label Studio, to be imported there, with the labelling interface they need."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

from tcm_hf.data.records import DO_NOT_CARE, TextInstance, TextRecord
from tcm_hf.data.writing.losses import EDGE_SPACES, EMPTY_TEXTS, LANGUAGES, LINE_LEVEL, read_as_ignored
from tcm_hf.data.writing.output import Report, points_of, written

__all__ = ["write_label_studio"]

_LOSSES = (LANGUAGES, LINE_LEVEL, EMPTY_TEXTS, EDGE_SPACES, read_as_ignored(DO_NOT_CARE))
_INTERFACE = """\
<View>
  <Image name="image" value="$ocr"/>
  <PolygonLabels name="poly" toName="image">
    <Label value="Text" background="green"/>
    <Label value="Ignore" background="gray"/>
  </PolygonLabels>
  <RectangleLabels name="bbox" toName="image">
    <Label value="Text" background="green"/>
    <Label value="Ignore" background="gray"/>
  </RectangleLabels>
  <TextArea name="transcription" toName="image" perRegion="true" editable="true" maxSubmissions="1"/>
</View>
"""


def write_label_studio(
    records: Iterable[TextRecord], folder: Path | str, *, copy_images: bool = True
) -> Report:
    """Write photos as tasks.json, images/ and labeling_interface.xml.

    The tasks name their pictures as local files: Label Studio shows them when it was started with
    LABEL_STUDIO_LOCAL_FILES_SERVING_ENABLED=true and LABEL_STUDIO_LOCAL_FILES_DOCUMENT_ROOT=FOLDER.
    """
    tasks = []
    with written(folder, _LOSSES, copy_images) as output:
        for number, record in enumerate(records, start=1):
            picture = output.picture(record, "images")
            result = [
                entry
                for position, instance in enumerate(record.instances, start=1)
                for entry in _entries(f"{number}-{position}", instance, picture.size_hw)
            ]
            data = {"ocr": f"/data/local-files/?d={quote(picture.path)}"}
            tasks.append({"id": number, "data": data, "annotations": [{"id": number, "result": result}]})
        output.text("tasks.json", json.dumps(tasks, ensure_ascii=False, indent=1) + "\n")
        output.text("labeling_interface.xml", _INTERFACE)
    return output.report


def _entries(name: str, instance: TextInstance, size_hw: tuple[int, int]) -> Iterator[dict[str, Any]]:
    """The region, and behind it what was written about it."""
    height, width = size_hw
    common = {"id": name, "to_name": "image", "original_width": width, "original_height": height}
    points = [[100 * x / width, 100 * y / height] for x, y in points_of(instance)]
    labels = ["Ignore" if instance.ignore else "Text"]
    value: dict[str, Any] = {"points": points, "closed": True}
    shape = {**common, "from_name": "poly", "type": "polygonlabels", "image_rotation": 0}
    yield {**shape, "value": {**value, "polygonlabels": labels}}
    if instance.text:
        text = {**common, "from_name": "transcription", "type": "textarea", "image_rotation": 0}
        yield {**text, "value": {**value, "text": [instance.text]}}
