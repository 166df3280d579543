"""Variables of MATLAB files."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from tcm_hf.data.corpora.problems import FileError

__all__ = ["read_mat"]


def read_mat(path: Path, *names: str) -> np.ndarray:
    """The first of these variables that a file has; others are not read.

    Raises:
        ValueError: it is no MATLAB file of version 4 to 7.2, or has none of them; the message has the file.
    """
    from scipy.io import loadmat

    try:
        variables = loadmat(path, variable_names=names, verify_compressed_data_integrity=False)
    except Exception as error:  # of a damaged file scipy raises whatever it stumbles over
        reason = f"expected a MATLAB file of version 4 to 7.2 ({type(error).__name__}: {error})"
        raise FileError(path, None, reason) from error
    for name in names:
        if name in variables:
            return variables[name]
    raise FileError(path, None, f"expected the variable {' or '.join(names)}: there is none")
