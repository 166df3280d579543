"""Scripts in a fresh process that knows nothing of this checkout."""

import os
import subprocess
import sys
import textwrap


def run(script, folder, tmp_path):
    """A script in a fresh process that sees neither this checkout's path variables nor a terminal."""
    environment = {
        name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "HF_"))
    }
    environment |= {"HF_HOME": str(tmp_path / "hf"), "HF_HUB_OFFLINE": "1"}
    result = subprocess.run(
        [sys.executable, "-I", "-c", textwrap.dedent(script), str(folder), str(tmp_path / "again")],
        cwd=tmp_path,
        env=environment,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
    )
    assert result.returncode == 0, result.stderr[-3000:]
    return result
