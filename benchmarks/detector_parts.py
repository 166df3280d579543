"""What the parts are worth: every detector with and without TCM and FastTCM, trained alike, side by side.

    python benchmarks/detector_parts.py --train ../shared/data/ic15-train:1-900 \
        --validation ../shared/data/ic15-train:901-1000 --output runs/parts --bf16 --channels-last

Trains {dbnet, pan, fcenet} x {baseline, tcm, fasttcm} once a seed, as the experiments of `tcm-hf experiment`:
the same small trunk, the same crops in the same order, the same optimizer and schedule. All runs start from
the trunk of the shipped fasttcm-dbnet-tiny (which was trained with FastTCM and DBNet: a bias towards them)
and random weights for all the rest, the text tower included. The decoding of each is chosen on training
photos; then it is scored once on photos that were used for nothing else in these runs.

Each run leaves a model folder (tcm-hf detect --model …) in OUTPUT/runs; the table lies in
OUTPUT/detector-parts.md. Call the same command again to go on after an interruption.
"""

import argparse
import itertools
import sys
from collections.abc import Sequence

from tcm_hf import default_checkpoint
from tcm_hf.cli.experiment_arguments import add_budget_options, add_common_options, budget_of
from tcm_hf.experiments.experiment import Experiment, trained_and_tested
from tcm_hf.experiments.methods import METHODS, Method
from tcm_hf.experiments.plots import plot_rows
from tcm_hf.experiments.runs import Run
from tcm_hf.experiments.summary import PlacedRun
from tcm_hf.training.corpus_spec import CorpusSpec

DETECTORS = ("dbnet", "pan", "fcenet")


def main(argv: Sequence[str] | None = None) -> int:
    arguments = parse(argv)
    experiment = detector_parts(arguments)
    workshop = experiment.opens(arguments.output, budget_of(arguments), arguments.start, arguments.start_only)
    path = experiment.carry_out(arguments.output, workshop)
    if path is None:
        print("Stopped. The same command goes on.", file=sys.stderr)
        return 130
    print(path.read_text(encoding="utf-8"))
    return 0


def parse(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add_common_options(parser.add_argument_group("data"))
    add_budget_options(parser.add_argument_group("training and scoring, equal for all rows"))
    parser.add_argument("--detectors", nargs="+", choices=DETECTORS, default=DETECTORS, help="(all)")
    parser.set_defaults(
        seeds=[0, 1],
        start=default_checkpoint(),
        start_only=["model.image_tower.trunk."],
        steps=500,
        batch_size=4,
        crop=256,
        learning_rate=3e-3,
        image_tower_lr_factor=0.3,
        average_decay=0.97,
        size=[736, 1536],
        save_steps=250,
    )
    return parser.parse_args(argv)


def detector_parts(arguments: argparse.Namespace) -> Experiment:
    """Every detector with every method; each is compared with its own baseline."""
    train = tuple(CorpusSpec.parse(text) for text in arguments.train)
    tests = {text: CorpusSpec.parse(text) for text in arguments.validation}
    runs = []
    for seed, detector, part in itertools.product(arguments.seeds, arguments.detectors, METHODS):
        method = Method(
            f"{detector}-{part.name}", part.about, part.settings, preset=f"fasttcm-{detector}-tiny"
        )
        place = {"detector": detector, "method": part.name}
        runs.append(PlacedRun(Run(method, seed, train), place, tests))
    return Experiment(
        "detector-parts",
        "Detectors with and without TCM",
        trained_and_tested(train, tests),
        tuple(runs),
        {"method": "baseline"},
        plot_rows("method", ("detector", "test")),
    )


if __name__ == "__main__":
    sys.exit(main())
