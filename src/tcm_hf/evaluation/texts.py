"""The texts of an image as the metrics take them: one a polygon, None for do-not-care."""

from collections.abc import Mapping
from typing import Any

from tcm_hf.data.records import DO_NOT_CARE

__all__ = ["read_texts", "wanted_texts"]


def wanted_texts(reference: Mapping[str, Any]) -> list[str | None]:
    """What is annotated, None for do-not-care.

    Args:
        reference: has `polygons_xy` and `texts`, and where there are any `ignore`, a flag a polygon; "###" is
            do-not-care.

    Raises:
        ValueError: there is not one text, or flag, a polygon, or a text that counts is not known.
    """
    texts = _one_a_polygon(reference, "texts", "reference")
    ignore = [False] * len(texts)
    if reference.get("ignore") is not None:
        ignore = _one_a_polygon(reference, "ignore", "reference")
    wanted = [None if skip or text == DO_NOT_CARE else text for text, skip in zip(texts, ignore, strict=True)]
    for index, (text, skip) in enumerate(zip(texts, ignore, strict=True)):
        if text is None and not skip:
            raise ValueError(
                f"The text of reference polygon {index} is not known: give it, or mark the polygon in "
                "`ignore`."
            )
    return wanted


def read_texts(prediction: Mapping[str, Any]) -> list[str]:
    """What was read, "" where nothing was.

    Args:
        prediction: has `polygons_xy` and `texts`.

    Raises:
        ValueError: there is not one text a polygon.
    """
    return [text or "" for text in _one_a_polygon(prediction, "texts", "prediction")]


def _one_a_polygon(row: Mapping[str, Any], name: str, what: str) -> list[Any]:
    values = list(row[name])
    if len(values) != len(row["polygons_xy"]):
        raise ValueError(
            f"`{name}` of a {what} must have one entry per polygon: got {len(values)} for "
            f"{len(row['polygons_xy'])}."
        )
    return values
