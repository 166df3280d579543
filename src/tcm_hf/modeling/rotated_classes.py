"""Other classes for a rotated detector: what it learned about those that stay is kept."""

from collections.abc import Sequence
from typing import Any

import torch

from .matching import MatchingFusion
from .modeling_tcm import TCMModel
from .prompts import PromptSequence
from .rotated_head import RotatedHead


@torch.no_grad()
def replace_prompts(model: TCMModel) -> None:
    """Brings a backbone to the class prompts that its config holds now; no weight changes.

    Args:
        model: its config may have other `prompt_token_ids` than when it was built. Its text embedding must
            not be cached.
    """
    if model.prompt is None or model.matching_fusion is None:
        return
    prompt: Any = model.prompt
    contexts, fusion = prompt.sequence.contexts, model.matching_fusion
    prompt.sequence = PromptSequence(model.config).to(contexts.device)
    prompt.sequence.contexts = contexts
    # The fusions that have a weight have one for all classes.
    model.matching_fusion = type(fusion)(model.config.num_classes)
    model.matching_fusion.load_state_dict(fusion.state_dict())
    model.matching_fusion.to(contexts.device, contexts.dtype)
    stage = model.config.matching_stage
    model.num_features[stage] += model.matching_fusion.added_channels - fusion.added_channels


@torch.no_grad()
def copy_head(old: RotatedHead, new: RotatedHead, kept: Sequence[tuple[int, int]], fused: list[str]) -> None:
    """Copies the weights of a head into one for other classes.

    Args:
        old: the trained head.
        new: the same, but for its classes. How it classifies a new one stays; it does not listen to the map
            of that class yet.
        kept: places of the classes that both have, among the old and among the new ones.
        fused: names of the neck's convolutions that get the matching map, one channel a class behind the
            features; see `fused_convs`.
    """
    before, after = old.state_dict(), new.state_dict()
    old_places, new_places = (list(places) for places in zip(*kept, strict=True)) if kept else ([], [])
    for name, tensor in after.items():
        module = name.rpartition(".")[0]
        if module == "classification":  # (anchors * classes, …)
            rows = tensor.unflatten(0, (-1, new.num_classes))
            rows[:, new_places] = before[name].unflatten(0, (-1, old.num_classes))[:, old_places]
        elif module in fused and name.endswith("weight"):  # (…, features + classes, …)
            features = tensor.shape[1] - new.num_classes
            tensor[:, :features] = before[name][:, :features]
            tensor[:, features:] = 0  # so that maps of new classes do not disturb what was learned
            in_new, in_old = ([features + place for place in places] for places in (new_places, old_places))
            tensor[:, in_new] = before[name][:, in_old]
        else:
            tensor.copy_(before[name])


def fused_convs(
    head: RotatedHead, fusion: MatchingFusion | None, stages: Sequence[int], stage: int
) -> list[str]:
    """Names of the neck's convolutions that read the matching map.

    Args:
        head: any of the heads.
        fusion: of the backbone; None for the baseline.
        stages: of the feature maps that the backbone makes.
        stage: of the one that carries the map.
    """
    read = list(stages)[-len(head.neck.inner_convs) :]
    if fusion is None or not fusion.added_channels or stage not in read:
        return []
    names = [f"neck.inner_convs.{read.index(stage)}"]
    return [*names, "neck.extra_convs.0"] if head.neck.from_input and stage == read[-1] else names


__all__ = ["copy_head", "fused_convs", "replace_prompts"]
