"""The reader needs numpy, OpenCV and onnxruntime, and the wheel of the reader holds all that it imports."""

import ast
import subprocess
import sys
import tomllib
from pathlib import Path

import numpy as np

from planted_exports import planted_export
from planted_words import painted_photo

REPOSITORY = Path(__file__).parents[2]
SOURCE = REPOSITORY / "src"
PACKAGE = REPOSITORY / "packages" / "reader" / "pyproject.toml"
# Only where models are: `tcm_hf/__init__.py` looks for them.
NOT_NEEDED = {"tcm_hf.registration", "tcm_hf._import_hook"}

READING = """
import sys
import numpy as np

ALLOWED = {"numpy", "cv2", "onnxruntime", "tcm_hf", "google", "flatbuffers", "packaging"}

class Nothing:
    def find_spec(self, name, path=None, target=None):
        top = name.partition(".")[0]
        if top not in ALLOWED and top not in sys.stdlib_module_names:
            raise ModuleNotFoundError(f"{name} is not here", name=name)

sys.meta_path.insert(0, Nothing())
from tcm_hf.onnx_reader import Reader
words = Reader(sys.argv[1], num_threads=1)(np.load(sys.argv[2]))
print(*(word["text"] for word in words))
"""


def test_it_reads_where_nothing_else_is_installed(tmp_path):
    planted_export(tmp_path)
    photo = tmp_path / "photo.npy"
    np.save(photo, painted_photo(("abc", 40, 30, 0), ("cab", 220, 30, 0)))
    command = [sys.executable, "-c", READING, str(tmp_path), str(photo)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    assert done.stdout.split() == ["abc", "cab"]


def module_file(module: str) -> Path:
    path = SOURCE / Path(*module.split("."))
    return path / "__init__.py" if path.is_dir() else path.with_suffix(".py")


def imports_of(module: str) -> set[str]:
    """Modules of tcm_hf that a module imports, in functions too, but for type checking."""
    file = module_file(module)
    package = module if file.name == "__init__.py" else module.rpartition(".")[0]
    found, todo = set(), list(ast.parse(file.read_text(encoding="utf-8")).body)
    while todo:
        node = todo.pop()
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test):
            continue
        if isinstance(node, ast.ImportFrom):
            found.add(f"{package}.{node.module}" if node.level else node.module)
        elif isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        todo += ast.iter_child_nodes(node)
    return {name for name in found if name.partition(".")[0] == "tcm_hf"}


def test_the_wheel_holds_what_the_reader_imports_and_no_more():
    needed: set[str] = set()
    todo = {"tcm_hf.onnx_reader", "tcm_hf.onnx_reader.__main__"}
    while todo:
        module = todo.pop()
        parts = module.split(".")
        needed |= {module}
        parents = {".".join(parts[:end]) for end in range(1, len(parts))}
        todo |= (imports_of(module) | parents) - needed - NOT_NEEDED
    package = tomllib.loads(PACKAGE.read_text(encoding="utf-8"))["tool"]["setuptools"]
    listed = {name.removesuffix(".__init__") for name in package["py-modules"]}
    of_reader = {module for module in needed if module.startswith("tcm_hf.onnx_reader")}
    assert listed == needed - of_reader
    assert package["packages"] == ["tcm_hf.onnx_reader"]
