"""Optimizers over parameter groups: one learning-rate factor a part of the model, decay on matrices only."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import torch
from timm.optim.lookahead import Lookahead
from torch import nn

from tcm_hf.training.arguments import AveragedTrainingArguments

IMAGE_TOWER_PREFIX = "model.image_tower."
TEXT_TOWER_PREFIX = "model.text_tower."

# Of a recognizer: how the names end of what CLIP4STR does not decay although it has several dimensions.
# Parity: the embeddings of CLIP's towers are not among them.
_UNDECAYED = ("text_embed.weight", "pos_queries")

_OF_PEFT = "base_model.model."  # how the names of a model inside a `PeftModel` begin

Parts = Mapping[str, tuple[tuple[str, ...], float]]
"""Name of a part -> how the names of its parameters begin, and its learning-rate factor; first come."""
Groups = list[dict[str, Any]]


def make_optimizer(groups: Groups, args: AveragedTrainingArguments) -> torch.optim.Optimizer:
    """The optimizer that `args.optimizer` names, over parameter groups as of `parameter_groups`.

    "ranger" is RAdam (arXiv 1908.03265) inside Lookahead (arXiv 1907.08610; every 6 steps the weights go half
    of the way back), torch's and timm's. The slow weights of Lookahead lie in the state of the optimizer, so
    a checkpoint of the Trainer has them.
    """
    return _MAKE[args.optimizer](groups, args)


def _adamw(groups: Groups, args: AveragedTrainingArguments) -> torch.optim.Optimizer:
    betas = (args.adam_beta1, args.adam_beta2)
    return torch.optim.AdamW(groups, lr=args.learning_rate, betas=betas, eps=args.adam_epsilon)


def _sgd(groups: Groups, args: AveragedTrainingArguments) -> torch.optim.Optimizer:
    return torch.optim.SGD(groups, lr=args.learning_rate, momentum=args.momentum)


def _ranger(groups: Groups, args: AveragedTrainingArguments) -> torch.optim.Optimizer:
    inner = torch.optim.RAdam(
        groups,
        lr=args.learning_rate,
        betas=(args.adam_beta1, args.adam_beta2),
        eps=args.adam_epsilon,
        decoupled_weight_decay=True,
    )
    return Lookahead(inner, alpha=0.5, k=6)


_MAKE: dict[str, Callable[[Groups, AveragedTrainingArguments], torch.optim.Optimizer]] = {
    "adamw": _adamw,
    "sgd": _sgd,
    "ranger": _ranger,
}


def parameter_groups(
    model: nn.Module,
    *,
    learning_rate: float,
    weight_decay: float,
    image_tower_lr_factor: float = 0.1,
    text_tower_lr_factor: float = 0.0,
) -> Groups:
    """Group the trainable parameters of a detector by learning rate and weight decay.

    TCM (arXiv 2302.14338) trains the image tower at a tenth of the rate of the rest, leaves the text tower
    as it is and decays no norms. Parameters of one dimension (norms, biases, scales, single vectors) are
    never decayed: their size carries meaning, not complexity.

    Args:
        model: The detector; its towers are found by the prefixes `model.image_tower.` and
            `model.text_tower.`.
        learning_rate: Peak rate of everything that is no tower.
        weight_decay: Decay of parameters with two dimensions and more.
        image_tower_lr_factor: Factor on `learning_rate` for the image tower; 0 leaves its weights as they
            are (what else is to be done to freeze it, `FrozenParts` does).
        text_tower_lr_factor: The same for the text tower.

    Returns:
        Groups for a torch optimizer: `params`, `lr`, `weight_decay`, and `name` for logs. Parameters with
        `requires_grad=False` and those with factor 0 are in no group, so that the optimizer never touches
        them.

    Raises:
        ValueError: If nothing is left to train.
    """
    parts = tower_parts(image_tower_lr_factor, text_tower_lr_factor)
    return _grouped(model, parts, learning_rate, weight_decay, lambda name: True)


def tower_parts(image_tower_lr_factor: float, text_tower_lr_factor: float) -> Parts:
    """The parts of a model on TCM's backbone that have learning-rate factors of their own."""
    return {
        "image_tower": ((IMAGE_TOWER_PREFIX,), image_tower_lr_factor),
        "text_tower": ((TEXT_TOWER_PREFIX,), text_tower_lr_factor),
    }


def recognizer_parameter_groups(
    model: nn.Module,
    *,
    learning_rate: float,
    weight_decay: float,
    decoder_lr_factor: float = 1.0,
    image_tower_lr_factor: float = 1.0,
    text_tower_lr_factor: float = 1.0,
) -> Groups:
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
    parts = recognizer_parts(decoder_lr_factor, image_tower_lr_factor, text_tower_lr_factor)
    return _grouped(model, parts, learning_rate, weight_decay, lambda name: not name.endswith(_UNDECAYED))


def recognizer_parts(
    decoder_lr_factor: float, image_tower_lr_factor: float, text_tower_lr_factor: float
) -> Parts:
    """The parts of a recognizer, in each of which there is one learning-rate factor."""
    return {
        "image_tower": (("clip.vision_model.", "clip.visual_projection."), image_tower_lr_factor),
        "text_tower": (("clip.",), text_tower_lr_factor),
        "decoders": (("",), decoder_lr_factor),
    }


def frozen_names(model: nn.Module, parts: Parts) -> set[str]:
    """Names of the parameters whose part has the learning-rate factor 0."""
    names = (name for name, _ in model.named_parameters())
    return {name for name in names if _part_of(name, parts)[1] == 0}


def _part_of(name: str, parts: Parts) -> tuple[str, float]:
    """The first part whose prefix fits and its factor, else "rest" at factor 1."""
    name = name.removeprefix(_OF_PEFT)
    for part, (prefixes, factor) in parts.items():
        if name.startswith(prefixes):
            return part, factor
    return "rest", 1.0


def _grouped(
    model: nn.Module,
    parts: Parts,
    learning_rate: float,
    weight_decay: float,
    may_decay: Callable[[str], bool],
) -> Groups:
    """Groups by part and by decay."""
    groups: dict[tuple[str, bool], dict[str, Any]] = {}
    for name, parameter in model.named_parameters():
        part, factor = _part_of(name, parts)
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
