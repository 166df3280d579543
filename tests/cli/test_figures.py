import numpy as np
import pytest
from PIL import Image

from tcm_hf.cli.figures import figure_of, heat_map

FOUND = {
    "score": 0.9,
    "label": "text",
    "polygon": [[40.0, 20.0], [160.0, 20.0], [160.0, 60.0], [40.0, 60.0]],
}


def explanation(size_hw=(100, 200), prompt=True):
    ramp = np.linspace(-0.5, 0.25, 12, dtype=np.float32).reshape(3, 4)
    return {
        "image": np.full((*size_hw, 3), 128, np.uint8),
        "image_embedding": 10 * ramp,
        "visual_prompt": ramp.T.copy() if prompt else None,
        "matching_map": -ramp,
        "detections": [FOUND],
    }


def panels_of(figure, count):
    """The figure in columns of equal width."""
    return np.split(np.asarray(figure)[:, : figure.width // count * count], count, axis=1)


def test_the_panels_stand_side_by_side_and_differ():
    figure = figure_of(explanation(), panel_px=200)
    assert figure.mode == "RGB"
    assert figure.width > 4 * 200 > 3 * figure.height
    panels = panels_of(figure, 4)
    for i, one in enumerate(panels):
        assert all((one != other).any() for other in panels[:i])


@pytest.mark.parametrize("panel_px", [100, 400])
def test_the_longer_side_of_a_panel_is_as_asked(panel_px):
    for size_hw in ((100, 200), (200, 100)):
        figure = figure_of(explanation(size_hw), panel_px=panel_px)
        not_paper = (np.asarray(figure) < 250).any(axis=2)
        result = not_paper[:, -round(0.8 * panel_px) :]
        longest = max((result.sum(axis=0).max(), result.sum(axis=1).max()))
        assert longest == pytest.approx(panel_px if size_hw[0] > size_hw[1] else 0.8 * panel_px, rel=0.2)


def test_a_prompt_that_is_not_there_is_left_out():
    with_prompt, without = (figure_of(explanation(prompt=prompt), panel_px=200) for prompt in (True, False))
    assert with_prompt.height == without.height
    assert with_prompt.width - without.width == pytest.approx(200, abs=10)


def test_the_polygon_lies_where_it_was_found():
    found, nothing = explanation(), explanation() | {"detections": []}
    drawn = figure_of(found, panel_px=400), figure_of(nothing, panel_px=400)
    rows, columns = np.nonzero((np.asarray(drawn[0]) != np.asarray(drawn[1])).any(axis=2))
    inside = rows < drawn[0].height - 60  # below it the number of texts changes too
    # 200 pixels are 400: the polygon is 240 wide and 80 high, and its line 2 or 3.
    assert np.ptp(columns[inside]) == pytest.approx(240, abs=6)
    assert np.ptp(rows[inside]) == pytest.approx(80, abs=6)


def test_greater_values_are_lighter_and_the_photo_shines_through():
    photo = Image.new("RGB", (64, 32), (100, 100, 100))
    photo.paste((200, 200, 200), (0, 16, 64, 32))
    shades = np.asarray(heat_map(photo, np.array([[-1.0, 0.0, 1.0, 2.0]])).convert("L")).astype(int)
    assert (np.diff(shades[4, 8::16]) > 0).all()
    assert (shades[28] > shades[4] + 20).all()


@pytest.mark.parametrize("values", [np.zeros((3, 4)), np.full((1, 1), 7.0), np.array([[-3.0]])])
def test_a_map_of_one_value_is_one_shade(values):
    assert len(np.unique(heat_map(Image.new("RGB", (40, 20)), values).convert("L"))) == 1


@pytest.mark.parametrize("size_hw", [(1, 1), (3, 900), (900, 3)])
@pytest.mark.parametrize("panel_px", [1, 40])
def test_odd_photos_and_tiny_panels_are_drawn(size_hw, panel_px):
    assert min(figure_of(explanation(size_hw), panel_px=panel_px).size) >= 1
