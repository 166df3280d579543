"""A difference counts as shown only if seeds and photos agree on it."""

import numpy as np
import pytest

from tcm_hf.evaluation.counting import HmeanMetric
from tcm_hf.experiments.comparison import difference, hmean


def scored(photos, seeds=(0, 1)):
    """Scores of the same photos for each seed; photos are (references, predictions, hits)."""
    rows = [[f"img_{index}", *photo] for index, photo in enumerate(photos)]
    counts = np.array(photos, float)[None]
    value = float(hmean(counts, np.ones((1, len(photos))))[0, 0])
    return {seed: {"photos": rows, "hmean": value} for seed in seeds}


@pytest.mark.parametrize(
    "photos",
    [
        [(3, 2, 2), (1, 4, 1)],
        [(3, 0, 0)],  # nothing found
        [(0, 2, 0)],  # nothing to find
        [(0, 0, 0)],  # an empty photo, left alone
    ],
)
def test_hmean_of_counts_is_that_of_the_metric(photos):
    metric = HmeanMetric()
    references, predictions, hits = (sum(column) for column in zip(*photos, strict=True))
    metric.counts |= {"images": len(photos), "references": references, "predictions": predictions}
    metric.counts |= {"recall_hits": hits, "precision_hits": hits}
    assert scored(photos)[0]["hmean"] == pytest.approx(metric.compute()["hmean"])


def test_a_clear_difference_on_all_photos_is_shown():
    better = difference(scored([(10, 10, 9)] * 20), scored([(10, 10, 5)] * 20))
    assert better.by_seed == pytest.approx((0.4, 0.4))
    assert (better.low, better.high) == pytest.approx((0.4, 0.4))
    assert better.is_shown


def test_one_lucky_photo_is_no_difference():
    ours, theirs = [(2, 2, 1)] * 20, [(2, 2, 1)] * 20
    ours[0] = (2, 2, 2)
    assert not difference(scored(ours), scored(theirs)).is_shown
    # It is drawn never or several times: the interval begins at no difference at all.
    assert difference(scored(ours), scored(theirs)).low == 0


@pytest.mark.parametrize(
    ("ours", "theirs"),
    [
        ((0.7, 0.5), (0.6, 0.6)),  # signs differ
        ((0.7, 0.7), (0.7, 0.7)),
        ((0.72, 0.62), (0.7, 0.6)),  # the seeds lie further apart than the methods
    ],
)
def test_seeds_that_do_not_agree_show_nothing(ours, theirs):
    def of(hmeans):
        return {
            seed: {"photos": [[f"p{i}", 100, 100, round(100 * value)] for i in range(9)], "hmean": value}
            for seed, value in enumerate(hmeans)
        }

    assert not difference(of(ours), of(theirs)).is_shown


def test_a_single_seed_shows_nothing():
    assert not difference(scored([(10, 10, 9)] * 20, (0,)), scored([(10, 10, 5)] * 20, (0,))).is_shown


def test_only_common_seeds_are_compared():
    found = difference(scored([(4, 4, 4)] * 3, (0, 1, 2)), scored([(4, 4, 2)] * 3, (1, 2, 5)))
    assert len(found.by_seed) == 2
    assert difference(scored([(1, 1, 1)], (0,)), scored([(1, 1, 1)], (1,))) is None


def test_other_photos_cannot_be_compared():
    with pytest.raises(ValueError, match="same photos"):
        difference(scored([(1, 1, 1)]), scored([(1, 1, 1), (1, 1, 0)]))
