"""Attacks with the configurations in or beside published checkpoints: Python and YAML, read as data."""

from functools import cache
from typing import Any

from fuzzing.target import Fault, Target, folder_for, written
from tcm_hf.conversion.detectron2_config import read_detectron2_config
from tcm_hf.conversion.mmcv_config import MAX_VALUES, read_mmcv_config

__all__ = ["TARGETS"]

_PLAIN = (str, bytes, int, float, complex, bool, type(None), type(...))
_MMCV = (
    "model = dict(type='OCRCLIP', pretrained=None, backbone=dict(layers=[3, 4, 6, 3], out_indices=(0, 1)))\n",
    "a = 1\nb = [a, -2.5e3, 'x' 'y', None, True, (), {**{'c': a}, 'd': dict(e=a)}]\n",
    "_base_ = ['../_base_/default.py']\nimg_norm_cfg = dict(mean=[123.675], std=[58.395], to_rgb=True)\n",
    "import os\nos.system('x')\nf = lambda: 1\nx = __import__('os')\ny = 1 + 2j\nz = b'\\x00' * 3\n",
)
_YAML = (
    "MODEL:\n  BATEXT: {POOLER_RESOLUTION: (8, 128), NUM_CHARS: 100}\n  PIXEL_MEAN: [103.53, 116.28]\n",
    "a: &a [1, 2.5, ~, yes, 0x1F, 1_0, .inf, 2001-12-14t21:59:43.10-05:00, 1:30]\nb: *a\nc: !!binary aGVs\n",
    "x: !!python/object/apply:os.system [echo]\ny: !thing {a: 1}\nz: !!set {a, b}\nw: !!omap [a: 1]\n",
    "? {a: b}\n: |\n  text\n  more\n? >-\n  folded\n: 'quoted'\n--- # two\n- 1\n",
)


def read_python(content: bytes) -> None:
    """Plain values and no more than may be; whatever is no Python gives none."""
    _count(read_mmcv_config(content.decode("utf-8", "surrogateescape")), MAX_VALUES)


def read_yaml(content: bytes) -> None:
    """Plain values, or a ValueError that names the file; a file that it stands on may be missing."""
    path = written(folder_for("configurations") / "x.yaml", content)
    try:
        settings = read_detectron2_config(path)
    except OSError:
        return
    except ValueError as error:
        if str(path) not in str(error) and ".yaml" not in str(error):
            raise Fault(f"whose fault is it? {error}") from error
        return
    if not isinstance(settings, dict) or not all(isinstance(name, str) for name in settings):
        raise Fault(f"sections {settings}")


def _count(value: Any, most: int) -> None:
    waiting, count = [value], 0
    while waiting:
        current = waiting.pop()
        count += 1
        if count > most:
            raise Fault(f"more than {most} values")
        if isinstance(current, dict):
            waiting += [*current.values()]
        elif isinstance(current, list | tuple | set):
            waiting += list(current)
        elif not isinstance(current, _PLAIN):
            raise Fault(f"a {type(current).__name__}")


@cache
def _python_seeds() -> list[bytes]:
    return [text.encode() for text in _MMCV]


@cache
def _yaml_seeds() -> list[bytes]:
    return [text.encode() for text in _YAML]


_PYTHON_WORDS = (
    *(
        b"dict(",
        b"**",
        b"lambda",
        b"[" * 30,
        b"{" * 30,
        b"(",
        b"1e999",
        b"'''",
        b"\\N{",
        b"_delete_=True",
        b"if ",
    ),
)
_TAGS = ("int", "float", "bool", "null", "timestamp", "binary", "set", "omap", "pairs", "map", "seq", "str")
_YAML_WORDS = (
    *(f"!!{tag} ".encode() for tag in (*_TAGS, "python/tuple", "python/name:os.system")),
    *(
        b"<<: ",
        b"&a ",
        b"*a",
        b"_BASE_: ",
        b"? ",
        b"- ",
        b": ",
        b"%YAML 1.1",
        b"---",
        b"...",
        b"|\n",
        b"0b1",
        b":59",
    ),
)
TARGETS = (
    Target("mmcv-configurations", read_python, _python_seeds, words=_PYTHON_WORDS),
    Target("yaml-configurations", read_yaml, _yaml_seeds, words=_YAML_WORDS),
)
