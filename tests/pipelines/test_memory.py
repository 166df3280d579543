"""Memory stays flat, however many photos go through a pipeline."""

import gc
import itertools
from pathlib import Path

import numpy as np
import pytest
from transformers import pipeline

import tcm_hf  # noqa: F401  (registers the tasks)
from planted_words import painted_photo, painted_spotter

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"
EXAMPLES = Path(__file__).parents[2] / "examples" / "images"


@pytest.fixture
def growth_mib(monkeypatch):
    """Growth of resident memory while a function runs."""
    if not Path("/proc/self/statm").is_file():
        pytest.skip("resident memory is read from /proc")
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    from harness import resident_mib

    def measured(function) -> float:
        gc.collect()
        before = resident_mib()
        function()
        gc.collect()
        return resident_mib() - before

    return measured


def read_all(reader, photos, count: int, **options) -> None:
    """Read `count` photos, from the first again after the last."""
    stream = itertools.islice(itertools.cycle(photos), count)
    for words in reader(stream, **options):
        assert isinstance(words, list)


@pytest.mark.parametrize("batch_size", [1, 3])
def test_a_photo_leaves_nothing_behind(batch_size, growth_mib):
    """One photo in ten kept would be 10 MiB here."""
    reader = painted_spotter()
    sizes = [(300 + 32 * i, 600 - 32 * i) for i in range(6)]
    photos = [
        painted_photo(("cab", 60, 60, 0), ("abc", 60, 180, i % 4), size_hw=hw) for i, hw in enumerate(sizes)
    ]
    read_all(reader, photos, 40, batch_size=batch_size)
    assert growth_mib(lambda: read_all(reader, photos, 200, batch_size=batch_size)) < 8


@pytest.mark.slow
def test_memory_is_flat_over_a_thousand_photos(growth_mib):
    """The shipped reader: what libraries keep for every size of picture is kept by the 300th photo."""
    reader = pipeline("text-spotting", device="cpu")
    reader.image_processor.size = {"shortest_edge": 320, "longest_edge": 640}
    scenes = [reader.image_processor.load_rgb_image(file) for file in sorted(EXAMPLES.glob("*.jpg"))]
    photos = [np.ascontiguousarray(scene[: -1 - 40 * i]) for scene in scenes for i in range(4)]
    read_all(reader, photos, 300, max_detections=2)
    assert growth_mib(lambda: read_all(reader, photos, 700, max_detections=2)) < 64
