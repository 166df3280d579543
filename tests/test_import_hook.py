"""An action runs once, after the first import of a module that succeeds."""

import importlib
import importlib.util
import sys

import pytest

from tcm_hf._import_hook import after_import


@pytest.fixture
def module_file(tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(str(tmp_path))
    finders = list(sys.meta_path)
    yield tmp_path / "awaited_module.py"
    sys.modules.pop("awaited_module", None)
    sys.meta_path[:] = finders


def test_action_runs_after_the_import_and_only_once(module_file):
    module_file.write_text("value = 3\n")
    seen = []
    after_import("awaited_module", lambda: seen.append(sys.modules["awaited_module"].value))
    assert seen == []
    module = importlib.import_module("awaited_module")
    assert seen == [3]
    importlib.reload(module)
    assert seen == [3]


def test_action_runs_at_once_for_a_module_that_is_there(module_file):
    module_file.write_text("")
    importlib.import_module("awaited_module")
    seen = []
    after_import("awaited_module", lambda: seen.append(1))
    assert seen == [1]


def test_looking_a_module_up_does_not_lose_the_action(module_file):
    module_file.write_text("")
    seen = []
    after_import("awaited_module", lambda: seen.append(1))
    assert importlib.util.find_spec("awaited_module").origin == str(module_file)
    assert seen == []
    importlib.import_module("awaited_module")
    assert seen == [1]


def test_a_failed_import_is_awaited_again(module_file):
    module_file.write_text("raise RuntimeError('not yet')\n")
    seen = []
    after_import("awaited_module", lambda: seen.append(1))
    with pytest.raises(RuntimeError, match="not yet"):
        importlib.import_module("awaited_module")
    module_file.write_text("done = True  # now it works\n")
    importlib.invalidate_caches()
    importlib.import_module("awaited_module")
    assert seen == [1]
