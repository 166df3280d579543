"""detectron2's configurations are read as data: values, tuples, files below files, and nothing is run."""

import json

import pytest

from tcm_hf.conversion.detectron2_config import read_detectron2_config


def read(tmp_path, text, name="x.yaml"):
    (tmp_path / name).write_text(text)
    return read_detectron2_config(tmp_path / name)


def test_sections_are_read_and_tuples_are_lists(tmp_path):
    text = """
MODEL:
  BATEXT:
    POOLER_RESOLUTION: (8, 128)
    NUM_CHARS: 100
  PIXEL_MEAN: [103.53, 116.28, 123.675]
  WEIGHTS: "(not) a tuple"
INPUT:
  MIN_SIZE_TRAIN: (640, 672,)
"""
    assert read(tmp_path, text) == {
        "MODEL": {
            "BATEXT": {"POOLER_RESOLUTION": [8, 128], "NUM_CHARS": 100},
            "PIXEL_MEAN": [103.53, 116.28, 123.675],
            "WEIGHTS": "(not) a tuple",
        },
        "INPUT": {"MIN_SIZE_TRAIN": [640, 672]},
    }


def test_a_configuration_stands_on_others(tmp_path):
    (tmp_path / "deep").mkdir()
    read(tmp_path, "MODEL: {A: 1, B: {C: 2, D: 3}}\nINPUT: {X: 1}\n", "Base.yaml")
    text = '_BASE_: "../Base.yaml"\nMODEL: {B: {C: 5}}\n'
    assert read(tmp_path / "deep", text) == {"MODEL": {"A": 1, "B": {"C": 5, "D": 3}}, "INPUT": {"X": 1}}


def test_names_for_values_are_read_as_detectron2_writes_them(tmp_path):
    text = "A:\n- &id001 [10.0, 5.0]\nB: *id001\n"
    assert read(tmp_path, text) == {"A": [[10.0, 5.0]], "B": [10.0, 5.0]}


def test_json_is_read_too(tmp_path):
    assert read(tmp_path, json.dumps({"MODEL": {"A": [1]}}), "x.json") == {"MODEL": {"A": [1]}}


def test_what_wants_to_be_run_is_read_as_nothing(tmp_path):
    marker = tmp_path / "marker"
    text = f"""
MODEL:
  SIZES: !!python/object/apply:eval ["open({str(marker)!r}, 'w')"]
  NAME: !!python/name:os.system
  OWN: !thing {{a: 1}}
  KEPT: 3
"""
    assert read(tmp_path, text) == {"MODEL": {"SIZES": None, "NAME": None, "OWN": None, "KEPT": 3}}
    assert not marker.exists()


BOMB = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n" + "".join(
    f"a{level}: &a{level} [{', '.join([f'*a{level - 1}'] * 10)}]\n" for level in range(1, 9)
)
MERGES = "a0: &a0 {x: 1}\n" + "".join(
    f"a{level}: &a{level}\n  <<: [{', '.join([f'*a{level - 1}'] * 10)}]\n" for level in range(1, 9)
)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (BOMB, "more than 50000 values"),
        (MERGES, "mappings inside mappings"),
        ("[" * 1200, "nested too deeply|is no configuration"),
        ("{a: " * 30 + "1" + "}" * 30, "nested too deeply"),
        ("a: [1", "is no configuration: while parsing"),
        ("- 1\n- 2\n", "must hold sections of settings: it holds a list"),
        ("", "must hold sections of settings: it holds a NoneType"),
        ("_BASE_: 3\n", "`_BASE_` must name a file: it is a int"),
        ('_BASE_: "x.yaml"\n', "stands on more than 10 other configurations"),
        ("a: !!bool x", "is no configuration"),
        ("a: !!int ''", "is no configuration"),
        ("a: !!float ''", "is no configuration"),
        ("a: !!timestamp x", "is no configuration"),
        ("a: 1" + ":1" * 400 + ".5", "is no configuration"),
        ("a: 1" + ":59" * 100_000, "a number has 300001 characters"),  # half a minute, as a number
        ("a: '" + "x" * 1_000_001 + "'", "more than 1000000 characters"),
    ],
    ids=[
        *("bomb", "merges", "deep", "deep literal", "cut", "list", "empty", "base", "itself"),
        *("bool", "int", "float", "date", "large", "base 60", "long"),
    ],
)
def test_what_is_no_configuration_is_refused(tmp_path, text, message):
    with pytest.raises(ValueError, match=message):
        read(tmp_path, text)


def test_an_absent_base_is_an_error(tmp_path):
    with pytest.raises(FileNotFoundError):
        read(tmp_path, '_BASE_: "absent.yaml"\n')
