r"""Key tables of the released ABCNet of TCM: names of detectron2's checkpoints -> `FastTCMForTextSpotting`.

Tables only. The original keeps two convolutions of the pyramid with its backbone that are the head's here.
"""

from tcm_hf.conversion.key_rules import KeyRule, moved, rename
from tcm_hf.conversion.keys_tcm import TEXT_SIDE
from tcm_hf.conversion.keys_testr import DETECTRON2_RESNET

_NORM = r"(weight|bias|running_mean|running_var|num_batches_tracked)"

PYRAMID: list[KeyRule] = [
    rule
    for level in range(4)
    for rule in (
        rename(rf"fpn_lateral{level + 2}\.(weight|bias)", rf"neck.inner_convs.{level}.\1"),
        rename(rf"fpn_output{level + 2}\.(weight|bias)", rf"neck.output_convs.{level}.\1"),
    )
]
"""detectron2 counts levels from p2."""

EXTRA_LEVELS: list[KeyRule] = [
    rename(rf"top_block\.p{level + 6}\.(weight|bias)", rf"extra_convs.{level}.\1") for level in range(2)
]

DENSE_HEAD: list[KeyRule] = [
    rename(r"proposal_generator\.fcos_head\.cls_tower\.(\d+)\.(weight|bias)", r"score_tower.\1.\2"),
    rename(r"proposal_generator\.fcos_head\.bbox_tower\.(\d+)\.(weight|bias)", r"box_tower.\1.\2"),
    rename(r"proposal_generator\.fcos_head\.cls_logits\.(weight|bias)", r"score.\1"),
    rename(r"proposal_generator\.fcos_head\.bbox_pred\.(weight|bias)", r"distance.\1"),
    rename(r"proposal_generator\.fcos_head\.ctrness\.(weight|bias)", r"centerness.\1"),
    rename(r"top_module\.(weight|bias)", r"curve.\1"),
]
"""FCOS, and the convolution that predicts curves, which the original has on top of it."""


def _blocks(theirs: str, ours: str, count: int) -> list[KeyRule]:
    """Blocks of convolution, norm and ReLU, which are one flat list here."""
    return [
        rename(rf"{theirs}\.{block}\.{part}\.{_NORM}", rf"{ours}.{3 * block + part}.\1")
        for block in range(count)
        for part in range(2)
    ]


MOST_REGION_CONVS = 8
"""Convolutions over a word's features that a checkpoint may have; the published ones have 2."""

RECOGNIZER: list[KeyRule] = [
    *_blocks("tower", "region_convs", MOST_REGION_CONVS),
    *_blocks(r"recognizer\.CRNN\.convs", "fold_convs", 2),
    rename(r"recognizer\.CRNN\.rnn\.rnn\.(\w+)", r"rnn.\1"),
    rename(r"recognizer\.CRNN\.rnn\.embedding\.(weight|bias)", r"rnn_proj.\1"),
    rename(r"recognizer\.attention\.embedding\.weight", "character_embedding.weight"),
    rename(r"recognizer\.attention\.vat\.(weight|bias)", r"attention_score.\1"),
    rename(r"recognizer\.attention\.attn_combine\.(weight|bias)", r"combine.\1"),
    rename(r"recognizer\.attention\.gru\.(weight|bias)_(ih|hh)_l0", r"gru.\1_\2"),
    rename(r"recognizer\.attention\.out\.(weight|bias)", r"character.\1"),
]

ABCNET: list[KeyRule] = [
    *moved(DETECTRON2_RESNET, "backbone.bottom_up.", "model.image_tower.trunk."),
    *moved(PYRAMID, "backbone.", "model.image_tower."),
    *moved(EXTRA_LEVELS, "backbone.", "head."),
    rename(rf"clip_pix_cls\.visual_embedding_proj\.([0134])\.{_NORM}", r"model.image_tower.embedding.\1.\2"),
    *moved(TEXT_SIDE, "clip_pix_cls.", ""),
    rename(r"clip_pix_cls\.score_map_concat_gamma", "model.matching_fusion.gate"),
    *moved(DENSE_HEAD, "", "head.dense."),
    *moved(RECOGNIZER, "roi_heads.", "head.recognizer."),
]
"""The whole spotter."""

IGNORABLE_FOR_ABCNET: dict[str, str] = {
    r"backbone\.bottom_up\..*num_batches_tracked": "a counter that frozen norms do not have",
    r"pixel_(?:mean|std)": "how images are normalised: a matter of the image processor here",
}

UNUSED_BY_ABCNET: dict[str, str] = {
    r"model\.matching_fusion\.gate": "its configuration adds the matching map as it is",
}
"""Our names of what the original builds whatever its configuration uses."""

__all__ = ["ABCNET", "IGNORABLE_FOR_ABCNET", "UNUSED_BY_ABCNET"]
