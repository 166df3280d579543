"""The models that are compared: what each changes of a preset."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from tcm_hf.modeling.configuration_tcm import TCMConfig


@dataclass(frozen=True)
class Method:
    """A model of a comparison.

    Args:
        name: Short name in tables and folders.
        about: What it is, in a few words.
        settings: Fields of `TCMConfig` over those of the preset; a dict for a part replaces single fields of
            the part.
        preset: A preset of its own; None takes that of the experiment.
    """

    name: str
    about: str
    settings: Mapping[str, Any] = field(default_factory=dict)
    preset: str | None = None

    def fields(self, preset: str) -> dict[str, Any]:
        """The fields of `TCMConfig` that differ from its defaults: the preset's, and the method's over them.

        Args:
            preset: The experiment's preset.
        """
        stored = TCMConfig.presets.get(self.preset or preset, {})
        changes = {
            name: {**stored.get(name, {}), **value} if isinstance(value, Mapping) else value
            for name, value in self.settings.items()
        }
        return {**stored, **changes}

    def config(self, preset: str) -> TCMConfig:
        """The configuration of the model.

        Args:
            preset: The experiment's preset.

        Raises:
            ValueError: For an unknown preset, or settings that do not fit it.
        """
        return TCMConfig.from_preset(self.preset or preset, **self.fields(preset))


METHODS = (
    Method("baseline", "the detector alone", {"method": "baseline"}),
    Method("tcm", "TCM, arXiv 2302.14338", {"method": "tcm"}),
    Method("fasttcm", "FastTCM, arXiv 2308.10408", {"method": "fasttcm"}),
)


def _row(name: str, about: str) -> Method:
    return Method(name, about, TCMConfig.presets[f"ablation-{name}"])


ABLATION = (
    _row("baseline", "no text side"),
    _row("pp", "predefined prompt"),
    _row("pp-lp4", "predefined, 4 learnable"),
    _row("lp4", "4 learnable"),
    _row("lp18", "18 learnable"),
    _row("lp32", "32 learnable"),
    _row("pp-lp4-lg", "predefined, 4 learnable, language generator"),
    _row("pp-lp4-lg-vg", "predefined, 4 learnable, language and visual generator: TCM"),
    _row("pp-lp32-lg-vg", "predefined, 32 learnable, language and visual generator"),
    Method("no-aux", "TCM without the auxiliary loss", {"method": "tcm", "matching_loss_weight": 0}),
    Method("fasttcm", "FastTCM: meta query, similarity matching", {"method": "fasttcm"}),
)
"""The rows of TCM's table 6 (arXiv 2302.14338), the auxiliary loss left out, and FastTCM."""


def methods_named(names: Iterable[str], choices: Iterable[Method] = METHODS) -> tuple[Method, ...]:
    """Methods by their names, in the order of the names.

    Args:
        names: The names.
        choices: What can be named.

    Raises:
        ValueError: For a name that is none of them, or comes twice.
    """
    by_name = {method.name: method for method in choices}
    names = list(names)
    for name in names:
        if name not in by_name:
            raise ValueError(f"Expected one of {', '.join(by_name)}: got {name!r}.")
    if len(set(names)) < len(names):
        raise ValueError(f"Each row can be named once: got {' '.join(names)}.")
    return tuple(by_name[name] for name in names)
