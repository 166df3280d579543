"""Corpora out: one function a format, all of them in `formats.FORMATS`."""
