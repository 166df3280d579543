import numpy as np
import pytest

from tcm_hf.data.synthetic.warps import ArcBend, BlockWarp, WaveBend, project, translation, view_homography

BENDS = [ArcBend(90.0), ArcBend(-90.0), ArcBend(400.0), WaveBend(8.0, 120.0, 1.0)]


@pytest.mark.parametrize("bend", BENDS)
def test_bending_back_gives_the_flat_points(bend):
    points = np.random.default_rng(0).uniform((-120, -30), (120, 30), (200, 2))
    np.testing.assert_allclose(bend.inverse(bend.forward(points)), points, atol=1e-9)


def test_a_positive_radius_arches_up_and_a_negative_one_sags():
    ends = np.array([[-80.0, 0.0], [80.0, 0.0]])
    assert (ArcBend(100.0).forward(ends)[:, 1] > 0).all()  # y grows downwards
    assert (ArcBend(-100.0).forward(ends)[:, 1] < 0).all()


def test_a_frontal_view_changes_nothing():
    np.testing.assert_allclose(view_homography(0, 0, 0, 500), np.eye(3), atol=1e-12)


def test_rolling_by_ninety_degrees_turns_clockwise_on_screen():
    turned = project(np.array([[1.0, 0.0]]), view_homography(0, 0, np.pi / 2, 500))
    np.testing.assert_allclose(turned, [[0, 1]], atol=1e-9)


@pytest.mark.parametrize("bend", [None, *BENDS])
def test_the_outline_is_clockwise_from_the_top_left(bend):
    warp = BlockWarp((200, 40), bend, translation(300, 200) @ view_homography(0.3, 0.2, 0.1, 600))
    outline = warp.outline()
    x, y = outline.T
    assert np.sum(x * np.roll(y, -1) - np.roll(x, -1) * y) > 0  # clockwise where y points down
    count = len(outline) // 2
    assert outline[0, 0] < outline[count - 1, 0]
    assert outline[0, 1] < outline[-1, 1]


@pytest.mark.parametrize("bend", [None, *BENDS])
def test_pixels_go_where_points_go(bend):
    """A small square drawn in the block is found in the image where `points` says."""
    layers = np.zeros((40, 200), dtype=np.float32)
    layers[10:14, 60:64] = 1
    warp = BlockWarp((200, 40), bend, translation(160.0, 120.0) @ view_homography(0.2, -0.1, 0.4, 600))
    drawn = warp.render(layers, (0, 0), (240, 320))
    rows, columns = np.mgrid[:240, :320]
    found = np.array([(columns * drawn).sum(), (rows * drawn).sum()]) / drawn.sum() + 0.5
    np.testing.assert_allclose(found, warp.points(np.array([[62.0, 12.0]]))[0], atol=0.1)
