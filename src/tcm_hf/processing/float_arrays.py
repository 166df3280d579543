"""What models return, as numbers for numpy. Needs no torch."""

from typing import Any

import numpy as np


def float_array(values: Any) -> np.ndarray:
    """A float32 array of a tensor of any float type on any device, or of anything that numpy takes."""
    if hasattr(values, "detach"):  # numpy knows no bfloat16
        values = values.detach().float().cpu()
    return np.asarray(values, dtype=np.float32)


__all__ = ["float_array"]
