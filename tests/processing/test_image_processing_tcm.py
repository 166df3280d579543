"""The image processor: what goes in becomes the same pixels, what comes out lies on the original image."""

import json

import numpy as np
import pytest
import torch
from PIL import Image
from transformers.utils import ModelOutput

from tcm_hf.processing.image_processing_tcm import (
    TCM_MEAN,
    TCM_STD,
    TCMImageProcessor,
    TCMImageProcessorKwargs,
    TCMImageProcessorPil,
)
from tcm_hf.processing.image_sizes import processed_size_hw, shrink_factor
from tcm_hf.processing.polygon_overlaps import polygon_iou
from tcm_hf.processing.polygons import order_clockwise, signed_area

SIZE = {"shortest_edge": 64, "longest_edge": 160}
RGB = np.random.default_rng(0).integers(0, 256, (50, 120, 3), dtype=np.uint8)


@pytest.fixture(params=[TCMImageProcessor, TCMImageProcessorPil])
def processor(request):
    return request.param(size=SIZE)


@pytest.mark.parametrize(
    ("size_hw", "size", "expected", "why"),
    [
        ((720, 1280), {"shortest_edge": 736, "longest_edge": 4068}, (736, 1312), "TD500 preset"),
        ((720, 1280), {"shortest_edge": 1024, "longest_edge": 4068}, (1024, 1824), "IC15 preset enlarges"),
        ((3000, 4000), {"shortest_edge": 736, "longest_edge": 4068}, (736, 992), "photo"),
        ((4000, 3000), {"shortest_edge": 736, "longest_edge": 4068}, (992, 736), "portrait"),
        ((1000, 3000), {"shortest_edge": 800, "longest_edge": 2944}, (800, 2400), "Total-Text preset"),
        ((500, 3000), {"shortest_edge": 800, "longest_edge": 2944}, (480, 2944), "the long side decides"),
        ((20, 40000), {"shortest_edge": 736, "longest_edge": 4068}, (32, 4064), "thin strip"),
        ((40000, 20), {"shortest_edge": 736, "longest_edge": 4068}, (4064, 32), "thin pole"),
        ((1, 1), {"shortest_edge": 736, "longest_edge": 4068}, (736, 736), "one pixel"),
        ((100, 200), {"shortest_edge": 300}, (288, 608), "no bound for the long side; 300 rounds down"),
        ((100, 200), {"longest_edge": 640}, (320, 640), "no bound for the short side"),
        (
            (100, 200),
            {"height": 720, "width": 1280},
            (736, 1280),
            "720 is no multiple of 32; halves round up",
        ),
        ((100, 200), {"height": 5, "width": 5}, (32, 32), "at least one divisor"),
    ],
)
def test_processed_size(size_hw, size, expected, why):
    assert processed_size_hw(size_hw, size) == expected, why
    assert TCMImageProcessor(size=size).get_processed_size_hw(size_hw) == expected
    assert TCMImageProcessor().get_processed_size_hw(size_hw, size) == expected


def test_size_divisor_of_one_keeps_every_size():
    assert processed_size_hw((100, 201), {"shortest_edge": 50}, size_divisor=1) == (50, 101)


@pytest.mark.parametrize(
    ("size_hw", "size", "divisor"),
    [
        ((0, 5), SIZE, 32),
        ((5, 5), {"max_height": 5, "max_width": 5}, 32),
        ((5, 5), {}, 32),
        ((5, 5), {"height": 5}, 32),
        ((5, 5), {"shortest_edge": 0}, 32),
        ((5, 5), SIZE, 0),
    ],
)
def test_impossible_sizes_are_told(size_hw, size, divisor):
    with pytest.raises(ValueError, match=r"got|no pixels"):
        processed_size_hw(size_hw, size, divisor)


def test_shrink_factor_tells_when_letters_become_small():
    size = {"shortest_edge": 736, "longest_edge": 4068}
    assert shrink_factor((2944, 4416), size) == pytest.approx(0.25, abs=0.01)
    assert TCMImageProcessor(size=size).get_shrink_factor((20, 40000)) == pytest.approx(0.1016)
    assert TCMImageProcessor(size=SIZE).get_shrink_factor((368, 368), size) == 2


def test_pixels_are_normalised_by_the_papers_numbers(processor):
    grey = np.full((64, 160, 3), 100, np.uint8)
    pixel_values = processor(grey, return_tensors="pt")["pixel_values"]
    assert pixel_values.shape == (1, 3, 64, 160)
    assert pixel_values.dtype == torch.float32
    expected = (100 - np.array([122.67891434, 116.66876762, 104.00698793])) / [58.395, 57.12, 57.375]
    np.testing.assert_allclose(pixel_values[0, :, 10, 10], expected, atol=1e-5)
    np.testing.assert_allclose(np.array([TCM_MEAN, TCM_STD])[:, 0] * 255, [122.67891434, 58.395])


SOURCES = {
    "PIL": lambda: Image.fromarray(RGB),
    "HWC": lambda: RGB,
    "CHW": lambda: RGB.transpose(2, 0, 1),
    "tensor CHW": lambda: torch.from_numpy(RGB).permute(2, 0, 1),
    "tensor HWC": lambda: torch.from_numpy(RGB),
    "16 bit": lambda: RGB.astype(np.uint16) * 257,
    "int64": lambda: RGB.astype(np.int64),
    "opaque RGBA": lambda: np.dstack([RGB, np.full(RGB.shape[:2], 255, np.uint8)]),
    "from back to front": lambda: np.ascontiguousarray(RGB[..., ::-1])[..., ::-1],
    "read-only": lambda: np.frombuffer(RGB.tobytes(), np.uint8).reshape(RGB.shape),
}


@pytest.mark.parametrize("source", SOURCES)
def test_every_source_gives_the_same_pixels(processor, source):
    expected = processor(Image.fromarray(RGB), return_tensors="pt")["pixel_values"]
    assert torch.equal(processor(SOURCES[source](), return_tensors="pt")["pixel_values"], expected)


def test_paths_and_bytes(processor, tmp_path):
    path = tmp_path / "image.png"
    Image.fromarray(RGB).save(path)
    expected = processor(RGB, return_tensors="pt")["pixel_values"]
    for source in (path, str(path), path.read_bytes(), [path]):
        assert torch.equal(processor(source, return_tensors="pt")["pixel_values"], expected)


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "PA", "RGBA", "CMYK", "YCbCr", "I", "F", "I;16"])
def test_every_pil_mode(processor, mode):
    image = Image.fromarray(RGB[..., 0].astype(np.uint16) * 257) if mode == "I;16" else Image.fromarray(RGB)
    image = image.convert("L").convert(mode) if mode in ("1", "LA", "PA", "I", "F") else image.convert(mode)
    pixel_values = processor(image, return_tensors="pt")["pixel_values"]
    assert pixel_values.shape == (1, 3, 64, 160)
    assert pixel_values.std() > 0.1


@pytest.mark.parametrize(
    "grey", [RGB[..., 0], RGB[..., :1], RGB[None, ..., 0], torch.from_numpy(RGB[..., 0])]
)
def test_grey_arrays(processor, grey):
    expected = processor(np.repeat(RGB[..., :1], 3, axis=-1), return_tensors="pt")["pixel_values"]
    assert torch.equal(processor(grey, return_tensors="pt")["pixel_values"], expected)


def test_floats_in_0_to_1_want_do_rescale_off(processor):
    whole = processor(RGB, return_tensors="pt")["pixel_values"]
    unit = processor(RGB / np.float32(255), do_rescale=False, return_tensors="pt")["pixel_values"]
    assert (whole - unit).abs().max() < 0.03


@pytest.mark.parametrize("orientation", range(1, 9))
def test_exif_orientation(processor, orientation, tmp_path):
    exif = Image.Exif()
    exif[0x0112] = orientation
    path = tmp_path / "photo.jpg"
    Image.fromarray(RGB).save(path, exif=exif)
    height, width = (160, 64) if orientation >= 5 else (64, 160)
    for source in (path, str(path), Image.open(path)):
        assert processor(source, return_tensors="pt")["pixel_values"].shape == (1, 3, height, width)


def test_backends_differ_by_one_grey_level_at_most():
    smooth = np.asarray(Image.fromarray(RGB).resize((1000, 400), Image.Resampling.BICUBIC))
    first, second = (
        backend(size=SIZE)(smooth, return_tensors="pt")["pixel_values"]
        for backend in (TCMImageProcessor, TCMImageProcessorPil)
    )
    assert (first - second).abs().max() <= 1.01 / 57.12
    assert (first - second).abs().mean() < 2e-3


def test_batches_of_one_size_stack_and_others_stay_a_list(processor):
    assert processor([RGB, Image.fromarray(RGB)], return_tensors="pt")["pixel_values"].shape == (
        2,
        3,
        64,
        160,
    )
    assert processor(np.stack([RGB, RGB]), return_tensors="np")["pixel_values"].shape == (2, 3, 64, 160)
    other = RGB[:, :50]
    pixel_values = processor([RGB, other])["pixel_values"]
    assert [tuple(one.shape) for one in pixel_values] == [(3, 64, 160), (3, 64, 64)]
    with pytest.raises(ValueError, match="one by one"):
        processor([RGB, other], return_tensors="pt")
    equal = processor([RGB, other], size={"height": 64, "width": 96}, return_tensors="pt")
    assert equal["pixel_values"].shape == (2, 3, 64, 96)
    assert processor([])["pixel_values"] == []


def test_a_batch_changes_no_pixel(processor):
    alone = processor(RGB, return_tensors="pt")["pixel_values"][0]
    together = processor([np.rot90(RGB), RGB, RGB[::-1]])["pixel_values"][1]
    assert torch.equal(torch.as_tensor(together), alone)


def test_padding_and_cropping_are_refused(processor):
    with pytest.raises(ValueError, match="do_pad"):
        processor(RGB, do_pad=True)
    with pytest.raises(ValueError, match="do_center_crop"):
        processor(RGB, do_center_crop=True, crop_size={"height": 32, "width": 32})


def test_steps_can_be_left_out(processor):
    pixels = processor(RGB, do_resize=False, do_rescale=False, do_normalize=False, return_tensors="np")
    np.testing.assert_array_equal(pixels["pixel_values"][0], RGB.transpose(2, 0, 1))
    rgba = np.dstack([RGB, RGB[..., :1]])
    four = processor(
        rgba, do_convert_rgb=False, image_mean=[0.0] * 4, image_std=[1.0] * 4, return_tensors="pt"
    )
    assert four["pixel_values"].shape == (1, 4, 64, 160)


def test_save_and_load_keep_every_setting(processor, tmp_path):
    changed = type(processor)(
        size=SIZE, threshold=0.55, binarize_threshold=0.28, unclip_ratio=1.9, polygon_mode="polygon",
        min_side_px=0, max_detections=7, arc_length_ratio=0, shrink_ratio=0.4, size_divisor=16,
    )  # fmt: skip
    changed.save_pretrained(tmp_path)
    loaded = type(processor).from_pretrained(tmp_path)
    assert loaded.to_dict() == changed.to_dict()
    assert (loaded.threshold, loaded.arc_length_ratio, loaded.max_detections) == (0.55, 0, 7)
    stored = json.loads((tmp_path / "preprocessor_config.json").read_text())
    assert stored["image_processor_type"] == "TCMImageProcessor"
    assert stored["size"] == SIZE
    assert type(processor).from_pretrained(tmp_path, threshold=0.7).threshold == 0.7
    assert loaded.valid_kwargs is TCMImageProcessorKwargs


def test_instances_share_no_settings():
    first, second = TCMImageProcessor(), TCMImageProcessor()
    first.size["shortest_edge"] = 5
    assert second.size["shortest_edge"] == 736


def planted(size_hw=(64, 128)):
    """Two kernels on a landscape map: a good one on the right, a weaker one on the left."""
    probability_map = torch.zeros(2, *size_hw)
    probability_map[0, 20:40, 10:50] = 0.6
    probability_map[0, 10:30, 70:120] = 0.9
    return probability_map


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float16])
@pytest.mark.parametrize("wrap", [dict, ModelOutput])
def test_detections_lie_on_the_original_image(processor, dtype, wrap):
    outputs = wrap(probability_map=planted().to(dtype))
    sizes = [(128, 512), (64, 128)]
    first, second = processor.post_process_text_detection(outputs, target_sizes=sizes, unclip_ratio=0)
    np.testing.assert_allclose(first["scores"], [0.9, 0.6], atol=0.01)
    # Contours run through pixel centres: x 70.5..119.5 and y 10.5..29.5 on the map, times 4 and 2.
    np.testing.assert_allclose(first["boxes"], [[282, 21, 478, 59], [42, 41, 198, 79]], atol=1e-3)
    np.testing.assert_allclose(first["polygons"][0], [[282, 21], [478, 21], [478, 59], [282, 59]], atol=1e-3)
    assert {first["scores"].dtype, first["boxes"].dtype, first["polygons"][0].dtype} == {torch.float32}
    assert second["scores"].shape == (0,)
    assert second["boxes"].shape == (0, 4)
    assert second["polygons"] == []


def test_target_sizes_may_be_a_tensor_or_absent(processor):
    outputs = {"probability_map": planted()}
    as_list = processor.post_process_text_detection(outputs, target_sizes=[(128, 512), (64, 128)])
    as_tensor = processor.post_process_text_detection(
        outputs, target_sizes=torch.tensor([[128, 512], [64, 128]])
    )
    on_map = processor.post_process_text_detection(outputs)
    assert torch.equal(as_list[0]["boxes"], as_tensor[0]["boxes"])
    torch.testing.assert_close(on_map[0]["boxes"] * torch.tensor([4, 2, 4, 2]), as_list[0]["boxes"])


def test_wrong_arguments_are_told(processor):
    outputs = {"probability_map": planted()}
    with pytest.raises(ValueError, match=r"one \(height, width\) per image: got 3 for a batch of 2"):
        processor.post_process_text_detection(outputs, target_sizes=[(1, 1)] * 3)
    with pytest.raises(ValueError, match="polygon_mode"):
        processor.post_process_text_detection(outputs, polygon_mode="box")
    with pytest.raises(ValueError, match=r"\(B, H, W\)"):
        processor.post_process_text_detection({"probability_map": torch.zeros(1, 1, 32, 32)})


def test_arguments_replace_the_settings(processor):
    outputs = {"probability_map": planted()}

    def count(**arguments):
        return len(processor.post_process_text_detection(outputs, **arguments)[0]["scores"])

    assert count() == 2
    assert count(threshold=0.8) == 1
    assert count(threshold=0.99) == 0
    assert count(binarize_threshold=0.7) == 1
    assert count(max_detections=1) == 1
    assert processor.post_process_text_detection(outputs, max_detections=1)[0]["scores"][0] > 0.8
    small, large = (
        processor.post_process_text_detection(outputs, unclip_ratio=ratio)[0]["boxes"][0]
        for ratio in (0.5, 1.5)
    )
    assert (large - small)[:2].max() < 0 < (large - small)[2:].min()


def test_shrink_ratio_is_used_unless_a_call_names_an_unclip_ratio():
    outputs = {"probability_map": planted()}
    plain, exact = TCMImageProcessor(), TCMImageProcessor(shrink_ratio=0.4)
    boxes = [p.post_process_text_detection(outputs)[0]["boxes"] for p in (plain, exact)]
    assert not torch.equal(*boxes)
    named = exact.post_process_text_detection(outputs, unclip_ratio=1.5)[0]["boxes"]
    assert torch.equal(named, boxes[0])


@pytest.mark.parametrize("mode", ["quad", "polygon"])
def test_polygons_end_at_the_border_of_the_image(processor, mode):
    outputs = {"probability_map": torch.full((1, 32, 96), 0.8)}
    (result,) = processor.post_process_text_detection(outputs, target_sizes=[(300, 1000)], polygon_mode=mode)
    np.testing.assert_allclose(result["boxes"], [[0, 0, 1000, 300]], atol=1e-3)
    assert polygon_iou(result["polygons"][0].numpy(), [[0, 0], [1000, 0], [1000, 300], [0, 300]]) > 0.99


def test_polygons_run_clockwise_from_the_top_left_also_when_stretched(processor):
    y, x = np.mgrid[:96, :256]
    tilted = (np.abs((x - 128) * 0.9 + (y - 48) * 0.4) < 60) & (np.abs((y - 48) * 0.9 - (x - 128) * 0.4) < 12)
    outputs = {"probability_map": torch.from_numpy(tilted.astype(np.float32))[None]}
    for size_hw in ((96, 256), (960, 300), (100, 4000)):
        (result,) = processor.post_process_text_detection(outputs, target_sizes=[size_hw])
        polygon = result["polygons"][0].numpy()
        assert signed_area(polygon) > 0
        np.testing.assert_array_equal(order_clockwise(polygon), polygon)


def test_polygon_mode_gives_few_points_for_smooth_outlines(processor):
    y, x = np.mgrid[:128, :256]
    ring = np.abs(np.hypot(x - 128, y - 140) - 90) < 10
    outputs = {"probability_map": torch.from_numpy(ring.astype(np.float32))[None]}
    (result,) = processor.post_process_text_detection(outputs, polygon_mode="polygon")
    assert 10 < len(result["polygons"][0]) < 60


def test_coordinates_beyond_32768_survive(processor):
    probability_map = torch.zeros(1, 32, 4064)
    probability_map[0, 8:24, 3900:4000] = 1
    (result,) = processor.post_process_text_detection(
        {"probability_map": probability_map}, target_sizes=[(20, 40000)]
    )
    assert result["boxes"][0, 2] == pytest.approx(40000 / 4064 * 4010, rel=0.01)
    assert result["boxes"].min() >= 0


def test_maps_of_different_sizes_come_as_a_list(processor):
    outputs = {"probability_map": [planted()[0], planted((96, 160))[0]]}
    results = processor.post_process_text_detection(outputs, target_sizes=[(64, 128), (96, 160)])
    torch.testing.assert_close(results[0]["boxes"][1], results[1]["boxes"][1])


def test_object_detection_gives_the_boxes_with_label_0(processor):
    outputs = {"probability_map": planted()}
    results = processor.post_process_object_detection(
        outputs, threshold=0.5, target_sizes=torch.tensor([[64, 128]] * 2)
    )
    detections = processor.post_process_text_detection(outputs, threshold=0.5, target_sizes=[(64, 128)] * 2)
    assert torch.equal(results[0]["boxes"], detections[0]["boxes"])
    assert results[0]["labels"].tolist() == [0, 0]
    assert results[0]["labels"].dtype == torch.long
    assert len(processor.post_process_object_detection(outputs, threshold=0.7)[0]["scores"]) == 1


@pytest.mark.parametrize(
    ("size_hw", "tile", "count", "why"),
    [
        ((3000, 4000), None, 1, "not asked for"),
        ((1080, 1920), "auto", 1, "legible as a whole"),
        ((3000, 4000), "auto", 12, "a photo of 12 megapixels, tiles of 1472"),
        ((3000, 4000), 1000, 20, "a side by hand"),
        ((20, 40000), "auto", 33, "a thin strip"),
    ],
)
def test_tiles_keep_letters_legible(size_hw, tile, count, why):
    processor = TCMImageProcessor()
    tiles = processor.plan_tiles(size_hw, tile)
    assert len(tiles) == count, why
    if tile == "auto":
        assert all(processor.get_shrink_factor((y1 - y0, x1 - x0)) >= 0.5 for x0, y0, x1, y1 in tiles)


@pytest.mark.parametrize(
    "size", [{"longest_edge": 640}, {"height": 320, "width": 640}, {"shortest_edge": 320}]
)
def test_tiles_for_every_kind_of_size(size):
    processor = TCMImageProcessor(size=size)
    assert all(
        processor.get_shrink_factor((y1 - y0, x1 - x0)) >= 0.5
        for x0, y0, x1, y1 in processor.plan_tiles((3000, 4000), "auto")
    )


def test_tiles_join_to_one_map_that_decodes_in_the_frame_of_the_image():
    processor = TCMImageProcessor(size={"shortest_edge": 64, "longest_edge": 64}, do_normalize=False)
    image = np.zeros((200, 500, 3), np.uint8)
    image[90:120, 60:440] = 255
    tiles = processor.plan_tiles((200, 500), 128)
    maps = [
        processor(image[y0:y1, x0:x1], return_tensors="pt")["pixel_values"][0, 0] for x0, y0, x1, y1 in tiles
    ]
    tile_maps = processor.split_images({"probability_map": torch.stack(maps).bfloat16()})
    result = processor.post_process_tiles(
        tile_maps, tiles, (200, 500), unclip_ratio=0, binarize_threshold=0.5
    )
    np.testing.assert_allclose(result["boxes"], [[61, 91, 439, 119]], atol=2)


def test_load_rgb_image_gives_the_upright_array():
    array = TCMImageProcessor().load_rgb_image(Image.fromarray(RGB).convert("RGBA"))
    np.testing.assert_array_equal(array, RGB)
    assert array.flags.writeable


def test_the_flat_folder_can_travel():
    """Remote code copies siblings reached by one-dot imports; a docstring line may not look like one."""
    import re
    from pathlib import Path

    import tcm_hf.processing as package

    folder = Path(package.__file__).parent
    for path in folder.glob("*.py"):
        for line in path.read_text().splitlines():
            if re.match(r"\s*(from\s+\.|import\s+\.)", line):
                name = re.fullmatch(r"\s*from \.(\w+) import .+", line)
                assert name, f"{path.name}: {line}"
                assert (folder / f"{name[1]}.py").is_file()
            assert "tcm_hf." not in line or ">>>" in line, f"{path.name}: {line}"


def test_presets_give_sizes_and_decoding_of_the_published_detectors():
    processor = TCMImageProcessor.from_preset("tcm-dbnet-r50-totaltext", threshold=0.4)
    assert dict(processor.size) == {"shortest_edge": 800, "longest_edge": 2944}
    assert (processor.binarize_threshold, processor.unclip_ratio, processor.threshold) == (0.347, 1.95, 0.4)
    assert processor.polygon_mode == "polygon"
    with pytest.raises(ValueError, match="tcm-dbnet-r50-td500"):
        TCMImageProcessor.from_preset("tcm-dbnet")
