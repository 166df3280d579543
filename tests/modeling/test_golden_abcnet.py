"""ABCNet against the original of TCM, stage by stage (shared/golden/README.md)."""

from functools import cache

import numpy as np
import pytest
import torch

import upstream_abcnet
from tcm_hf.modeling.bezier_align import bezier_align
from tcm_hf.processing.character_reading import SlotReading
from upstream_abcnet import TOLERANCE, error, golden, images

SIZES_HW = {"v1": [(256, 320)], "v1_batch": [(128, 160), (96, 128)]}
"""Of the images that results are for: twice the network's input, but for the batch."""

LEVEL_SIZES_HW = ((16, 20), (8, 10), (4, 5), (2, 3), (1, 2))


@cache
def outputs_of(run):
    """Every stage of a run by the original's names, and our output."""
    model, seen = upstream_abcnet.our_model(run), {}
    parts = {
        "tower": model.model.image_tower,
        "backbone": model.model,
        "prompt": model.model.prompt.language_prompt_generator,
        "text": model.model.text_tower,
        "visual_prompt": model.model.visual_prompter.generator,
        "text_refiner": model.model.text_refiner.decoder,
        "p6": model.head.extra_convs[0],
        "p7": model.head.extra_convs[1],
        "dense": model.head.dense,
        "align": model.head.align,
        "region": model.head.recognizer.region_convs,
        "along": model.head.recognizer.rnn_proj,
        "reading": model.head.recognizer,
    }
    for name, part in parts.items():
        part.register_forward_hook(lambda _, __, output, name=name: seen.update({name: output}))
    with torch.no_grad():
        output = model(**images(run))
    batch = len(output.score_logits)
    stages = {f"fpn/p{i + 2}": seen["tower"].feature_maps[i] for i in range(4)}
    stages |= {
        "fpn/p6": seen["p6"],
        "fpn/p7": seen["p7"],
        "visual_embedding_proj": seen["tower"].dense_embedding,
        "prompt": seen["prompt"].expand(batch, -1),
        "text_embeddings": seen["text"][:, None].expand(batch, -1, -1),
        "vis_prompt_diff": seen["visual_prompt"],
        "text_diff": seen["text_refiner"],
        "pix_cls_score_map": output.matching_map,
        "p4_after": seen["backbone"].feature_maps[2],
        "bezier_features": seen["align"],
        "tower": seen["region"],
        "crnn": seen["along"].transpose(0, 1),
        "recs": seen["reading"].argmax(-1).float(),
        **stages_of_levels(seen["dense"]),
    }
    if batch == 1:
        index = output.proposal_index[0]
        stages |= {
            "proposal0/boxes": seen["dense"].boxes[0, index],
            "proposal0/bezier": seen["dense"].curves[0, index].flatten(1),
            "proposal0/locations": seen["dense"].places[index],
            "proposal0/scores": output.score_logits[0, :, 0].sigmoid(),
            "levels": model.head.align.levels_of(seen["dense"].curves[0, index]),
        }
    else:
        # The original drops words that lie in the padding after it has read them, we before.
        for late in ("bezier_features", "tower", "crnn", "recs"):
            stages.pop(late)
    return stages, output


def stages_of_levels(dense):
    """The dense head's maps, level by level."""
    stages, counts = {}, [height * width for height, width in LEVEL_SIZES_HW]
    values = {
        "logits": dense.score_logits[..., None],
        "ctrness": dense.centerness_logits[..., None],
        "reg": dense.distances,
        "bezier": dense.curve_offsets.flatten(2),
    }
    for name, of_places in values.items():
        for level, part in enumerate(of_places.split(counts, dim=1)):
            maps = part.transpose(1, 2).unflatten(2, LEVEL_SIZES_HW[level])
            stages[f"head/{name}{level}"] = maps.contiguous()
    return stages


@pytest.mark.parametrize("run", upstream_abcnet.RUNS)
def test_every_stage_of_a_run_equals_the_original(run):
    stages, _ = outputs_of(run)
    known = {name: f"{run}/{name}" for name in stages if f"{run}/{name}" in golden()[1]}
    assert len(known) >= 6
    assert [name for name, key in known.items() if not error(stages[name], key) < TOLERANCE] == []


@pytest.mark.parametrize("run", SIZES_HW)
def test_words_and_curves_equal_the_original(run):
    reference, arrays = golden()
    _, output = outputs_of(run)
    for row, (height, width) in enumerate(SIZES_HW[run]):
        key = f"{run}/result{row}"
        is_word = output.score_logits[row, :, 0].isfinite()
        assert error(output.score_logits[row, is_word, 0].sigmoid(), f"{key}/scores") < TOLERANCE
        size_xy = torch.tensor([width, height])
        curves = output.bezier_points[row, is_word] * size_xy
        # The original moves the curves' ends, not what bends them, into the image.
        curves[:, [0, 3, 4, 7]] = curves[:, [0, 3, 4, 7]].clamp(min=torch.zeros(2), max=size_xy)
        assert error(curves.flatten(1), f"{key}/beziers") < TOLERANCE
        centers, sizes = (output.proposal_boxes[row, is_word] * size_xy.repeat(2)).split(2, dim=1)
        corners = torch.cat([centers - sizes / 2, centers + sizes / 2], dim=1)
        corners = corners.clamp(min=torch.zeros(4), max=size_xy.repeat(2))
        assert error(corners, f"{key}/boxes") < TOLERANCE
        logits = output.character_logits[row, is_word]
        np.testing.assert_array_equal(logits.argmax(-1), arrays[f"{key}/recs"])
        words = SlotReading().read(logits.numpy(), upstream_abcnet.CHARACTERS_96)
        assert [word.text for word in words] == reference["runs"][run]["results"][row]["strings"]


def test_padding_is_no_word():
    _, output = outputs_of("v1_batch")
    assert output.score_logits.isfinite().sum(dim=1).flatten().tolist() == [37, 34]
    assert (output.score_logits[1, 34:] == -torch.inf).all()


# Curves in cells of the map; without the original's "aligned" it takes cell centres for their corners.
ALIGNMENTS = {
    "out_a": (1, 0.0),
    "out_b": (2, 0.0),
    "out_c": (1, 0.5),
    "out_d": (1, 0.0),
    "out_cpu_a": (1, 0.5),
}


@pytest.mark.parametrize("name", ALIGNMENTS)
def test_bezier_alignment_equals_the_original(name):
    samples, shift = ALIGNMENTS[name]
    maps = upstream_abcnet.normal_input("bezier_feat", (2, 5, 24, 40))
    rows = torch.from_numpy(golden()[1]["bezier_align/rois"])
    curves = rows[:, 1:].unflatten(1, (8, 2)) / 4 + shift
    features = [
        bezier_align(maps[int(row[0])], curve[None], (8, 32), samples)
        for row, curve in zip(rows, curves, strict=True)
    ]
    assert error(torch.cat(features), f"bezier_align/{name}") < TOLERANCE


@torch.no_grad()
def test_the_recogniser_equals_the_original():
    recognizer = upstream_abcnet.our_model("v1").head.recognizer
    features = upstream_abcnet.normal_input("att_rois", (5, 256, 8, 32))
    # The original's convolutions over a region belong to its other part.
    recognizer.region_convs = torch.nn.Identity()
    logits = recognizer(features)
    assert error(recognizer.encode(features).transpose(0, 1), "recogniser/crnn5") < TOLERANCE
    assert error(logits.log_softmax(-1), "recogniser/log_probs") < TOLERANCE
    np.testing.assert_array_equal(logits.argmax(-1), golden()[1]["recogniser/out5"])
    np.testing.assert_array_equal(recognizer(features[:1]).argmax(-1), golden()[1]["recogniser/out1"])
