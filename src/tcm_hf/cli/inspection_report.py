"""The report of `tcm-hf data inspect` as text, made from its JSON document."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

_SHOWN = 5
_MANY = 12  # languages or classes on a line

Part = Mapping[str, Any]


def report_lines(document: Part, *, show_all: bool = False) -> Iterator[str]:
    """The lines of a report.

    Args:
        document: of `Inspection.to_dict()`.
        show_all: name all broken rows, lost pictures and doubts; else the first five of each.
    """
    yield str(document["path"])
    yield f"  {document['corpus']}: {document['title']}"
    for part in document["parts"]:
        yield ""
        yield from _part_lines(part, show_all)
    copies = [" = ".join(group) for group in document["same_pictures"]]
    if copies:
        yield ""
        yield from _listed("pictures that lie there twice", copies, show_all)


def _part_lines(part: Part, show_all: bool) -> Iterator[str]:
    looked_at = "" if part["looked_at"] == part["records"] else f", {part['looked_at']} looked at"
    yield f"{'part ' + part['split'] if part['split'] else 'all of it'}: {part['records']} records{looked_at}"
    rows = [("pictures", _pictures(part["pictures"]))]
    if "objects" in part:
        rows += _objects(part["objects"])
    elif "outlines" in part:
        rows += _texts(part["texts"])
    else:
        texts = part["texts"]
        rows.append(
            ("words", f"{texts['all']}, {texts['empty']} empty, {texts['in_tall_crops']} in tall crops")
        )
    if "outlines" in part:
        rows += _outlines(part["outlines"])
    if "transcriptions" in part and part["transcriptions"]["length"]:
        rows += _transcriptions(part["transcriptions"])
    rows += [("note", f"{count} {what}") for what, count in part["notes"].items()]
    yield from (f"  {name:12} {value}" for name, value in rows)
    broken = [
        f"{row['file']}{'' if row['line'] is None else ', line ' + str(row['line'])}: {row['reason']}"
        for row in part["broken_rows"]
    ]
    for title, entries in (
        ("broken rows", broken),
        ("lost pictures", [f"{one['image']}: {one['reason']}" for one in part["lost_pictures"]]),
        ("doubts", [f"{one['image']}: {one['reason']}" for one in part["doubts"]]),
    ):
        yield from (f"  {line}" for line in _listed(title, entries, show_all))


def _pictures(counts: Part) -> str:
    lost = f", {counts['lost']} lost" if counts["lost"] else ""
    if not counts["readable"]:
        return f"0 readable{lost}"
    sizes = f"width {_range(counts['width_px'])}, height {_range(counts['height_px'])} px"
    return f"{counts['readable']} readable{lost}; {sizes}"


def _texts(counts: Part) -> Iterator[tuple[str, str]]:
    total = counts["all"]
    share = f" ({100 * counts['ignored'] / total:.0f} %)" if total else ""
    yield (
        "texts",
        f"{total}: {counts['transcribed']} with a transcription, {counts['ignored']} do not care{share}",
    )
    yield "a picture", f"{_range(counts['a_picture'])}; {counts['pictures_without']} without any"
    if set(counts["levels"]) - {"word"}:
        yield "levels", _counted(counts["levels"])
    if counts["languages"]:
        yield "languages", _counted(counts["languages"])


def _objects(counts: Part) -> Iterator[tuple[str, str]]:
    yield "objects", f"{counts['all']}, {counts['difficult']} difficult"
    yield "a picture", f"{_range(counts['a_picture'])}; {counts['pictures_without']} without any"
    yield "classes", _counted(counts["classes"])


def _outlines(counts: Part) -> Iterator[tuple[str, str]]:
    if counts["height_px"]:
        spread = counts["height_px"]
        low = next(f"{value} {name.replace('_', ' ')}" for name, value in counts.items() if "lower" in name)
        yield (
            "height",
            f"{_range(spread)} px, 5 % below {spread['p5']:g}, 5 % above {spread['p95']:g}; {low}",
        )
    yield "points", _counted(counts["points"])
    yield (
        "outlines",
        f"{counts['crossing_themselves']} cross themselves, {counts['without_area']} without area, "
        f"{counts['beyond_the_border']} reach beyond the border",
    )


def _transcriptions(counts: Part) -> Iterator[tuple[str, str]]:
    longer = next(f"{value} {name.replace('_', ' ')}" for name, value in counts.items() if "longer" in name)
    yield "length", f"{_range(counts['length'])} characters; {longer}"
    beyond = f"; beyond ASCII {counts['beyond_ascii']}" if counts["beyond_ascii"] else ""
    yield "characters", f"{counts['characters']} different{beyond}"


def _range(spread: Part | None) -> str:
    if spread is None:
        return "none"
    if spread["min"] == spread["max"]:
        return f"{spread['min']:g}"
    return f"{spread['min']:g} to {spread['max']:g} (median {spread['median']:g})"


def _counted(counts: Mapping[str, int]) -> str:
    entries = [f"{name}: {count}" for name, count in counts.items()]
    more = f" and {len(entries) - _MANY} more" if len(entries) > _MANY else ""
    return ", ".join(entries[:_MANY]) + more


def _listed(title: str, entries: Sequence[str], show_all: bool) -> Iterator[str]:
    if not entries:
        return
    shown = entries if show_all else entries[:_SHOWN]
    more = f", the first {len(shown)} (all of them with --all)" if len(shown) < len(entries) else ""
    yield f"{title}: {len(entries)}{more}"
    yield from (f"  {entry}" for entry in shown)
