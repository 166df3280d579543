"""Settings of rotated object detectors, by the names of `TCMRotatedDetectionConfig.from_preset`.

Those of the released ones are the image processor's defaults.
"""

_HEADS = ("fcos", "atss", "retinanet")

PRESETS: dict[str, dict] = {f"tcm-rotated-{head}-r50-dota": {} for head in _HEADS} | {
    f"fasttcm-rotated-{head}-tiny": {} for head in _HEADS
}
