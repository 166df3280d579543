"""Do the labels of a spotter fit the images, the head and one another?"""

from collections.abc import Mapping

import torch

from .spotting_losses import Labels

MOST_OUTSIDE = 1.0
"""How far a place may lie outside the image, in parts of its size: control points of curves do."""

Shape = tuple[int, ...] | None


def check_labels(
    labels: Labels, shapes: Mapping[str, Shape], *, num_images: int, num_characters: int
) -> None:
    """Raises ValueError for labels that a spotter cannot learn from, saying which and why.

    Args:
        labels: one dict an image, as for the model.
        shapes: what every dict must hold, by name: the shape for one word, or None for a map of the image.
        num_images: B.
        num_characters: V, characters of the model.
    """
    if len(labels) != num_images:
        raise ValueError(f"`labels` must be {num_images} dicts, one an image: got {len(labels)}.")
    for number, label in enumerate(labels):
        if missing := [name for name in shapes if name not in label]:
            raise ValueError(f"`labels[{number}]` must hold {list(shapes)}: {missing} are missing.")
        _check_shapes(label, shapes, f"labels[{number}]")
    for name in (*shapes, "ignored_boxes"):
        if shapes.get(name, ()) is not None:
            _check_values(name, [label[name] for label in labels if name in label], num_characters)
    _check_maps(labels)


def _check_shapes(label: dict[str, torch.Tensor], shapes: Mapping[str, Shape], place: str) -> None:
    of_words = {name: shape for name, shape in shapes.items() if shape is not None}
    words = len(label[next(iter(of_words))])
    expected = {name: (words, *shape) for name, shape in of_words.items()}
    if "ignored_boxes" in label:
        expected["ignored_boxes"] = (len(label["ignored_boxes"]), 4)
    for name, shape in expected.items():
        if tuple(label[name].shape) != shape:
            raise ValueError(f"`{place}[{name!r}]` must be {shape}: got {tuple(label[name].shape)}.")


def _check_values(name: str, values: list[torch.Tensor], num_characters: int) -> None:
    if not sum(map(len, values)):
        return
    together = torch.cat([value.flatten() for value in values])
    low, high = together.min().item(), together.max().item()
    if name == "character_ids":
        if together.is_floating_point() or low < 0 or high > num_characters:
            raise ValueError(
                f"`character_ids` must be whole numbers from 0 to {num_characters}, the last one for no "
                f"character: got {together.dtype} from {low} to {high}."
            )
    elif not -MOST_OUTSIDE <= low <= high <= 1 + MOST_OUTSIDE:  # not so for what is no number either
        raise ValueError(
            f"`{name}` must be parts of the image's width and height, 0 to 1: got {low:g} to {high:g}; "
            "divide pixels by the image's size."
        )
    elif name.endswith("boxes") and any((value[:, 2:] < 0).any() for value in values):
        raise ValueError(f"`{name}` must be centre x, centre y, width, height: got negative sizes.")


def _check_maps(labels: Labels) -> None:
    maps = ("matching_target", "matching_mask")
    sizes = {tuple(label[name].shape) for label in labels for name in maps if name in label}
    if len(sizes) > 1 or any(len(size) != 2 for size in sizes):
        raise ValueError(
            "`matching_target` and `matching_mask` must be (h, w), the same for all images of a batch: got "
            f"{sorted(sizes)}."
        )


__all__ = ["check_labels"]
