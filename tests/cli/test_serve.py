import socket
import sys

import pytest

from planted_words import painted_spotter
from tcm_hf.cli import read
from tcm_hf.cli.main import main
from tcm_hf.serving import run
from tcm_hf.serving.settings import ServerSettings


@pytest.fixture
def served(monkeypatch):
    """What would be served: the application, its settings, its port and whether it is quiet."""
    calls = []

    def run_server(app, taken, settings, *, quiet):
        calls.append((app, settings, taken.getsockname()[1], quiet))
        taken.close()

    monkeypatch.setattr(run, "run_server", run_server)
    monkeypatch.setattr(read, "_load_spotter", lambda _: painted_spotter())
    return calls


@pytest.fixture
def not_loaded(monkeypatch):
    def load(_):
        raise AssertionError("the models were loaded")

    monkeypatch.setattr(read, "_load_spotter", load)


def error_line(capsys):
    (line,) = capsys.readouterr().err.splitlines()
    return line


def test_defaults_are_those_of_the_settings(served, capsys):
    assert main(["serve", "--port", "0"]) == 0
    ((_, settings, port, quiet),) = served
    assert settings == ServerSettings()
    assert not quiet
    assert capsys.readouterr().err == f"tcm-hf serve: http://127.0.0.1:{port}/ (Ctrl-C ends it)\n"


def test_limits_come_in_the_units_of_people(served):
    options = "--max-file-size 1.5 --max-pixels 2.5 --max-requests 7 --max-wait 0 --timeout 9 --batch-size 3"
    assert main(["serve", "--port", "0", *options.split(), "--upload-timeout", "0.5", "-q"]) == 0
    ((_, settings, _, quiet),) = served
    assert quiet
    assert settings == ServerSettings(
        max_file_bytes=1_572_864,
        max_pixels=2_500_000,
        max_requests=7,
        max_wait_s=0.0,
        timeout_s=9.0,
        max_batch=3,
        upload_timeout_s=0.5,
    )


@pytest.mark.parametrize(
    "options",
    ["--port 70000", "--port http", "--timeout 0", "--max-wait -1", "--max-requests 0", "--max-pixels nan"],
)
def test_a_wrong_value_is_one_line(options, not_loaded, capsys):
    with pytest.raises(SystemExit) as caught:
        main(["serve", *options.split()])
    assert caught.value.code == 2
    assert options.split()[0] in error_line(capsys)


def test_an_address_that_is_taken_is_one_line_and_loads_nothing(not_loaded, capsys):
    with socket.create_server(("127.0.0.1", 0)) as other:
        assert main(["serve", "--port", str(other.getsockname()[1])]) == 2
    assert "in use" in error_line(capsys)


def test_a_mistake_about_reading_is_one_line_and_loads_nothing(not_loaded, capsys):
    assert main(["serve", "--port", "0", "--lexicon", "no-such-file.txt"]) == 2
    assert error_line(capsys).startswith("tcm-hf serve: error: --lexicon no-such-file.txt")


def test_what_the_models_do_not_go_by_is_one_line(served, capsys):
    assert main(["serve", "--port", "0", "--charset", "xyz"]) == 2
    assert error_line(capsys).startswith("tcm-hf serve: error: ")
    assert not served


@pytest.mark.parametrize("package", ["fastapi", "uvicorn", "python_multipart", "prometheus_client"])
def test_a_missing_package_is_one_line(package, not_loaded, monkeypatch, capsys):
    for name in [name for name in sys.modules if name.startswith("tcm_hf.serving.")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, package, None)
    assert main(["serve", "--port", "0"]) == 2
    assert error_line(capsys) == (
        f'tcm-hf serve: error: serving needs {package}: pip install "tcm_hf[serve]"'
    )
