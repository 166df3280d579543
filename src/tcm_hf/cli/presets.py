"""`tcm-hf presets`: the settings of published and shipped models, with what was published about them."""

import argparse
import difflib
import json
import re
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from tcm_hf.cli.errors import CommandError

if TYPE_CHECKING:
    from tcm_hf.presets.preset_rows import PresetRow
    from tcm_hf.presets.published import Facts

DESCRIPTION = """\
List the presets: sizes and settings of the published models and of our own, for `TCMConfig.from_preset`,
`TCMImageProcessor.from_preset` (and the configs and processors of spotters, rotated detectors, recognisers),
`tcm-hf train --preset` and `tcm-hf convert --preset`. With a NAME, one preset in full. Published figures are
F-measures (detectors), AP50 (rotated detectors) and word accuracies (recognisers) in percent, each with its
source. A preset holds no weights.
"""


def add_parser(subparsers: Any) -> None:
    """Add the verb `presets` to the command line."""
    parser = subparsers.add_parser(
        "presets",
        help="list the settings of published models",
        description=DESCRIPTION,
        epilog="Exit codes: 0 done, 2 no such preset.",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("name", metavar="NAME", nargs="?", help="one preset in full")
    form = parser.add_mutually_exclusive_group()
    form.add_argument("--json", action="store_true", help="for programs; with NAME all settings are in it")
    form.add_argument("--markdown", action="store_true", help="the page docs/presets.md, sizes counted")


def run(arguments: argparse.Namespace) -> int:
    """Print the table, the page or one preset.

    Raises:
        CommandError: if there is no preset of this name.
    """
    from tcm_hf.presets.preset_rows import preset_rows

    if arguments.name is None:
        rows = preset_rows()
        if arguments.markdown:
            from tcm_hf.cli.presets_page import presets_page

            print(presets_page(rows), end="")
        elif arguments.json:
            print(json.dumps([_row_as_json(row) for row in rows], indent=2, ensure_ascii=False))
        else:
            print("\n".join(_table(rows)))
        return 0
    if arguments.markdown:
        raise CommandError("--markdown writes the page of all presets: leave NAME out")
    found = preset_rows([arguments.name])
    if not found:
        known = [row.name for row in preset_rows()]
        close = difflib.get_close_matches(arguments.name, known, n=3) or known[:3]
        raise CommandError(
            f"there is no preset {arguments.name!r}: did you mean {' or '.join(close)}? "
            "`tcm-hf presets` lists all"
        )
    print(_one_as_json(found[0]) if arguments.json else _one_as_text(found[0]))
    return 0


def figures_text(facts: "Facts") -> str:
    """The published figures in one line: `88.8 [T1], 88.36 [code], Total-Text 85.6, CTW1500 84.9 [T6]`.

    The data set of the preset itself goes without saying, and a source stands behind the last of its figures.
    """
    text, data_set = "", facts.data_set
    for index, figure in enumerate(facts.figures):
        text += ", " if text else ""
        text += "" if figure.data_set == data_set else f"{figure.data_set} "
        text += (
            f"{figure.percent:.1f}" if round(figure.percent, 1) == figure.percent else f"{figure.percent:.2f}"
        )
        text += figure.mark
        following = facts.figures[index + 1 : index + 2]
        if not following or following[0].source != figure.source:
            text += f" [{figure.source}]"
        data_set = figure.data_set
    return text


def _table(rows: list["PresetRow"]) -> Iterable[str]:
    from tcm_hf.presets.published import SOURCES

    cells = [("PRESET", "MODEL", "IMAGE TOWER", "IMAGE", "WEIGHTS", "DATA SET", "PUBLISHED, %")]
    for row in rows:
        figure = figures_text(row.facts._replace(figures=row.facts.figures[:1]))
        weights = "public" if row.facts.weights else ""
        data_set = row.facts.data_set or ""
        cells.append((row.name, row.model, row.image_tower, row.image_size, weights, data_set, figure))
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    for line in cells:
        yield "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip()
    yield ""
    for key, source in SOURCES.items():
        yield f"[{key}] {source}"


def _row_as_json(row: "PresetRow") -> dict[str, Any]:
    facts = row.facts
    return {
        "name": row.name,
        "model": row.model,
        "image_tower": row.image_tower,
        "image_size": row.image_size,
        "data_set": facts.data_set,
        "published": [figure._asdict() for figure in facts.figures],
        "weights": facts.weights,
        "note": facts.note,
    }


def _settings(name: str) -> tuple[dict[str, Any], dict[str, Any]]:
    """The whole config, and the image processor's settings that differ from its defaults."""
    from tcm_hf.presets.families import family_of

    family = family_of(name)
    config = json.loads(family.config.from_preset(name).to_json_string())
    return config, family.image_processor.presets[name]


def _one_as_json(row: "PresetRow") -> str:
    from tcm_hf.presets.parameter_counts import count_parameters

    config, image_processor = _settings(row.name)
    whole = _row_as_json(row) | {
        "parameters": count_parameters(row.name)._asdict(),
        "config": config,
        "image_processor": image_processor,
    }
    return json.dumps(whole, indent=2, ensure_ascii=False)


def _one_as_text(row: "PresetRow") -> str:
    from tcm_hf.presets.parameter_counts import count_parameters
    from tcm_hf.presets.published import SOURCES

    config, image_processor = _settings(row.name)
    count, facts = count_parameters(row.name), row.facts
    lines = [
        f"{row.name}: {row.model} on {row.image_tower}",
        f"parameters   {count.total / 1e6:.2f} M, {count.without_text_tower / 1e6:.2f} M without text tower",
        f"images       {row.image_size}",
        f"data set     {facts.data_set or 'none in particular'}",
        f"published    {figures_text(facts) or 'nothing'}",
        *(f"             [{key}] {SOURCES[key]}" for key in dict.fromkeys(f.source for f in facts.figures)),
        f"weights      {facts.weights or 'none public'}",
    ]
    if facts.note:
        lines.append(f"note         {facts.note}")
    lines += ["", "config:", _indented(config), "", "image processor:", _indented(image_processor)]
    return "\n".join(lines)


def _indented(settings: dict[str, Any]) -> str:
    """JSON over several lines, lists of numbers or words on one."""
    text = json.dumps(settings, indent=2, ensure_ascii=False)
    return re.sub(r"\[[^][{}]+\]", lambda match: " ".join(match[0].split()), text)
