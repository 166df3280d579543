"""Repositories that load on machines without tcm_hf: `save_with_code` puts the code beside the weights.

`save_pretrained` and `push_to_hub` of the models stay free of code; their repositories need `import tcm_hf`.
"""

import inspect
import json
import shutil
from pathlib import Path
from typing import Any

from huggingface_hub import HfApi
from transformers import Pipeline, PreTrainedModel
from transformers.dynamic_module_utils import get_relative_import_files
from transformers.image_processing_utils import BaseImageProcessor
from transformers.utils import CONFIG_NAME, IMAGE_PROCESSOR_NAME

from tcm_hf._version import __version__
from tcm_hf.modeling.modeling_tcm import TCMForTextDetection, TCMPreTrainedModel
from tcm_hf.pipelines.text_detection import TextDetectionPipeline
from tcm_hf.processing.image_processing_tcm import TCMImageProcessor, TCMImageProcessorPil

TASK = "text-detection"

CARD = """---
library_name: transformers
pipeline_tag: object-detection
tags:
- text-detection
- scene-text-detection
- ocr
- tcm
---

# {title}

A scene text detector in the format of Transformers, written by tcm_hf {version}.

```python
# pip install tcm_hf
import tcm_hf
from transformers import pipeline

detector = pipeline("text-detection", model="{title}")
print(detector("street.jpg"))
```

The code lies beside the weights, so it also runs without tcm_hf:

```python
# pip install transformers torch torchvision timm opencv-python-headless pyclipper shapely
from transformers import pipeline

detector = pipeline("text-detection", model="{title}", trust_remote_code=True)
```
"""


def save_with_code(
    model_or_pipeline: PreTrainedModel | Pipeline,
    save_directory: str | Path,
    image_processor: BaseImageProcessor | None = None,
    repo_id: str | None = None,
    private: bool | None = None,
    token: str | bool | None = None,
) -> Path:
    """Save a model with the code that it needs, and push it if a repository is named.

    The folder loads with `trust_remote_code=True` where tcm_hf is not installed: `AutoConfig`,
    `AutoModel`, `AutoModelForObjectDetection`, `AutoImageProcessor` (both backends) and
    `pipeline("text-detection")`. After `import tcm_hf` it loads without the flag and runs the installed
    code.

    Args:
        model_or_pipeline: a model of tcm_hf, or a `TextDetectionPipeline`.
        save_directory: folder to write; made if it does not exist. A README.md in it is kept.
        image_processor: saved with the model; `None` takes the pipeline's. Without one the folder has no
            pipeline.
        repo_id: repository on the Hub, made if it does not exist; `None` pushes nothing.
        private: whether a new repository is private; `None` leaves it to the account's setting.
        token: access token for the Hub; `None` takes the stored one.

    Returns:
        The folder.

    Raises:
        ValueError: if the model or the image processor is not one of tcm_hf's.
    """
    model: Any = model_or_pipeline
    if isinstance(model_or_pipeline, Pipeline):
        model = model_or_pipeline.model
        image_processor = model_or_pipeline.image_processor if image_processor is None else image_processor
    _check_classes(model, image_processor)
    folder = Path(save_directory)
    model.save_pretrained(folder)
    _add_to_json(folder / CONFIG_NAME, _config_entries(model, with_pipeline=image_processor is not None))
    classes: list[type] = [type(model)]
    if image_processor is not None:
        image_processor.save_pretrained(folder)
        backends = {"torchvision": _reference(TCMImageProcessor), "pil": _reference(TCMImageProcessorPil)}
        _add_to_json(folder / IMAGE_PROCESSOR_NAME, {"auto_map": {"AutoImageProcessor": backends}})
        classes += [TCMImageProcessor, TextDetectionPipeline]
    for file in _code_files(classes):
        shutil.copyfile(file, folder / file.name)
    if not (folder / "README.md").exists():
        card = CARD.format(title=repo_id or folder.name, version=__version__)
        (folder / "README.md").write_text(card, encoding="utf-8")
    if repo_id is not None:
        api = HfApi(token=token)
        repo_id = api.create_repo(repo_id, private=private, exist_ok=True).repo_id
        api.upload_folder(
            repo_id=repo_id, folder_path=folder, commit_message=f"Save with tcm_hf {__version__}"
        )
    return folder


def _check_classes(model: Any, image_processor: Any) -> None:
    if not isinstance(model, TCMPreTrainedModel):
        raise ValueError(
            "Expected a model of tcm_hf or its pipeline: got "
            f"{type(model).__module__}.{type(model).__name__}. Load it after `import tcm_hf`, so that it has "
            "the installed class."
        )
    if image_processor is not None and not isinstance(
        image_processor, TCMImageProcessor | TCMImageProcessorPil
    ):
        raise ValueError(
            f"`image_processor` must be a TCMImageProcessor: got {type(image_processor).__name__}."
        )


def _config_entries(model: TCMPreTrainedModel, with_pipeline: bool) -> dict:
    auto_map = {"AutoConfig": _reference(type(model.config)), "AutoModel": _reference(type(model))}
    if not isinstance(model, TCMForTextDetection):
        return {"auto_map": auto_map}
    auto_map["AutoModelForObjectDetection"] = _reference(type(model))
    if not with_pipeline:
        return {"auto_map": auto_map}
    # "pt" names classes of transformers itself: our own Auto class would not be found there.
    task = {"impl": _reference(TextDetectionPipeline), "pt": ["AutoModel"], "default": {}, "type": "image"}
    return {"auto_map": auto_map, "custom_pipelines": {TASK: task}}


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
