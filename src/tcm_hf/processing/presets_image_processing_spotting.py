"""Sizes and thresholds of the published spotters, by the names of `TCMSpottingConfig.from_preset`.

Source: the released test configurations of TCM's spotter.
"""

# TESTR takes pictures of any size, normalised with ImageNet's statistics (RGB).
_TESTR = {
    "image_mean": [123.675 / 255, 116.28 / 255, 103.53 / 255],
    "image_std": [58.395 / 255, 57.12 / 255, 57.375 / 255],
    "size_divisor": 1,
    "max_detections": 100,
    "nms_threshold": 1,  # as released: all are kept
}
_TESTR_TOTALTEXT = _TESTR | {"size": {"shortest_edge": 1600, "longest_edge": 1824}, "threshold": 0.45}
_TESTR_IC15 = _TESTR | {"size": {"shortest_edge": 1440, "longest_edge": 4000}, "threshold": 0.3}
_TESTR_CTW1500 = _TESTR | {"size": {"shortest_edge": 1000, "longest_edge": 1824}, "threshold": 0.7}
# The small ones begin with the backbone of fasttcm-dbnet-tiny; upper and lower case are one.
_TINY = {
    "size": {"shortest_edge": 736, "longest_edge": 1536},
    "threshold": 0.5,
    "recognition_threshold": 0.3,
    "polygon_mode": "quad",
    "characters": "0123456789abcdefghijklmnopqrstuvwxyz!\"#$%&'()*+,-./:;<=>?@[]_\u53e3",
}

# ABCNet's mean is the same, of BGR pictures there, and its deviation 1 of 255. The head has dropped what is
# too unlikely before it reads.
_ABCNET = {
    "image_mean": [123.675 / 255, 116.28 / 255, 103.53 / 255],
    "image_std": [1 / 255, 1 / 255, 1 / 255],
    "size_divisor": 32,
    "max_detections": 100,
    "threshold": 0.0,
    "nms_threshold": 1,
}
_ABCNET_IC15 = _ABCNET | {"size": {"shortest_edge": 2000, "longest_edge": 4000}}

PRESETS: dict[str, dict] = {
    "tcm-testr-r50-totaltext": _TESTR_TOTALTEXT,
    "tcm-testr-r50-ic15": _TESTR_IC15,
    "tcm-testr-r50-ctw1500": _TESTR_CTW1500,
    "tcm-testr-r50-pretrain": _TESTR_TOTALTEXT,
    "fasttcm-testr-r50-ic15": _TESTR_IC15,
    "tcm-abcnet-r50-totaltext": _ABCNET | {"size": {"shortest_edge": 1000, "longest_edge": 1824}},
    "tcm-abcnet-r50-ic15": _ABCNET_IC15,
    "tcm-abcnet-r50-ctw1500": _ABCNET | {"size": {"shortest_edge": 800, "longest_edge": 1024}},
    "fasttcm-abcnet-r50-ic15": _ABCNET_IC15,
    "fasttcm-testr-tiny": _TINY,
    "fasttcm-deepsolo-tiny": _TINY,
    "fasttcm-abcnet-tiny": _TINY,
}
