"""Every head trains: targets are what its loss reads, decodings are what its decoder reads."""

import numpy as np
import pytest
import torch

from tcm_hf.data.records import TextInstance, TextRecord
from tcm_hf.modeling.modeling_tcm import HEADS
from tcm_hf.processing.detector_decoding import decoding_of
from tcm_hf.processing.image_processing_tcm import TCMImageProcessor
from tcm_hf.training.collators import TextDetectionCollator
from tcm_hf.training.detectors import DETECTORS, combinations, detector_of
from tcm_hf.training.evaluation_loop import choose_decoding, evaluate_detector, predict_detector, set_decoding
from tiny import tiny_model

SIZE_HW = (64, 96)
WORD = np.array([[10, 12], [70, 8], [72, 40], [12, 44]], np.float32)
HEAD_TYPES = pytest.mark.parametrize("head_type", sorted(DETECTORS))


def processor() -> TCMImageProcessor:
    return TCMImageProcessor(size={"shortest_edge": 64, "longest_edge": 128})


def photo(seed: int) -> TextRecord:
    image = np.random.default_rng(seed).integers(0, 255, (120, 200, 3)).astype(np.uint8)
    return TextRecord(image, [TextInstance(WORD * 2)])


def test_there_is_an_entry_for_every_head():
    assert DETECTORS.keys() == HEADS.keys()


@HEAD_TYPES
@pytest.mark.parametrize("polygons", [[], [WORD]], ids=["no text", "a word"])
def test_the_targets_are_what_the_losses_read(head_type, polygons):
    model = tiny_model(head_type=head_type)
    targets = detector_of(model.config).targets(model.config.head_config, 6.0)
    labels = targets(polygons, [False] * len(polygons), SIZE_HW)
    samples = [
        {
            "pixel_values": torch.zeros(3, *SIZE_HW),
            "labels": {name: torch.from_numpy(label) for name, label in labels.items()},
        }
    ] * 2
    batch = TextDetectionCollator()(samples)
    for name, shape in model.head.label_shapes(SIZE_HW).items():
        assert batch["labels"][name].shape == (2, *shape)
        assert batch["labels"][name].dtype == torch.float32
    assert torch.isfinite(model(**batch).loss)


@pytest.mark.parametrize("head_type", ["dbnet", "pan", "segnet"])
def test_too_small_texts_are_not_trained_on(head_type):
    model = tiny_model(head_type=head_type)
    targets = detector_of(model.config).targets(model.config.head_config, 50.0)
    labels = targets([WORD], [False], SIZE_HW)
    mask = labels["text_mask" if head_type == "pan" else "probability_mask"]
    assert mask[25, 40] == 0


@HEAD_TYPES
def test_the_decodings_name_settings_that_the_decoder_reads(head_type):
    outputs = tiny_model(head_type=head_type)(torch.zeros(1, 3, *SIZE_HW))
    settings = decoding_of(outputs).settings
    for decoding in DETECTORS[head_type].decodings:
        assert set(decoding) <= set(settings)
        assert "threshold" not in decoding


@HEAD_TYPES
def test_batches_change_no_result(head_type):
    model = tiny_model(head_type=head_type)
    records = [photo(seed) for seed in range(3)]
    alone, together = (
        predict_detector(model, processor(), records, batch_size=size, threshold=0.0) for size in (1, 3)
    )
    for one, other in zip(alone, together, strict=True):
        assert len(one["scores"]) == len(other["scores"])
        np.testing.assert_allclose(one["scores"], other["scores"], atol=1e-4)


@HEAD_TYPES
def test_the_decoding_is_chosen_and_used(head_type):
    model, image_processor = tiny_model(head_type=head_type), processor()
    best, rows = choose_decoding(model, image_processor, [photo(0)], thresholds=(0.3, 0.6))
    assert len(rows) == 2 * len(DETECTORS[head_type].decodings)
    assert {name: value for name, value in best.items() if name != "threshold"} in DETECTORS[
        head_type
    ].decodings
    set_decoding(image_processor, best)
    scores = evaluate_detector(model, image_processor, [photo(0)])
    assert scores["num_references"] == 1
    assert scores["hmean"] <= scores["best_hmean"]


def test_combinations_of_settings():
    assert combinations(a=(1, 2), b=(3,)) == ({"a": 1, "b": 3}, {"a": 2, "b": 3})
