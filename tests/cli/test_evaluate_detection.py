"""`tcm-hf evaluate detection`: files in, numbers out; wrong input is one clear line."""

import argparse
import json

import numpy as np
import pytest

from tcm_hf.cli.errors import CommandError
from tcm_hf.cli.evaluate import add_parser, run

WORD = [[10, 10], [110, 10], [110, 40], [10, 40]]
OTHER = [[200, 10], [300, 12], [299, 44], [199, 42]]


def evaluate(*words: object) -> int:
    parser = argparse.ArgumentParser()
    add_parser(parser.add_subparsers())
    return run(parser.parse_args(["evaluate", "detection", *map(str, words)]))


def icdar_line(polygon, *more) -> str:
    return ",".join(map(str, [*np.reshape(polygon, -1).tolist(), *more]))


def record(name: str, *instances: tuple[list, float]) -> dict:
    return {
        "source": {"path": f"photos/{name}"},
        "instances": [{"polygon": polygon, "score": score} for polygon, score in instances],
    }


@pytest.fixture
def truth(tmp_path):
    """Two images: two words, and one word with a do-not-care region."""
    folder = tmp_path / "truth"
    folder.mkdir()
    (folder / "gt_img_1.txt").write_text(
        f"{icdar_line(WORD, 'a,b')}\n{icdar_line(OTHER, 'c')}\n", "utf-8-sig"
    )
    (folder / "gt_img_2.txt").write_text(f"{icdar_line(WORD, 'a')}\n{icdar_line(OTHER, '###')}\n")
    return folder


@pytest.fixture
def metadata(tmp_path):
    """The same as `truth`, in the other format."""
    folder = tmp_path / "metadata"
    folder.mkdir()
    rows = [
        {
            "file_name": "img_1.webp",
            "polygons": [WORD, OTHER],
            "texts": ["a,b", "c"],
            "ignore": [False, False],
        },
        {
            "file_name": "img_2.webp",
            "polygons": [WORD, OTHER],
            "texts": ["a", "###"],
            "ignore": [False, True],
        },
    ]
    (folder / "metadata.jsonl").write_text("".join(f"{json.dumps(row)}\n" for row in rows))
    return folder


@pytest.fixture
def results(tmp_path):
    """A word of each image is found, and the do-not-care region."""
    folder = tmp_path / "results"
    folder.mkdir()
    (folder / "res_img_1.txt").write_text(f"{icdar_line(WORD)}\n")
    (folder / "res_img_2.txt").write_text(f"{icdar_line(OTHER)}\n{icdar_line(WORD)}\n")
    return folder


@pytest.fixture
def json_lines(tmp_path):
    """What `results` holds, with scores, as tcm-hf detect writes it."""
    path = tmp_path / "found.jsonl"
    rows = [record("img_1.webp", (WORD, 0.9)), record("img_2.webp", (OTHER, 0.8), (WORD, 0.4))]
    path.write_text("".join(f"{json.dumps(row)}\n" for row in rows))
    return path


@pytest.mark.parametrize("predictions", ["results", "json_lines"])
@pytest.mark.parametrize("references", ["truth", "metadata"])
def test_every_pair_of_formats_gives_the_same_numbers(request, capsys, predictions, references):
    assert evaluate(request.getfixturevalue(predictions), request.getfixturevalue(references)) == 0
    result = json.loads(capsys.readouterr().out)
    assert result["protocol"] == "icdar2015"
    assert (result["precision"], result["recall"]) == (1, pytest.approx(2 / 3))
    assert (result["num_images"], result["num_references"], result["num_predictions"]) == (2, 3, 2)


def test_a_folder_of_json_files_and_a_json_array_are_read(tmp_path, capsys, truth):
    folder = tmp_path / "json"
    folder.mkdir()
    (folder / "img_1.json").write_text(json.dumps(record("img_1.jpg", (WORD, 0.9))))
    evaluate(folder, truth)
    (tmp_path / "all.json").write_text(json.dumps([record("img_1.jpg", (WORD, 0.9))]))
    first = capsys.readouterr()
    evaluate(tmp_path / "all.json", truth)
    again = json.loads(capsys.readouterr().out)
    assert again == json.loads(first.out) | {"predictions": str(tmp_path / "all.json")}
    assert "1 images have no result file: img_2" in first.err


def test_results_in_sub_folders_are_read(capsys, results, truth):
    evaluate(results, truth)
    expected = capsys.readouterr().out
    (results / "trip").mkdir()
    (results / "res_img_2.txt").rename(results / "trip" / "res_img_2.txt")
    evaluate(results, truth)
    assert capsys.readouterr().out == expected


def test_two_annotated_images_of_one_name_are_both_named(tmp_path, results):
    rows = [{"file_name": f"{folder}/img_1.jpg", "polygons": [WORD], "texts": ["a"]} for folder in "ab"]
    (tmp_path / "metadata.jsonl").write_text("".join(f"{json.dumps(row)}\n" for row in rows))
    with pytest.raises(CommandError, match=r"a/img_1\.jpg and .*b/img_1\.jpg are both img_1"):
        evaluate(results, tmp_path)


def test_two_results_for_one_image_are_both_named(results, truth):
    (results / "trip").mkdir()
    (results / "trip" / "res_img_1.txt").write_text("")
    with pytest.raises(CommandError, match=r"results/res_img_1\.txt and in .*trip/res_img_1\.txt"):
        evaluate(results, truth)


def test_a_range_takes_a_part_of_the_annotations(capsys, json_lines, metadata):
    evaluate(json_lines, f"{metadata}:2-2")
    captured = capsys.readouterr()
    assert json.loads(captured.out)["num_images"] == 1
    assert "1 images have no annotation and are left out: img_1" in captured.err


def test_a_threshold_drops_detections_and_a_sweep_shows_several(capsys, json_lines, truth):
    evaluate(json_lines, truth, "--threshold", 0.5)
    result = json.loads(capsys.readouterr().out)
    assert (result["threshold"], result["num_predictions"], result["num_matches"]) == (0.5, 1, 1)
    evaluate(json_lines, truth, "--sweep")
    result = json.loads(capsys.readouterr().out)
    assert [row["num_matches"] for row in result["sweep"]] == [2] * 4 + [1] * 5
    best = result["best_over_thresholds"]
    assert (best["threshold"], best["num_matches"]) == (0.1, 2)
    assert best["what"] == "best over thresholds on the test set, as upstream reports it"


def test_the_number_at_a_fixed_threshold_stays_apart_from_the_best_of_a_sweep(capsys, json_lines, truth):
    evaluate(json_lines, truth, "--threshold", 0.5, "--sweep")
    result = json.loads(capsys.readouterr().out)
    assert (result["threshold"], result["num_matches"]) == (0.5, 1)
    assert result["best_over_thresholds"]["num_matches"] == 2


@pytest.mark.parametrize(
    ("protocol", "name", "count"),
    [("deteval", "num_matches", 2), ("tiou", "num_matches", 2), ("cleval", "num_characters", 5)],
)
def test_other_protocols(capsys, results, truth, protocol, name, count):
    evaluate(results, truth, "--protocol", protocol)
    result = json.loads(capsys.readouterr().out)
    assert (result["protocol"], result[name]) == (protocol, count)
    assert 0.5 < result["hmean"] < 1


def test_a_document_says_what_was_scored_against_what(capsys, json_lines, metadata):
    evaluate(json_lines, f"{metadata}:1-2")
    result = json.loads(capsys.readouterr().out)
    assert (result["kind"], result["ground_truth"]) == ("detection", f"{metadata}:1-2")
    assert (result["predictions"], result["command"]) == (str(json_lines), "")


def test_a_corpus_is_named_with_its_kind(capsys, results, truth):
    evaluate(results, f"icdar2015:{truth}")
    assert json.loads(capsys.readouterr().out)["num_references"] == 3


def test_scores_in_icdar_files_are_read(tmp_path, capsys, truth):
    folder = tmp_path / "scored"
    folder.mkdir()
    (folder / "res_img_1.txt").write_text(f"{icdar_line(WORD, 0.7)}\n{icdar_line(OTHER, 0.2)}\n")
    evaluate(folder, truth, "--threshold", 0.5)
    assert json.loads(capsys.readouterr().out)["num_matches"] == 1


def test_a_last_line_without_its_end_counts_and_half_a_one_is_told(capsys, json_lines, truth):
    text = json_lines.read_text()
    json_lines.write_text(text[:-1])
    evaluate(json_lines, truth)
    captured = capsys.readouterr()
    assert (json.loads(captured.out)["num_matches"], captured.err) == (2, "")
    json_lines.write_text(text[:-9])
    evaluate(json_lines, truth)
    assert "found.jsonl: the last line is cut off, and left out" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("instance", "message"),
    [
        ({"polygon": WORD, "score": "high"}, "expected a score that is a number, got 'high'"),
        ({"polygon": WORD, "score": float("nan")}, "expected a score that is a number, got nan"),
        ({"polygon": WORD, "score": True}, "expected a score that is a number, got True"),
        ({"polygon": WORD[:2], "score": 0.5}, r"expected an outline of 3 points \[x, y\] .*, got \[\[10"),
        ({"polygon": None, "score": 0.5}, "expected an outline of 3 points .*, got None"),
        ({"polygon": [1, 2, 3], "score": 0.5}, "expected an outline of 3 points"),
        ({"polygon": [[10**400, 1], *WORD], "score": 0.5}, "expected an outline of 3 points"),
        ({"polygon": [["1", 1], *WORD], "score": 0.5}, "expected an outline of 3 points"),
    ],
)
def test_values_of_another_kind_are_named_with_file_and_image(tmp_path, truth, instance, message):
    rows = record("img_1.jpg", (WORD, 0.5))
    rows["instances"].append(instance)
    (tmp_path / "found.json").write_text(json.dumps(rows))
    with pytest.raises(CommandError, match=rf"found\.json: photos/img_1\.jpg, text 2: {message}"):
        evaluate(tmp_path / "found.json", truth, "--threshold", 0.3)


def test_json_that_is_nested_too_deeply_is_one_line(tmp_path, truth):
    (tmp_path / "found.json").write_text("[" * 100_000)
    with pytest.raises(CommandError, match=r"found\.json: not a result of tcm-hf \(RecursionError"):
        evaluate(tmp_path / "found.json", truth)


def test_a_broken_annotation_says_what_to_do_on_a_command_line(results, truth):
    (truth / "gt_img_1.txt").write_text("1,2,three\n")
    with pytest.raises(CommandError, match="`tcm-hf data inspect` lists all of it"):
        evaluate(results, truth)


def test_missing_scores_are_named(results, truth):
    with pytest.raises(CommandError, match="img_1 has none"):
        evaluate(results, truth, "--sweep")


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("res_img_1.txt", "1,2,3,4,5,x", r"res_img_1\.txt, line 1: could not convert"),
        ("res_img_1.txt", "1,2,3,4", r"res_img_1\.txt, line 1: .*got 4 values"),
        ("img_1.json", "{", r"img_1\.json: not a result"),
        ("img_1.json", '{"instances": []}', r"img_1\.json: not a result"),
        ("res_img_9.txt", "", "no prediction fits an annotated image: results are for img_9"),
        ("notes.md", "", "found none"),
    ],
)
def test_bad_results_are_named(tmp_path, truth, name, content, message):
    folder = tmp_path / "bad"
    folder.mkdir()
    (folder / name).write_text(content)
    with pytest.raises(CommandError, match=message):
        evaluate(folder, truth)


def test_bad_places_are_named(tmp_path, results, truth):
    for predictions, references, message in [
        (tmp_path / "none", truth, "no such file or folder"),
        (results, tmp_path / "none", "none is not there"),
        (results, results, "no corpus"),
    ]:
        with pytest.raises(CommandError, match=message):
            evaluate(predictions, references)


def test_a_bad_annotation_is_named(results, truth):
    (truth / "gt_img_2.txt").write_text("1,2,3\n")
    with pytest.raises(CommandError, match=r"gt_img_2\.txt, line 1"):
        evaluate(results, truth)
