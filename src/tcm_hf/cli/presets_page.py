"""The page docs/presets.md, written by `tcm-hf presets --markdown`."""

from tcm_hf.cli.presets import figures_text
from tcm_hf.presets.preset_rows import PresetRow
from tcm_hf.presets.published import DETECTORS, RECOGNIZERS, ROTATED_DETECTORS, SOURCES, SPOTTERS

_HEAD = """\
# Presets

Written by `tcm-hf presets --markdown > docs/presets.md`; do not edit.

A preset is the settings of a published or shipped model, without weights:

```python
from tcm_hf import TCMConfig, TCMForTextDetection, TCMImageProcessor

model = TCMForTextDetection(TCMConfig.from_preset("tcm-pan-r50-ic15"))
processor = TCMImageProcessor.from_preset("tcm-pan-r50-ic15")
```

`tcm-hf presets NAME` prints one in full. Parameters are counted with and without the text tower, which the
papers leave out and `cache_text_embeddings()` drops. Image sizes are bounds of the shorter and the longer
side in pixels (detectors, spotters) or height and width (the others). The figures are the publishers', not
ours; *weights* says where trained ones can be downloaded.
"""

_SECTIONS = (
    ("Detectors", DETECTORS, "Published: F-measure in percent.", "data set"),
    (
        "Spotters",
        SPOTTERS,
        "`TCMSpottingConfig`, `FastTCMForTextSpotting`, `TCMSpottingImageProcessor`. No figures are known.",
        "data set",
    ),
    (
        "Detectors of rotated objects",
        ROTATED_DETECTORS,
        "`TCMRotatedDetectionConfig`, `TCMForRotatedObjectDetection`, `TCMRotatedImageProcessor`. Published: "
        "AP50 in percent, one scale.",
        "data set",
    ),
    ("Recognisers", RECOGNIZERS, "Published: word accuracy in percent.", "trained on"),
)
"""Title, names, what the figures are, what the data set is for."""


def presets_page(rows: list[PresetRow]) -> str:
    """The page with all presets, their sizes counted."""
    sections = [_HEAD]
    for title, names, figures, data_set_title in _SECTIONS:
        of_kind = [row for row in rows if row.name in names]
        sections += [f"## {title}\n\n{figures}\n", _table(of_kind, data_set_title), _notes(of_kind)]
    sections += [
        "## Sources\n",
        "".join(f"- **{key}**: {source}\n" for key, source in SOURCES.items()),
    ]
    return "\n".join(sections)


def _table(rows: list[PresetRow], data_set_title: str) -> str:
    from tcm_hf.presets.parameter_counts import count_parameters

    lines = [
        "| preset | model | image tower | parameters, M | without text | images "
        f"| {data_set_title} | published | weights |",
        "|--|--|--|--:|--:|--|--|--|--|",
    ]
    for row in rows:
        count = count_parameters(row.name)
        cells = (
            f"`{row.name}`",
            row.model,
            row.image_tower,
            f"{count.total / 1e6:.2f}",
            f"{count.without_text_tower / 1e6:.2f}",
            row.image_size,
            row.facts.data_set or "",
            figures_text(row.facts),
            row.facts.weights or "",
        )
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"


def _notes(rows: list[PresetRow]) -> str:
    """What is to be said about single presets; the same note once for all that share it."""
    names: dict[str, list[str]] = {}
    for row in rows:
        if row.facts.note:
            names.setdefault(row.facts.note, []).append(f"`{row.name}`")
    return "".join(f"- {', '.join(of_note)}: {note}\n" for note, of_note in names.items())
