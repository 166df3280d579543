"""One target under atheris: `python fuzzing/attack.py NAME CORPUS… [-libFuzzer options]`, see run.py."""

import os
import sys
from pathlib import Path


def main() -> None:
    """Instrument the target's modules, then hand over to libFuzzer, which never returns."""
    sys.path.insert(0, str(Path(__file__).parents[1]))
    os.nice(max(0, 19 - os.nice(0)))
    import atheris

    from fuzzing.targets import load_target, modules_of

    name = sys.argv.pop(1)
    with atheris.instrument_imports(include=list(modules_of(name))):
        target = load_target(name)
    target.prepare()
    atheris.Setup(sys.argv, target.attack)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
