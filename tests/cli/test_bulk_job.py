import builtins
import pickle
import sys

import pytest

from planted_words import painted_photo, painted_spotter
from tcm_hf.cli import read
from tcm_hf.cli.bulk_job import BulkPhotoJob, _places, _settings
from tcm_hf.cli.main import build_parser, main


@pytest.fixture(autouse=True)
def photos(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "photos").mkdir()
    (tmp_path / "photos" / "a.png").write_bytes(b"")


def parsed(*words):
    return build_parser().parse_args(["read", "photos", "--engine", "ray", "--output", "out", *words])


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["photos", "more", "--output", "out"], "takes one folder, file or address as PATH, got 2"),
        (["--output", "out"], "takes one folder, file or address as PATH, got 0"),
        (["-", "--output", "out"], "takes one folder, file or address"),
        (["photos"], "--engine ray needs --output FOLDER"),
        (["photos", "--output", "out", "--format", "hocr"], "--format is not for --engine ray"),
        (["photos", "--output", "out", "--draw", "drawn"], "--draw is not for --engine ray"),
        (["photos", "--output", "out", "--pages", "1"], "--pages is not for --engine ray"),
        (["photos", "--output", "out", "--print"], "--print is not for --engine ray"),
        (["photos", "--output", "out", "--lexicon", "none.txt"], "--lexicon none.txt"),
        (["nowhere", "--output", "out"], "no such file or folder: nowhere"),
        (["nonsense://x", "--output", "out"], "nonsense://x: expected a path, or an address"),
    ],
)
def test_a_mistake_is_one_line_before_anything_starts(words, message, capsys):
    assert main(["read", *words, "--engine", "ray"]) == 2
    error = capsys.readouterr().err
    assert message in error
    assert error.count("\n") == 1


@pytest.mark.parametrize("words", [["--workers", "2"], ["--worker-gpus", "0.5"], ["--image-column", "a"]])
def test_what_only_an_engine_goes_by_needs_one(words, capsys):
    assert main(["read", "photos", *words]) == 2
    assert f"{words[0]} needs --engine ray" in capsys.readouterr().err


@pytest.mark.parametrize(
    "output", ["out", "/data/out", "file:///data/out", "s3://bucket/out?region=eu", "hf://datasets/me/out"]
)
def test_the_output_is_where_the_user_said(output):
    assert _places(parsed("--output", output)) == ("photos", output)


def test_records_of_another_backend_are_not_those_of_one_run():
    plain, exported = (_settings(read.ReadJob(parsed(*words))) for words in ([], ["--backend", "onnx"]))
    assert plain != exported


def test_without_ray_the_extra_is_named(monkeypatch, capsys):
    real = builtins.__import__

    def without_ray(name, *rest):
        if name.split(".")[0] == "ray":
            raise ImportError("No module named 'ray'")
        return real(name, *rest)

    monkeypatch.setattr(builtins, "__import__", without_ray)
    monkeypatch.delitem(sys.modules, "ray.data", raising=False)
    assert main(["read", "photos", "--engine", "ray", "--output", "out"]) == 2
    assert 'pip install "tcm_hf[bulk]"' in capsys.readouterr().err


def test_a_worker_writes_the_record_of_a_run_in_one_process(monkeypatch, tmp_path):
    from PIL import Image

    spotter = painted_spotter()
    monkeypatch.setattr(read, "_load_spotter", lambda _: spotter)
    photo = painted_photo(("cab", 150, 22, 0), ("abc", 20, 20, 0))
    Image.fromarray(photo).save(tmp_path / "photos" / "a.png")
    assert main(["read", "photos", "--output", "one.jsonl", "--lines", "-q"]) == 0
    job = pickle.loads(pickle.dumps(BulkPhotoJob(read.ReadJob(parsed("--lines")))))
    job.load()
    [found] = job.read(iter([photo]))
    record = job.record("photos/a.png", photo.shape[:2], found)
    from tcm_hf.results.records import render_json_line

    assert render_json_line(record) == (tmp_path / "one.jsonl").read_text(encoding="utf-8")


def test_an_address_stays_one(monkeypatch):
    monkeypatch.setattr(read, "_load_spotter", lambda _: painted_spotter())
    job = BulkPhotoJob(read.ReadJob(parsed()))
    job.load()
    photo = painted_photo(("cab", 150, 22, 0))
    [found] = job.read(iter([photo]))
    record = job.record("s3://bucket/a.tar#1.jpg", photo.shape[:2], found)
    assert record["source"] == {
        "path": "s3://bucket/a.tar#1.jpg",
        "width": photo.shape[1],
        "height": photo.shape[0],
    }
