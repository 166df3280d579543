"""`tcm-hf convert testr` and `abcnet`: published end-to-end spotters."""

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tcm_hf.cli.convert_options import add_config, add_kind, add_prompt, report_of, told_options
from tcm_hf.cli.errors import CommandError

if TYPE_CHECKING:
    from tcm_hf.conversion.key_report import KeyReport

DESCRIPTION = """\
Convert a published spotter of {family}'s kind on TCM, FastTCM or, without CLIP's text side, on the plain
ResNet that it started from (.pth of detectron2 as it was saved, .pkl of arrays, a bare state dict or
safetensors). Parts and sizes are told by the tensors. Every tensor must fit: unknown, missing and mis-shaped
names are listed, and nothing is written. Only tensors are read; a file that wants to run something is
refused.

No tensor tells {untold}: --config names the configuration that it was
trained with (.yaml, also the config.yaml that detectron2 writes beside its checkpoints; read, not run), or
--preset the published spotter that it is. Without either the released values hold. Networks for BGR pictures
are turned round for RGB.
"""
UNTOLD = {
    "testr": "how many queries it has, sizes of pictures and thresholds",
    "abcnet": "heights of text, sizes of pictures and thresholds",
}
FAMILIES = {"testr": "TESTR", "abcnet": "ABCNet"}


def add_parser(kinds: Any) -> None:
    """Add the kinds `testr` and `abcnet`."""
    for name, family in FAMILIES.items():
        description = DESCRIPTION.format(family=family, untold=UNTOLD[name])
        parser = add_kind(kinds, name, f"a published {family} spotter of TCM", description)
        add_prompt(
            parser,
            "the class prompt, where no configuration says it and it is not the released one; once a class",
        )
        add_config(parser, "the configuration (.yaml or .json) that it was trained with")
        parser.add_argument(
            "--characters",
            metavar="TEXT",
            help="the characters in the order of their classes, where they are none of the released 96 or "
            "37; @FILE reads them from a file",
        )


def convert(arguments: argparse.Namespace) -> "KeyReport":
    """Convert; returns what became of every tensor.

    Raises:
        CommandError: if the file of characters cannot be read.
    """
    from tcm_hf.conversion.convert_spotter import convert_spotter

    converted = convert_spotter(
        arguments.kind,
        arguments.source,
        arguments.output,
        prompts=arguments.prompt,
        characters=_characters(arguments.characters),
        **told_options(arguments),
    )
    return report_of(converted, arguments.quiet)


def _characters(given: str | None) -> str | None:
    """The characters, from a file if it is named; line breaks do not count."""
    if given is None or not given.startswith("@") or len(given) < 2:
        return given
    try:
        return "".join(Path(given[1:]).read_text(encoding="utf-8").splitlines())
    except (OSError, UnicodeDecodeError) as error:
        raise CommandError(f"--characters {given}: {error}") from error
