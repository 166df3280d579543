"""labelme's json, of corpora and of results alike; plain numbers in, plain dicts out."""

from collections.abc import Sequence
from typing import Any

__all__ = ["labelme_document", "labelme_shape"]


def labelme_shape(
    label: str,
    polygon: Sequence[Sequence[float]],
    *,
    description: str = "",
    ignore: bool = False,
    **known: Any,
) -> dict[str, Any]:
    """An outline.

    Args:
        label: What labelme shows.
        polygon: (P, 2) points (x, y), pixels.
        description: A second text.
        ignore: Sets a flag of this name.
        known: What else is known; labelme keeps keys that it does not know.
    """
    return {
        "label": label,
        "points": polygon,
        "group_id": None,
        "description": description,
        "shape_type": "polygon",
        "flags": {"ignore": True} if ignore else {},
        "mask": None,
        **known,
    }


def labelme_document(
    image_path: str, size_hw: Sequence[int], shapes: Sequence[dict[str, Any]]
) -> dict[str, Any]:
    """The file of one photo.

    Args:
        image_path: Where the photo lies, as seen from the folder of the file.
        size_hw: Its height and width, pixels, upright.
        shapes: What `labelme_shape` made.
    """
    return {
        "version": "5.5.0",
        "flags": {},
        "shapes": shapes,
        "imagePath": image_path,
        "imageData": None,
        "imageHeight": size_hw[0],
        "imageWidth": size_hw[1],
    }
