"""Classes named by free text -> the settings that a model has of them."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from tcm_hf.conversion.tcm_prompts import prompt_token_ids


def class_prompts(
    names: Sequence[str] | Mapping[str, str], vocabulary: str | Path | None = None
) -> dict[str, Any]:
    """Classes named by free text, as the settings that a model has of them.

    For a new model, or one that is at hand:

    ```python
    classes = tcm_hf.class_prompts(["plane", "ship", "oil rig"])
    config = TCMRotatedDetectionConfig.from_preset("tcm-rotated-fcos-r50-dota", **classes)
    model.set_class_prompts(**classes)  # keeps what was learned about classes of the same name
    ```

    Args:
        names: names of the classes, which are their prompts too; or the prompt of each by its name, for
            example `{"ship": "a ship seen from above"}`. In prompts, case and repeated spaces make no
            difference.
        vocabulary: where CLIP's vocabulary is, see `load_clip_vocabulary`; None for open_clip_torch's. The
            classes of DOTA need none.

    Returns:
        `prompt_token_ids`, `id2label` and `label2id`: fields of the configurations.

    Raises:
        ImportError: if CLIP's vocabulary is needed and not installed.
        ValueError: for no names, two alike, or prompts that are empty or longer than CLIP's 77 tokens.
    """
    if isinstance(names, str):
        raise ValueError(f"Give the class names as a list, for example [{names!r}]: got one text.")
    labels = list(names)
    if not labels:
        raise ValueError("Give at least one class name: got none.")
    if twice := sorted({label for label in labels if labels.count(label) > 1}):
        raise ValueError(f"Each class needs a name of its own: {twice} came more than once.")
    prompts = list(names.values()) if isinstance(names, Mapping) else labels
    return {
        "prompt_token_ids": prompt_token_ids(prompts, vocabulary),
        "id2label": dict(enumerate(labels)),
        "label2id": {label: index for index, label in enumerate(labels)},
    }


__all__ = ["class_prompts"]
