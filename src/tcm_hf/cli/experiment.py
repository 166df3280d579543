"""`tcm-hf experiment KIND`: the papers' comparisons, many small trainings in one table and plot."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

from tcm_hf.cli.errors import CommandError
from tcm_hf.cli.experiment_arguments import (
    add_budget_options,
    add_common_options,
    budget_of,
    lr_factors,
    percent,
)
from tcm_hf.cli.load_models import pinned

_EPILOG = """\
Finished runs are kept in OUTPUT/runs and never repeated: call the same command again to go on, with more
--seeds to make the table surer. Experiments with the same settings and OUTPUT share their runs.
The decoding of each run is chosen on its own training photos; --validation is scored once.
Written: OUTPUT/{name}.md (table), .csv (a line a run), .json, .png.
"""


def add_parser(subparsers: Any) -> None:
    """Add the verb `experiment` with its kinds to the command line."""
    experiment = subparsers.add_parser("experiment", help="repeat the papers' comparisons on your photos")
    kinds = experiment.add_subparsers(dest="kind", required=True, metavar="KIND")
    few_shot = _add_kind(kinds, "few-shot", "train on a part of the photos")
    _add_methods(few_shot)
    _add_percents(few_shot, [10, 20, 50, 100])
    few_shot.add_argument(
        "--lists", type=Path, metavar="DIR", help="published lists of photos, CORPUS-seedN.txt, to take"
    )
    adaptation = _add_kind(kinds, "adaptation", "train on one corpus, test on another, both ways")
    adaptation.description = "--train and --validation take two corpora each, in the same order."
    _add_methods(adaptation)
    _add_percents(adaptation, [10, 100])
    ablation = _add_kind(kinds, "ablation", "the parts of TCM one after another")
    ablation.add_argument("--rows", nargs="+", metavar="ROW", help="some of the rows (all)")
    rates = _add_kind(kinds, "learning-rates", "learning-rate factors of the towers")
    rates.add_argument("--method", default="tcm", metavar="NAME", help="tcm or fasttcm (%(default)s)")
    rates.add_argument(
        "--factors", nargs="+", type=lr_factors, metavar="IMAGE/TEXT", help="0.1/0 0.1/0.1 0.1/1 1/1"
    )
    night = _add_kind(kinds, "joint-night", "train on joint corpora, test by night")
    _add_methods(night)
    night.add_argument(
        "--night", metavar="CORPUS", help="night pictures (darkened copies of the validation photos)"
    )


def _add_kind(kinds: Any, name: str, summary: str) -> argparse.ArgumentParser:
    parser: argparse.ArgumentParser = kinds.add_parser(
        name,
        help=summary,
        epilog=_EPILOG.format(name=name),
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add_common_options(parser.add_argument_group("data"))
    add_budget_options(parser.add_argument_group("training and scoring, equal for all rows"))
    return parser


def _add_methods(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--methods",
        nargs="+",
        default=["baseline", "tcm", "fasttcm"],
        metavar="NAME",
        help="the others are compared with the first (baseline tcm fasttcm)",
    )


def _add_percents(parser: argparse.ArgumentParser, default: list[float]) -> None:
    parser.add_argument(
        "--percents",
        nargs="+",
        type=percent,
        default=default,
        metavar="P",
        help=f"shares of the photos ({' '.join(map(str, default))})",
    )


def run(args: argparse.Namespace) -> int:
    """Run the verb.

    Returns:
        0; the path of the table is on stdout. 130 when a signal stopped a training.

    Raises:
        CommandError: for corpora, rows and settings that cannot work.
    """
    _refuse_repeated(args)
    start = args.start
    if start is not None and not Path(start).is_dir():
        start = pinned("--start", start, "main")
    try:
        experiment = _MAKERS[args.kind](args)
        _refuse_shared(experiment)
        workshop = experiment.opens(args.output, budget_of(args), start, args.start_only)
        if args.dry_run:
            for folder, done in experiment.states(workshop):
                print(f"{'done' if done else 'to do'}\t{folder}")
            return 0
        path = experiment.carry_out(args.output, workshop)
    except ValueError as error:
        raise CommandError(str(error)) from error
    if path is None:
        print(f"Stopped. The same command goes on in {args.output}.", file=sys.stderr)
        return 130
    print(path)
    return 0


def _refuse_repeated(args: argparse.Namespace) -> None:
    """A seed or a share that is named twice would be one training that counts as two.

    Raises:
        CommandError: for such a one.
    """
    for name in ("seeds", "percents", "factors", "validation"):
        values = getattr(args, name, None) or []
        if len(set(values)) < len(values):
            raise CommandError(f"--{name}: each can be named once, got {' '.join(map(str, values))}")


def _refuse_shared(experiment: Any) -> None:
    """A photo that is trained on tells nothing when it is tested on.

    Raises:
        ValueError: If there is one.
    """
    trained = {spec for placed in experiment.runs for spec in placed.run.train}
    tested = {spec for placed in experiment.runs for spec in placed.tests.values()}
    if shared := sorted(_files(trained) & _files(tested)):
        raise ValueError(
            f"{len(shared)} photos of --validation are in --train, the first is {shared[0]}: name parts that "
            "share none, as photos:1-900 and photos:901-1000."
        )


def _files(corpora: set[Any]) -> set[Path]:
    """The pictures of corpora; one that is still to be made has none."""
    records = [record for spec in corpora if spec.folder.exists() for record in spec.records()]
    return {record.image.resolve() for record in records if isinstance(record.image, Path)}


def _corpora(texts: list[str]) -> list[Any]:
    """Corpora whose annotations can be read; found out now, not after hours of training."""
    from tcm_hf.training.corpus_spec import CorpusSpec

    specs = [CorpusSpec.parse(text) for text in texts]
    for spec in specs:
        spec.records()
    return specs


def _tests(args: argparse.Namespace) -> dict[str, Any]:
    return {str(spec): spec for spec in _corpora(args.validation)}


def _few_shot(args: argparse.Namespace) -> Any:
    from tcm_hf.experiments.few_shot import few_shot
    from tcm_hf.experiments.methods import methods_named

    return few_shot(
        _corpora(args.train),
        _tests(args),
        methods=methods_named(args.methods),
        percents=args.percents,
        seeds=args.seeds,
        lists=args.output / "photos",
        published=args.lists,
    )


def _adaptation(args: argparse.Namespace) -> Any:
    from tcm_hf.experiments.adaptation import Domain, adaptation
    from tcm_hf.experiments.methods import methods_named

    if len(args.train) != 2 or len(args.validation) != 2:
        raise ValueError(
            "adaptation needs two corpora in --train and two in --validation, in the same order: got "
            f"{len(args.train)} and {len(args.validation)}."
        )
    train, validation = _corpora(args.train), _corpora(args.validation)
    names = [spec.folder.absolute().name for spec in train]
    if names[0] == names[1]:
        names = [str(spec) for spec in train]
    domains = [Domain(*one) for one in zip(names, train, validation, strict=True)]
    return adaptation(
        (domains[0], domains[1]),
        methods=methods_named(args.methods),
        percents=args.percents,
        seeds=args.seeds,
        lists=args.output / "photos",
    )


def _ablation(args: argparse.Namespace) -> Any:
    from tcm_hf.experiments.methods import ABLATION, methods_named
    from tcm_hf.experiments.row_experiments import ablation

    rows = methods_named(args.rows, ABLATION) if args.rows else ABLATION
    return ablation(_corpora(args.train), _tests(args), rows=rows, seeds=args.seeds)


def _learning_rates(args: argparse.Namespace) -> Any:
    from tcm_hf.experiments.methods import methods_named
    from tcm_hf.experiments.row_experiments import PAPER_FACTORS, learning_rates

    (method,) = methods_named([args.method])
    if method.name == "baseline":
        raise ValueError("learning-rates needs a method with a text tower: expected tcm or fasttcm.")
    return learning_rates(
        _corpora(args.train),
        _tests(args),
        method=method,
        factors=args.factors or PAPER_FACTORS,
        seeds=args.seeds,
    )


def _joint_night(args: argparse.Namespace) -> Any:
    from tcm_hf.experiments.methods import methods_named
    from tcm_hf.experiments.night import write_night
    from tcm_hf.experiments.row_experiments import joint_night
    from tcm_hf.training.corpus_spec import CorpusSpec

    if len(args.validation) != 1:
        raise ValueError(f"joint-night tests on one corpus by day: got {len(args.validation)}.")
    (day,) = _corpora(args.validation)
    folder = args.output / "night"
    night = _corpora([args.night])[0] if args.night else CorpusSpec(folder)
    experiment = joint_night(
        _corpora(args.train),
        {"day": day, "night": night},
        methods=methods_named(args.methods),
        seeds=args.seeds,
    )
    if args.night:
        return experiment
    return replace(experiment, preparations=(partial(write_night, day.records(), folder),))


_MAKERS: dict[str, Callable[[argparse.Namespace], Any]] = {
    "few-shot": _few_shot,
    "adaptation": _adaptation,
    "ablation": _ablation,
    "learning-rates": _learning_rates,
    "joint-night": _joint_night,
}
