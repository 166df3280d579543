"""Every preset builds, and has the size that the papers state."""

import pytest

from tcm_hf.presets.parameter_counts import count_parameters
from tcm_hf.presets.published import DETECTORS, RECOGNIZERS, ROTATED_DETECTORS, SPOTTERS


@pytest.mark.parametrize("name", [*DETECTORS, *SPOTTERS, *ROTATED_DETECTORS, *RECOGNIZERS])
def test_every_preset_builds(name):
    total, without_text_tower = count_parameters(name)
    assert total >= without_text_tower > 3e5
    assert (total == without_text_tower) == name.startswith(
        ("dbnet", "pan", "fcenet", "ablation-baseline", "clip4str-adapter")
    )


@pytest.mark.parametrize(
    ("name", "total", "without_text_tower"),
    [
        ("tcm-dbnet-r50-td500", 114.08, 50.42),  # "50 (M)" in the paper's table 10
        ("tcm-dbnet-r50-ic15", 114.08, 50.42),
        ("fasttcm-dbnet-r50-td500", 114.08, 50.42),
        ("dbnet-r50", 25.41, 25.41),  # 26 M there
        ("clip4str-base", 158.26, 94.83),  # 158 M in its code
        ("clip4str-large", 446.86, 323.21),  # 446 M
    ],
)
def test_sizes_are_those_that_were_published(name, total, without_text_tower):
    count = count_parameters(name)
    assert (round(count.total / 1e6, 2), round(count.without_text_tower / 1e6, 2)) == (
        total,
        without_text_tower,
    )


def test_an_unknown_preset_is_an_error():
    with pytest.raises(ValueError, match="no preset 'tcm'"):
        count_parameters("tcm")
