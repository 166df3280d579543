"""The image processor of a converted spotter: sizes, normalisation and threshold of its configuration."""

from typing import Any

from tcm_hf.conversion.spotter_kinds import SpotterKind
from tcm_hf.conversion.spotter_settings import Settings, numbers, section
from tcm_hf.conversion.tcm_processing import LEVELS, ToldProcessing, chosen_processing
from tcm_hf.modeling.configuration_tcm_spotting import TCMSpottingConfig
from tcm_hf.processing.image_processing_spotting import TCMSpottingImageProcessor

FORMATS = ("RGB", "BGR")


def color_format(spotter: SpotterKind, said: Settings) -> str:
    """`"RGB"` or `"BGR"`.

    Args:
        spotter: the kind, whose usual order holds where the configuration says none.
        said: the section `INPUT` of the configuration.

    Raises:
        ValueError: if the configuration says something else.
    """
    order = said.get("FORMAT", spotter.color_format)
    if order not in FORMATS:
        raise ValueError(f"its configuration must say `FORMAT` as one of {list(FORMATS)}: it says {order!r}")
    return order


def spotting_processing(
    spotter: SpotterKind, config: TCMSpottingConfig, configuration: Settings, preset: str | None = None
) -> ToldProcessing:
    """The image processor of a converted spotter.

    What the configuration says is taken; the published spotter that agrees with most of it gives the rest. A
    preset that was asked for gives all.

    Args:
        spotter: the kind.
        config: of the converted spotter; its characters are the processor's.
        configuration: of the checkpoint, or nothing.
        preset: the preset that was asked for.

    Raises:
        ValueError: if the configuration says something impossible.
    """
    method = "tcm" if config.method == "baseline" else config.method
    names = [f"{one}-{name}" for one in (method, "tcm") for name in spotter.presets]
    told = _told_settings(spotter, configuration)
    return chosen_processing(TCMSpottingImageProcessor, told, names, preset, characters=config.characters)


def _told_settings(spotter: SpotterKind, configuration: Settings) -> dict[str, Any]:
    """What a configuration says, by our names."""
    pictures, model = section(configuration, "INPUT"), section(configuration, "MODEL")
    told: dict[str, Any] = {}
    sides = numbers(pictures, {"MIN_SIZE_TEST": "shortest_edge", "MAX_SIZE_TEST": "longest_edge"})
    if len(sides) == 2:
        if not 1 <= sides["shortest_edge"] <= sides["longest_edge"]:
            raise ValueError(f"its configuration says impossible sizes of test pictures: {sides}")
        told["size"] = sides
    turned = color_format(spotter, pictures) == "BGR"
    for theirs, ours in (("PIXEL_MEAN", "image_mean"), ("PIXEL_STD", "image_std")):
        values = model.get(theirs)
        if isinstance(values, list) and len(values) == 3:
            told[ours] = [_level(value, theirs) for value in (values[::-1] if turned else values)]
    if spotter.threshold:
        *path, name = spotter.threshold
        told |= numbers(section(configuration, *path), {name: "threshold"})
    return told


def _level(value: Any, name: str) -> float:
    if type(value) not in (int, float):
        raise ValueError(f"its configuration must say `{name}` as three numbers")
    return value / LEVELS


__all__ = ["color_format", "spotting_processing"]
