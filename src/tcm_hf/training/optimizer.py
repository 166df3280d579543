"""Parameter groups: one learning-rate factor a part of the model, weight decay on matrices only."""

from __future__ import annotations

from typing import Any

from torch import nn

IMAGE_TOWER_PREFIX = "model.image_tower."
TEXT_TOWER_PREFIX = "model.text_tower."


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
        "image_tower": (IMAGE_TOWER_PREFIX, image_tower_lr_factor),
        "text_tower": (TEXT_TOWER_PREFIX, text_tower_lr_factor),
        "rest": ("", 1.0),
    }
    groups: dict[tuple[str, bool], dict[str, Any]] = {}
    for name, parameter in model.named_parameters():
        part, (_, factor) = next((p, spec) for p, spec in parts.items() if name.startswith(spec[0]))
        if not parameter.requires_grad or factor == 0:
            continue
        decayed = parameter.ndim > 1
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
