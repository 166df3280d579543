"""Runs are made once, shared by experiments, and go on after a stop; their table says what is missing."""

import csv
import json
import os
import signal
from dataclasses import replace
from pathlib import Path

import pytest

from tcm_hf.experiments.adaptation import Domain, adaptation
from tcm_hf.experiments.few_shot import few_shot
from tcm_hf.experiments.row_experiments import ablation
from tcm_hf.experiments.runs import Workshop
from tcm_hf.experiments.scoring import Scorer
from tcm_hf.experiments.start_points import StartPoint
from tcm_hf.training.corpus_spec import CorpusSpec
from tcm_hf.training.trainer import TextDetectionTrainer


@pytest.fixture
def specs(corpus):
    folder = corpus(count=6)
    return CorpusSpec.parse(f"{folder}:1-4"), CorpusSpec.parse(f"{folder}:5-6")


def test_few_shot_is_stopped_goes_on_and_shares_its_whole_run(
    specs, small_methods, quick_budget, tmp_path, monkeypatch, capsys
):
    train, test = specs
    out = tmp_path / "out"
    experiment = few_shot(
        [train],
        {"photos": test},
        methods=small_methods[:1],
        percents=[50, 100],
        seeds=[0],
        lists=out / "photos",
    )
    workshop = experiment.opens(out, quick_budget)
    assert [done for _, done in experiment.states(workshop)] == [False, False]
    assert not out.exists()

    compute_loss = TextDetectionTrainer.compute_loss

    def stop(self, *args, **kwargs):
        os.kill(os.getpid(), signal.SIGTERM)
        return compute_loss(self, *args, **kwargs)

    with monkeypatch.context() as patch:
        patch.setattr(TextDetectionTrainer, "compute_loss", stop)
        assert experiment.carry_out(out, workshop) is None
    folder = workshop.folder_of(experiment.runs[0].run)
    assert (folder / "checkpoint-1").is_dir()
    listed = (out / "photos" / "photos_1-4-seed0.txt").read_text().split()
    (chosen,) = experiment.runs[0].run.train
    assert {record.name for record in chosen.records()} == set(listed[:2])

    table = experiment.carry_out(out, workshop).read_text()
    assert "Going on from step 1 of 2" in capsys.readouterr().err
    assert "| 50 | 2 | 1 |" in table
    assert "Not there yet" not in table
    assert (out / "few-shot.png").stat().st_size > 5000
    result = json.loads((folder / "result.json").read_text())
    assert (result["settings"]["seed"], result["decoding"]["photos"]) == (0, 2)
    assert not list(folder.glob("checkpoint-*"))
    with (out / "few-shot.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert [row["photos"] for row in rows] == ["2", "4"]

    # Nothing is left to do, for this experiment and for another one with the same whole run.
    monkeypatch.setattr(Workshop, "_train", lambda *_: pytest.fail("trained again"))
    monkeypatch.setattr(Scorer, "__init__", lambda *_: pytest.fail("scored again"))
    experiment.carry_out(out, workshop)
    other = ablation([train], {"other name": test}, rows=small_methods[:1], seeds=[0])
    assert other.carry_out(out, other.opens(out, quick_budget)).name == "ablation.md"
    # With another budget or seed it is another run.
    assert not any(done for _, done in other.states(replace(workshop, budget=replace(quick_budget, steps=3))))
    more = ablation([train], {"photos": test}, rows=small_methods[:1], seeds=[0, 1])
    assert [done for _, done in more.states(more.opens(out, quick_budget))] == [True, False]
    text = more.report(out, workshop).read_text()
    assert "Not there yet: baseline-seed1-" in text


def test_adaptation_goes_on_from_the_model_of_the_source(corpus, small_methods, quick_budget, tmp_path):
    domains = tuple(
        Domain(name, CorpusSpec.parse(f"{corpus(name, 4)}:1-3"), CorpusSpec.parse(f"{tmp_path / name}:4-4"))
        for name in ("a", "b")
    )
    experiment = adaptation(
        domains, methods=small_methods[1:], percents=[34], seeds=[0], lists=tmp_path / "lists"
    )
    places = [placed.place for placed in experiment.runs]
    assert {place["direction"] for place in places} == {"a to b", "b to a"}
    assert [(p["training"], p["target %"]) for p in places[:3]] == [
        ("from source", 0),
        ("from source", 34),
        ("target alone", 34),
    ]
    workshop = experiment.opens(tmp_path / "out", quick_budget)
    source, adapted, alone = (placed.run for placed in experiment.runs[:3])
    assert adapted.after == source and alone.after is None
    assert workshop._recipe(adapted, tmp_path).model == str(workshop.folder_of(source))
    assert list(experiment.runs[1].tests) == ["b", "a"]
    result = workshop.make(adapted, experiment.runs[1].tests)
    assert workshop.folder_of(source).is_dir()
    assert len(result["tests"]) == 2
    scores = workshop.scores_of(result, experiment.runs[1].tests)
    assert [photo[0] for photo in scores["b"]["photos"]] == ["img_4.png"]
    assert scores["b"]["num_references"] == 1


def test_what_decides_the_model_decides_the_folder(specs, small_methods, quick_budget, tmp_path):
    (placed,) = ablation([specs[0]], {}, rows=small_methods[1:], seeds=[0]).runs
    run, start = placed.run, StartPoint()
    digest = run.digest(quick_budget, start)
    assert digest == run.digest(replace(quick_budget, workers=3, cache=None, channels_last=True), start)
    others = (
        replace(run, seed=1).digest(quick_budget, start),
        replace(run, train=(specs[1],)).digest(quick_budget, start),
        replace(run, after=run).digest(quick_budget, start),
        replace(run, arguments={"text_tower_lr_factor": 0.1}).digest(quick_budget, start),
        replace(run, method=small_methods[0]).digest(quick_budget, start),
        run.digest(replace(quick_budget, crop=96), start),
        run.digest(quick_budget, StartPoint({}, "other")),
    )
    assert len({digest, *others}) == 8
    assert json.loads(json.dumps(run.settings(quick_budget, start)))["train"] == [
        {"corpus": f"{tmp_path / 'photos'}:1-4"}
    ]


def test_learning_rate_factors_reach_the_training(specs, small_methods, quick_budget, tmp_path):
    from tcm_hf.experiments.row_experiments import PAPER_FACTORS, learning_rates

    experiment = learning_rates([specs[0]], {}, method=small_methods[1], factors=PAPER_FACTORS, seeds=[0])
    assert [placed.place for placed in experiment.runs][1] == {"image / text factor": "0.1 / 0.1"}
    workshop = Workshop(tmp_path, quick_budget, StartPoint())
    arguments = workshop._recipe(experiment.runs[2].run, tmp_path / "run").arguments
    assert (arguments["image_tower_lr_factor"], arguments["text_tower_lr_factor"]) == (0.1, 1.0)
    assert len({workshop.folder_of(placed.run) for placed in experiment.runs}) == 4


def test_only_a_tower_that_comes_trained_learns_at_the_papers_tenth(
    specs, small_methods, quick_budget, tmp_path
):
    (placed,) = ablation([specs[0]], {}, rows=small_methods[1:], seeds=[0]).runs
    for name, factor in (("model.image_tower.x", 0.1), ("model.text_tower.x", 1.0), (None, 1.0)):
        start = StartPoint({} if name is None else {name: None}, str(name))
        workshop = Workshop(tmp_path, quick_budget, start)
        folder = tmp_path / "run"
        (folder / "start").mkdir(parents=True, exist_ok=True)
        (folder / "start" / "model.safetensors").touch()
        assert workshop._recipe(placed.run, folder).arguments["image_tower_lr_factor"] == factor


def test_the_example_of_the_guide_makes_an_experiment(corpus, tmp_path, monkeypatch):
    guide = Path(__file__).parents[2] / "docs" / "experiments.md"
    code = guide.read_text(encoding="utf-8").split("```python\n")[1].split("workshop =")[0]
    corpus("ic15-train", 5)
    monkeypatch.chdir(tmp_path)
    names = {}
    exec(code.replace("1-900", "1-3").replace("901-1000", "4-5"), names)
    wide = names["experiment"].runs[1].run.method.config("tcm-dbnet-r50-ic15")
    assert wide.visual_prompt_config.hidden_size == 128
