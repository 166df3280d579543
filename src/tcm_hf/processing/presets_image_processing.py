"""Sizes and decoding settings of the published detectors, by the names of `TCMConfig.from_preset`.

Source: the released test configurations of TCM (CVPR 2023). The sizes are those that upstream's test-time
wrapper really applies (its outer `img_scale`, not the resize step inside). `arc_length_ratio` 0 takes raw
contours. `# Parity:` upstream's polygon mode has no minimum side.
"""

_TD500 = {
    "size": {"shortest_edge": 736, "longest_edge": 4068},
    "binarize_threshold": 0.08,
    "threshold": 0.17,
    "min_side_px": 3,
    "unclip_ratio": 1.9,
    "arc_length_ratio": 0,
    "max_candidates": 1000,
    "polygon_mode": "quad",
}
_IC15 = {
    "size": {"shortest_edge": 1024, "longest_edge": 4068},
    "binarize_threshold": 0.28,
    "threshold": 0.2,
    "min_side_px": 2,
    "unclip_ratio": 1.6,
    "arc_length_ratio": 0.001,
    "max_candidates": 3000,
    "polygon_mode": "quad",
}
_CTW1500 = {
    "size": {"shortest_edge": 1024, "longest_edge": 4068},
    "binarize_threshold": 0.08,
    "threshold": 0.3,
    "min_side_px": 0,
    "unclip_ratio": 2.0,
    "arc_length_ratio": 0.0001,
    "max_candidates": 3000,
    "polygon_mode": "polygon",
}
_TOTALTEXT = {
    "size": {"shortest_edge": 800, "longest_edge": 2944},
    "binarize_threshold": 0.347,
    "threshold": 0.3,
    "min_side_px": 0,
    "unclip_ratio": 1.95,
    "arc_length_ratio": 0.004,
    "max_candidates": 3000,
    "polygon_mode": "polygon",
}
# The decoder undoes the targets' shrinking exactly (ratio 0.4).
_TINY = {
    "size": {"shortest_edge": 736, "longest_edge": 1536},
    "binarize_threshold": 0.3,
    "threshold": 0.5,
    "min_side_px": 3,
    "shrink_ratio": 0.4,
    "polygon_mode": "quad",
}

PRESETS: dict[str, dict] = {
    "tcm-dbnet-r50-td500": _TD500,
    "tcm-dbnet-r50-ic15": _IC15,
    "tcm-dbnet-r50-ic15-32": _IC15 | {"unclip_ratio": 1.5},
    "tcm-dbnet-r50-ctw1500": _CTW1500,
    "tcm-dbnet-r50-totaltext": _TOTALTEXT,
    "fasttcm-dbnet-r50-td500": _TD500,
    "fasttcm-dbnet-r50-ic15": _IC15,
    "fasttcm-dbnet-r50-ctw1500": _CTW1500,
    "fasttcm-dbnet-r50-totaltext": _TOTALTEXT,
    "fasttcm-dbnet-tiny": _TINY,
}
