"""Parameter groups: one learning-rate factor a part of the model, weight decay on matrices only."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from torch import nn

IMAGE_TOWER_PREFIX = "model.image_tower."
TEXT_TOWER_PREFIX = "model.text_tower."

# Of a recognizer: how the names end of what CLIP4STR does not decay although it has several dimensions.
# Parity: the embeddings of CLIP's towers are not among them.
_UNDECAYED = ("text_embed.weight", "pos_queries")

Part = tuple[tuple[str, ...], float]


def parameter_groups(
    model: nn.Module,
    *,
    learning_rate: float,
    weight_decay: float,
    image_tower_lr_factor: float = 0.1,
    text_tower_lr_factor: float = 0.0,
) -> list[dict[str, Any]]:
    """Group the trainable parameters of a detector by learning rate and weight decay.

    TCM (arXiv 2302.14338) trains the image tower at a tenth of the rate of the rest, leaves the text tower
    as it is and decays no norms. Parameters of one dimension (norms, biases, scales, single vectors) are
    never decayed: their size carries meaning, not complexity.

    Args:
        model: The detector; its towers are found by the prefixes `model.image_tower.` and
            `model.text_tower.`.
        learning_rate: Peak rate of everything that is no tower.
        weight_decay: Decay of parameters with two dimensions and more.
        image_tower_lr_factor: Factor on `learning_rate` for the image tower; 0 leaves its weights as they are
            (the running statistics of its batch norms still move in training mode).
        text_tower_lr_factor: The same for the text tower.

    Returns:
        Groups for a torch optimizer: `params`, `lr`, `weight_decay`, and `name` for logs. Parameters with
        `requires_grad=False` and those with factor 0 are in no group, so that the optimizer never touches
        them.

    Raises:
        ValueError: If nothing is left to train.
    """
    parts = {
        "image_tower": ((IMAGE_TOWER_PREFIX,), image_tower_lr_factor),
        "text_tower": ((TEXT_TOWER_PREFIX,), text_tower_lr_factor),
    }
    return _grouped(model, parts, learning_rate, weight_decay, lambda name: True)


def recognizer_parameter_groups(
    model: nn.Module,
    *,
    learning_rate: float,
    weight_decay: float,
    decoder_lr_factor: float = 1.0,
    image_tower_lr_factor: float = 1.0,
    text_tower_lr_factor: float = 1.0,
) -> list[dict[str, Any]]:
    """Group the trainable parameters of a recognizer by learning rate and weight decay.

    CLIP4STR (arXiv 2305.14014, section 4.1) trains the decoders at 19 times the rate of its pretrained
    towers. Besides one-dimensional parameters, the decoders' character embeddings and position queries are
    not decayed.

    Args:
        model: A `CLIP4STRForTextRecognition`.
        learning_rate: Peak rate at factor 1.
        weight_decay: Decay of matrices.
        decoder_lr_factor: Factor for both decoders and whatever is in no tower.
        image_tower_lr_factor: Factor for the image tower with its projection; 0 freezes it.
        text_tower_lr_factor: Factor for the text tower with its projection; 0 freezes it.

    Returns:
        Groups as of `parameter_groups`.

    Raises:
        ValueError: If nothing is left to train.
    """
    parts = {
        "image_tower": (("clip.vision_model.", "clip.visual_projection."), image_tower_lr_factor),
        "text_tower": (("clip.",), text_tower_lr_factor),
        "decoders": (("",), decoder_lr_factor),
    }
    return _grouped(
        model,
        parts,
        learning_rate,
        weight_decay,
        lambda name: not name.endswith(_UNDECAYED),
    )


def _grouped(
    model: nn.Module,
    parts: Mapping[str, Part],
    learning_rate: float,
    weight_decay: float,
    may_decay: Callable[[str], bool],
) -> list[dict[str, Any]]:
    """Groups by part (the first whose prefix fits, else "rest" at factor 1) and by decay."""
    parts = {**parts, "rest": (("",), 1.0)}
    groups: dict[tuple[str, bool], dict[str, Any]] = {}
    for name, parameter in model.named_parameters():
        part, (_, factor) = next((p, spec) for p, spec in parts.items() if name.startswith(spec[0]))
        if not parameter.requires_grad or factor == 0:
            continue
        decayed = parameter.ndim > 1 and may_decay(name)
        group = groups.setdefault(
            (part, decayed),
            {
                "name": f"{part}{'' if decayed else ', no decay'}",
                "params": [],
                "lr": learning_rate * factor,
                "weight_decay": weight_decay if decayed else 0.0,
            },
        )
        group["params"].append(parameter)
    if not groups:
        raise ValueError(
            "Nothing to train: every parameter is frozen or has learning-rate factor 0. "
            "Raise a factor or unfreeze a part with `requires_grad_(True)`."
        )
    return list(groups.values())
