import base64
import io
import threading
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer

import numpy as np
import pytest
import torch
from PIL import Image
from torch.utils.data import Dataset
from transformers.pipelines.pt_utils import KeyDataset

from planted import brightness_pipeline, picture

BAR = (60, 80, 200, 112)
# A bar grows by area * ratio / perimeter on each side (DBNet, arXiv 1911.08947, eq. 10).
RATIO = 1.0


def grown(bar, ratio=RATIO):
    x0, y0, x1, y1 = bar
    width, height = x1 - x0, y1 - y0
    by = ratio * width * height / (2 * (width + height))
    return x0 - by, y0 - by, x1 + by, y1 + by


def bounds(detection):
    xs, ys = zip(*detection["polygon"], strict=True)
    return min(xs), min(ys), max(xs), max(ys)


def assert_finds(detections, bars, tolerance=2.0):
    assert len(detections) == len(bars), detections
    for bar in bars:
        assert any(np.allclose(bounds(found), grown(bar), atol=tolerance) for found in detections), (
            bar,
            detections,
        )


@pytest.fixture(scope="module")
def detector():
    return brightness_pipeline(unclip_ratio=RATIO, threshold=0.4, binarize_threshold=0.3, polygon_mode="quad")


@pytest.fixture
def png(tmp_path):
    path = tmp_path / "bar.png"
    Image.fromarray(picture()).save(path)
    return path


# --- what comes out


def test_a_bar_becomes_a_polygon_in_original_pixels(detector):
    (found,) = detector(picture())
    assert set(found) == {"score", "label", "box", "polygon"}
    assert found["label"] == "text"
    assert found["score"] == pytest.approx(1.0, abs=0.05)
    assert_finds([found], [BAR])
    assert all(isinstance(value, float) for point in found["polygon"] for value in point)
    assert all(isinstance(value, int) for value in found["box"].values())
    xmin, ymin, xmax, ymax = bounds(found)
    box = found["box"]
    assert box["xmin"] <= xmin < box["xmin"] + 1
    assert box["ymin"] <= ymin < box["ymin"] + 1
    assert box["xmax"] - 1 < xmax <= box["xmax"]
    assert box["ymax"] - 1 < ymax <= box["ymax"]


def test_boxes_stay_inside_the_image(detector):
    (found,) = detector(picture(bars=((0, 0, 480, 60),)))
    assert 0 <= found["box"]["xmin"] < found["box"]["xmax"] <= 480
    assert 0 <= found["box"]["ymin"] < found["box"]["ymax"] <= 240


def test_a_picture_without_text_gives_an_empty_list(detector):
    assert detector(picture(bars=())) == []


def test_results_are_sorted_by_score_or_for_reading(detector):
    image = picture(bars=((40, 40, 160, 72), (260, 44, 380, 76), (40, 150, 160, 182)), grey=(150, 250, 200))
    by_score = detector(image)
    assert [found["score"] for found in by_score] == sorted((f["score"] for f in by_score), reverse=True)
    left_and_top = [(found["box"]["xmin"] > 200, found["box"]["ymin"] > 100) for found in by_score]
    assert left_and_top == [(True, False), (False, True), (False, False)]
    for_reading = [(f["box"]["xmin"] > 200, f["box"]["ymin"] > 100) for f in detector(image, sort="reading")]
    assert for_reading == [(False, False), (True, False), (False, True)]


# --- what goes in


def test_every_kind_of_input_gives_the_same(detector, png):
    image = picture()
    encoded = base64.b64encode(png.read_bytes()).decode()
    inputs = [
        str(png),
        png,
        png.read_bytes(),
        encoded,
        f"data:image/png;base64,{encoded}",
        Image.fromarray(image),
        Image.fromarray(image).convert("P"),
        Image.fromarray(image).convert("RGBA"),
        Image.fromarray(image).convert("L"),
        image,
        torch.from_numpy(image).permute(2, 0, 1),
        {"image": image},
    ]
    expected = detector(image)
    for given in inputs:
        assert detector(given) == expected, type(given)
    assert detector(inputs) == [expected] * len(inputs)
    assert detector(tuple(inputs[:2])) == [expected] * 2


def test_a_url_is_read_and_a_missing_one_is_named(detector, png):
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(_QuietHandler, directory=png.parent))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    url = f"http://127.0.0.1:{server.server_port}"
    try:
        assert detector(f"{url}/bar.png", timeout=10) == detector(png)
        with pytest.raises(ValueError, match="404"):
            detector(f"{url}/missing.png", timeout=10)
    finally:
        server.shutdown()
        server.server_close()


class _QuietHandler(SimpleHTTPRequestHandler):
    def log_message(self, *args):
        pass


def test_exif_orientation_is_honoured(detector):
    upright = picture()
    exif = Image.Exif()
    exif[0x0112] = 6  # to be turned by 90 degrees clockwise for display
    buffer = io.BytesIO()
    Image.fromarray(upright).transpose(Image.Transpose.ROTATE_90).save(buffer, "png", exif=exif)
    assert detector(buffer.getvalue()) == detector(upright)


def test_an_empty_list_gives_an_empty_list(detector):
    assert detector([]) == []
    assert detector(()) == []
    assert detector(KeyDataset([], "image")) == []
    assert list(detector(image for image in ())) == []


def test_a_broken_picture_is_an_error(detector):
    with pytest.raises(ValueError):
        detector(b"no picture")
    with pytest.raises(TypeError):
        detector(3.5)


class _Pictures(Dataset):
    def __len__(self):
        return 3

    def __getitem__(self, index):
        return picture(bars=((60, 80, 200 + 20 * index, 112),))


def test_datasets_and_iterators_stream(detector):
    expected = [detector(_Pictures()[index]) for index in range(3)]
    assert list(detector(_Pictures())) == expected
    rows = [{"image": _Pictures()[index]} for index in range(3)]
    assert list(detector(KeyDataset(rows, "image"))) == expected
    assert list(detector(map(lambda row: row["image"], rows))) == expected


def test_generators_stay_lazy(detector):
    taken = []

    def pictures():
        for index in range(100):
            taken.append(index)
            yield picture()

    results = iter(detector(pictures()))
    next(results)
    assert len(taken) <= 2


# --- batches


@pytest.fixture(scope="module")
def mixed_pictures():
    sizes = [(240, 480), (240, 480), (480, 240), (300, 300), (240, 480), (200, 700), (480, 240)]
    return [picture(size, bars=((40, 60 + 5 * i, 180, 90 + 5 * i),)) for i, size in enumerate(sizes)]


@pytest.mark.parametrize("batch_size", [1, 2, 7])
def test_batch_size_never_changes_a_result(detector, mixed_pictures, batch_size):
    alone = [detector(image) for image in mixed_pictures]
    assert detector(mixed_pictures, batch_size=batch_size) == alone
    assert list(detector((image for image in mixed_pictures), batch_size=batch_size)) == alone


def test_pictures_of_one_processed_size_run_together(mixed_pictures):
    detector = brightness_pipeline()
    detector(mixed_pictures, batch_size=7)
    assert sorted(shape[0] for shape in detector.model.batch_shapes) == [1, 1, 2, 3]


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_half_precision_finds_the_same(detector, dtype):
    half = brightness_pipeline(unclip_ratio=RATIO, threshold=0.4, binarize_threshold=0.3, polygon_mode="quad")
    half.model.to(dtype)
    assert_finds(half(picture()), [BAR])


# --- parameters


def test_parameters_work_at_init_and_per_call():
    image = picture(bars=((40, 40, 160, 72), (260, 44, 380, 76)), grey=(150, 250))
    strict = brightness_pipeline(threshold=0.8)
    assert len(strict(image)) == 1
    assert len(strict(image, threshold=0.4)) == 2
    assert len(strict(image)) == 1
    assert len(brightness_pipeline(max_detections=1, threshold=0.1)(image)) == 1


def test_binarize_threshold_is_not_the_score_threshold(detector):
    image = picture(grey=150)
    assert detector(image, binarize_threshold=0.7, threshold=0.0) == []
    assert detector(image, binarize_threshold=0.3, threshold=0.7) == []
    assert len(detector(image, binarize_threshold=0.3, threshold=0.0)) == 1


def test_unclip_ratio_grows_the_polygon(detector):
    (found,) = detector(picture(), unclip_ratio=1.5)
    assert np.allclose(bounds(found), grown(BAR, 1.5), atol=2)


def test_polygon_mode_is_passed_on(detector):
    image = picture(bars=((60, 80, 300, 100), (60, 100, 90, 180)))  # an L
    assert len(detector(image, polygon_mode="quad")[0]["polygon"]) == 4
    assert len(detector(image, polygon_mode="polygon")[0]["polygon"]) > 4


@pytest.mark.parametrize("inputs", [picture(), []], ids=["picture", "empty list"])
def test_an_unknown_keyword_is_named(detector, inputs):
    with pytest.raises(TypeError, match=r"`treshold`.*binarize_threshold.*threshold"):
        detector(inputs, treshold=0.5)
    with pytest.raises(TypeError, match="`colour`"):
        brightness_pipeline(colour=True)


@pytest.mark.parametrize(
    "wrong",
    [
        {"threshold": 1.5},
        {"binarize_threshold": -0.1},
        {"unclip_ratio": -1.0},
        {"max_detections": 0},
        {"polygon_mode": "circle"},
        {"sort": "size"},
        {"tile": "always"},
        {"tile": 16},
        {"tile": True},
    ],
)
def test_a_value_out_of_range_is_an_error_that_names_it(detector, wrong):
    (name,) = wrong
    with pytest.raises(ValueError, match=f"`{name}`"):
        detector(picture(), **wrong)


# --- large photos

LARGE_HW = (1500, 2400)
# One word across the middle, where tiles meet whatever their size, and small ones elsewhere.
LARGE_BARS = ((200, 735, 2200, 775), (100, 100, 180, 124), (2100, 1300, 2200, 1330))


@pytest.mark.parametrize("tile", ["auto", 500, 777])
@pytest.mark.parametrize("batch_size", [1, 4])
def test_a_word_on_a_seam_is_one_polygon(detector, tile, batch_size):
    image = picture(LARGE_HW, bars=LARGE_BARS)
    assert len(detector.image_processor.plan_tiles(LARGE_HW, tile)) > 1
    (found,) = detector([image], tile=tile, batch_size=batch_size)
    assert_finds(found, LARGE_BARS, tolerance=6)


def test_tiles_find_what_shrinking_loses(detector):
    tiny = picture(LARGE_HW, bars=((1000, 700, 1040, 708),))
    assert detector(tiny, binarize_threshold=0.6) == []
    assert len(detector(tiny, binarize_threshold=0.6, tile="auto")) == 1


def test_a_small_picture_is_not_cut(detector):
    assert detector(picture(), tile="auto") == detector(picture())


def test_shrinking_a_large_photo_warns_once_a_call(detector, monkeypatch):
    warnings = []
    monkeypatch.setattr("tcm_hf.pipelines.tiled_pipeline.logger.warning", warnings.append)
    large = picture(LARGE_HW, bars=())
    detector([large, large])
    assert len(warnings) == 1
    assert "2400x1500" in warnings[0]
    assert 'tile="auto"' in warnings[0] and "--tile auto" in warnings[0]
    detector(large)
    assert len(warnings) == 2
    detector(picture())
    detector(large, tile="auto")
    assert len(warnings) == 2
