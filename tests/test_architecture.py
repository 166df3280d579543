"""The rules of the layout (CONTRIBUTING.md), read from the source with `ast`; nothing is imported."""

import ast
import re
import sys
import tomllib
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).parents[1]
SOURCE = REPOSITORY / "src" / "tcm_hf"
FILES = sorted(SOURCE.rglob("*.py"))

# What transformers copies to the Hub beside a checkpoint: flat, closed folders.
TRAVELLING = ("modeling", "processing", "pipelines")
LAYERS = {
    "data": {"modeling", "processing"},
    "evaluation": {"modeling", "processing", "data"},
    "conversion": {"modeling", "processing", "data", "hub", "_version"},
    "training": {"modeling", "processing", "data", "evaluation", "hub", "_version"},
    "experiments": {"modeling", "processing", "data", "evaluation", "training", "conversion"},
    "presets": {"modeling", "processing"},
    "results": {*TRAVELLING, "data", "_version"},
    "export": {*TRAVELLING, "hub", "_version"},
    "bulk": {*TRAVELLING, "results", "_version"},
    "serving": {*TRAVELLING, "results", "_version"},
    # For machines without torch.
    "onnx_reader": {*TRAVELLING, "_version"},
    # The command line stands on everything; what only registration knows it takes from `tcm_hf` itself.
    "cli": {
        *TRAVELLING,
        *("data", "evaluation", "conversion", "training", "experiments", "presets", "hub", "_version"),
        *("results", "export", "bulk", "serving"),
        "tcm_hf",
    },
    "registration": {*TRAVELLING, "_import_hook"},
    "hub": {*TRAVELLING, "_version"},
    "__main__": {"cli"},
    "__init__": {
        *TRAVELLING,
        "conversion",
        "data",
        "evaluation",
        "training",
        "registration",
        "hub",
        "_version",
    },
    "_import_hook": set(),
    "_version": set(),
}
MAX_LINES = 450
# Where the name that is imported is not the name of the package.
PACKAGE_OF_MODULE = {"PIL": "pillow", "cv2": "opencv-python-headless"}


def relative(path: Path) -> str:
    return path.relative_to(SOURCE).as_posix()


def room_of(path: Path) -> str:
    """The folder of a file, or its name where it lies at the top."""
    parts = path.relative_to(SOURCE).with_suffix("").parts
    return parts[0]


def imports(path: Path) -> list[ast.Import | ast.ImportFrom]:
    """Every import statement of a file: in functions, in `try` and under TYPE_CHECKING too."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    return [node for node in ast.walk(tree) if isinstance(node, ast.Import | ast.ImportFrom)]


def absolute_modules(path: Path) -> list[str]:
    """Full names of the modules that a file imports by absolute name."""
    modules = []
    for node in imports(path):
        if isinstance(node, ast.Import):
            modules += [alias.name for alias in node.names]
        elif not node.level:
            modules.append(node.module)
    return modules


def modules_in_try(path: Path) -> list[str]:
    """Full names of the modules that a file imports only where they are installed."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    tries = [node for node in ast.walk(tree) if isinstance(node, ast.Try)]
    return [
        name
        for node in tries
        for statement in node.body
        if isinstance(statement, ast.Import | ast.ImportFrom)
        for name in (
            [a.name for a in statement.names] if isinstance(statement, ast.Import) else [statement.module]
        )
    ]


def travelling_files() -> list[Path]:
    return [path for path in FILES if room_of(path) in TRAVELLING and path.name != "__init__.py"]


def test_the_source_was_found():
    assert len(FILES) > 30
    assert {room_of(path) for path in FILES} <= {*LAYERS, *TRAVELLING}


@pytest.mark.parametrize("path", travelling_files(), ids=relative)
def test_a_file_that_travels_imports_only_siblings_by_name(path):
    """`from ..x`, `from .sub.x`, `from . import x` do not load from the Hub; `tcm_hf.x` needs our package."""
    for node in imports(path):
        if isinstance(node, ast.ImportFrom) and node.level:
            assert node.level == 1, f"line {node.lineno}: from {'.' * node.level}…"
            assert node.module, f"line {node.lineno}: from . import …"
            assert "." not in node.module, f"line {node.lineno}: from .{node.module}"
            assert (path.parent / f"{node.module}.py").is_file(), f"line {node.lineno}: no {node.module}.py"
    assert not [module for module in absolute_modules(path) if module.split(".")[0] == "tcm_hf"]


@pytest.mark.parametrize("path", travelling_files(), ids=relative)
def test_no_text_in_a_file_that_travels_looks_like_an_import(path):
    """transformers finds imports line by line with a pattern, in docstrings too."""
    text = path.read_text(encoding="utf-8")
    seen = set(re.findall(r"^\s*from\s+(\S+)\s+import", text, re.MULTILINE))
    seen |= set(re.findall(r"^\s*import\s+(\S+)\s*$", text, re.MULTILINE))
    real = {
        "." * node.level + (node.module or "") for node in imports(path) if isinstance(node, ast.ImportFrom)
    }
    assert seen <= real | set(absolute_modules(path))


def test_files_that_travel_have_names_of_their_own():
    """On the Hub they lie in one folder, where equal names overwrite each other."""
    names = [path.name for path in travelling_files()]
    assert len(names) == len(set(names))


def test_folders_that_travel_are_flat():
    assert not [path for path in travelling_files() if path.parent.parent != SOURCE]


@pytest.mark.parametrize("path", [path for path in FILES if room_of(path) not in TRAVELLING], ids=relative)
def test_imports_point_downwards(path):
    assert not [node.lineno for node in imports(path) if isinstance(node, ast.ImportFrom) and node.level]
    own = [module.split(".") for module in absolute_modules(path) if module.split(".")[0] == "tcm_hf"]
    rooms = {parts[1] if len(parts) > 1 else "tcm_hf" for parts in own}
    assert rooms <= {*LAYERS[room_of(path)], room_of(path)}


@pytest.mark.parametrize("path", travelling_files(), ids=relative)
def test_what_travels_needs_nothing_but_our_dependencies(path):
    """The Hub's loader asks the user to install whatever such a file imports, unless it stands in a `try`."""
    project = tomllib.loads((REPOSITORY / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    dependencies = {re.match(r"[\w-]+", requirement)[0] for requirement in project["dependencies"]}
    needed = [*absolute_modules(path)]
    for module in modules_in_try(path):
        needed.remove(module)
    packages = {module.split(".")[0] for module in needed} - sys.stdlib_module_names
    assert {PACKAGE_OF_MODULE.get(package, package) for package in packages} <= dependencies


@pytest.mark.parametrize("path", FILES, ids=relative)
def test_no_assert_in_the_source(path):
    tree = ast.parse(path.read_text(encoding="utf-8"))
    assert not [node.lineno for node in ast.walk(tree) if isinstance(node, ast.Assert)]


@pytest.mark.parametrize("path", FILES, ids=relative)
def test_a_file_can_be_read_in_one_sitting(path):
    assert len(path.read_text(encoding="utf-8").splitlines()) <= MAX_LINES
