"""The wheel of the reader, built and installed where nothing is but numpy, OpenCV and onnxruntime, reads."""

import os
import shutil
import subprocess
import sys
import venv
from importlib.util import find_spec
from pathlib import Path

import pytest
from PIL import Image

from planted_exports import planted_export
from planted_words import painted_photo

REPOSITORY = Path(__file__).parents[2]
LIBRARIES = ("numpy", "cv2", "onnxruntime")


def run(*command) -> str:
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    done = subprocess.run(
        list(map(str, command)), capture_output=True, text=True, timeout=600, env=environment
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.mark.slow
def test_the_wheel_reads_in_a_fresh_environment(tmp_path):
    pytest.importorskip("setuptools")
    source = tmp_path / "source"  # building leaves files behind
    for name in ("packages", "src"):
        shutil.copytree(
            REPOSITORY / name, source / name, ignore=shutil.ignore_patterns("model", "__pycache__")
        )
    build = ("-m", "pip", "wheel", "-q", "--no-deps", "--no-build-isolation", "-w", tmp_path)
    run(sys.executable, *build, source / "packages" / "reader")
    (wheel,) = tmp_path.glob("tcm_hf_reader-*.whl")
    assert wheel.stat().st_size < 200_000  # without models
    venv.create(tmp_path / "fresh", with_pip=True)
    python = tmp_path / "fresh" / "bin" / "python"
    (site,) = (tmp_path / "fresh" / "lib").glob("python*/site-packages")
    for library in LIBRARIES:
        folder = Path(find_spec(library).origin).parent
        for part in (folder, *folder.parent.glob(f"{library}*.libs"), *folder.parent.glob("opencv*.libs")):
            if not (site / part.name).exists():
                (site / part.name).symlink_to(part)
    run(python, "-m", "pip", "install", "-q", "--no-index", "--no-deps", wheel)
    planted_export(tmp_path / "exported")
    Image.fromarray(painted_photo(("abc", 40, 30, 0), ("cab", 220, 30, 0))).save(tmp_path / "photo.png")
    command = tmp_path / "fresh" / "bin" / "tcm-hf-reader"
    assert run(command, tmp_path / "photo.png", "--model", tmp_path / "exported").split() == ["abc", "cab"]
    assert "'torch'" not in run(python, "-c", "import sys, tcm_hf.onnx_reader; print(list(sys.modules))")
