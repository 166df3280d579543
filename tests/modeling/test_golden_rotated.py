"""TCM's rotated detectors against the original program, stage by stage, up to the suppressed boxes."""

import zlib

import numpy as np
import pytest
import torch

import golden_files
from tcm_hf.modeling.rotated_head import foreground_matching_loss
from tcm_hf.processing.decode_rotated import decode_rotated, rotated_candidates
from upstream_rotated import error, golden, images, our_model

TOLERANCE = 5e-4
HEADS = ("fcos", "atss", "retina")


def hooked(model) -> dict:
    """Where the next forward pass puts the outputs of parts that a model's output does not hold."""
    seen = {}
    parts = {
        "tower": model.model.image_tower,
        "text_encoder": model.model.text_tower,
        "vis_prompt_diff": model.model.visual_prompter.generator,
        "text_diff": model.model.text_refiner.decoder,
        "fpn": model.head.neck,
    }
    for name, part in parts.items():
        part.register_forward_hook(lambda _, inputs, output, name=name: seen.__setitem__(name, output))
    return seen


@torch.no_grad()
def stages(head: str) -> dict[str, torch.Tensor]:
    """Every stage of a run in the original's names and layouts."""
    model = our_model(head)
    seen = hooked(model)
    backbone = model.model(images("rot_tiny", (2, 3, 128, 128)))
    maps = model.head(backbone)
    found = {f"backbone/{i}": level for i, level in enumerate(seen["tower"].feature_maps)}
    found |= {"global": seen["tower"].global_embedding, "local": seen["tower"].dense_embedding}
    found |= {"text_encoder": seen["text_encoder"][None], "score_map": backbone.matching_map / 0.07}
    found |= {name: seen[name] for name in ("vis_prompt_diff", "text_diff")}
    for i, level in enumerate(seen["fpn"]):

        def as_map(values: torch.Tensor, size_hw=level.shape[-2:]) -> torch.Tensor:
            return values.reshape(2, *size_hw, -1).movedim(-1, 1)

        boxes = as_map(maps.box_values[i])
        found |= {f"fpn/{i}": level, f"head/cls{i}": as_map(maps.class_logits[i]), f"head/bbox{i}": boxes}
        if head == "fcos":
            found |= {f"head/bbox{i}": boxes[:, :4], f"head/angle{i}": boxes[:, 4:]}
        if maps.centerness_logits is not None:
            found[f"head/centerness{i}"] = as_map(maps.centerness_logits[i])
    return found


@pytest.mark.parametrize("head", HEADS)
def test_every_stage_equals_the_original(head):
    reference, arrays = golden()
    found = stages(head)
    expected = [
        name.removeprefix(f"{head}/") for name in arrays if name.startswith(f"{head}/") and "/p" not in name
    ]
    assert set(expected) <= set(found)
    for name in (name for name in found if name in expected):  # the first that differs is named
        key = f"{head}/{name}"
        assert error(found[name], arrays[key], reference["outputs"][key]) < TOLERANCE, key


@pytest.mark.parametrize("head", HEADS)
@torch.no_grad()
def test_boxes_before_and_after_suppression_equal_the_original(head):
    _, arrays = golden()
    output = our_model(head)(images("rot_tiny", (2, 3, 128, 128)))
    for i in range(2):
        predictions = [
            None if levels is None else [level[i].numpy() for level in levels]
            for levels in (output.class_logits, output.boxes, output.centerness_logits)
        ]
        for stage, decode in (("pre", rotated_candidates), ("post", decode_rotated)):
            found, key = decode(*predictions), f"{head}/{stage}{i}"
            labels, scores, boxes = (arrays[f"{key}/{name}"] for name in ("labels", "scores", "boxes"))
            np.testing.assert_allclose(found.scores, scores, atol=1e-5)
            # Neighbours with all but equal scores change places with the number of threads.
            ties = np.cumsum(np.diff(scores, prepend=scores[:1]) < -1e-5)
            ours = np.lexsort((found.boxes[:, 0], found.labels, ties))
            theirs = np.lexsort((boxes[:, 0], labels, ties))
            np.testing.assert_array_equal(found.labels[ours], labels[theirs])
            np.testing.assert_allclose(found.boxes[ours], boxes[theirs], rtol=1e-5, atol=1e-3)


@torch.no_grad()
def test_the_foreground_matching_loss_equals_the_original():
    reference, _ = golden()
    rng = np.random.default_rng(zlib.crc32(b"input:rot_seg"))
    foreground = torch.from_numpy(rng.random((2, 32, 32)) > 0.5)
    masks = torch.from_numpy(rng.random((2, 15, 32, 32)) > 0.9)
    model = our_model("fcos").model
    logits = model.matching_logits(model(images("rot_tiny", (2, 3, 128, 128))).matching_map)
    loss = foreground_matching_loss(logits, masks, foreground)
    assert loss.item() == pytest.approx(reference["runs"]["seg_loss"]["value"], rel=1e-5)


def test_positions_are_resized_as_the_original_resizes_them_when_it_is_built():
    reference, arrays = golden()
    stored = golden_files.tensor("clip.visual.attnpool.positional_embedding", [50, 512])
    pool = our_model("fcos").model.image_tower.attention_pool
    positions, grid_size = pool.position_embedding, pool.grid_size
    pool.position_embedding, pool.grid_size = torch.nn.Parameter(torch.from_numpy(stored)), 7
    resized = pool._positions((4, 4), torch.float32)
    pool.position_embedding, pool.grid_size = positions, grid_size
    assert error(resized, arrays["posembed_resized"], reference["outputs"]["posembed_resized"]) < TOLERANCE


def test_the_class_names_are_the_originals():
    reference, _ = golden()
    config = our_model("fcos").config
    assert list(config.id2label.values()) == reference["runs"]["class_names"]
    padded = [ids + [0] * (8 - len(ids)) for ids in config.prompt_token_ids]
    assert padded == reference["runs"]["text_ids"]
