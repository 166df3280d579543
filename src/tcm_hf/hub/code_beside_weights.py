"""Repositories that load on machines without tcm_hf: `save_with_code` puts the code beside the weights.

`save_pretrained` and `push_to_hub` of the models stay free of code; their repositories need `import tcm_hf`.
"""

import inspect
import json
import shutil
import warnings
from pathlib import Path
from typing import Any, NamedTuple

from transformers import Pipeline, PreTrainedModel
from transformers.dynamic_module_utils import get_relative_import_files
from transformers.utils import CONFIG_NAME, IMAGE_PROCESSOR_NAME, PROCESSOR_NAME

from tcm_hf._version import __version__
from tcm_hf.hub.cards import Card
from tcm_hf.hub.kinds import DETECTOR, RECOGNIZER, ROTATED, SPOTTER, TWO_MODELS, ModelKind
from tcm_hf.hub.pushing import push_folder
from tcm_hf.modeling.modeling_clip4str import CLIP4STRForTextRecognition
from tcm_hf.modeling.modeling_rotated import TCMForRotatedObjectDetection
from tcm_hf.modeling.modeling_tcm import TCMForTextDetection, TCMModel, TCMPreTrainedModel
from tcm_hf.modeling.modeling_tcm_spotting import FastTCMForTextSpotting
from tcm_hf.pipelines.recognizer_folder import RECOGNIZER_FOLDER
from tcm_hf.pipelines.rotated_object_detection import RotatedObjectDetectionPipeline
from tcm_hf.pipelines.text_detection import TextDetectionPipeline
from tcm_hf.pipelines.text_recognition import TextRecognitionPipeline
from tcm_hf.pipelines.text_spotting import TextSpottingPipeline
from tcm_hf.processing.any_pictures import AnyPictureProcessing
from tcm_hf.processing.image_processing_clip4str import CLIP4STRImageProcessor, CLIP4STRImageProcessorPil
from tcm_hf.processing.image_processing_rotated import TCMRotatedImageProcessor, TCMRotatedImageProcessorPil
from tcm_hf.processing.image_processing_spotting import (
    TCMSpottingImageProcessor,
    TCMSpottingImageProcessorPil,
)
from tcm_hf.processing.image_processing_tcm import TCMImageProcessor, TCMImageProcessorPil
from tcm_hf.processing.processing_clip4str import CLIP4STRProcessor
from tcm_hf.processing.tokenization_clip4str import CharacterTokenizer

TOKENIZER_CONFIG_NAME = "tokenizer_config.json"

PIPELINES: dict[str, type[Pipeline]] = {
    DETECTOR.task: TextDetectionPipeline,
    RECOGNIZER.task: TextRecognitionPipeline,
    TWO_MODELS.task: TextSpottingPipeline,
    ROTATED.task: RotatedObjectDetectionPipeline,
}
"""By the task of a kind."""


class _Detector(NamedTuple):
    """What a model of whole photos is, its image processors, and the Auto class of its task, if any."""

    kind: ModelKind
    torchvision: type[AnyPictureProcessing]
    pil: type[AnyPictureProcessing]
    auto_class: str = ""


DETECTORS: dict[type[TCMPreTrainedModel], _Detector] = {
    TCMForTextDetection: _Detector(
        DETECTOR, TCMImageProcessor, TCMImageProcessorPil, "AutoModelForObjectDetection"
    ),
    TCMModel: _Detector(DETECTOR, TCMImageProcessor, TCMImageProcessorPil),
    FastTCMForTextSpotting: _Detector(SPOTTER, TCMSpottingImageProcessor, TCMSpottingImageProcessorPil),
    TCMForRotatedObjectDetection: _Detector(
        ROTATED,
        TCMRotatedImageProcessor,
        TCMRotatedImageProcessorPil,
        "AutoModelForObjectDetection",
    ),
}


def save_with_code(
    model_or_pipeline: PreTrainedModel | Pipeline,
    save_directory: str | Path,
    processor: Any = None,
    repo_id: str | None = None,
    private: bool | None = None,
    token: str | bool | None = None,
    image_processor: Any = None,
) -> Path:
    """Save a model with the code that it needs, and push it if a repository is named.

    The folder loads with `trust_remote_code=True` where tcm_hf is not installed: `AutoConfig`, `AutoModel`
    and `AutoImageProcessor` (both backends); a detector as `AutoModelForObjectDetection`; a recognizer as
    `AutoModelForTextRecognition` with `AutoProcessor` and `AutoTokenizer`; and the pipelines. After
    `import tcm_hf` it loads without the flag and runs the installed code.

    Args:
        model_or_pipeline: a model of tcm_hf, or one of its pipelines. The recognizer of a
            `TextSpottingPipeline` goes into the folder "recognizer" inside, with its own code.
        save_directory: folder to write; made if it does not exist. A README.md in it is kept.
        processor: saved with the model: the image processor of a detector or a `CLIP4STRProcessor`; `None`
            takes the pipeline's. Without one the folder has no pipeline.
        repo_id: repository on the Hub, made if it does not exist; `None` pushes nothing.
        private: whether a new repository is private; `None` leaves it to the account's setting.
        token: access token for the Hub; `None` takes the stored one.
        image_processor: the former name of `processor`.

    Returns:
        The folder.

    Raises:
        ValueError: if the model or the processor is not one of tcm_hf's, or they do not fit together.
    """
    if image_processor is not None:
        warnings.warn("`image_processor` is called `processor` now.", FutureWarning, stacklevel=2)
        processor = image_processor if processor is None else processor
    folder = Path(save_directory)
    kind = _save(model_or_pipeline, folder, processor)
    if not (folder / "README.md").exists():
        title = repo_id or folder.name
        about = f"{kind.what} in the format of Transformers, written by tcm_hf {__version__}."
        card = Card(kind, title, model=title, about=about, has_code=True)
        (folder / "README.md").write_text(card.text(), encoding="utf-8")
    if repo_id is not None:
        push_folder(folder, repo_id, private=private, token=token)
    return folder


def _save(model_or_pipeline: Any, folder: Path, processor: Any) -> ModelKind:
    """Write everything but the card; returns what the card is about."""
    model = model_or_pipeline
    if isinstance(model_or_pipeline, Pipeline):
        model = model_or_pipeline.model
        if processor is None:
            processor = model_or_pipeline.processor or model_or_pipeline.image_processor
    if isinstance(model, CLIP4STRForTextRecognition):
        kind = RECOGNIZER
        classes = _save_recognizer(model, processor, folder)
    elif detectors := [one for cls, one in DETECTORS.items() if isinstance(model, cls)]:
        kind = detectors[0].kind
        classes = _save_detector(model, detectors[0], processor, folder)
    else:
        raise ValueError(
            "Expected a model of tcm_hf or its pipeline: got "
            f"{type(model).__module__}.{type(model).__name__}. Load it after `import tcm_hf`, so that it has "
            "the installed class."
        )
    has_head = not isinstance(model, TCMModel)
    kinds = [kind] if has_head and processor is not None else []
    if isinstance(model_or_pipeline, TextSpottingPipeline) and model_or_pipeline.recognizer is not None:
        kind = TWO_MODELS
        kinds.append(kind)
        _save(model_or_pipeline.recognizer, folder / RECOGNIZER_FOLDER, None)
    if kinds:
        pipelines = {one.task: _pipeline(one) for one in kinds}
        _add_to_json(folder / CONFIG_NAME, {"custom_pipelines": pipelines})
    for file in _code_files([*classes, *(PIPELINES[one.task] for one in kinds)]):
        shutil.copyfile(file, folder / file.name)
    return kind


def _save_detector(
    model: TCMPreTrainedModel, detector: _Detector, processor: Any, folder: Path
) -> list[type]:
    """Write a detector and its processor; returns the classes that they need."""
    if processor is not None and not isinstance(processor, detector.torchvision | detector.pil):
        raise ValueError(
            f"`processor` of a {type(model).__name__} must be a {detector.torchvision.__name__}: got "
            f"{type(processor).__name__}."
        )
    model.save_pretrained(folder)
    _add_to_json(folder / CONFIG_NAME, {"auto_map": _auto_map(model, detector.auto_class)})
    if processor is None:
        return [type(model)]
    processor.save_pretrained(folder)
    backends = {"torchvision": _reference(detector.torchvision), "pil": _reference(detector.pil)}
    _add_to_json(folder / IMAGE_PROCESSOR_NAME, {"auto_map": {"AutoImageProcessor": backends}})
    return [type(model), detector.torchvision]


def _save_recognizer(model: CLIP4STRForTextRecognition, processor: Any, folder: Path) -> list[type]:
    """Write a recognizer and its processor; returns the classes that they need."""
    if processor is not None and not isinstance(processor, CLIP4STRProcessor):
        raise ValueError(
            f"`processor` of a recognizer must be a CLIP4STRProcessor: got {type(processor).__name__}."
        )
    model.save_pretrained(folder)
    auto_map = _auto_map(model, "AutoModelForTextRecognition")
    _add_to_json(folder / CONFIG_NAME, {"auto_map": auto_map})
    if processor is None:
        return [type(model)]
    processor.save_pretrained(folder)
    backends = {
        "torchvision": _reference(CLIP4STRImageProcessor),
        "pil": _reference(CLIP4STRImageProcessorPil),
    }
    settings = json.loads((folder / PROCESSOR_NAME).read_text(encoding="utf-8"))
    images = settings["image_processor"] | {"auto_map": {"AutoImageProcessor": backends}}
    whole = {"AutoProcessor": _reference(CLIP4STRProcessor)}
    _add_to_json(folder / PROCESSOR_NAME, {"auto_map": whole, "image_processor": images})
    slow_and_fast = [_reference(CharacterTokenizer), None]
    _add_to_json(folder / TOKENIZER_CONFIG_NAME, {"auto_map": {"AutoTokenizer": slow_and_fast}})
    return [type(model), CLIP4STRProcessor]


def _auto_map(model: PreTrainedModel, auto_class: str) -> dict[str, str]:
    """Which class of the repository the Auto classes take; `auto_class` is the one of the task, if any."""
    names = filter(None, ["AutoModel", auto_class])
    return {"AutoConfig": _reference(type(model.config))} | dict.fromkeys(names, _reference(type(model)))


def _pipeline(kind: ModelKind) -> dict[str, Any]:
    # "pt" names classes of transformers itself: our own Auto class would not be found there.
    return {
        "impl": _reference(PIPELINES[kind.task]),
        "pt": ["AutoModel"],
        "default": {},
        "type": "image",
    }


def _reference(cls: type) -> str:
    """What `auto_map` calls a class: its file in the repository and its name."""
    return f"{cls.__module__.rpartition('.')[2]}.{cls.__name__}"


def _code_files(classes: list[type]) -> list[Path]:
    """The files of the classes and all that these import from beside them; base names are unique."""
    entries = [inspect.getfile(cls) for cls in classes]
    imported = [file for entry in entries for file in get_relative_import_files(entry)]
    return sorted({Path(file) for file in (*entries, *imported)})


def _add_to_json(path: Path, entries: dict) -> None:
    content = json.loads(path.read_text(encoding="utf-8")) | entries
    path.write_text(json.dumps(content, indent=2, sort_keys=True) + "\n", encoding="utf-8")
