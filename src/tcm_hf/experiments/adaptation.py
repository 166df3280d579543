"""Domain adaptation: trained on one corpus, tested on another, with few or no photos of it."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import NamedTuple

from tcm_hf.experiments.experiment import Experiment, trained_and_tested
from tcm_hf.experiments.few_shot import chosen
from tcm_hf.experiments.methods import Method
from tcm_hf.experiments.photo_lists import list_names, list_path, photo_order, write_list
from tcm_hf.experiments.plots import plot_curves
from tcm_hf.experiments.runs import Run
from tcm_hf.experiments.summary import Place, PlacedRun
from tcm_hf.training.corpus_spec import CorpusSpec


class Domain(NamedTuple):
    """A corpus with photos to train on and others to test on."""

    name: str
    train: CorpusSpec
    test: CorpusSpec


def adaptation(
    domains: tuple[Domain, Domain],
    *,
    methods: Sequence[Method],
    percents: Sequence[float],
    seeds: Sequence[int],
    lists: Path,
) -> Experiment:
    """Both directions: source only, source and then a share of the target, that share alone.

    Every run is tested on both corpora: the source's score says what is forgotten. Going on from the source
    takes a training of its own, of the same steps; so a run with both is trained twice as long.

    Args:
        domains: The two corpora.
        methods: The models; the first is what the others are compared with.
        percents: Shares of the target's photos; source only (0) comes by itself.
        seeds: Each has a choice of photos of its own.
        lists: Folder where the order of the photos is going to be written.

    Raises:
        ValueError: For a share that cannot be, or corpora that cannot be read.
    """
    runs: list[PlacedRun] = []
    written = []
    names = dict(zip(domains, list_names([one.train for one in domains]), strict=True))
    for seed in seeds:
        for source, target in (domains, domains[::-1]):
            tests = {target.name: target.test, source.name: source.test}
            direction = f"{source.name} to {target.name}"
            order = photo_order([record.name for record in target.train.records()], seed)
            written.append(partial(write_list, list_path(lists, names[target], seed), order))
            shares = {percent: chosen(target.train, order, percent) for percent in percents}
            for method in methods:
                first = Run(method, seed, (source.train,))
                common: Place = {"direction": direction, "method": method.name}
                runs.append(PlacedRun(first, {**common, "training": "from source", "target %": 0}, tests))
                for percent, share in shares.items():
                    for training, after in (("from source", first), ("target alone", None)):
                        place = {**common, "training": training, "target %": percent}
                        runs.append(PlacedRun(Run(method, seed, (share,), after), place, tests))
    return Experiment(
        "adaptation",
        f"Domain adaptation: {domains[0].name} and {domains[1].name}",
        trained_and_tested([one.train for one in domains], {one.name: one.test for one in domains}),
        tuple(runs),
        {"method": methods[0].name},
        plot_curves("target %", "photos of the target, %", ("training", "method"), ("direction", "test")),
        tuple(written),
    )
