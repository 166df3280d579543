"""`tcm-hf verify`: compare a converted model with numbers of the original, stage by stage."""

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tcm_hf.cli.arguments import add_verb
from tcm_hf.cli.errors import CommandError
from tcm_hf.cli.load_models import DETECTOR, ROTATED, SPOTTER, load_model

if TYPE_CHECKING:
    from tcm_hf.conversion.verify import StageComparison

EXIT_DIFFERENT = 1

DESCRIPTION = """\
Run a detector or a spotter on the seeded image of a golden file and compare what it computes, stage by stage,
with what the original program computed: towers, prompts, matching map, neck, head. Prints a table; the first
stage that differs is where the fault begins.

GOLDEN.json says the image (input.seed, input.shape), GOLDEN.npz beside it holds the stages. To make one of
your own checkpoint, run the original on `tcm_hf.conversion.golden.seeded_image` and write what it computes
with `save_golden`; the names of the stages are in that module's text.
"""
EPILOG = "Exit codes: 0 all stages agree, 1 a stage differs, 2 wrong use, 130 Ctrl-C."


def add_parser(subparsers: Any) -> None:
    """Add the verb and its arguments."""
    summary = "compare a converted model with numbers of the original, stage by stage"
    parser = add_verb(subparsers, "verify", summary, DESCRIPTION, EPILOG)
    parser.add_argument(
        "model",
        metavar="MODEL",
        help="checkpoint folder or Hub id of a detector, a spotter or a detector of rotated objects",
    )
    parser.add_argument("golden", type=Path, metavar="GOLDEN.json", help="what the original computed")
    parser.add_argument(
        "--tolerance",
        type=_tolerance,
        default=5e-4,
        metavar="X",
        help="largest difference in standard deviations of a stage (default: %(default)s)",
    )
    parser.add_argument("-q", "--quiet", action="store_true", help="no table, no progress bar")


def _tolerance(text: str) -> float:
    value = float(text)
    if not 0 < value < 1:
        raise argparse.ArgumentTypeError(f"{text} is not between 0 and 1")
    return value


def run(arguments: argparse.Namespace) -> int:
    """Compare; returns the exit code.

    Raises:
        CommandError: for a model that cannot be loaded, or a file that is no golden.
    """
    if not arguments.golden.is_file():
        raise CommandError(f"no such file: {arguments.golden}")
    _check_no_preset(arguments.model)
    from tcm_hf.conversion.golden import load_golden
    from tcm_hf.conversion.shown_text import one_line

    try:
        golden = load_golden(arguments.golden)
    except ValueError as error:
        raise CommandError(one_line(str(error))) from error
    model = load_model("MODEL", arguments.model, arguments.quiet, DETECTOR, SPOTTER, ROTATED)
    from tcm_hf.conversion.verify import verify

    try:
        comparisons = verify(model, golden, arguments.tolerance)
    except ValueError as error:
        raise CommandError(f"{arguments.model} cannot take the image of {golden.name}: {error}") from error
    except MemoryError as error:
        raise CommandError(f"there is not enough memory for the image of {golden.name}") from error
    different = [comparison for comparison in comparisons if not comparison.agrees]
    if not arguments.quiet:
        print(table(comparisons))
        print(
            f"{len(different)} of {len(comparisons)} stages differ, the first is {different[0].name}"
            if different
            else f"all {len(comparisons)} stages agree"
        )
    return EXIT_DIFFERENT if different else 0


def _check_no_preset(model: str) -> None:
    """Raises CommandError where MODEL names a preset: looking for it on the Hub would take a minute."""
    from tcm_hf.modeling import presets_rotated, presets_spotting, presets_tcm

    presets = {*presets_tcm.PRESETS, *presets_spotting.PRESETS, *presets_rotated.PRESETS}
    if model in presets and not Path(model).is_dir():
        raise CommandError(
            f"{model} is a preset, a set of sizes without weights: give the folder of a converted checkpoint"
        )


def table(comparisons: "list[StageComparison]") -> str:
    """One line a stage: its name, how far it varies, the largest difference in units of that, the verdict."""
    from tcm_hf.conversion.shown_text import one_line

    lines = [f"{'stage':<26}{'spread':>10}{'difference':>12}"]
    for one in comparisons:
        difference = "" if one.difference is None else f"{one.difference:.1e}"
        verdict = "" if one.agrees else f"  DIFFERS{f': {one.reason}' if one.reason else ''}"
        lines.append(f"{one_line(one.name, 60):<26}{one.spread:>10.3g}{difference:>12}{verdict}")
    return "\n".join(lines)
