"""What lies between two curves becomes a straight strip."""

import math

import pytest
import torch

from tcm_hf.modeling.bezier_align import BezierAlign, bezier_align

ARC = 4 / 3 * math.tan(math.pi / 8)
"""How far the inner control points of a quarter circle are from its ends, in radii (error 3e-4 radii)."""


def straight(x0: float, y0: float, x1: float, y1: float) -> torch.Tensor:
    """(1, 8, 2): an upright word between two corners."""
    along = torch.linspace(0, 1, 4)[:, None]
    ends = torch.tensor([[x0, y0], [x1, y0], [x1, y1], [x0, y1]])
    return torch.cat([first + along * (last - first) for first, last in (ends[:2], ends[2:])])[None]


def quarter(center: tuple[float, float], outer: float, inner: float) -> torch.Tensor:
    """(1, 8, 2): a word that runs round a quarter circle, from the left to the top."""

    def arc(radius: float) -> torch.Tensor:
        corners = torch.tensor([[-1.0, 0.0], [-1.0, -ARC], [-ARC, -1.0], [0.0, -1.0]])
        return torch.tensor(center) + radius * corners

    return torch.cat([arc(outer), arc(inner).flip(0)])[None]


def random_map(channels: int = 3, size_hw: tuple[int, int] = (20, 48)) -> torch.Tensor:
    return torch.randn(channels, *size_hw, generator=torch.Generator().manual_seed(0))


def positions(size_hw: tuple[int, int]) -> torch.Tensor:
    """(2, h, w): every cell says where its centre is."""
    y, x = (torch.arange(size) + 0.5 for size in size_hw)
    return torch.stack([x.expand(size_hw), y[:, None].expand(size_hw)])


def test_a_straight_word_is_a_crop():
    cells = random_map()
    # Bins are sampled at their upper left corners, which are cells' centres here.
    strip = bezier_align(cells, straight(5.5, 3.5, 37.5, 11.5), (8, 32))
    torch.testing.assert_close(strip[0], cells[:, 3:11, 5:37])


def test_a_word_upside_down_is_a_turned_crop():
    cells = random_map()
    word = straight(37.5, 11.5, 5.5, 3.5)
    strip = bezier_align(cells, word, (8, 32))
    torch.testing.assert_close(strip[0], cells[:, 4:12, 6:38].flip(1, 2))


def test_a_curved_word_is_straightened():
    center, size_hw = (60.0, 60.0), (64, 64)
    x, y = positions(size_hw)
    radius = (x - center[0]).hypot(y - center[1])
    angle = torch.atan2(center[1] - y, center[0] - x)  # 0 at the left, a quarter turn at the top
    strip = bezier_align(torch.stack([radius, angle]), quarter(center, 50.0, 30.0), (8, 32))[0]
    rows = 50 - 20 * torch.arange(8) / 8
    torch.testing.assert_close(strip[0], rows[:, None].expand(8, 32), rtol=0, atol=0.05)
    # The parameter runs a little faster near the ends than the angle.
    assert (strip[1] - strip[1, :1]).abs().max() < 5e-3
    torch.testing.assert_close(strip[1, 0], torch.arange(32) / 32 * math.pi / 2, rtol=0, atol=0.03)


@pytest.mark.parametrize("samples", [2, 3])
def test_several_samples_a_bin_are_averaged_around_the_same_place(samples):
    cells, word = positions((20, 48)), straight(6.3, 4.2, 38.3, 12.2)
    once, averaged = (bezier_align(cells, word, (4, 16), count) for count in (1, samples))
    torch.testing.assert_close(averaged, once)  # positions are linear
    noise = random_map()
    assert not torch.allclose(bezier_align(noise, word, (4, 16), samples), bezier_align(noise, word, (4, 16)))


def test_outside_the_map_there_is_nothing():
    strip = bezier_align(torch.ones(1, 8, 8), straight(-16.0, 2.0, 16.0, 6.0), (4, 32))[0, 0]
    assert (strip[:, :15] == 0).all()
    assert (strip[:, 17:24] == 1).all()
    assert (strip[:, 26:] == 0).all()


def test_words_are_read_from_the_level_of_their_height_and_from_their_own_image():
    align = BezierAlign((4, 8), canonical_height=32)
    # Every map says which level and which image it is.
    levels = [
        torch.tensor([10.0 * level, 10.0 * level + 1])[:, None, None, None].expand(
            2, 1, 64 >> level, 96 >> level
        )
        for level in range(3)
    ]
    heights = {15.0: 0, 31.0: 0, 33.0: 1, 63.0: 1, 65.0: 2, 200.0: 2}
    words = torch.cat([straight(40.0, 20.0, 100.0, 20.0 + height) for height in heights])
    assert align.levels_of(words).tolist() == list(heights.values())
    strips = align(levels, [words[:2], words[2:]])
    assert strips.shape == (6, 1, 4, 8)
    assert strips[:, 0, 0, 0].tolist() == [0.0, 0.0, 11.0, 11.0, 21.0, 21.0]
    assert align(levels, [words[:0], words[:0]]).shape == (0, 1, 4, 8)


def test_levels_are_looked_at_in_their_own_cells():
    align = BezierAlign((4, 16), canonical_height=32)
    # Places in pixels, whatever the level.
    levels = [positions((128 >> level, 192 >> level))[None] * (4 << level) for level in range(3)]
    for height in (16.0, 40.0, 90.0):
        strip = align(levels, [straight(60.0, 100.0, 380.0, 100.0 + height)])[0]
        torch.testing.assert_close(strip[0, 0], 60 + 320 * torch.arange(16) / 16)
        torch.testing.assert_close(strip[1, :, 0], 100 + height * torch.arange(4) / 4)


def test_what_is_read_teaches_the_map_and_the_place():
    cells, word = random_map().requires_grad_(), straight(5.2, 3.1, 37.0, 11.0).requires_grad_()
    bezier_align(cells, word, (8, 32)).square().sum().backward()
    assert cells.grad.abs().sum() > 0
    assert word.grad.isfinite().all() and word.grad.abs().sum() > 0
