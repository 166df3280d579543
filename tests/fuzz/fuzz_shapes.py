"""What the properties are tried on: maps, outlines, texts and file names that nobody would call sound."""

import numpy as np
from hypothesis import strategies as st
from hypothesis.extra import numpy as st_np

ODD_NUMBERS = (np.nan, np.inf, -np.inf, 0.0, -0.0, 1e-45, 1e38, -1e38, 0.3, 0.5, 1.0)
SIDES = st.integers(1, 24)


def numbers(least, most):
    """Mostly ordinary values, sometimes odd ones."""
    ordinary = st.floats(least, most, width=32)
    return st.one_of(ordinary, ordinary, ordinary, st.sampled_from(ODD_NUMBERS))


@st.composite
def maps(draw, sides=SIDES, least=-1.0, most=2.0, channels=None):
    """An array (h, w), or (channels, h, w), with blocks of one value and a few odd values in it."""
    height, width = draw(sides), draw(sides)
    shape = (height, width) if channels is None else (channels, height, width)
    array = np.full(shape, draw(numbers(least, most)), np.float32)
    for _ in range(draw(st.integers(0, 6))):
        top, left = draw(st.integers(0, height - 1)), draw(st.integers(0, width - 1))
        bottom, right = draw(st.integers(top + 1, height)), draw(st.integers(left + 1, width))
        array[..., top:bottom, left:right] = draw(numbers(least, most))
    if draw(st.booleans()):
        noise = np.random.default_rng(draw(st.integers(0, 2**32 - 1))).uniform(least, most, shape)
        array = np.where(np.isfinite(array), array * 0.3 + noise, array).astype(np.float32)
    return array


def outlines(least_points=0, most_points=12, farthest=1e4):
    """Points (P, 2): crossing, repeated, collinear, far away; all finite."""
    coordinate = st.one_of(
        st.integers(-5, 60).map(float),
        st.floats(-farthest, farthest, width=32),
        st.sampled_from((0.0, 0.5, 1e-6, 64.0, 48.0)),
    )
    return st.lists(st.tuples(coordinate, coordinate), min_size=least_points, max_size=most_points).map(
        lambda points: np.array(points, np.float32).reshape(-1, 2)
    )


def any_outlines(most_points=8):
    """Points that need not be finite."""
    return st_np.arrays(
        np.float32, st.tuples(st.integers(0, most_points), st.just(2)), elements=st.floats(width=32)
    )


TEXTS = st.text(max_size=12)
"""Any Unicode but surrogates: what a file in UTF-8 can say."""
FILE_NAMES = st.one_of(
    st.sampled_from(
        ("..", ".", "...", "..jpg", "...jpg", ".jpg", "a", "con", "NUL.jpg", "a.b.c", "-x.jpg", "~")
    ),
    st.sampled_from(
        ("a/../../b", "/etc/x.jpg", "C:\\x.jpg", "..\\x.jpg", "%2e%2e%2fx", "$HOME", "*.jpg", "a;rm x")
    ),
    st.sampled_from(
        ("a\nb.jpg", "a\tb.jpg", "a,b.jpg", 'a"b.jpg', "a b.jpg", "ä.jpg", "😀.jpg", "\u202egpj.exe")
    ),
    st.sampled_from(("a" * 250 + ".jpg", "gt_1", "e\u0301", "img_1.jpg")),
    st.text(min_size=1, max_size=20),
)
