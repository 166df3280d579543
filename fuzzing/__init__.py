"""Attacks on what reads foreign bytes, driven by atheris (libFuzzer); `python fuzzing/run.py`."""
