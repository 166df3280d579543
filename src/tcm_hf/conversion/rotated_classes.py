"""Names and prompts of the classes of a converted rotated object detector."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from tcm_hf.conversion.tcm_prompts import prompt_token_ids
from tcm_hf.data.dota import class_prompt
from tcm_hf.modeling.configuration_rotated import DOTA_CLASSES

SENTENCE = "In this aerial photo, a {} can be found."
LONGEST_NAMES = 10
"""With positions for more tokens beside the learnable prompts, the original spells a sentence."""


class ClassPrompts(NamedTuple):
    """What a detector looks for."""

    names: list[str]
    token_ids: list[list[int]]
    note: str
    """How they are known."""


def class_prompts(
    told: Mapping[str, Any],
    num_classes: int,
    data_set: Mapping[str, Any],
    names: Sequence[str] | None = None,
    vocabulary: str | Path | None = None,
) -> ClassPrompts:
    """The classes of a detector.

    Args:
        told: fields of the config that the checkpoint tells.
        num_classes: of its head.
        data_set: what mmengine stored of the data set (`classes`), or nothing.
        names: the names, in the order of the classes, in place of what the checkpoint says.
        vocabulary: where CLIP's vocabulary comes from, see `load_clip_vocabulary`; needed for other names
            than DOTA's.

    Raises:
        ValueError: if nothing tells the names, or they do not fit.
        ImportError: if CLIP's vocabulary is needed and not installed.
    """
    found, how = _names(num_classes, data_set, names)
    if len(found) != num_classes:
        raise ValueError(f"it tells {num_classes} classes apart: {len(found)} names are given")
    if len(set(found)) < len(found):
        raise ValueError("its classes must have different names")
    room = told["text_tower_config"]["max_position_embeddings"] - told["num_learnable_prompts"]
    if room > LONGEST_NAMES:
        ids = prompt_token_ids([SENTENCE.format(name) for name in found], vocabulary)
        how += f", each in the sentence {SENTENCE.format('…')!r}"
    elif all(name in DOTA_CLASSES for name in found):
        ids = [list(DOTA_CLASSES[name]) for name in found]
    else:
        ids = prompt_token_ids(found, vocabulary)
    if (longest := max(map(len, ids))) > room:
        raise ValueError(
            f"its text encoder has positions for {room} tokens beside the learnable prompts: a class name "
            f"has {longest}"
        )
    return ClassPrompts(found, ids, f"{'; '.join(found)} ({how})")


def _names(
    num_classes: int, data_set: Mapping[str, Any], names: Sequence[str] | None
) -> tuple[list[str], str]:
    if names:
        return list(names), "as given"
    classes = data_set.get("classes")
    if isinstance(classes, list | tuple) and classes and all(isinstance(name, str) for name in classes):
        return [class_prompt(name) for name in classes], "as stored with the weights"
    if num_classes == len(DOTA_CLASSES):
        return list(DOTA_CLASSES), "DOTA's, by their number"
    raise ValueError(
        f"it does not say the names of its {num_classes} classes: give them in their order (--prompt NAME, "
        "once a class)"
    )


__all__ = ["ClassPrompts", "class_prompts"]
