"""What was published about the presets: figures with their sources, and which weights are public.

Numbers of TCM's tables are those of the paper (CVPR 2023, arXiv 2302.14338) as its authors' slides give them.
Nothing here was measured with this package.
"""

from typing import NamedTuple

SOURCES = {
    "T1": "TCM, CVPR 2023, table 1 (4 learnable prompts, ResNet-50)",
    "T4": "TCM, CVPR 2023, table 4 (32 learnable prompts)",
    "T6": "TCM, CVPR 2023, table 6 (ablation; BSL, PP, LP, LG, VG)",
    "T10": "TCM, CVPR 2023, table 10 (plain DBNet with ImageNet trunks)",
    "code": "comments in the configurations of the authors' released code",
    "readme": "README of the authors' released code",
    "clip4str": "README of VamosC/CLIP4STR: word accuracy, 36 characters, pictures normalised with mean and "
    "deviation 0.5",
}
"""Where a figure stands, by the key that `Published.source` holds."""

TD500, IC15, CTW1500, TOTALTEXT = "MSRA-TD500", "ICDAR 2015", "CTW1500", "Total-Text"
DOTA = "DOTA v1.0"


class Published(NamedTuple):
    """One published figure."""

    data_set: str
    percent: float
    """F-measure of a detector, AP50 of one of rotated objects, word accuracy of a recogniser."""
    source: str
    """A key of `SOURCES`."""
    mark: str = ""
    """What stands behind the figure at the publisher's."""


class Facts(NamedTuple):
    """What is known about a preset beside its settings."""

    data_set: str | None
    """What its settings were published for; None for our own and for none in particular."""
    figures: tuple[Published, ...] = ()
    """The first is the one to compare with."""
    weights: str | None = None
    """Where trained weights are public; None if they are not."""
    note: str | None = None


_AUTHORS = "linked in the README of the authors' code"
_OWN = "Our own; see benchmarks/RESULTS.md."
_NO_TABLES = (
    "FastTCM's tables are images that we could not read; its abstract says +0.2 over TCM for detectors, and "
    "47.1 % (journal) or 48.5 % (arXiv) more images a second."
)
_ONE_CONFIGURATION = (
    " Its one released configuration is MSRA-TD500's with DBNet and 4 learnable prompts: the rest of this "
    "preset is TCM's."
)


def _on_all_sets(source: str, ic15: float, td500: float, totaltext: float, ctw1500: float) -> Facts:
    """A row of the ablation table."""
    rows = ((TD500, td500), (IC15, ic15), (TOTALTEXT, totaltext), (CTW1500, ctw1500))
    return Facts(TD500, tuple(Published(data_set, percent, source) for data_set, percent in rows))


DETECTORS: dict[str, Facts] = {
    "tcm-dbnet-r50-td500": Facts(
        TD500,
        (
            Published(TD500, 88.8, "T1"),
            Published(TD500, 88.8, "readme"),
            Published(TD500, 88.36, "code"),
        ),
        weights=_AUTHORS,
    ),
    "tcm-dbnet-r50-ic15": Facts(
        IC15,
        (
            Published(IC15, 89.2, "T1"),
            Published(IC15, 88.8, "readme"),
        ),
        weights=_AUTHORS,
    ),
    "tcm-dbnet-r50-ic15-32": Facts(IC15, (Published(IC15, 89.4, "T4"),)),
    "tcm-dbnet-r50-ctw1500": Facts(
        CTW1500, (Published(CTW1500, 85.1, "T4"), Published(CTW1500, 85.1, "readme"))
    ),
    "tcm-dbnet-r50-totaltext": Facts(
        TOTALTEXT, (Published(TOTALTEXT, 85.9, "T4"), Published(TOTALTEXT, 85.9, "readme"))
    ),
    "tcm-pan-r50-ic15": Facts(IC15, (Published(IC15, 84.6, "T1"),)),
    "tcm-pan-r50-ctw1500": Facts(
        CTW1500,
        (Published(CTW1500, 84.3, "T1"),),
        note="The released configuration tests CTW1500 at IC15's size (736 x 1333), as this preset does.",
    ),
    "tcm-fcenet-r50-ic15": Facts(
        IC15,
        (Published(IC15, 87.1, "T1"),),
        note="The released configuration of this name trains on SynthText-150k and real sets, not on IC15.",
    ),
    "tcm-segnet-r50": Facts(
        None, note="Released as code only (TextSegHead); the image size is TD500's, by assumption."
    ),
    "tcm-dbnet-vit-b16": Facts(
        TOTALTEXT,
        (Published(TOTALTEXT, 83.20, "code"), Published(CTW1500, 83.28, "code")),
        note="The figures are for ViT-B; their source does not say with which patches.",
    ),
    "tcm-dbnet-vit-b8": Facts(
        TOTALTEXT,
        note="The released configuration cannot run; here the matching map is resized to its stage.",
    ),
    "fasttcm-dbnet-r50-td500": Facts(TD500, note=_NO_TABLES),
    "fasttcm-dbnet-r50-ic15": Facts(IC15, note=_NO_TABLES + _ONE_CONFIGURATION),
    "fasttcm-dbnet-r50-ctw1500": Facts(CTW1500, note=_NO_TABLES + _ONE_CONFIGURATION),
    "fasttcm-dbnet-r50-totaltext": Facts(TOTALTEXT, note=_NO_TABLES + _ONE_CONFIGURATION),
    "fasttcm-pan-r50-ic15": Facts(IC15, note=_NO_TABLES + _ONE_CONFIGURATION),
    "fasttcm-pan-r50-ctw1500": Facts(CTW1500, note=_NO_TABLES + _ONE_CONFIGURATION),
    "fasttcm-fcenet-r50-ic15": Facts(IC15, note=_NO_TABLES + _ONE_CONFIGURATION),
    "dbnet-cr50": Facts(TD500, note="CLIP's trunk without a text side, as `ablation-baseline`."),
    "pan-cr50": Facts(IC15),
    "fcenet-cr50": Facts(IC15),
    "dbnet-r50": Facts(
        TD500,
        (
            Published(TD500, 84.9, "T1"),
            Published(IC15, 87.3, "T1"),
            Published(CTW1500, 83.4, "T1"),
        ),
        note="The released configuration adds deformable convolutions, which this preset has not.",
    ),
    "dbnet-r101": Facts(TD500, (Published(TD500, 85.9, "T10"),)),
    "dbnet-r152": Facts(TD500, (Published(TD500, 87.3, "T10"),)),
    "pan-r50": Facts(
        IC15,
        (
            Published(IC15, 82.9, "T1"),
            Published(TD500, 84.1, "T1"),
            Published(CTW1500, 83.7, "T1"),
        ),
    ),
    "fcenet-r50": Facts(
        IC15,
        (
            Published(IC15, 86.2, "T1"),
            Published(TD500, 85.4, "T1", mark="†"),
            Published(CTW1500, 85.5, "T1"),
        ),
        note="The dagger is the paper's, which our source gives without its meaning.",
    ),
    "ablation-baseline": _on_all_sets("T6", ic15=87.7, td500=86.8, totaltext=84.7, ctw1500=83.4),
    "ablation-pp": _on_all_sets("T6", ic15=87.75, td500=87.0, totaltext=84.74, ctw1500=83.5),
    "ablation-pp-lp4": _on_all_sets("T6", ic15=88.0, td500=87.1, totaltext=84.8, ctw1500=83.6),
    "ablation-lp4": _on_all_sets("T6", ic15=87.8, td500=87.7, totaltext=85.1, ctw1500=83.9),
    "ablation-lp18": _on_all_sets("T6", ic15=88.1, td500=87.8, totaltext=85.3, ctw1500=83.9),
    "ablation-lp32": _on_all_sets("T6", ic15=88.4, td500=88.2, totaltext=85.4, ctw1500=84.5),
    "ablation-pp-lp4-lg": _on_all_sets("T6", ic15=88.6, td500=88.4, totaltext=85.5, ctw1500=84.6),
    "ablation-pp-lp4-lg-vg": _on_all_sets("T6", ic15=89.2, td500=88.8, totaltext=85.6, ctw1500=84.9),
    "ablation-pp-lp32-lg-vg": _on_all_sets("T6", ic15=89.4, td500=88.8, totaltext=85.9, ctw1500=85.1),
    "fasttcm-dbnet-tiny": Facts(None, weights="in this package", note=_OWN),
    "fasttcm-pan-tiny": Facts(None, note=_OWN),
    "fasttcm-fcenet-tiny": Facts(None, note=_OWN),
}
"""By the names of `TCMConfig.from_preset`."""

_NO_SPOTTING_TABLES = (
    "FastTCM's tables, which have the spotters, are images that we could not read; its abstract says +1.5 "
    "over the spotters without CLIP."
)
_CANNOT_RUN = " Its released configuration cannot run; here it has the paper's equations."

SPOTTERS: dict[str, Facts] = {
    "tcm-testr-r50-totaltext": Facts(TOTALTEXT, note=_NO_SPOTTING_TABLES),
    "tcm-testr-r50-ic15": Facts(IC15, note=_NO_SPOTTING_TABLES),
    "tcm-testr-r50-ctw1500": Facts(CTW1500, note=_NO_SPOTTING_TABLES),
    "tcm-testr-r50-pretrain": Facts(
        None, note="Where the others begin; the image size is Total-Text's, by assumption."
    ),
    "fasttcm-testr-r50-ic15": Facts(IC15, note=_NO_SPOTTING_TABLES + _CANNOT_RUN),
    "tcm-abcnet-r50-totaltext": Facts(TOTALTEXT, note=_NO_SPOTTING_TABLES),
    "tcm-abcnet-r50-ic15": Facts(
        IC15, note=_NO_SPOTTING_TABLES + " The least score of a word is Total-Text's, by assumption."
    ),
    "tcm-abcnet-r50-ctw1500": Facts(CTW1500, note=_NO_SPOTTING_TABLES),
    "fasttcm-abcnet-r50-ic15": Facts(IC15, note=_NO_SPOTTING_TABLES + _CANNOT_RUN),
    "fasttcm-testr-tiny": Facts(None, note=_OWN),
    "fasttcm-deepsolo-tiny": Facts(None, note=_OWN),
    "fasttcm-abcnet-tiny": Facts(None, note=_OWN),
}
"""By the names of `TCMSpottingConfig.from_preset`."""

_ONE_FILE = "The README links one file for all three heads: `tcm-hf convert rotated` tells which it is."

ROTATED_DETECTORS: dict[str, Facts] = {
    "tcm-rotated-fcos-r50-dota": Facts(DOTA, (Published(DOTA, 75.1, "readme"),), _AUTHORS, _ONE_FILE),
    "tcm-rotated-atss-r50-dota": Facts(DOTA, (Published(DOTA, 76.1, "readme"),), _AUTHORS, _ONE_FILE),
    "tcm-rotated-retinanet-r50-dota": Facts(DOTA, (Published(DOTA, 70.99, "readme"),), _AUTHORS, _ONE_FILE),
    "fasttcm-rotated-fcos-tiny": Facts(None, note=_OWN),
    "fasttcm-rotated-atss-tiny": Facts(None, note=_OWN),
    "fasttcm-rotated-retinanet-tiny": Facts(None, note=_OWN),
}
"""By the names of `TCMRotatedDetectionConfig.from_preset`."""

_WORDS = ("IIIT5k", "SVT", "IC13 (1015)", "IC15 (1811)", "SVTP", "CUTE80")
_HUB = "mzhaoshuai/CLIP4STR on the Hub"
_GITHUB = "GitHub release 1.0.0 of VamosC/CLIP4STR"
_ZENODO = "Zenodo 8369439"
_REAL = "3.3 M real words"
_RBU = "RBU, 6.5 M real words"


def _word_accuracies(trained_on: str, weights: str, *percents: float) -> Facts:
    """A row of CLIP4STR's table, the six common sets in its order."""
    figures = (
        Published(data_set, percent, "clip4str") for data_set, percent in zip(_WORDS, percents, strict=True)
    )
    return Facts(trained_on, tuple(figures), weights)


RECOGNIZERS: dict[str, Facts] = {
    "clip4str-base-32": Facts(None),
    "clip4str-base": _word_accuracies(_REAL, _GITHUB, 99.20, 98.30, 98.23, 91.44, 96.90, 99.65),
    "clip4str-base-datacomp": _word_accuracies(_RBU, _HUB, 99.5, 98.3, 98.6, 91.4, 98.0, 99.0),
    "clip4str-large": _word_accuracies(_REAL, _ZENODO, 99.43, 98.15, 98.52, 91.66, 97.36, 98.96),
    "clip4str-large-datacomp": _word_accuracies(_RBU, _HUB, 99.6, 98.6, 99.0, 91.9, 98.1, 99.7),
    "clip4str-huge-laion": _word_accuracies(_RBU, _HUB, 99.7, 98.6, 98.9, 91.6, 98.5, 99.7),
    "clip4str-huge-dfn": _word_accuracies(_RBU, _HUB, 99.5, 99.1, 98.9, 91.7, 98.0, 99.0),
    "clip4str-adapter-linear": Facts(None),
    "clip4str-adapter-attention": Facts(None),
    "clip4str-adapter-ladder": Facts(None),
    "clip4str-adapter-ladder-pruning": Facts(None, note="The released code of this adapter cannot run."),
    "clip4str-tiny": Facts(None, weights="in this package", note=_OWN),
}
"""By the names of `CLIP4STRConfig.from_preset`; `data_set` is what it was trained on."""
