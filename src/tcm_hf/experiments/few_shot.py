"""Few-shot: train on a part of the photos only (TCM, arXiv 2302.14338; FastTCM, arXiv 2308.10408)."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from pathlib import Path

from tcm_hf.experiments.experiment import Experiment, trained_and_tested
from tcm_hf.experiments.methods import Method
from tcm_hf.experiments.photo_lists import (
    ChosenPhotos,
    list_names,
    list_path,
    photo_order,
    read_list,
    share_of,
    write_list,
)
from tcm_hf.experiments.plots import plot_curves
from tcm_hf.experiments.runs import Run, Tests
from tcm_hf.experiments.summary import Place, PlacedRun
from tcm_hf.training.corpus_spec import CorpusSpec


def few_shot(
    train: Sequence[CorpusSpec],
    tests: Tests,
    *,
    methods: Sequence[Method],
    percents: Sequence[float],
    seeds: Sequence[int],
    lists: Path,
    published: Path | None = None,
) -> Experiment:
    """Methods trained on 10 %, …, 100 % of the photos; the same photos and as many steps for all.

    Args:
        train: The corpora; the share is taken of each.
        tests: What is tested on.
        methods: The models; the first is what the others are compared with.
        percents: Shares of the photos. A smaller share lies in each larger one.
        seeds: Each has a choice of photos of its own.
        lists: Folder where the order of the photos is going to be written, one file a corpus and seed.
        published: Folder of such files to take instead of making them.

    Raises:
        ValueError: For a share that cannot be, corpora that cannot be read, or a list of other photos.
        OSError: If a published list cannot be read.
    """
    runs, written = [], []
    for seed in seeds:
        ordered = []
        for spec, name in zip(train, list_names(train), strict=True):
            names = [record.name for record in spec.records()]
            if published is None:
                order = photo_order(names, seed)
            else:
                order = read_list(list_path(published, name, seed), names)
            ordered.append(order)
            written.append(partial(write_list, list_path(lists, name, seed), order))
        for percent in percents:
            corpora = tuple(chosen(spec, order, percent) for spec, order in zip(train, ordered, strict=True))
            photos = sum(len(share_of(order, percent)) for order in ordered)
            for method in methods:
                place: Place = {"percent": percent, "photos": photos, "method": method.name}
                runs.append(PlacedRun(Run(method, seed, corpora), place, tests))
    return Experiment(
        "few-shot",
        "Few-shot: trained on a part of the photos",
        trained_and_tested(train, tests),
        tuple(runs),
        {"method": methods[0].name},
        plot_curves("photos", "training photos", ("method",), ("test",)),
        tuple(written),
    )


def chosen(spec: CorpusSpec, order: Sequence[str], percent: float) -> CorpusSpec:
    """The first `percent` of a corpus' photos in an order of their names."""
    # A whole corpus is named as such: other experiments train on it, too, and share the run.
    return spec if percent == 100 else ChosenPhotos.of(spec, share_of(order, percent))
