"""The pipelines with PAN and FCENet: planted detectors that know where the bars are, and real tiny ones."""

import numpy as np
import pytest
import torch
from PIL import Image
from transformers import pipeline

import tcm_hf  # noqa: F401  (registers the tasks)
from planted import picture
from planted_detectors import planted_pipeline
from planted_words import colour_pipeline, painted_photo
from tcm_hf.pipelines.text_detection import TextDetectionPipeline
from tcm_hf.pipelines.text_spotting import TextSpottingPipeline
from tcm_hf.processing.image_processing_tcm import TCMImageProcessor
from tiny import tiny_model

PLANTED = ["pan", "fcenet"]
BAR = (60, 80, 200, 112)
LARGE_HW = (1500, 2400)
# A line across the middle, where tiles meet whatever their size, a word on it, and words elsewhere.
LARGE_BARS = ((200, 735, 2200, 775), (1080, 835, 1280, 875), (100, 100, 240, 140), (2000, 1300, 2200, 1340))


@pytest.fixture(scope="module", params=PLANTED)
def detector(request):
    return planted_pipeline(request.param)


def bounds(detection):
    xs, ys = zip(*detection["polygon"], strict=True)
    return min(xs), min(ys), max(xs), max(ys)


def assert_finds(detections, bars, tolerance):
    assert len(detections) == len(bars), [bounds(found) for found in detections]
    for bar in bars:
        assert any(np.allclose(bounds(found), bar, atol=tolerance) for found in detections), bar


# --- planted


@pytest.mark.parametrize("polygon_mode", ["quad", "polygon"])
def test_a_bar_becomes_a_polygon_in_original_pixels(detector, polygon_mode):
    (found,) = detector(picture(), polygon_mode=polygon_mode)
    # Maps at a quarter of the size, and five Fourier coefficients.
    assert_finds([found], [BAR], tolerance=4)
    assert found["score"] == pytest.approx(1.0, abs=0.05)
    assert all(isinstance(value, float) for point in found["polygon"] for value in point)
    assert all(isinstance(value, int) for value in found["box"].values())
    assert (len(found["polygon"]) == 4) or polygon_mode == "polygon"


def test_a_picture_without_text_gives_an_empty_list(detector):
    assert detector(picture(bars=())) == []
    assert detector(picture(LARGE_HW, bars=()), tile="auto") == []


def test_scores_choose_and_sort(detector):
    bars = ((40, 40, 160, 72), (260, 44, 380, 76), (40, 150, 160, 182))
    image = picture(bars=bars, grey=(150, 250, 200))
    scores = [found["score"] for found in detector(image)]
    assert scores == pytest.approx([250 / 255, 200 / 255, 150 / 255], abs=0.02)
    assert len(detector(image, threshold=0.7)) == 2
    assert len(detector(image, max_detections=1)) == 1
    tops = [
        (found["box"]["ymin"] > 100, found["box"]["xmin"] > 200) for found in detector(image, sort="reading")
    ]
    assert tops == [(False, False), (False, True), (True, False)]


@pytest.mark.parametrize("batch_size", [1, 3, 7])
def test_batch_size_never_changes_a_result(detector, batch_size):
    sizes = [(240, 480), (240, 480), (480, 240), (300, 300), (240, 480), (200, 700)]
    pictures = [picture(size, bars=((40, 60 + 5 * i, 180, 90 + 5 * i),)) for i, size in enumerate(sizes)]
    alone = [detector(image) for image in pictures]
    assert all(len(found) == 1 for found in alone)
    assert detector(pictures, batch_size=batch_size) == alone
    assert list(detector((image for image in pictures), batch_size=batch_size)) == alone


@pytest.mark.parametrize("tile", ["auto", 500])
@pytest.mark.parametrize("batch_size", [1, 4])
@pytest.mark.parametrize("polygon_mode", ["quad", "polygon"])
def test_a_text_on_a_seam_is_one_polygon(detector, tile, batch_size, polygon_mode):
    image = picture(LARGE_HW, bars=LARGE_BARS)
    assert len(detector.image_processor.plan_tiles(LARGE_HW, tile)) > 4
    (found,) = detector([image], tile=tile, batch_size=batch_size, polygon_mode=polygon_mode)
    # A pixel of PAN's map is 8 of the photo.
    assert_finds(found, LARGE_BARS, tolerance=8)


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_half_precision_finds_the_same(detector, dtype):
    half = planted_pipeline(detector.model.config.head_config.head_type)
    half.model.to(dtype)
    assert_finds(half(picture()), [BAR], tolerance=5)


@pytest.mark.parametrize(
    ("head_type", "setting"),
    [("pan", "unclip_ratio"), ("fcenet", "unclip_ratio"), ("fcenet", "binarize_threshold")],
)
def test_a_setting_of_another_detector_is_refused_before_any_image_is_read(head_type, setting):
    detector = planted_pipeline(head_type)
    for images in (picture(), []):
        with pytest.raises(ValueError, match=rf"`{setting}` is nothing.*takes `threshold`"):
            detector(images, **{setting: 0.5})
    with pytest.raises(ValueError, match=setting):
        planted_pipeline(head_type, **{setting: 0.5})
    assert detector.model.batch_shapes == []
    assert len(detector(picture(), **{setting: None})) == 1


def test_pan_goes_by_the_binarize_threshold():
    detector, image = planted_pipeline("pan"), picture(grey=150)
    assert len(detector(image, binarize_threshold=0.5)) == 1
    assert detector(image, binarize_threshold=0.7) == []


@pytest.mark.parametrize("head_type", PLANTED)
def test_words_are_found_and_read(head_type):
    spotter = planted_pipeline(head_type, TextSpottingPipeline, recognizer=colour_pipeline())
    photo = painted_photo(("abc", 40, 40, 0), ("cab", 176, 42, 0), ("bba", 60, 160, 0))
    assert [word["text"] for word in spotter(photo)] == ["abc", "cab", "bba"]
    assert [line["text"] for line in spotter(photo, output="lines")] == ["abc cab", "bba"]
    assert [[word["text"] for word in words] for words in spotter([photo] * 2, batch_size=2)] == [
        ["abc", "cab", "bba"]
    ] * 2


# --- real


@pytest.fixture(scope="module", params=PLANTED)
def real(request):
    processor = TCMImageProcessor(size={"shortest_edge": 64, "longest_edge": 160})
    return TextDetectionPipeline(
        model=tiny_model(head_type=request.param), image_processor=processor, device="cpu"
    )


@pytest.fixture(scope="module")
def photos():
    rng = np.random.default_rng(0)
    sizes = [(96, 160), (64, 128), (96, 160), (160, 96)]
    return [rng.integers(0, 256, (*size, 3), dtype=np.uint8) for size in sizes]


def maps_of(real, photos, batch_size):
    """The maps that `postprocess` gets, photo by photo, as one array each."""
    seen = []
    original = real.postprocess
    real.postprocess = lambda outputs, **kwargs: seen.append(outputs["images"]) or original(outputs, **kwargs)
    try:
        real(photos, batch_size=batch_size)
    finally:
        del real.postprocess
    items = [item[0] if isinstance(item, list) else item for item in seen]
    return [
        np.concatenate([np.ravel(level) for value in item["tile_maps"][0].values() for level in value])
        for item in items
    ]


def test_maps_of_a_batch_are_those_of_single_photos(real, photos):
    for alone, batched in zip(maps_of(real, photos, 1), maps_of(real, photos, 4), strict=True):
        np.testing.assert_allclose(batched, alone, rtol=1e-3, atol=1e-4)


def test_a_saved_pipeline_loads_again_and_the_stock_pipeline_finds_its_boxes(real, photos, tmp_path):
    real.save_pretrained(tmp_path)
    again = pipeline("text-detection", model=str(tmp_path), device="cpu", dtype="float32")
    assert isinstance(again, TextDetectionPipeline)
    for ours, theirs in zip(maps_of(real, photos, 1), maps_of(again, photos, 1), strict=True):
        np.testing.assert_allclose(theirs, ours, atol=1e-5)
    stock = pipeline("object-detection", model=str(tmp_path), device="cpu")
    found = stock(Image.fromarray(photos[0]), threshold=0.01)
    ours = again(photos[0], threshold=0.01)
    assert [one["score"] for one in found] == pytest.approx([one["score"] for one in ours], abs=1e-4)
    assert all(one["label"] == "text" for one in found)
