"""What a checkpoint is, told by how its names begin; errors say which converter takes it."""

from collections.abc import Iterable, Sequence

SIGNS = {
    "clip_model.": ("clip4str", "a CLIP4STR checkpoint"),
    "testr.": ("testr", "a text spotter of TESTR's kind"),
    "proposal_generator.": ("abcnet", "a text spotter of ABCNet's kind"),
    "backbone.visual.": ("rotated", "a detector of rotated objects"),
    "bbox_head.": ("tcm", "a text detector"),
}
"""How some name begins -> the converter, and what it is; the first that is there decides."""

OWN = "model.image_tower."
CLIP_STARTS, CLIP_MEANING = ("visual.", "vision_model."), "CLIP weights: use `tcm-hf convert clip --to tcm`"
"""The same of what has no head; a single such name beside a head is an unknown name."""


def refuse_other_kinds(names: Iterable[str], kind: str, expected: str, source: str) -> None:
    """Raises ValueError for a checkpoint that is not of this kind.

    Args:
        names: of its tensors.
        kind: the converter that was asked for, of `SIGNS`.
        expected: what it takes, for the error.
        source: what the tensors come from.
    """
    names = list(names)

    def has(*starts: str) -> bool:
        return any(name.startswith(starts) for name in names)

    if has(OWN):
        raise ValueError(f"{source} is a model of this package already: load it with from_pretrained.")
    found = next((sign for start, sign in SIGNS.items() if has(start)), None)
    if found is not None and found[0] != kind:
        raise ValueError(f"{source} is {found[1]}: use `tcm-hf convert {found[0]}`.")
    if found is None and has(*CLIP_STARTS):
        raise ValueError(f"{source} is {CLIP_MEANING}.")
    if found is None:
        raise ValueError(f"{source} is no {expected}, got {first_names(names)}.")


def first_names(names: Sequence[str]) -> str:
    """The first few names, for an error."""
    return f"{', '.join(sorted(names)[:4])}, …"


__all__ = ["first_names", "refuse_other_kinds"]
