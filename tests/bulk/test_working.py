import json

import pytest

from bulk_jobs import FAILING_RED, MeanJob, picture
from tcm_hf.bulk.attempts import Attempt
from tcm_hf.bulk.loading import rows_of_slices
from tcm_hf.bulk.parts import BadRow, PartFolder
from tcm_hf.bulk.rows import Row
from tcm_hf.bulk.working import PartReport, PartWorker, read_rows

ROWS = [Row(f"{red}.png", picture(red)) for red in range(4)]


class Killed(BaseException):
    """Stands for the death of a worker: nothing in it runs any more."""


class DeadlyJob(MeanJob):
    """Dies over these reds; the reds that it has seen are in `seen`."""

    def __init__(self, deadly):
        super().__init__()
        self.deadly = deadly
        self.seen = []

    def read(self, pictures):
        for pixels in pictures:
            self.seen.append(int(pixels[0, 0, 0]))
            if self.seen[-1] in self.deadly:
                raise Killed
            yield self.seen[-1]


@pytest.fixture
def folder(tmp_path):
    return PartFolder(str(tmp_path))


def lines(folder, name):
    return [json.loads(line) for line in folder.location.read(name).splitlines()]


def paths(folder, part):
    return [record["source"]["path"] for record in lines(folder, f"parts/part-{part:08d}.jsonl")]


def test_a_slice_becomes_a_part_with_a_record_for_each_row_in_order(folder):
    report = PartWorker(MeanJob(), folder).make(3, ROWS)
    assert (report.part, report.records, report.bad, report.problem) == (3, 4, 0, "")
    records = lines(folder, "parts/part-00000003.jsonl")
    assert [record["source"] for record in records] == [
        {"path": f"{red}.png", "width": 12, "height": 8} for red in range(4)
    ]
    assert [record["instances"][0]["red"] for record in records] == [0, 1, 2, 3]
    assert folder.parts() == [3]


def test_rows_without_a_record_are_kept_aside_with_the_reason(folder):
    rows = [ROWS[0], Row("a.png", b"no picture"), Row("b.png", problem="cannot be read"), ROWS[1]]
    report = PartWorker(MeanJob(), folder).make(0, rows)
    assert (report.records, report.bad, report.rows) == (2, 2, 4)
    assert paths(folder, 0) == ["0.png", "1.png"]
    bad = lines(folder, "bad/part-00000000.jsonl")
    assert [row["id"] for row in bad] == ["a.png", "b.png"]
    assert "not an image" in bad[0]["problem"]
    assert bad[1]["problem"] == "cannot be read"


def test_a_part_of_bad_rows_alone_is_a_part(folder):
    assert PartWorker(MeanJob(), folder).make(0, [Row("a.png", b"")]).bad == 1
    assert folder.parts() == [0]
    assert folder.count(0).rows == 1


def test_bad_rows_of_a_run_that_was_killed_do_not_stay(folder):
    worker = PartWorker(MeanJob(), folder)
    worker.make(0, [Row("a.png", problem="the network was down")])
    worker.make(0, ROWS[:1])
    assert (folder.count(0).records, folder.count(0).bad) == (1, 0)


def test_where_the_model_fails_only_the_row_that_it_fails_on_is_lost(folder):
    rows = [*ROWS[:2], Row("bad.png", picture(FAILING_RED)), *ROWS[2:]]
    assert PartWorker(MeanJob(), folder).make(0, rows).bad == 1
    assert paths(folder, 0) == ["0.png", "1.png", "2.png", "3.png"]
    assert lines(folder, "bad/part-00000000.jsonl") == [
        {"id": "bad.png", "problem": "the model failed: nothing but 77"}
    ]


def test_a_row_that_workers_die_over_is_found_and_left_out(folder):
    rows = [Row(f"{red}.png", picture(red)) for red in range(6)]
    job = DeadlyJob({3})
    for death in range(3):
        with pytest.raises(Killed):
            PartWorker(job, folder).make(0, rows)
        # All at once, then one by one, and again to be sure: a death may have other causes.
        assert job.seen == [0, 1, 2, 3] * (death + 1)
        assert folder.parts() == []
    assert PartWorker(job, folder).make(0, rows).bad == 1
    assert paths(folder, 0) == ["0.png", "1.png", "2.png", "4.png", "5.png"]
    [bad] = lines(folder, "bad/part-00000000.jsonl")
    assert bad == {"id": "3.png", "problem": "workers died over it, again and again"}


def test_several_deadly_rows_are_found_one_after_the_other(folder):
    rows = [Row(f"{red}.png", picture(red)) for red in range(6)]
    job = DeadlyJob({1, 4})
    for _ in range(5):
        with pytest.raises(Killed):
            PartWorker(job, folder).make(0, rows)
    assert PartWorker(job, folder).make(0, rows).bad == 2
    assert paths(folder, 0) == ["0.png", "2.png", "3.png", "5.png"]


def test_a_run_that_is_killed_costs_no_row(folder):
    """Whoever comes next takes more care, and finds nothing."""
    with pytest.raises(Killed):
        PartWorker(DeadlyJob({2}), folder).make(0, ROWS)
    assert PartWorker(MeanJob(), folder).make(0, ROWS).records == 4
    assert not folder.begin_part(0)._deaths


def test_nothing_is_left_of_an_attempt_that_came_to_its_end(folder, tmp_path):
    PartWorker(MeanJob(), folder).make(0, ROWS)
    assert list((tmp_path / "begun").iterdir()) == []


def test_a_part_that_cannot_be_written_is_reported_and_not_there(folder, tmp_path):
    (tmp_path / "parts").write_text("a file where the folder should be")
    report = PartWorker(MeanJob(), folder).make(0, ROWS)
    assert report.rows == 0
    assert report.problem
    assert not report.is_hopeless


def test_a_worker_without_a_model_says_why_with_its_first_slice(folder):
    report = PartWorker(MeanJob(complaint="no such\nmodel"), folder).make(5, ROWS)
    assert report == PartReport(5, problem="no such model", is_hopeless=True)
    assert folder.parts() == []


def test_a_model_that_gives_too_few_answers_loses_no_row(folder):
    class ForgetfulJob(MeanJob):
        def read(self, pictures):
            return list(super().read(pictures))[:-1]

    answers = read_rows(ForgetfulJob(), ROWS, Attempt(folder.location, "try.json"))
    assert [isinstance(answer, BadRow) for answer in answers] == [False, False, False, True]
    assert answers[3] == BadRow("3.png", "the model gave no answer")


def test_what_ray_hands_over_is_what_comes_back(folder):
    import pyarrow as pa

    rows = [{"id": "0.png", "image": picture(0), "problem": None}]
    table = pa.table({"part": [7], "rows": [rows]})
    assert list(rows_of_slices(table)) == [(7, [ROWS[0]])]
    [report] = PartWorker(MeanJob(), folder)(table).to_pylist()
    assert PartReport(**report).records == 1
