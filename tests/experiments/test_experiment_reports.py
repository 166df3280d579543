"""Tables put seeds together and compare like with like; plots show every panel."""

import json

import pytest

from tcm_hf.experiments.plots import plot_curves, plot_rows
from tcm_hf.experiments.reports import table, write_reports
from tcm_hf.experiments.summary import Outcome, summarize

NOTES = {
    "about": "Trained on a.",
    "compare": "method baseline",
    "missing": ["tcm-seed2-abc"],
    "start": "random",
    "budget": {"preset": "p", "steps": 5, "batch_size": 4, "crop": 64, "learning_rate": 1e-3},
}


def scored(method, percent, seed, hits, test="day"):
    scores = {
        **{name: hits / 10 for name in ("recall", "precision", "hmean", "best_hmean")},
        "photos": [["img_1", 10, 10, hits], ["img_2", 10, 10, hits]],
    }
    result = {"decoding": {"threshold": 0.5, "hmean": 0.9}, "seconds_training": 3.5}
    return Outcome({"percent": percent, "method": method, "test": test}, seed, scores, result)


@pytest.fixture
def rows():
    results = [
        scored(method, percent, seed, hits + seed)
        for percent, pairs in ((10, (("baseline", 3), ("tcm", 6))), (100, (("baseline", 7), ("tcm", 7))))
        for method, hits in pairs
        for seed in (0, 1)
    ]
    return summarize(results, {"method": "baseline"})


def test_a_row_is_compared_in_its_own_place_alone(rows):
    assert [row.against is None for row in rows] == [True, False, True, False]
    assert rows[1].against.by_seed == pytest.approx((0.3, 0.3))
    assert rows[1].against.is_shown
    assert rows[3].against.by_seed == (0, 0)
    assert rows[0].mean("hmean") == pytest.approx(0.35)


def test_the_table_shows_spread_and_difference_and_leaves_out_what_is_equal_everywhere(rows):
    text = table(rows)
    assert text.startswith("| percent | method | seeds |")
    assert "day" not in text
    assert "| 10 | baseline | 2 | 0.350 | 0.350 | 0.350 (0.300..0.400) |  |  |" in text
    assert "0.650 (0.600..0.700) | +0.300 [+0.300, +0.300]; +0.300, +0.300 | yes |" in text


def test_an_empty_table_says_so():
    assert "No run" in table([])


def test_reports_name_what_is_missing(rows, tmp_path):
    plot = plot_curves("percent", "photos, %", ("method",), ("test",))
    path = write_reports(tmp_path, "few-shot", "Few-shot", rows, plot, NOTES)
    text = path.read_text()
    assert "Not there yet: tcm-seed2-abc." in text
    assert "best" in text.lower() and "papers report" in text
    document = json.loads((tmp_path / "few-shot.json").read_text())
    assert document["rows"][1]["difference"]["shown"] is True
    assert "photos" not in document["rows"][0]["seeds"][0]
    assert len((tmp_path / "few-shot.csv").read_text().splitlines()) == 9
    assert (tmp_path / "few-shot.png").stat().st_size > 5000


def test_plots_of_rows_have_a_panel_a_test(rows, tmp_path):
    from PIL import Image

    both = summarize(
        [scored("baseline", 1, 0, 4, "day"), scored("baseline", 1, 0, 2, "night")], {"method": "baseline"}
    )
    sizes = []
    for name, some in (("one", both[:1]), ("two", both)):
        plot_rows("method", ("test",))(some, "title", tmp_path / f"{name}.png")
        sizes.append(Image.open(tmp_path / f"{name}.png").width)
    assert sizes[1] > 1.5 * sizes[0]
