"""The spotter against the original TESTR of TCM, stage by stage (shared/golden/README.md)."""

from functools import cache

import numpy as np
import pytest
import torch

import upstream_testr
from tcm_hf.modeling.testr import LayerPredictions
from tcm_hf.processing.decode_spotting import decode_spotting
from upstream_testr import TOLERANCE, error, golden, images

LOSSES = {
    "loss_proposal_score": "loss_ce_enc",
    "loss_proposal_box": "loss_bbox_enc",
    "loss_proposal_giou": "loss_giou_enc",
    "loss_score": "loss_ce",
    "loss_control_points": "loss_ctrl_points",
    "loss_characters": "loss_texts",
    "loss_score_0": "loss_ce_0",
    "loss_control_points_0": "loss_ctrl_points_0",
    "loss_characters_0": "loss_texts_0",
    "loss_matching": "loss_pix_cls",
}
SIZES_HW = {"v1_batch": [(128, 160), (96, 128)]}


@cache
def outputs_of(run):
    """Every stage of a run by the original's names, and our output."""
    model, seen = upstream_testr.our_model(run), {}
    parts = {
        "tower": model.model.image_tower,
        "backbone": model.model,
        "prompt": model.model.prompt.language_prompt_generator,
        "text": model.model.text_tower,
        "visual_prompt": model.model.visual_prompter.generator,
        "text_refiner": model.model.text_refiner.decoder,
        "encoder": model.head.encoder,
        "proposals": model.head.proposals,
        "points": model.head.control_point_decoder,
        "characters": model.head.character_decoder,
    }
    for name, part in parts.items():
        part.register_forward_hook(lambda _, __, output, name=name: seen.update({name: output}))
    with torch.no_grad():
        output = model(**images(run))
    batch = output.score_logits.shape[0]
    stages = {f"backbone/res{i + 2}": seen["tower"].feature_maps[i] for i in (1, 2, 3)}
    stages |= {
        "features/res4": seen["backbone"].feature_maps[-2],
        "prompt": seen["prompt"].expand(batch, -1),
        "text_embeddings": seen["text"][:, None].expand(batch, -1, -1),
        "vis_prompt_diff": seen["visual_prompt"],
        "text_diff": seen["text_refiner"],
        "pix_cls_score_map": output.matching_map,
        "encoder_memory": seen["encoder"].tokens,
        "enc_pred_logits": seen["proposals"].score_logits[..., None],
        "enc_pred_boxes": seen["proposals"].boxes,
        "topk_index": output.proposal_index,
        "init_reference": output.proposal_boxes,
        "hs_first": seen["points"][0],
        "hs_last": seen["points"][-1],
        "hs_text_last": seen["characters"][-1],
        "pred_logits": output.score_logits[..., None],
        "pred_ctrl_points": places_of(output),
        "pred_texts": output.character_logits,
    }
    return stages, output


def places_of(output):
    return output.bezier_points if output.control_points is None else output.control_points


@pytest.mark.parametrize("run", upstream_testr.RUNS)
def test_every_stage_of_a_run_equals_the_original(run):
    stages, _ = outputs_of(run)
    known = {name: f"{run}/{name}" for name in stages if f"{run}/{name}" in golden()[1]}
    assert len(known) >= 16
    assert [name for name, key in known.items() if not error(stages[name], key) < TOLERANCE] == []


@pytest.mark.parametrize("run", upstream_testr.RUNS)
def test_words_and_outlines_equal_the_original(run):
    reference, arrays = golden()
    _, output = outputs_of(run)
    if f"{run}/result0/scores" not in arrays:
        pytest.skip("the results of this run are in shared/golden only")
    settings = upstream_testr.config_of(reference["config"].get(run, reference["config"]["v1"]))
    for row, size_hw in enumerate(SIZES_HW.get(run, [(256, 320)])):
        # Curves are compared by their control points, which the original gives.
        found = decode_spotting(
            {
                "score_logits": output.score_logits[row].numpy(),
                "control_points": places_of(output)[row].numpy(),
                "character_logits": output.character_logits[row].numpy(),
            },
            size_hw=size_hw,
        )
        words = found.reading.read(found.logits, settings.characters)
        key = f"{run}/result{row}"
        outline = "beziers" if run == "bezier" else "polygons"
        assert error(torch.from_numpy(found.scores), f"{key}/scores") < TOLERANCE
        points = torch.from_numpy(np.stack(found.polygons_xy)).flatten(1)
        assert error(points, f"{key}/{outline}") < TOLERANCE
        about = reference["runs"][run]["results"][row]
        assert [word.text for word in words][: len(about["strings"])] == about["strings"]


@cache
def losses():
    model = upstream_testr.our_model("v1_batch")
    with torch.no_grad():
        return model, model(**images("v1_batch"), labels=upstream_testr.labels())


def test_every_loss_equals_the_original():
    _, output = losses()
    reference = golden()[0]["runs"]["losses_v1_batch"]
    assert set(output.loss_dict) == set(LOSSES)
    for ours, theirs in LOSSES.items():
        expected = reference["unweighted"][theirs] * reference["weights"][theirs]
        assert output.loss_dict[ours].item() == pytest.approx(expected, rel=1e-5), ours
    assert output.loss.item() == pytest.approx(sum(value.item() for value in output.loss_dict.values()))


def test_words_are_matched_with_the_same_queries():
    model, output = losses()
    layer = LayerPredictions(output.score_logits, output.control_points, output.character_logits)
    targets = torch.cat([label["control_points"] for label in upstream_testr.labels()])
    pairs = model.head.match_words(layer, targets, [3, 2])
    _, arrays = golden()
    np.testing.assert_array_equal(pairs.image, [0, 0, 0, 1, 1])
    np.testing.assert_array_equal(pairs.query, [*arrays["train/match0"][0], *arrays["train/match1"][0]])
    np.testing.assert_array_equal(pairs.word, [*arrays["train/match0"][1], *(3 + arrays["train/match1"][1])])
