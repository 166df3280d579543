"""Writes a converted model with its processor and card, and proves that what was written is the same."""

from pathlib import Path
from typing import Any

import torch
from transformers import PreTrainedModel

from tcm_hf.conversion.whole_folder import whole_folder

SEEDS = (20240601, 20240602, 20240603)
"""Of the images on which models are compared. One is enough, but for spotters, which take the best of many
places: two that are equally good may change places between kernels."""


def save_converted(
    model: PreTrainedModel, processor: Any, card: str, folder: str | Path, image_size_hw: tuple[int, int]
) -> Path:
    """Saves model, processor and card, loads them again and compares; the folder appears only if all is well.

    Args:
        model: the model, in eval mode.
        processor: its processor or image processor.
        card: text of README.md.
        folder: the folder to be; must not exist, or be empty.
        image_size_hw: size of the seeded image on which both models must agree, in pixels.

    Returns:
        The folder.

    Raises:
        FileExistsError: if there is something in the folder already.
        ValueError: if the model computes no numbers.
        RuntimeError: if the saved model is not the same. Nothing is left then.
    """
    folder = Path(folder)
    with whole_folder(folder) as temporary:
        model.save_pretrained(temporary)
        processor.save_pretrained(temporary)
        (temporary / "README.md").write_text(card, encoding="utf-8")
        _verify(model, type(model).from_pretrained(temporary).eval(), image_size_hw)
        type(processor).from_pretrained(temporary)
    return folder


def seeded_image(image_size_hw: tuple[int, int], seed: int = SEEDS[0]) -> torch.Tensor:
    """(1, 3, H, W) noise, the same every time."""
    return torch.randn(1, 3, *image_size_hw, generator=torch.Generator().manual_seed(seed))


def _verify(model: PreTrainedModel, reloaded: PreTrainedModel, image_size_hw: tuple[int, int]) -> None:
    """Raises RuntimeError unless both have the same tensors and give the same numbers, ValueError for NaN."""
    before, after = model.state_dict(), reloaded.state_dict()
    changed = sorted(
        name for name in before.keys() | after.keys() if not _same(before.get(name), after.get(name))
    )
    if changed:
        raise RuntimeError(f"The saved model differs in {len(changed)} tensors, the first {changed[:3]}.")
    wrong = []
    for seed in SEEDS:
        image = seeded_image(image_size_hw, seed)
        with torch.inference_mode():
            first, second = model(pixel_values=image), reloaded(pixel_values=image)
        if broken := [name for name, value in first.items() if _has_nan(value)]:
            raise ValueError(
                f"The weights cannot be right: for a seeded image the model computes {', '.join(broken)} "
                "with values that are no numbers."
            )
        wrong = [name for name, value in first.items() if not _agree(value, second[name])]
        if not wrong:
            return
    raise RuntimeError(f"The saved model has the same tensors and gives other numbers: {wrong}.")


def _agree(first: Any, second: Any) -> bool:
    """Whether two outputs, tensors or tuples of tensors, hold the same numbers."""
    if isinstance(first, tuple):
        return all(_agree(one, other) for one, other in zip(first, second, strict=True))
    if not isinstance(first, torch.Tensor):
        return True
    # The tensors are equal to the bit; kernels may add up in another order for other memory addresses.
    return first.shape == second.shape and torch.allclose(first, second, rtol=1e-3, atol=1e-4)


def _has_nan(value: Any) -> bool:
    if isinstance(value, tuple):
        return any(map(_has_nan, value))
    return isinstance(value, torch.Tensor) and bool(torch.isnan(value).any())


def _same(first: torch.Tensor | None, second: torch.Tensor | None) -> bool:
    return (
        first is not None
        and second is not None
        and first.dtype == second.dtype
        and torch.equal(first, second)
    )


__all__ = ["save_converted", "seeded_image"]
