"""What training needs to know of each detector: its targets, and the decodings that are tried afterwards.

The plug board of this folder: a new head gets one entry in `DETECTORS`, beside the one in
`modeling_tcm.HEADS`.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from tcm_hf.data.targets_dbnet import dbnet_targets
from tcm_hf.data.targets_fcenet import fcenet_targets
from tcm_hf.data.targets_pan import pan_targets
from tcm_hf.training.datasets import Targets

Decoding = dict[str, float | None]
"""Settings of the image processor by name, without the score threshold."""


@dataclass(frozen=True)
class Detector:
    """One detector, as the recipes see it.

    Args:
        targets: Gives the function that makes the labels from (polygons_xy, ignore, size_hw), of the head's
            config and the least short side in pixels of a text that is trained on.
        decodings: Candidates for `choose_decoding`; every one is tried at every score threshold.
    """

    targets: Callable[[Any, float], Targets]
    decodings: tuple[Decoding, ...]


def combinations(**candidates: Sequence[float]) -> tuple[Decoding, ...]:
    """Every combination of the candidates of several settings."""
    return tuple(
        dict(zip(candidates, values, strict=True)) for values in itertools.product(*candidates.values())
    )


def _dbnet_targets(head_config: Any, min_text_px: float) -> Targets:
    return partial(dbnet_targets, min_short_side_px=min_text_px)


def _pan_targets(head_config: Any, min_text_px: float) -> Targets:
    return partial(pan_targets, min_short_side_px=min_text_px)


def _fcenet_targets(head_config: Any, min_text_px: float) -> Targets:
    # What small texts are is decided by the augmentation alone.
    return partial(fcenet_targets, fourier_degree=head_config.fourier_degree)


# A growth is an unclip ratio, or undoing the shrinking of the targets exactly (0.4, see `dbnet_targets`): an
# image processor that has a shrink ratio lets it decide, so an unclip ratio comes with none.
_GROWTHS: tuple[Decoding, ...] = (
    *({"unclip_ratio": ratio, "shrink_ratio": None} for ratio in (1.25, 1.5, 1.75, 2.0, 2.25, 2.5)),
    {"shrink_ratio": 0.4},
)
_DBNET = Detector(
    _dbnet_targets,
    tuple(
        binarize | growth
        for binarize, growth in itertools.product(
            combinations(binarize_threshold=(0.3, 0.4, 0.5, 0.55, 0.6)), _GROWTHS
        )
    ),
)
_PAN = Detector(
    _pan_targets,
    combinations(
        binarize_threshold=(0.4, 0.5, 0.6, 0.7),
        kernel_threshold=(0.4, 0.5, 0.6, 0.7),
        embedding_distance=(0.85, 1.5),
    ),
)
# Powers of both exponents change the scores, not their order: the score threshold makes up for them.
_FCENET = Detector(
    _fcenet_targets, combinations(region_exponent=(0.3, 0.6, 1.2, 2.4, 4.8), center_exponent=(1.0,))
)

DETECTORS: dict[str, Detector] = {
    "dbnet": _DBNET,
    "pan": _PAN,
    "fcenet": _FCENET,
    "segnet": _DBNET,  # reads the same probability map, and grows the same kernels
}


def detector_of(config: Any) -> Detector:
    """The entry of the model with this `TCMConfig`."""
    return DETECTORS[config.head_config.head_type]
