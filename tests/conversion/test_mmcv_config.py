"""A configuration of mmcv is read as data; nothing in it is ever run."""

import json

import pytest

from tcm_hf.conversion.convert_tcm import stored_model
from tcm_hf.conversion.mmcv_config import read_mmcv_config, read_mmcv_file, write_mmcv_config


def test_literals_dicts_and_earlier_names_are_read_and_anything_else_is_passed_over(tmp_path):
    marker = tmp_path / "marker"
    text = (
        f"import os\nos.system('touch {marker}')\nwork = open({str(marker)!r}, 'w')\nnorm = dict(type='BN')\n"
        "model = dict(type='OCRCLIP', n=-1, deep={'a b': [1, (2.5, None)]}, on=True, norm=norm, bad=f(1))\n"
        "other = [unknown]\nmerged = dict(**norm, x=2)\nlist_ = [dict(x=1)]\na, b = 1, 2\n"
    )
    assert read_mmcv_config(text) == {
        "norm": {"type": "BN"},
        "model": {
            "type": "OCRCLIP",
            "n": -1,
            "deep": {"a b": [1, (2.5, None)]},
            "on": True,
            "norm": {"type": "BN"},
        },
        "merged": {"type": "BN", "x": 2},
        "list_": [{"x": 1}],
    }
    assert not marker.exists()


@pytest.mark.parametrize("text", ["", "model = dict(", "\0", "x" * 10 + "(", "(" * 2000])
def test_what_is_no_python_has_no_variables(text):
    assert read_mmcv_config(text) == {}


LAUGHS = "l = [1, 2]\n" + 40 * "l = [l, l]\n"
LAUGHS_IN_DICTS = "l = dict(a=1)\n" + 40 * "l = dict(a=l, b=dict(c=l))\n"


@pytest.mark.parametrize(
    "text",
    [
        LAUGHS + "model = dict(layers=l)",
        LAUGHS_IN_DICTS + "model = l",
        "l = [1]\n" * 90_000,
        "l = 'x'\n" + 5000 * "l = [l]\n",
        "model = dict(a=1)\n#" + "x" * 10**6,
    ],
    ids=["lists", "dicts", "many values", "deep", "long"],
)
def test_what_is_larger_than_any_configuration_has_no_variables(text):
    assert read_mmcv_config(text) == {}


@pytest.mark.parametrize(
    "text", ["x = " + "-" * 50_000 + "1", "x = a" + ".b" * 50_000, "x = 1" + "+1" * 50_000]
)
def test_an_expression_that_is_nested_too_deeply_is_passed_over(text):
    assert read_mmcv_config(f"y = 2\n{text}") in ({}, {"y": 2})


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("x.py", "_base_ = 3\nmodel = dict(a=1)", "`_base_` must name files: it is 3"),
        ("x.json", '{"_base_": {"a": 1}}', "`_base_` must name files: it is {'a': 1}"),
        ("x.json", '{"_base_": ["a.py", 3]}', r"`_base_` must name files: it is \['a.py', 3\]"),
        ("x.json", "[" * 100_000, "is no configuration: it is nested too deeply"),
    ],
)
def test_a_file_that_is_no_configuration_is_refused_by_name(tmp_path, name, content, message):
    (tmp_path / name).write_text(content)
    with pytest.raises(ValueError, match=rf"{name}.*{message}"):
        read_mmcv_file(tmp_path / name)


def test_what_is_written_is_read_again():
    variables = {"model": {"a": [1, 2], "b": {"c": None, "d": "x'y"}, "e": (0.5, True)}}
    assert read_mmcv_config(write_mmcv_config(variables)) == variables


def test_a_file_stands_on_others_as_in_mmcv(tmp_path):
    (tmp_path / "models").mkdir()
    (tmp_path / "models" / "base.py").write_text("model = dict(a=dict(x=1, y=2), b=dict(x=1), c=3)\n")
    (tmp_path / "own.py").write_text(
        "_base_ = ['models/base.py']\nmodel = dict(a=dict(y=5), b=dict(_delete_=True, z=6))\nlr = 0.1\n"
    )
    assert read_mmcv_file(tmp_path / "own.py") == {
        "model": {"a": {"x": 1, "y": 5}, "b": {"z": 6}, "c": 3},
        "lr": 0.1,
    }
    (tmp_path / "round.py").write_text("_base_ = 'round.py'\n")
    with pytest.raises(ValueError, match="or on itself"):
        read_mmcv_file(tmp_path / "round.py")
    (tmp_path / "lost.py").write_text("_base_ = 'absent.py'\n")
    with pytest.raises(FileNotFoundError):
        read_mmcv_file(tmp_path / "lost.py")


def test_the_model_is_found_in_what_mmcv_stores_or_in_a_file(tmp_path):
    assert stored_model({}) == stored_model({"config": 3}) == stored_model({"config": "model = 3"}) == {}
    assert stored_model({"config": "model = dict(a=1)", "prompt_token_ids": [[1]]}) == {
        "a": 1,
        "prompt_token_ids": [[1]],
    }
    (tmp_path / "x.json").write_text(json.dumps({"model_config": {"b": 2}}))
    assert stored_model({"config": "model = dict(a=1)"}, tmp_path / "x.json") == {"b": 2}
    for content in ("[]", "{", "{}"):
        (tmp_path / "x.json").write_text(content)
        with pytest.raises(ValueError, match=r"x\.json"):
            stored_model({}, tmp_path / "x.json")
