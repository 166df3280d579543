"""`tcm-hf evaluate spotting`: words found and read in, numbers out; lexicons from files."""

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
    return run(parser.parse_args(["evaluate", "spotting", *map(str, words)]))


def icdar_line(polygon, text) -> str:
    return ",".join(map(str, [*np.reshape(polygon, -1).tolist(), text])) + "\n"


@pytest.fixture
def truth(tmp_path):
    """Two images: two words, and a word with a do-not-care region."""
    folder = tmp_path / "truth"
    folder.mkdir()
    (folder / "gt_img_1.txt").write_text(icdar_line(WORD, "EXIT") + icdar_line(OTHER, "1,50"), "utf-8-sig")
    (folder / "gt_img_2.txt").write_text(icdar_line(WORD, "Market") + icdar_line(OTHER, "###"))
    return folder


@pytest.fixture
def results(tmp_path):
    """One word right, one wrong by a letter, and one where nothing counts."""
    folder = tmp_path / "results"
    folder.mkdir()
    (folder / "res_img_1.txt").write_text(icdar_line(WORD, "exit") + icdar_line(OTHER, "1,50"))
    (folder / "res_img_2.txt").write_text(icdar_line(OTHER, "x") + icdar_line(WORD, "Narket"))
    return folder


@pytest.fixture
def json_lines(tmp_path):
    """What `results` holds, as `tcm-hf read` writes it."""
    path = tmp_path / "read.jsonl"
    words = {
        "img_1.jpg": [(WORD, "exit", 0.9), (OTHER, "1,50", 0.4)],
        "img_2.jpg": [(OTHER, "x", 0.9), (WORD, "Narket", 0.3)],
    }
    rows = [
        {
            "source": {"path": f"photos/{name}"},
            "instances": [
                {"polygon": polygon, "text": text, "score": score, "detection_score": 0.8}
                for polygon, text, score in instances
            ],
        }
        for name, instances in words.items()
    ]
    path.write_text("".join(f"{json.dumps(row)}\n" for row in rows))
    return path


@pytest.mark.parametrize("predictions", ["results", "json_lines"])
def test_both_formats_give_the_same_numbers(request, capsys, predictions, truth):
    assert evaluate(request.getfixturevalue(predictions), truth) == 0
    result = json.loads(capsys.readouterr().out)
    assert (result["protocol"], result["lexicon"]) == ("end-to-end", None)
    counts = [result[f"num_{what}"] for what in ("images", "references", "predictions", "matches")]
    assert counts == [2, 3, 3, 2]


def test_word_spotting_leaves_numbers_out(capsys, results, truth):
    evaluate(results, truth, "--protocol", "word-spotting")
    result = json.loads(capsys.readouterr().out)
    assert (result["num_references"], result["num_predictions"], result["num_matches"]) == (2, 2, 1)


def test_characters_are_counted_of_found_words_and_of_read_ones(capsys, results, truth):
    evaluate(results, truth, "--protocol", "cleval")
    result = json.loads(capsys.readouterr().out)
    assert (result["num_characters"], result["detection_recall"]) == (14, 1)
    assert result["recall"] == (4 + 5) / 14  # case counts: "exit" for "EXIT" has nothing in common
    with pytest.raises(CommandError, match="cleval scores readings as they are"):
        evaluate(results, truth, "--protocol", "cleval", "--lexicon", truth)


def test_a_lexicon_for_all_images_and_one_for_each(tmp_path, capsys, results, truth):
    weak = tmp_path / "weak.txt"
    weak.write_text("Market\nExit\n\n", "utf-8-sig")
    evaluate(results, truth, "--lexicon", weak)
    result = json.loads(capsys.readouterr().out)
    assert (result["num_matches"], result["num_predictions"]) == (2, 2)  # no number is in a lexicon
    strong = tmp_path / "strong"
    strong.mkdir()
    (strong / "voc_img_1.txt").write_text("Exit\n")
    (strong / "voc_img_2.txt").write_text("Carpet\n")
    evaluate(results, truth, "--lexicon", strong)
    assert json.loads(capsys.readouterr().out)["num_matches"] == 1
    evaluate(results, truth, "--lexicon", strong, "--max-lexicon-distance", 2)
    assert json.loads(capsys.readouterr().out)["num_predictions"] == 3
    (strong / "voc_img_2.txt").unlink()
    with pytest.raises(CommandError, match=r"1 are missing, the first is voc_img_2\.txt"):
        evaluate(results, truth, "--lexicon", strong)


def test_a_threshold_is_for_the_score_of_the_reading(capsys, json_lines, results, truth):
    evaluate(json_lines, truth, "--threshold", 0.4)
    result = json.loads(capsys.readouterr().out)
    assert (result["threshold"], result["num_predictions"], result["num_matches"]) == (0.4, 2, 2)
    with pytest.raises(CommandError, match="--threshold needs a score"):
        evaluate(results, truth, "--threshold", 0.4)


def test_an_image_without_a_result_is_one_where_nothing_was_read(capsys, results, truth):
    (results / "res_img_2.txt").unlink()
    evaluate(results, truth)
    captured = capsys.readouterr()
    assert json.loads(captured.out)["num_references"] == 3
    assert "1 images have no result file: img_2" in captured.err


def test_a_text_in_double_quotes_is_what_stands_between_them(capsys, results, truth):
    """As the script of the competition reads it."""
    (results / "res_img_1.txt").write_text(icdar_line(WORD, '"exit"') + icdar_line(OTHER, '"1,50"'))
    evaluate(results, truth, "--protocol", "word-spotting")
    assert json.loads(capsys.readouterr().out)["num_matches"] == 1
    evaluate(results, truth)
    assert json.loads(capsys.readouterr().out)["num_matches"] == 2


def test_more_points_than_four_are_not_taken_for_a_text(capsys, results, truth):
    points = [*WORD, [5, 30], [5, 20]]
    (results / "res_img_1.txt").write_text(icdar_line(points, "exit"))
    with pytest.raises(CommandError, match=r"res_img_1\.txt, line 1: .* got more than eight numbers: give"):
        evaluate(results, truth)
    for text in ("1,50", "12,000,000", '"1,2,exit"', "5,exit"):
        (truth / "gt_img_1.txt").write_text(icdar_line(WORD, text.strip('"')))
        (results / "res_img_1.txt").write_text(icdar_line(WORD, text))
        evaluate(results, truth)
        assert json.loads(capsys.readouterr().out)["num_matches"] == 1


def test_numbers_and_short_words_are_do_not_care_in_word_spotting_only(capsys, truth, results):
    """The rules of the competition's script: three letters or more, without a mark within."""
    rows = [("of", "OF"), ("4th", "4th"), ("don't", "don't"), ("Shop's", "shop"), ("(Sale)", "sale")]
    boxes = [[[x, y + 40 * place] for x, y in WORD] for place in range(len(rows))]
    pairs = list(zip(boxes, rows, strict=True))
    (truth / "gt_img_1.txt").write_text("".join(icdar_line(box, row[0]) for box, row in pairs))
    (results / "res_img_1.txt").write_text("".join(icdar_line(box, row[1]) for box, row in pairs))
    (truth / "gt_img_2.txt").write_text("")
    (results / "res_img_2.txt").write_text("")
    for protocol, counts in (("end-to-end", (4, 5, 5)), ("word-spotting", (2, 2, 2))):
        evaluate(results, truth, "--protocol", protocol)
        result = json.loads(capsys.readouterr().out)
        assert tuple(result[f"num_{what}"] for what in ("matches", "predictions", "references")) == counts


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("res_img_1.txt", "1,2,3,4,nan,6,7,8,word\n", r"res_img_1\.txt, line 1: expected an outline of 3"),
        (
            "img_1.json",
            json.dumps({"source": {"path": "a/img_1.jpg"}, "instances": [{"polygon": WORD, "text": 5}]}),
            r"img_1\.json: a/img_1\.jpg, text 1: expected a text that is a string, got 5",
        ),
        ("res_img_1.txt", "1,2,3,4,5,6,7,8\n", r"res_img_1\.txt, line 1: expected .*got 8 values"),
        ("res_img_1.txt", "1,2,3,4,5,6,7,x,word\n", r"res_img_1\.txt, line 1: could not convert"),
        (
            "img_1.json",
            json.dumps({"source": {"path": "img_1.jpg"}, "instances": [{"polygon": WORD}]}),
            r"img_1\.json: not a result of tcm-hf \(KeyError: 'text'",
        ),
    ],
)
def test_bad_results_are_named(tmp_path, truth, name, content, message):
    folder = tmp_path / "bad"
    folder.mkdir()
    (folder / name).write_text(content)
    with pytest.raises(CommandError, match=message):
        evaluate(folder, truth)


def test_a_lexicon_that_is_not_there_is_named(tmp_path, results, truth):
    with pytest.raises(CommandError, match=r"no such file or folder: .*none"):
        evaluate(results, truth, "--lexicon", tmp_path / "none")
    (tmp_path / "empty.txt").write_text("\n")
    with pytest.raises(CommandError, match="lexicon is empty"):
        evaluate(results, truth, "--lexicon", tmp_path / "empty.txt")
