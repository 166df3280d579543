"""Repositories that load on machines without tcm_hf: `save_with_code` puts the code beside the weights.

`save_pretrained` and `push_to_hub` of the models stay free of code; their repositories need `import tcm_hf`.
"""

import inspect
import json
import shutil
import warnings
from pathlib import Path
from typing import Any, NamedTuple

from huggingface_hub import HfApi
from transformers import Pipeline, PreTrainedModel
from transformers.dynamic_module_utils import get_relative_import_files
from transformers.utils import CONFIG_NAME, IMAGE_PROCESSOR_NAME, PROCESSOR_NAME

from tcm_hf._version import __version__
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

CARD = """---
library_name: transformers
pipeline_tag: {kind.hub_task}
tags:
{tags}
---

# {title}

{kind.what} in the format of Transformers, written by tcm_hf {version}.

```python
# pip install tcm_hf
import tcm_hf
from transformers import pipeline

{kind.name} = pipeline("{kind.task}", model="{title}")
print({kind.name}("{kind.picture}"))
```

The code lies beside the weights, so it also runs without tcm_hf:

```python
# pip install transformers torch torchvision timm opencv-python-headless pyclipper shapely
from transformers import pipeline

{kind.name} = pipeline("{kind.task}", model="{title}", trust_remote_code=True)
```
"""


class _Kind(NamedTuple):
    """What the card of a task says; `hub_task` is the nearest one that the Hub knows."""

    task: str
    pipeline_class: type
    hub_task: str
    what: str
    name: str
    picture: str
    tags: tuple[str, ...]


_OF_TASKS = (
    _Kind(
        "text-detection",
        TextDetectionPipeline,
        "object-detection",
        "A scene text detector",
        "detector",
        "street.jpg",
        ("text-detection", "scene-text-detection", "ocr", "tcm"),
    ),
    _Kind(
        "text-recognition",
        TextRecognitionPipeline,
        "image-to-text",
        "A recognizer of words in photos",
        "recognizer",
        "word.png",
        ("text-recognition", "scene-text-recognition", "ocr", "clip4str"),
    ),
    _Kind(
        "text-spotting",
        TextSpottingPipeline,
        "object-detection",
        "A scene text detector and a recognizer",
        "reader",
        "street.jpg",
        ("text-spotting", "text-detection", "scene-text-recognition", "ocr", "tcm", "clip4str"),
    ),
    _Kind(
        "rotated-object-detection",
        RotatedObjectDetectionPipeline,
        "object-detection",
        "A detector of objects that lie any way round",
        "detector",
        "scene.png",
        ("rotated-object-detection", "oriented-object-detection", "remote-sensing", "tcm"),
    ),
)
KINDS = {kind.task: kind for kind in _OF_TASKS}
ONE_MODEL = KINDS["text-spotting"]._replace(
    what="A scene text spotter, which finds words and reads them,",
    tags=("text-spotting", "text-detection", "scene-text-recognition", "ocr", "tcm"),
)
"""Of a model that does without a recognizer."""


class _Detector(NamedTuple):
    """What a model of whole photos is, its image processors, and the Auto class of its task, if any."""

    kind: _Kind
    torchvision: type[AnyPictureProcessing]
    pil: type[AnyPictureProcessing]
    auto_class: str = ""


DETECTORS: dict[type[TCMPreTrainedModel], _Detector] = {
    TCMForTextDetection: _Detector(
        KINDS["text-detection"], TCMImageProcessor, TCMImageProcessorPil, "AutoModelForObjectDetection"
    ),
    TCMModel: _Detector(KINDS["text-detection"], TCMImageProcessor, TCMImageProcessorPil),
    FastTCMForTextSpotting: _Detector(ONE_MODEL, TCMSpottingImageProcessor, TCMSpottingImageProcessorPil),
    TCMForRotatedObjectDetection: _Detector(
        KINDS["rotated-object-detection"],
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
        tags = "\n".join(f"- {tag}" for tag in kind.tags)
        card = CARD.format(kind=kind, tags=tags, title=repo_id or folder.name, version=__version__)
        (folder / "README.md").write_text(card, encoding="utf-8")
    if repo_id is not None:
        api = HfApi(token=token)
        repo_id = api.create_repo(repo_id, private=private, exist_ok=True).repo_id
        api.upload_folder(
            repo_id=repo_id, folder_path=folder, commit_message=f"Save with tcm_hf {__version__}"
        )
    return folder


def _save(model_or_pipeline: Any, folder: Path, processor: Any) -> _Kind:
    """Write everything but the card; returns what the card is about."""
    model = model_or_pipeline
    if isinstance(model_or_pipeline, Pipeline):
        model = model_or_pipeline.model
        if processor is None:
            processor = model_or_pipeline.processor or model_or_pipeline.image_processor
    if isinstance(model, CLIP4STRForTextRecognition):
        kind = KINDS["text-recognition"]
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
        kind = KINDS["text-spotting"]
        kinds.append(kind)
        _save(model_or_pipeline.recognizer, folder / RECOGNIZER_FOLDER, None)
    if kinds:
        pipelines = {one.task: _pipeline(one) for one in kinds}
        _add_to_json(folder / CONFIG_NAME, {"custom_pipelines": pipelines})
    for file in _code_files([*classes, *(one.pipeline_class for one in kinds)]):
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


def _pipeline(kind: _Kind) -> dict[str, Any]:
    # "pt" names classes of transformers itself: our own Auto class would not be found there.
    return {
        "impl": _reference(kind.pipeline_class),
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
