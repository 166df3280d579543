"""A reader for `create_app` from `pipeline("text-spotting")`; its records are those of `tcm-hf read`."""

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import PurePosixPath
from typing import Any, NamedTuple

from tcm_hf.pipelines.crop_reading import CropReading
from tcm_hf.pipelines.text_detection import TextDetectionPipeline
from tcm_hf.pipelines.text_spotting import TextSpottingPipeline
from tcm_hf.results.pipeline_facts import effective_detection_params, model_facts
from tcm_hf.results.readings import reading_record
from tcm_hf.results.records import DETECTIONS, READINGS, Record, RecordKind, image_record, image_source
from tcm_hf.serving.pictures import Photo


class _Task(NamedTuple):
    """How photos of one kind are read, and what their records tell of it."""

    pipeline: TextDetectionPipeline
    call_params: Mapping[str, Any]
    model: dict[str, str]
    params: dict[str, Any]
    record: Callable[[dict[str, Any], dict[str, str], dict[str, Any], Any], Record]


class PipelineReader:
    """Finds and reads with a pipeline, and finds with its detector alone.

    ```python
    >>> import tcm_hf
    >>> from tcm_hf.serving.app import create_app
    >>> from tcm_hf.serving.pipeline_reader import PipelineReader
    >>> from transformers import pipeline

    >>> app = create_app(PipelineReader(pipeline("text-spotting"))) ```

    Args:
        pipeline: `pipeline("text-spotting")`.
        names: The checkpoints as records tell them, see `model_facts`; `None` takes the models' own names.
        call_params: What the pipeline is called with for every photo.
        params: The same as records tell it, with effective values; `None` makes it of `call_params`.
    """

    def __init__(
        self,
        pipeline: TextSpottingPipeline,
        *,
        names: Mapping[str, str | None] | None = None,
        call_params: Mapping[str, Any] | None = None,
        params: Mapping[str, Any] | None = None,
    ):
        asked = dict(call_params or {})
        names = _own_names(pipeline) if names is None else names
        params = _own_params(pipeline, asked) if params is None else params
        # The lexicon is prepared once for all photos.
        calls = pipeline.reading.prepare_parameters(asked)
        finding = (*TextDetectionPipeline.preprocess_parameters, *TextDetectionPipeline.decoding_parameters)
        detector = TextDetectionPipeline(
            model=pipeline.model, image_processor=pipeline.image_processor, device=pipeline.device
        )
        # What computes is there once.
        detector.network = pipeline.network
        self._tasks = {
            READINGS: _Task(
                pipeline,
                {**calls, "output": "paragraphs"},
                model_facts(dict(names), pipeline),
                dict(params),
                partial(reading_record, with_lines=True),
            ),
            DETECTIONS: _Task(
                detector,
                {name: value for name, value in calls.items() if name in finding},
                model_facts({name: names.get(name) for name in ("id", "revision")}, pipeline),
                {name: value for name, value in params.items() if name not in CropReading.parameters}
                | {"sort": "score"},
                partial(image_record, DETECTIONS),
            ),
        }

    def __call__(self, photos: Sequence[Photo]) -> list[Record]:
        """The records of photos; those of one kind are read as one batch."""
        records: dict[int, Record] = {}
        for kind in self._tasks:
            places = [place for place, photo in enumerate(photos) if photo.kind == kind]
            if places:
                of_kind = self._records(kind, [photos[place] for place in places])
                records |= zip(places, of_kind, strict=True)
        return [records[place] for place in range(len(photos))]

    def _records(self, kind: RecordKind, photos: Sequence[Photo]) -> list[Record]:
        task = self._tasks[kind]
        found = task.pipeline([photo.pixels for photo in photos], batch_size=len(photos), **task.call_params)
        sources = [image_source(PurePosixPath(photo.name), photo.pixels.shape[:2]) for photo in photos]
        return [
            task.record(source, task.model, task.params, of_photo)
            for source, of_photo in zip(sources, found, strict=True)
        ]


def _own_names(pipeline: TextSpottingPipeline) -> dict[str, str | None]:
    name = pipeline.model.name_or_path
    recognizer = pipeline.recognizer
    return {"id": name, "recognizer": recognizer.model.name_or_path if recognizer else name}


def _own_params(pipeline: TextSpottingPipeline, asked: Mapping[str, Any]) -> dict[str, Any]:
    """What records of `tcm-hf read` tell; what is left to the models is `None`."""
    finding = (*TextDetectionPipeline.decoding_parameters, "tile")
    reading = (name for name in CropReading.parameters if name != "recognition_batch_size")
    own = effective_detection_params({name: asked.get(name) for name in finding}, pipeline)
    return {**own, **{name: asked.get(name) for name in reading}}
