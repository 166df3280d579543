"""The key tables name every tensor of a CLIP, and what they rename computes the same as the original."""

import json

import pytest
import timm
import torch
from timm.models.byobnet import ByoBlockCfg

import clip_checkpoints
import golden_files
from tcm_hf.conversion.from_clip import from_clip
from tcm_hf.conversion.key_rules import apply_rules, moved, rename, split_qkv, transposed
from tcm_hf.conversion.keys_clip import CLIP_MODEL, CLIP_TO_TCM, IGNORABLE, IGNORABLE_FOR_TCM
from tcm_hf.conversion.keys_clip4str import CLIP4STR
from tcm_hf.conversion.tower_sizes import resize_grid
from tcm_hf.modeling.configuration_tcm import TCMConfig

DEPTHS, WIDTH, EMBED = (1, 2, 1, 1), 16, 32


def small_tcm_config(**overrides) -> TCMConfig:
    """A detector whose image tower is the small ResNet CLIP of `clip_checkpoints`, grid included."""
    return TCMConfig(
        image_tower_config={
            "depths": DEPTHS,
            "width": WIDTH,
            "embed_dim": EMBED,
            "num_attention_heads": 8,
            "grid_size": 2,
        },
        text_tower_config={
            "hidden_size": 64,
            "intermediate_size": 256,
            "num_attention_heads": 1,
            "num_hidden_layers": 2,
            "max_position_embeddings": 18,
        },
        head_config={"neck_channels": 16},
        **overrides,
    )


def test_a_fused_projection_is_split_in_the_order_queries_keys_values_and_a_matrix_is_transposed():
    rules = [split_qkv(r"in_proj_(weight|bias)", r"{part}.\1"), transposed("proj", "proj.weight")]
    fused, matrix = torch.arange(12.0).reshape(6, 2), torch.arange(6.0).reshape(2, 3)
    result = apply_rules({"in_proj_weight": fused, "proj": matrix}, rules)
    assert torch.equal(result.tensors["q.weight"], fused[:2])
    assert torch.equal(result.tensors["k.weight"], fused[2:4])
    assert torch.equal(result.tensors["v.weight"], fused[4:])
    assert torch.equal(result.tensors["proj.weight"], matrix.T)
    assert all(tensor.is_contiguous() for tensor in result.tensors.values())


def test_every_name_is_taken_left_out_for_a_reason_or_reported():
    rules = [*moved([rename("a|b", "x")], "old.", "new."), split_qkv("w", "{part}")]
    names = ("old.a", "old.b", "old.ab", "b", "w", "skipped.7")
    tensors = {name: torch.zeros(2) for name in names}
    result = apply_rules(tensors, rules, {r"skipped\.\d": "not needed"})
    assert result.sources == {"new.x": "old.a"}
    assert result.doubled == {"old.b": "new.x"}
    assert set(result.unknown) == {"old.ab", "b"}
    assert set(result.misshaped) == {"w"}
    assert result.ignored == {"skipped.7": "not needed"}


def test_the_table_of_clip4str_knows_every_name_of_the_original():
    reference, _ = golden_files.load("clip4str_tiny")
    inventory = {name: tuple(shape) for name, (shape, _) in reference["state_dict"].items()}
    sizes = {"width": 128, "layers": 2, "embed": 64, "image_size": 224}
    assert clip_checkpoints.clip4str_shapes(**sizes) == inventory
    tensors = {name: torch.empty(shape, device="meta") for name, shape in inventory.items()}
    result = apply_rules(tensors, CLIP4STR)
    assert not (result.unknown or result.doubled or result.misshaped)


@pytest.mark.parametrize("quick_gelu", [True, False])
def test_a_vit_gives_the_features_that_open_clip_computes(tmp_path, quick_gelu):
    open_clip = pytest.importorskip("open_clip")
    torch.manual_seed(0)
    vision = {"layers": 2, "width": 64, "head_width": 32, "patch_size": 16, "image_size": 48}
    text = {"context_length": 16, "width": 64, "heads": 1, "layers": 2}
    original = open_clip.model.CLIP(EMBED, vision, text, quick_gelu=quick_gelu).eval()
    config = {"model_cfg": {"vision_cfg": vision, "text_cfg": text, "quick_gelu": quick_gelu}}
    torch.save(original.state_dict(), tmp_path / "open_clip_pytorch_model.bin")
    (tmp_path / "open_clip_config.json").write_text(json.dumps(config))
    model = from_clip(tmp_path, "clip4str")
    images = torch.randn(2, 3, 48, 48)
    ids = torch.tensor([[49406, 518, 4160, 49407] + [0] * 12, [49406, 269, 49407] + [0] * 13])
    with torch.inference_mode():
        torch.testing.assert_close(
            model.get_image_features(images).pooler_output, original.encode_image(images), atol=1e-5, rtol=0
        )
        torch.testing.assert_close(
            model.get_caption_features(ids).pooler_output, original.encode_text(ids), atol=1e-5, rtol=0
        )


def test_a_resnet_gives_the_features_that_open_clip_computes(tmp_path):
    open_clip = pytest.importorskip("open_clip")
    vision = {"layers": list(DEPTHS), "width": WIDTH, "image_size": 64}
    text = {"context_length": 77, "width": 64, "heads": 1, "layers": 2}
    original = open_clip.model.CLIP(EMBED, vision, text, quick_gelu=True).eval()
    shapes = clip_checkpoints.resnet_shapes(DEPTHS, WIDTH, EMBED)
    tensors = clip_checkpoints.seeded(shapes)
    original.load_state_dict(tensors, strict=True)
    torch.save(tensors, tmp_path / "RN.pt")
    model = from_clip(tmp_path / "RN.pt", small_tcm_config(), activation="quick_gelu")
    images = torch.randn(2, 3, 64, 64, generator=torch.Generator().manual_seed(1))
    with torch.inference_mode():
        ours, theirs = model.model.image_tower(images).global_embedding, original.encode_image(images)
    torch.testing.assert_close(ours, theirs, atol=1e-5 * theirs.std().item(), rtol=1e-4)


@pytest.mark.parametrize("fused", [False, True], ids=["separate", "fused qkv"])
def test_a_timm_resnet_gives_the_embedding_that_timm_computes(tmp_path, fused):
    blocks = tuple(
        ByoBlockCfg(type="bottle", d=depth, c=4 * WIDTH * 2**stage, s=1 if stage == 0 else 2, br=0.25)
        for stage, depth in enumerate(DEPTHS)
    )
    torch.manual_seed(0)
    stem = (WIDTH // 2, WIDTH // 2, WIDTH)
    original = timm.create_model(
        "resnet50_clip", blocks=blocks, stem_chs=stem, img_size=64, num_classes=EMBED
    ).eval()
    tensors = original.state_dict()
    if fused:
        for leaf in ("weight", "bias"):
            parts = [tensors.pop(f"head.{part}.{leaf}") for part in "qkv"]
            tensors[f"head.qkv.{leaf}"] = torch.cat(parts)
    torch.save(tensors, tmp_path / "pytorch_model.bin")
    model = from_clip(tmp_path, small_tcm_config())
    images = torch.randn(2, 3, 64, 64)
    with torch.inference_mode():
        torch.testing.assert_close(
            model.model.image_tower(images).global_embedding, original(images), atol=1e-5, rtol=1e-4
        )


def test_positions_are_resized_as_the_original_detector_does():
    _, arrays = golden_files.load("H_misc")
    rule = golden_files.tensor("visual.attnpool.positional_embedding", (50, 512))
    resized = resize_grid(torch.from_numpy(rule), 20)
    assert resized.shape == (401, 512)
    stored = torch.from_numpy(arrays["rn_pos_7_to_20"])
    torch.testing.assert_close(resized.flatten()[::53], stored, atol=1e-5, rtol=1e-5)


def test_positions_of_the_same_grid_stay_as_they_are_and_others_must_be_square():
    positions = torch.randn(10, 3)
    assert resize_grid(positions, 3) is positions
    with pytest.raises(ValueError, match="square grid"):
        resize_grid(torch.randn(8, 3), 3)


def test_the_numbers_and_masks_in_clip_files_are_left_out_for_a_reason():
    extra = {
        name: torch.zeros(()) for name in ("input_resolution", "context_length", "vocab_size", "attn_mask")
    }
    assert set(apply_rules(extra, CLIP_MODEL, IGNORABLE).ignored) == set(extra)
    assert set(apply_rules(extra, CLIP_TO_TCM, IGNORABLE_FOR_TCM).ignored) == set(extra)
