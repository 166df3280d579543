"""A detector goes back into the original's format, and nothing changes on the way there and back."""

import re

import pytest
import torch

import tcm_checkpoints
from tcm_hf.conversion.convert_tcm import detector_of, load_tcm, stored_model
from tcm_hf.conversion.export_tcm import NO_COUNTERPART, export_state_dict, original_checkpoint
from tcm_hf.conversion.key_rules import KeyRule, moved, rename, split_qkv, transposed
from tcm_hf.conversion.original_names import to_original
from tcm_hf.conversion.tcm_prompts import prompt_text
from tcm_hf.modeling.configuration_tcm import TCMConfig
from tcm_hf.modeling.modeling_tcm import TCMForTextDetection
from tcm_hf.processing.image_processing_tcm import TCMImageProcessor

UNUSED = {
    "C_abl_onlylearn_tiny": 1,  # vis_gamma
    "C_abl_nolearn_tiny": 56,  # vis_gamma, gamma and a context decoder that is never read
    "C_vitb_tiny": 1,
    "C_segnet_tiny": 1,
}


@pytest.mark.parametrize(
    "case",
    [
        "C_dbnet_tiny",
        "C_dbnet_v2_tiny",
        "C_scale_tiny",
        "C_abl_onlylearn_tiny",
        "C_abl_nolearn_tiny",
        "C_pan_tiny",
        "C_fce_tiny",
        "C_vitb_tiny",
        "C_segnet_tiny",
    ],
)
def test_the_originals_tensors_come_back_to_the_bit(case):
    tensors = tcm_checkpoints.tensors_of(case)
    model = detector_of(tensors, tcm_checkpoints.stored_model(case)).model
    exported = original_checkpoint(model)["state_dict"]
    assert set(exported) <= set(tensors)
    assert len(tensors) - len(exported) == UNUSED.get(case, 0)
    assert all(torch.equal(tensor, tensors[name]) for name, tensor in exported.items())
    assert all(type(tensor) is torch.Tensor and not tensor.requires_grad for tensor in exported.values())


TEXT = {
    "hidden_size": 32,
    "intermediate_size": 128,
    "num_attention_heads": 4,
    "num_hidden_layers": 1,
    "max_position_embeddings": 20,
    "projection_dim": 24,
    "vocab_size": 99,
    "bos_token_id": 97,
    "eos_token_id": 98,
}
RESNET = {"tower_type": "clip_resnet", "depths": [1, 1, 1, 1], "width": 8, "embed_dim": 24, "grid_size": 3}
VIT = {
    "tower_type": "clip_vit",
    "hidden_size": 32,
    "intermediate_size": 128,
    "num_hidden_layers": 5,
    "num_attention_heads": 2,
    "image_size": 64,
    "embed_dim": 24,
    "out_layers": [1, 2, 3, 4],
}
DECODER = {"hidden_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2, "dropout": 0.3}
PROMPTS = {"prompt_token_ids": [[97, 5, 98], [97, 6, 7, 98]], "num_learnable_prompts": 2}


def small_config(tower=RESNET, **changes) -> TCMConfig:
    fields = {
        "method": "tcm",
        "image_tower_config": tower,
        "text_tower_config": TEXT,
        "visual_prompt_config": DECODER,
        "text_refiner_config": DECODER,
        "head_config": {"head_type": "dbnet", "neck_channels": 16},
        **PROMPTS,
    }
    return TCMConfig(**fields | changes)


OURS = {
    "two prompts": small_config(),
    "FastTCM": small_config(method="fasttcm"),
    "FastTCM, projected, without a language prompt": small_config(
        method="fasttcm", similarity_projection=True, language_prompt=False
    ),
    "FastTCM, neither": small_config(method="fasttcm", language_prompt=False),
    "learnable prompts alone": small_config(prompt_token_ids=None, text_refiner_config=None),
    "no learnable prompts": small_config(num_learnable_prompts=0),
    "ViT and PAN": small_config(
        VIT,
        matching_stage=2,
        head_config={"head_type": "pan", "neck_channels": 16, "num_enhancements": 3, "embedding_size": 5},
    ),
    "FCENet": small_config(head_config={"head_type": "fcenet", "neck_channels": 16, "fourier_degree": 3}),
    "SegNet": small_config(head_config={"head_type": "segnet", "neck_channels": 16}),
    "baseline": small_config(
        method="baseline", head_config={"head_type": "fcenet", "neck_channels": 16}, text_tower_config=None
    ),
}


@pytest.mark.parametrize("kind", OURS)
def test_ours_come_back_with_the_same_config_and_the_same_bits(tmp_path, kind):
    torch.manual_seed(1)
    model = TCMForTextDetection(OURS[kind]).eval()
    notes = export_state_dict(model, tmp_path / "x.pth")
    assert notes == ([NO_COUNTERPART] if kind in ("FastTCM", "FastTCM, neither") else [])
    back = load_tcm(tmp_path / "x.pth").model
    state, again = model.state_dict(), back.state_dict()
    assert state.keys() == again.keys()
    assert all(torch.equal(tensor, again[name]) for name, tensor in state.items())
    told, wanted = back.config.to_dict(), model.config.to_dict()
    same = ("method", "prompt_token_ids", "num_learnable_prompts", "language_prompt", "similarity_projection",
            "learn_temperature", "visual_prompt_config", "text_refiner_config", "matching_stage")  # fmt: skip
    if kind != "baseline":
        assert {name: told[name] for name in same} == {name: wanted[name] for name in same}
        assert told["image_tower_config"] == wanted["image_tower_config"]
        assert {name: told["text_tower_config"][name] for name in TEXT} == TEXT
    assert told["head_config"] == wanted["head_config"]


FULL_SIZE = {
    "tcm-dbnet-r50-td500": ("C_dbnet_tiny", {"backbone.attnpool.positional_embedding": (401, 2048)}),
    "tcm-dbnet-r50-ctw1500": (
        "C_dbnet_p32_tiny",
        {"contexts": (1, 32, 512), "text_encoder.positional_embedding": (46, 512)},
    ),
    "tcm-pan-r50-ic15": (
        "C_pan_tiny",
        {
            "backbone.attnpool.positional_embedding": (530, 2048),
            "neck.reduce_conv_c2.0.weight": (128, 256, 1, 1),
            "neck.reduce_conv_c5.0.weight": (128, 2049, 1, 1),
            "neck.fpems.1.down_add3.pointwise_conv.weight": (128, 128, 1, 1),
            "bbox_head.out_conv.weight": (6, 512, 1, 1),
        },
    ),
    "tcm-fcenet-r50-ic15": (
        "C_fce_tiny",
        {
            "backbone.attnpool.positional_embedding": (626, 2048),
            "neck.lateral_convs.0.conv.weight": (256, 512, 1, 1),
            "neck.lateral_convs.2.conv.weight": (256, 2049, 1, 1),
            "neck.fpn_convs.2.conv.weight": (256, 256, 3, 3),
            "bbox_head.out_conv_cls.weight": (4, 256, 3, 3),
            "bbox_head.out_conv_reg.weight": (22, 256, 3, 3),
        },
    ),
    "tcm-dbnet-vit-b16": (
        "C_vitb_tiny",
        {
            "backbone.conv1.weight": (768, 3, 16, 16),
            "backbone.proj": (768, 512),
            "neck.lateral_convs.2.conv.weight": (256, 769, 1, 1),
        },
    ),
    "tcm-segnet-r50": ("C_segnet_tiny", {"bbox_head.fc.weight": (256, 1024)}),
}
"""Preset -> golden case of the same make, and shapes that are published or follow from its configuration."""


def names_without_numbers(names):
    """Layers and blocks are more in full size; which stage or branch a name is of stays."""
    counted = re.compile(
        r"(layer\d|resblocks|context_decoder\.decoder|visual_prompt_generator\.decoder)\.\d+\."
    )
    return {counted.sub(r"\1.N.", name) for name in names}


@pytest.mark.parametrize("preset", FULL_SIZE)
def test_full_size_names_and_shapes_are_the_originals(preset):
    """Names that are wrong both ways would survive every round trip."""
    case, published = FULL_SIZE[preset]
    with torch.device("meta"):
        model = TCMForTextDetection(TCMConfig.from_preset(preset))
    exported = tcm_checkpoints.in_original_names(model.state_dict(), model)
    shapes = {name: tuple(tensor.shape) for name, tensor in exported.items()}
    small = {name: tuple(tensor.shape) for name, tensor in tcm_checkpoints.shapes_of(case).items()}
    unused = {"vis_gamma"} if UNUSED.get(case) else set()
    assert names_without_numbers(shapes) == names_without_numbers(small) - unused
    kernels = {name: shape[2:] for name, shape in small.items() if len(shape) == 4}
    assert [name for name in kernels.keys() & shapes.keys() if shapes[name][2:] != kernels[name]] == []
    assert {name: shapes[name] for name in published} == published


def test_a_full_size_detector_has_the_originals_inventory():
    with torch.device("meta"):
        model = TCMForTextDetection(TCMConfig.from_preset("tcm-dbnet-r50-td500"))
    exported = tcm_checkpoints.in_original_names(model.state_dict(), model)
    wanted = tcm_checkpoints.shapes_of("C_dbnet_full")
    grid = "backbone.attnpool.positional_embedding"  # of a smaller picture there
    assert exported.keys() == wanted.keys()
    assert {name for name in wanted if exported[name].shape != wanted[name].shape} <= {grid}


def test_the_file_is_plain_and_says_how_to_build_the_model_around_it(tmp_path):
    tensors = tcm_checkpoints.tensors_of("C_fce_tiny")
    stored = tcm_checkpoints.stored_model("C_fce_tiny")
    processor = TCMImageProcessor.from_preset("tcm-fcenet-r50-ic15")
    export_state_dict(detector_of(tensors, stored).model, tmp_path / "x.pth", image_processor=processor)
    content = torch.load(tmp_path / "x.pth", weights_only=True)
    assert set(content) == {"meta", "state_dict"}
    model = stored_model(content["meta"])
    assert content["meta"]["prompt_token_ids"] == model.pop("prompt_token_ids")
    ignored = {"style", "pix_text_match_stage_index", "outdim", "postprocessor", "loss"}
    for part in ("backbone", "text_encoder", "prompt_generator", "context_decoder", "neck", "bbox_head"):
        wanted = {name: value for name, value in stored[part].items() if name not in ignored}
        assert {name: model[part].get(name) for name in wanted} == wanted, part
    postprocessor = stored["bbox_head"]["postprocessor"]
    assert postprocessor.items() <= model["bbox_head"]["postprocessor"].items()
    for name in (
        "type",
        "class_names",
        "context_length",
        "score_concat_index",
        "token_embed_dim",
        "text_dim",
    ):
        assert model[name] == stored[name], name


def test_prompts_are_spelled_where_they_are_sentences():
    assert prompt_text([49406, 4160, 49407]) == "text"
    assert prompt_text([49406, 320, 1125, 539, 4160, 269, 49407]) == "a photo of text ."
    # No sentence gives these: the tokenizer would merge them.
    for ids in ([49406, 49407], [5, 6, 7], [49406, 320, 99999, 49407], [49406, 83, 68, 49407]):
        with pytest.raises(ValueError, match="is no sentence of CLIP's vocabulary"):
            prompt_text(ids)


def test_a_cached_text_embedding_has_no_way_back():
    model = TCMForTextDetection(small_config(method="fasttcm"))
    model.cache_text_embeddings()
    with pytest.raises(ValueError, match="no way back: export the checkpoint that it was made of"):
        original_checkpoint(model)


def test_a_trunk_that_the_original_does_not_have_is_refused():
    timm = {"tower_type": "timm", "trunk": "resnet10t", "embed_dim": 24}
    with pytest.raises(ValueError, match="The original has no image tower 'timm'"):
        original_checkpoint(TCMForTextDetection(small_config(timm)))


def test_a_table_backwards_undoes_splits_and_transposes():
    rules = [
        *moved([split_qkv(r"in_(weight|bias)", r"\1.{part}")], "a.b.", "x."),
        transposed("proj", "proj.weight"),
        rename(r"l(\d+)\.(up|down)_add([12])\.w", r"levels.\1.\2.\3.\1"),
    ]
    fused, matrix = torch.arange(6.0), torch.arange(6.0).reshape(2, 3)
    ours = {f"x.weight.{part}": chunk for part, chunk in zip("qkv", fused.chunk(3), strict=True)}
    ours |= {"proj.weight": matrix.T.contiguous(), "levels.7.down.2.7": matrix}
    back = to_original(ours, rules)
    assert set(back) == {"a.b.in_weight", "proj", "l7.down_add2.w"}
    assert torch.equal(back["a.b.in_weight"], fused) and torch.equal(back["proj"], matrix)
    with pytest.raises(ValueError, match=r"levels\.7\.down\.2\.8 has no name in the original's"):
        to_original({"levels.7.down.2.8": matrix}, rules)
    del ours["x.weight.k"]
    with pytest.raises(ValueError, match="is made of 3 tensors of ours: only 2 are there"):
        to_original(ours, rules)
    with pytest.raises(ValueError, match="cannot be read backwards"):
        to_original({"a": matrix}, [KeyRule(r"a\d", ("a",))])
