"""Any image becomes upright 8-bit RGB; what is none is told by name."""

import base64
import io
import threading
import tracemalloc
from http.server import BaseHTTPRequestHandler, HTTPServer

import numpy as np
import pytest
from PIL import EpsImagePlugin, Image

from tcm_hf.processing import image_loading
from tcm_hf.processing.image_loading import load_rgb_image
from tcm_hf.processing.pixel_arrays import array_to_rgb, to_8_bits

RAMP = np.tile(np.linspace(0, 255, 64).round().astype(np.uint8), (24, 1))  # landscape, grey
RGB = np.stack([RAMP, RAMP[::-1] // 2, 255 - RAMP], axis=-1)


def png_bytes(image) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, "png")
    return buffer.getvalue()


def grey(mode):
    image = Image.fromarray(RAMP)
    return image.convert("LA").convert("La") if mode == "La" else image.convert(mode)


def deep(mode):
    deep_grey = Image.fromarray(RAMP.astype(np.uint16) * 257)
    return deep_grey if mode == "I;16" else deep_grey.convert("I").convert(mode)


@pytest.mark.parametrize(
    ("image", "expected", "tolerance"),
    [
        pytest.param(grey("L"), RAMP, 0, id="L"),
        pytest.param(grey("LA"), RAMP, 0, id="LA"),
        pytest.param(grey("La"), RAMP, 0, id="La"),
        pytest.param(grey("I"), RAMP, 0, id="I-8-bit"),
        pytest.param(grey("F"), RAMP, 0, id="F-0..255"),
        pytest.param(Image.fromarray(RAMP / np.float32(255)), RAMP, 0, id="F-0..1"),
        pytest.param(Image.fromarray(RAMP.astype(np.int32) * 257), RAMP, 0, id="I-16-bit"),
        pytest.param(Image.fromarray(RAMP.astype(np.uint16)), RAMP // 250, 1, id="I;16-dark-stays-dark"),
        *(pytest.param(deep(mode), RAMP, 0, id=mode) for mode in ("I;16", "I;16L", "I;16B", "I;16N")),
        pytest.param(Image.fromarray(RAMP > 99), (RAMP > 99) * np.uint8(255), 0, id="1"),
        *(
            pytest.param(Image.fromarray(RGB).convert(mode), RGB, tolerance, id=mode)
            for mode, tolerance in (
                ("RGB", 0),
                ("RGBA", 0),
                ("RGBX", 0),
                ("CMYK", 1),
                ("YCbCr", 3),
                ("HSV", 9),
            )
        ),
        pytest.param(Image.fromarray(RAMP).convert("P"), RAMP, 0, id="P"),
        pytest.param(Image.fromarray(RAMP).convert("P").convert("PA"), RAMP, 0, id="PA"),
    ],
)
def test_every_mode_becomes_rgb(image, expected, tolerance):
    loaded = load_rgb_image(image)
    assert loaded.mode == "RGB"
    expected = expected if expected.ndim == 3 else np.repeat(expected[..., None], 3, axis=-1)
    assert np.abs(np.asarray(loaded).astype(int) - expected).max() <= tolerance


def test_transparency_becomes_white():
    half = Image.new("RGBA", (8, 4), (0, 0, 0, 128))
    assert load_rgb_image(half).getpixel((0, 0)) == (127, 127, 127)
    palette = Image.new("P", (8, 4), 0)
    palette.putpalette([10, 20, 30, 200, 0, 0])
    palette.putpixel((3, 2), 1)
    loaded = load_rgb_image(_saved(palette, transparency=0))
    assert loaded.getpixel((0, 0)) == (255, 255, 255)
    assert loaded.getpixel((3, 2)) == (200, 0, 0)
    assert load_rgb_image(_saved(Image.new("L", (8, 4), 7), transparency=7)).getpixel((0, 0)) == (255,) * 3
    assert (
        load_rgb_image(_saved(Image.new("RGB", (8, 4), (1, 2, 3)), transparency=(1, 2, 3))).getpixel((0, 0))[
            0
        ]
        == 255
    )


def _saved(image, **options) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, "png", **options)
    return buffer.getvalue()


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("source", ["bytes", "path", "pil"])
def test_exif_orientation_is_honoured(orientation, source, tmp_path):
    upright = np.zeros((24, 64, 3), np.uint8)
    upright[:12, :32] = (250, 0, 0)  # red at the top left
    upright[12:, 32:] = (0, 0, 250)  # blue at the bottom right
    undo = {
        1: lambda a: a,
        2: lambda a: a[:, ::-1],
        3: lambda a: a[::-1, ::-1],
        4: lambda a: a[::-1],
        5: lambda a: a.transpose(1, 0, 2),
        6: lambda a: np.rot90(a, 1),
        7: lambda a: np.rot90(a, 2).transpose(1, 0, 2),
        8: lambda a: np.rot90(a, -1),
    }
    exif = Image.Exif()
    exif[0x0112] = orientation
    path = tmp_path / "photo.jpg"
    Image.fromarray(np.ascontiguousarray(undo[orientation](upright))).save(path, exif=exif, quality=95)
    image = {"bytes": path.read_bytes(), "path": path, "pil": Image.open(path)}[source]
    loaded = load_rgb_image(image)
    assert loaded.size == (64, 24)
    assert np.abs(np.asarray(loaded).astype(int) - upright).mean() < 6


@pytest.mark.parametrize(
    ("array", "why"),
    [
        (RGB, "channels last"),
        (RGB.transpose(2, 0, 1), "channels first"),
        (RGB.astype(np.uint16) * 257, "16 bit"),
        (RGB.astype(np.int64), "integers up to 255"),
        (RGB.astype(np.float64), "floats up to 255"),
        (RGB / np.float32(255), "floats up to 1"),
        (np.dstack([RGB, np.full_like(RAMP, 255)]), "opaque RGBA"),
        (np.flip(np.flip(RGB, 1), 1), "a view from back to front"),
    ],
)
def test_arrays_of_any_layout_and_type(array, why):
    np.testing.assert_array_equal(np.asarray(load_rgb_image(array)), RGB, err_msg=why)


@pytest.mark.parametrize(
    "array", [RAMP, RAMP[..., None], RAMP[None], np.dstack([RAMP, np.full_like(RAMP, 255)])]
)
def test_grey_arrays(array):
    np.testing.assert_array_equal(np.asarray(load_rgb_image(array))[..., 1], RAMP)


def test_tensors_have_their_channels_first_where_both_fit():
    torch = pytest.importorskip("torch")
    strip = torch.arange(3 * 40 * 3, dtype=torch.uint8).reshape(3, 40, 3)
    assert load_rgb_image(strip).size == (3, 40)
    assert load_rgb_image(strip.numpy()).size == (40, 3)
    assert load_rgb_image(torch.rand(3, 5, 9).bfloat16()).size == (9, 5)


def test_to_8_bits_of_odd_values():
    values = np.array([[np.nan, -5.0, 0.0, 65535.0, np.inf]])
    assert to_8_bits(values).tolist() == [[0, 0, 0, 255, 255]]
    assert to_8_bits(np.array([[-3, 0, 131070]])).tolist() == [[0, 0, 255]]
    assert to_8_bits(np.array([[True, False]])).tolist() == [[255, 0]]
    assert to_8_bits(np.zeros((0, 4))).shape == (0, 4)
    assert to_8_bits(np.full((2, 3), np.nan)).tolist() == [[0] * 3] * 2


def test_a_large_deep_grey_picture_needs_little_more_memory_than_its_pixels():
    image = Image.fromarray(np.full((1000, 4000), 65535, np.uint16))
    tracemalloc.start()
    loaded = load_rgb_image(image)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert loaded.getpixel((3999, 999)) == (255, 255, 255)
    assert peak < 8 * 4_000_000 + 5 * 8 * 2**20  # one float64 copy of all would be 32 MB, three channels 96


@pytest.mark.parametrize(
    ("shape", "words"),
    [((0, 5, 3), "no pixels"), ((4, 5, 7), "channels"), ((2, 4, 5, 3), "shape"), ((7,), "shape")],
)
def test_arrays_that_are_no_image_are_told(shape, words):
    with pytest.raises(ValueError, match=words):
        array_to_rgb(np.zeros(shape, np.uint8), channels_last=True)


@pytest.mark.parametrize(
    ("array", "words"),
    [
        (np.float32(3), "shape"),
        (np.array(5), "shape"),
        (np.zeros(3), "shape"),
        (np.full((4, 5, 3), "a"), "real numbers"),
        (np.full((4, 5), None), "real numbers"),
        (np.zeros((4, 5), complex), "real numbers"),
        (np.zeros((4, 5), "M8[s]"), "real numbers"),
        (np.zeros((4, 5), [("x", int)]), "real numbers"),
    ],
    ids=["number", "no axis", "row", "texts", "objects", "complex", "dates", "records"],
)
def test_arrays_of_something_else_are_a_value_error(array, words):
    with pytest.raises(ValueError, match=words):
        load_rgb_image(array)


def test_paths_bytes_data_uris_and_base64(tmp_path):
    content = png_bytes(Image.fromarray(RGB))
    path = tmp_path / "an image.png"
    path.write_bytes(content)
    text = base64.b64encode(content).decode()
    for source in (path, str(path), content, bytearray(content), f"data:image/png;base64,{text}", text):
        np.testing.assert_array_equal(np.asarray(load_rgb_image(source)), RGB)


def test_the_given_image_stays_as_it_is():
    image = Image.fromarray(RGB).convert("RGBA")
    load_rgb_image(image).putpixel((0, 0), (1, 2, 3))
    assert image.mode == "RGBA"
    assert image.getpixel((0, 0))[:3] == tuple(RGB[0, 0])


@pytest.mark.parametrize(
    ("source", "words"),
    [
        ("/no/such/photo.jpg", "No such image file"),
        ("", "No such image file"),
        ("x" * 5000, "No such image file|not an image"),
        (b"", "empty"),
        (b"this is text", "not an image"),
        (png_bytes(Image.fromarray(RGB))[:-40], "not read|not an image"),
        ("data:image/png;base64,####", "empty"),
        ("http://127.0.0.1:9/a.png", "http://127.0.0.1:9/a.png"),
    ],
)
def test_what_is_no_image_is_a_value_error_that_says_what(source, words):
    with pytest.raises(ValueError, match=words):
        load_rgb_image(source, timeout=5)


def test_broken_files_are_named(tmp_path):
    for name, content in (("empty.png", b""), ("cut.jpg", png_bytes(Image.fromarray(RGB))[:60])):
        (tmp_path / name).write_bytes(content)
        with pytest.raises(ValueError, match=name):
            load_rgb_image(tmp_path / name)
    with pytest.raises(ValueError, match="Could not read"):
        load_rgb_image(tmp_path)


@pytest.mark.parametrize("is_open", [False, True], ids=["bytes", "PIL image"])
def test_no_program_is_run_to_draw_a_picture(monkeypatch, is_open):
    def fail(*_, **__):
        raise AssertionError("Ghostscript was called")

    monkeypatch.setattr(EpsImagePlugin, "Ghostscript", fail)
    content = b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 20 10\n%%EndComments\nshowpage\n%%EOF\n"
    with pytest.raises(ValueError, match="EPS files are programs"):
        load_rgb_image(Image.open(io.BytesIO(content)) if is_open else content)


@pytest.mark.parametrize("thing", [None, 3, [RGB], {"a": 1}])
def test_other_objects_are_a_type_error(thing):
    with pytest.raises(TypeError, match=type(thing).__name__):
        load_rgb_image(thing)


@pytest.fixture(scope="module")
def web():
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            status, body = {"/ok.png": (200, png_bytes(Image.fromarray(RGB))), "/page": (200, b"<html>")}.get(
                self.path, (404, b"nothing here")
            )
            self.send_response(status)
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *args):
            pass

    server = HTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


def test_urls(web, monkeypatch):
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    np.testing.assert_array_equal(np.asarray(load_rgb_image(f"{web}/ok.png", timeout=5)), RGB)
    with pytest.raises(ValueError, match=f"404 for {web}/missing.png"):
        load_rgb_image(f"{web}/missing.png", timeout=5)
    with pytest.raises(ValueError, match="/page is not an image"):
        load_rgb_image(f"{web}/page", timeout=5)


def test_an_address_that_sends_without_end_is_left(web, monkeypatch):
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    monkeypatch.setattr(image_loading, "_MOST_BYTES", 100)
    with pytest.raises(ValueError, match=r"ok\.png sends more than 100 bytes"):
        load_rgb_image(f"{web}/ok.png", timeout=5)


@pytest.mark.parametrize("address", ["http://[", "http://", "https://a b/", "http://\ud800.x/"])
def test_what_is_no_address_is_told(address):
    with pytest.raises(ValueError, match="Could not fetch"):
        load_rgb_image(address, timeout=1)
