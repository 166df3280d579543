"""Settings of the image processor by preset: every model has them, every one of them is a setting."""

import pytest

from tcm_hf.modeling.presets_tcm import PRESETS as MODEL_PRESETS
from tcm_hf.processing.image_processing_tcm import TCMImageProcessor
from tcm_hf.processing.presets_image_processing import PRESETS


def test_models_and_image_processors_have_the_same_presets():
    assert list(PRESETS) == list(MODEL_PRESETS)


@pytest.mark.parametrize("name", PRESETS)
def test_every_setting_is_one_that_the_processor_has(name):
    processor = TCMImageProcessor.from_preset(name)
    for setting, value in PRESETS[name].items():
        assert hasattr(TCMImageProcessor, setting), setting
        found = getattr(processor, setting)
        as_written = {"size": dict, "image_mean": list}.get(setting, lambda same: same)
        assert as_written(found) == value


@pytest.mark.parametrize(
    ("name", "processed_hw"),
    [
        ("tcm-dbnet-r50-td500", (736, 1312)),
        ("tcm-dbnet-r50-ic15", (1024, 1824)),
        ("tcm-pan-r50-ic15", (736, 1312)),
        ("tcm-fcenet-r50-ic15", (1280, 2272)),
        ("tcm-dbnet-vit-b16", (800, 1408)),
    ],
)
def test_a_photo_gets_the_published_size(name, processed_hw):
    assert TCMImageProcessor.from_preset(name).get_processed_size_hw((720, 1280)) == processed_hw


def test_pan_and_fcenet_are_normalised_with_imagenet_s_mean():
    for name in PRESETS:
        mean = TCMImageProcessor.from_preset(name).image_mean[0] * 255
        published = ("-pan-r50", "-fcenet-r50", "pan-cr50", "fcenet-cr50", "pan-r50", "fcenet-r50")
        is_imagenet = any(part in name for part in published)
        assert mean == pytest.approx(123.675 if is_imagenet else 122.679, abs=1e-3), name
