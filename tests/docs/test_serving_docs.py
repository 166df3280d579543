"""What docs/serving.md tells is so: codes, addresses, options with their defaults; its program runs."""

import re
import shlex
from pathlib import Path

import pytest

import tcm_hf
from stub_server import stub_reader
from tcm_hf.cli.main import build_parser
from tcm_hf.serving import app as app_module
from tcm_hf.serving.settings import ServerSettings

REPOSITORY = Path(__file__).parents[2]
TEXT = (REPOSITORY / "docs" / "serving.md").read_text(encoding="utf-8")
FILES = (REPOSITORY / "src" / "tcm_hf" / "serving").glob("*.py")
SOURCE = "\n".join(path.read_text(encoding="utf-8") for path in sorted(FILES))
# Made of the status by the framework's own refusals.
OF_THE_FRAMEWORK = {("404", "not_found"), ("405", "method_not_allowed")}


def of_serve():
    (verb,) = (action for action in build_parser()._actions if action.dest == "verb")
    return verb.choices["serve"]


def test_every_code_is_told_with_its_status():
    told = set()
    for statuses, codes in re.findall(r"^\| ([\d, ]+) \| (`[^|]+) \|", TEXT, re.MULTILINE):
        statuses, codes = statuses.split(", "), re.findall(r"`(\w+)`", codes)
        told |= {(status, code) for status in statuses for code in codes if len(statuses) == 1}
        told |= set(zip(statuses, codes, strict=False)) if len(statuses) > 1 else set()
    made = set(re.findall(r'(?:Refusal\(|Refusal\(\n\s+)(\d{3}),\s+"(\w+)"', SOURCE))
    assert made == told - OF_THE_FRAMEWORK
    assert len(made) > 10


def test_every_address_is_told():
    paths = set(app_module.create_app(stub_reader).openapi()["paths"])
    assert {"/v1/read", "/health"} < paths
    for path in paths:
        assert f" {path}`" in TEXT


@pytest.mark.parametrize("line", re.findall(r"^tcm-hf (serve.*?)(?:  +#.*)?$", TEXT, re.MULTILINE))
def test_commands_have_arguments_that_exist(line):
    build_parser().parse_args(shlex.split(line))


def test_options_and_their_defaults_are_those_of_the_verb():
    options = {option for option in re.findall(r"`(--[a-z-]+)`", TEXT)}
    assert options <= set(of_serve()._option_string_actions) | {"--help"}
    defaults = ServerSettings()
    assert f"`--max-file-size` | {defaults.max_file_bytes // 2**20} MiB |" in TEXT
    assert f"`--max-pixels` | {defaults.max_pixels // 10**6} million |" in TEXT
    assert f"`--max-requests` | {defaults.max_requests} |" in TEXT
    assert f"`--batch-size` | {defaults.max_batch} |" in TEXT
    assert f"`--upload-timeout` | {defaults.timeout_s:g} s, {defaults.upload_timeout_s:g} s |" in TEXT


def test_every_metric_is_told():
    for name in re.findall(r'"(tcm_hf_\w+)"', SOURCE):
        assert name in TEXT


@pytest.mark.skipif(
    not (tcm_hf.default_checkpoint() / "model.safetensors").is_file(), reason="no weights are shipped"
)
def test_the_program_runs_as_printed():
    (code,) = re.findall(r"^```python\n(.*?)^```$", TEXT, re.MULTILINE | re.DOTALL)
    names = {}
    exec(compile(code, "serving.md", "exec"), names)
    assert {route.path for route in names["app"].routes} >= {"/v1/read", "/"}
