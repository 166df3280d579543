"""Runs on Ray with two workers: minutes on a small machine. What needs no Ray is tested beside this file."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from bulk_jobs import FAILING_RED, KILLER_RED, MeanJob, picture, write_parquet, write_pictures, write_tar

pytestmark = pytest.mark.slow

pytest.importorskip("ray.data", reason='needs Ray: pip install "tcm_hf[bulk]"')

TESTS = str(Path(__file__).parents[1])
TWO_WORKERS = """
import sys
from bulk_jobs import MeanJob
from tcm_hf.bulk.ray_steps import Workers
from tcm_hf.bulk.run import run_bulk

source, output, seconds = sys.argv[1:]
two = Workers(2)
run_bulk(MeanJob(float(seconds)), source, output, settings={}, workers=two, rows_per_part=4, resume=True)
"""


@pytest.fixture(scope="module", autouse=True)
def workers_find_the_jobs():
    """Ray's workers inherit the environment of its session."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYTHONPATH", TESTS)
        yield


@pytest.fixture(scope="module")
def session(workers_find_the_jobs):
    from tcm_hf.bulk.ray_session import ray_session

    with ray_session(2, 1):
        yield


def run(source, output, job=None, **options):
    from tcm_hf.bulk.ray_steps import Workers
    from tcm_hf.bulk.run import run_bulk

    options = {"settings": {}, "rows_per_part": 4, **options}
    return run_bulk(job or MeanJob(), str(source), str(output), workers=Workers(2), **options)


def records_of(output):
    """What lies in all parts, by image; an image with two records is an error."""
    records = {}
    for part in sorted((output / "parts").glob("part-*.jsonl")):
        for line in part.read_text(encoding="utf-8").splitlines():
            record = json.loads(line)
            assert record["source"]["path"] not in records
            records[record["source"]["path"]] = record["instances"][0]["red"]
    return records


def bad_of(output):
    lines = (output / "bad.jsonl").read_text(encoding="utf-8").splitlines()
    rows = [json.loads(line) for line in lines]
    assert len({row["id"] for row in rows}) == len(rows)
    return {row["id"]: row["problem"] for row in rows}


def test_a_folder_of_pictures_gives_each_its_record_or_its_reason(session, tmp_path):
    photos = tmp_path / "photos"
    write_pictures(photos, 40, damaged=(7,))
    (photos / "half1" / "030.png").write_bytes(picture(FAILING_RED))
    (photos / "half1" / "031.png").write_bytes(picture(KILLER_RED))
    told = []
    result = run(photos, tmp_path / "out", tell=lambda *counts: told.append(counts))
    assert (result.rows, result.records, result.bad, result.missing) == (40, 37, 3, ())
    assert told[0] == (0, 40)
    assert told[-1] == (40, 40)
    names = {number: f"{photos}/half{number // 20}/{number:03d}.png" for number in range(40)}
    expected = {name: number for number, name in names.items() if number not in (7, 30, 31)}
    assert records_of(tmp_path / "out") == expected
    problems = bad_of(tmp_path / "out")
    assert set(problems) == {names[7], names[30], names[31]}
    assert problems[names[30]] == "the model failed: nothing but 77"
    assert problems[names[31]] == "workers died over it, again and again"


def test_tar_files_are_read_up_to_where_they_are_broken(session, tmp_path):
    for name in ("a.tar", "b.tar", "c.tar"):
        write_tar(tmp_path / "tars" / name, [f"{number:03d}" for number in range(10)])
    whole = (tmp_path / "tars" / "b.tar").read_bytes()
    (tmp_path / "tars" / "b.tar").write_bytes(whole[: 5 * 2048 + 100])
    (tmp_path / "tars" / "c.tar").write_bytes(b"no tar")
    result = run(tmp_path / "tars", tmp_path / "out")
    assert (result.rows, result.records, result.bad, result.missing) == (17, 15, 2, ())
    found = records_of(tmp_path / "out")
    assert found == {
        f"{tmp_path}/tars/{name}#{number:03d}.png": number
        for name, count in (("a.tar", 10), ("b.tar", 5))
        for number in range(count)
    }
    assert set(bad_of(tmp_path / "out")) == {f"{tmp_path}/tars/b.tar#5", f"{tmp_path}/tars/c.tar"}


def test_parquet_rows_keep_their_numbers(session, tmp_path):
    write_parquet(tmp_path / "tables" / "a.parquet", [picture(number) for number in range(11)])
    write_parquet(tmp_path / "tables" / "b.parquet", [picture(1), None, b"xx"])
    result = run(tmp_path / "tables", tmp_path / "out")
    assert (result.rows, result.records, result.bad) == (14, 12, 2)
    a, b = (f"{tmp_path}/tables/{name}.parquet" for name in "ab")
    assert records_of(tmp_path / "out") == {**{f"{a}#{number}": number for number in range(11)}, f"{b}#0": 1}
    assert set(bad_of(tmp_path / "out")) == {f"{b}#1", f"{b}#2"}


def test_a_run_that_is_done_is_done_and_one_that_lost_a_part_makes_it_again(session, tmp_path):
    write_pictures(tmp_path / "photos", 10)
    run(tmp_path / "photos", tmp_path / "out")
    before = records_of(tmp_path / "out")
    result = run(tmp_path / "photos", tmp_path / "out", resume=True)
    assert (result.done_before, result.records, result.worker_seconds) == (10, 10, 0)
    parts = sorted((tmp_path / "out" / "parts").iterdir())
    parts[0].unlink()
    parts[1].write_bytes(parts[1].read_bytes()[:-7])
    result = run(tmp_path / "photos", tmp_path / "out", resume=True)
    assert (result.done_before, result.records) == (2, 10)
    assert records_of(tmp_path / "out") == before


def test_a_folder_of_another_run_is_left_alone(session, tmp_path):
    from tcm_hf.bulk.run import BulkError

    write_pictures(tmp_path / "photos", 3)
    run(tmp_path / "photos", tmp_path / "out", settings={"threshold": 0.5})
    again = {"settings": {"threshold": 0.5}, "resume": True}
    with pytest.raises(BulkError, match="holds the parts of an earlier run: --resume goes on with it"):
        run(tmp_path / "photos", tmp_path / "out")
    with pytest.raises(BulkError, match=r"begun with other settings \(settings: {'threshold': 0.5}\)"):
        run(tmp_path / "photos", tmp_path / "out", settings={"threshold": 0.6}, resume=True)
    with pytest.raises(BulkError, match=r"begun with other settings \(rows per part: 4\)"):
        run(tmp_path / "photos", tmp_path / "out", rows_per_part=5, **again)
    (tmp_path / "photos" / "more.png").write_bytes(picture(1))
    with pytest.raises(BulkError, match=r"photos is not as it was when .*out was begun"):
        run(tmp_path / "photos", tmp_path / "out", **again)


def test_a_model_that_cannot_be_loaded_ends_the_run_with_its_own_words(session, tmp_path):
    from tcm_hf.bulk.run import BulkError

    write_pictures(tmp_path / "photos", 3)
    with pytest.raises(BulkError, match=r"^no such model$"):
        run(tmp_path / "photos", tmp_path / "out", MeanJob(complaint="no such model"))


@pytest.mark.parametrize("kind", ["pictures", "tars"])
def test_a_run_that_is_killed_half_way_goes_on_with_nothing_lost_and_nothing_doubled(tmp_path, kind):
    source, output = tmp_path / kind, tmp_path / "out"
    if kind == "pictures":
        write_pictures(source, 60, damaged=(13, 58))
    else:
        write_tar(source / "a.tar", [f"{number:03d}" for number in range(60)])
    command = [sys.executable, "-c", TWO_WORKERS, str(source), str(output)]
    process = subprocess.Popen([*command, "0.1"])
    deadline = time.monotonic() + 400
    while len(list((output / "parts").glob("part-*.jsonl"))) < 5:
        assert process.poll() is None, "it ended before it could be killed"
        assert time.monotonic() < deadline
        time.sleep(0.02)
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    # Workers that outlive it for a while write whole parts, or none.
    done = {path.name: path.stat().st_mtime_ns for path in (output / "parts").glob("part-*.jsonl")}
    assert 5 <= len(done) < 15
    assert not (output / "manifest.json").exists()
    subprocess.run([*command, "0"], check=True, timeout=600)
    after = {path.name: path.stat().st_mtime_ns for path in (output / "parts").glob("part-*.jsonl")}
    assert len(after) == 15
    assert {name: after[name] for name in done} == done
    manifest = json.loads((output / "manifest.json").read_text())
    if kind == "pictures":
        names = {f"{source}/half{number // 30}/{number:03d}.png": number for number in range(60)}
        left_out = {name for name, number in names.items() if number in (13, 58)}
    else:
        names, left_out = {f"{source}/a.tar#{number:03d}.png": number for number in range(60)}, set()
    assert set(bad_of(output)) == left_out
    assert records_of(output) == {name: number for name, number in names.items() if name not in left_out}
    assert (manifest["rows"], manifest["records"], manifest["bad"]) == (60, 60 - len(left_out), len(left_out))


def test_the_command_reads_words_with_two_workers_as_one_process_does(tmp_path):
    images = Path(__file__).parents[2] / "examples" / "images"
    photos = tmp_path / "photos"
    photos.mkdir()
    for path in sorted(images.glob("*.jpg")):
        (photos / path.name).write_bytes(path.read_bytes())
    (photos / "broken.jpg").write_bytes((photos / "street.jpg").read_bytes()[:1000])
    read = [sys.executable, "-m", "tcm_hf", "read", "photos"]
    bulk = ["--engine", "ray", "--workers", "2", "--rows-per-part", "2", "--output", "out"]
    one = subprocess.run([*read, "-q", "--output", "one.jsonl"], cwd=tmp_path, timeout=300)
    many = subprocess.run([*read, *bulk], cwd=tmp_path, timeout=500, capture_output=True, text=True)
    assert (one.returncode, many.returncode) == (3, 3)
    summary = "tcm-hf read: 3 records of 4 images, 1 bad (out/bad.jsonl); results in out/parts/\n"
    assert many.stderr.endswith(summary)
    parts = sorted((tmp_path / "out" / "parts").glob("part-*.jsonl"))
    assert "".join(part.read_text() for part in parts) == (tmp_path / "one.jsonl").read_text()
