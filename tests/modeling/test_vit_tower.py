"""CLIP's vision transformer as an image tower: sizes, pyramid, transformers' weights, training, saving."""

import copy

import numpy as np
import pytest
import torch
from transformers import CLIPVisionConfig, CLIPVisionModel

from tcm_hf.data.targets_fcenet import fcenet_targets
from tcm_hf.modeling.configuration_towers import CLIPViTTowerConfig
from tcm_hf.modeling.modeling_tcm import TCMForTextDetection, TCMModel
from tiny import tiny_config, tiny_images, tiny_labels, tiny_model

METHODS = ["baseline", "tcm", "fasttcm"]
VIT = {
    "tower_type": "clip_vit",
    "hidden_size": 16,
    "intermediate_size": 32,
    "num_hidden_layers": 4,
    "num_attention_heads": 2,
    "image_size": 64,
    "embed_dim": 16,
    "out_layers": [0, 1, 2, 3],
}
FCENET = {"head_type": "fcenet", "neck_channels": 16}
ODD_GRID_HW = (48, 80)  # 3 x 5 patches of 16


def vit_model(method="fasttcm", head=None, **tower):
    options = {} if head is None else {"head_config": head}
    return tiny_model(method, image_tower_config=VIT | tower, matching_stage=2, **options)


def vit_tower(method="fasttcm", **tower):
    return vit_model(method, **tower).model.image_tower


def with_checkpointing(model):
    model = copy.deepcopy(model)
    getattr(model, "activation_checkpointing_enable", model.gradient_checkpointing_enable)()
    return model


def gradients(model, size_hw):
    torch.manual_seed(0)  # dropout, drop path
    model.train()(tiny_images(size_hw=size_hw), labels=tiny_labels(size_hw=size_hw)).loss.backward()
    return {name: one.grad for name, one in model.named_parameters() if one.requires_grad}


# ---- sizes -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("patch_size", "size_hw"),
    [
        (16, (64, 96)),
        (16, ODD_GRID_HW),
        (16, (16, 32)),  # one row of patches
        (8, (64, 96)),
        (8, (40, 72)),  # 5 x 9 patches
        (8, (8, 8)),  # one patch
        (4, (20, 36)),
        (32, (64, 96)),
        (32, (32, 96)),
    ],
)
def test_any_image_of_whole_patches_gives_a_pyramid_of_strides_4_to_32(patch_size, size_hw):
    tower = vit_tower(patch_size=patch_size)
    with torch.no_grad():
        output = tower(tiny_images(2, size_hw))
    for stride, feature_map in zip((4, 8, 16, 32), output.feature_maps, strict=True):
        assert feature_map.shape == (2, 16, -(-size_hw[0] // stride), -(-size_hw[1] // stride))
    assert output.global_embedding.shape == (2, 16)
    assert output.dense_embedding.shape == (2, 16, size_hw[0] // patch_size, size_hw[1] // patch_size)


@pytest.mark.parametrize("patch_size", [8, 16])
@pytest.mark.parametrize("size_hw", [ODD_GRID_HW, (64, 96)])
def test_the_maps_of_dbnet_have_the_size_of_the_image(patch_size, size_hw):
    model = vit_model(patch_size=patch_size)
    output = model(tiny_images(2, size_hw), labels=tiny_labels(2, size_hw))
    assert output.probability_map.shape == (2, *size_hw)
    assert torch.isfinite(output.loss)


def test_pan_reads_a_pyramid_of_an_odd_grid():
    model = vit_model(head={"head_type": "pan", "neck_channels": 16})
    whole = torch.ones(2, *ODD_GRID_HW)
    labels = {"instance_map": whole, "kernel_map": whole, "text_mask": whole}
    output = model(tiny_images(2, ODD_GRID_HW), labels=labels)
    assert output.text_logits.shape == (2, 12, 20)
    assert torch.isfinite(output.loss)


def fcenet_labels(words, size_hw):
    targets = fcenet_targets(words, [False] * len(words), size_hw)
    return {name: torch.from_numpy(value)[None] for name, value in targets.items()}


@pytest.mark.parametrize("method", METHODS)
def test_fcenet_trains_on_a_pyramid_of_an_odd_grid(method):
    model = vit_model(method, head=FCENET, drop_path_rate=0.0).train()
    words = [np.array([[x, y], [x + 20, y], [x + 20, y + 12], [x, y + 12]]) for x in (4, 56) for y in (4, 34)]
    output = model(tiny_images(1, ODD_GRID_HW), labels=fcenet_labels(words, ODD_GRID_HW))
    assert [tuple(logits.shape[-2:]) for logits in output.region_logits] == [(6, 10), (3, 5), (2, 3)]
    output.loss.backward()
    assert torch.isfinite(output.loss)
    trained = {name: one for name, one in model.named_parameters() if one.requires_grad}
    assert [name for name, one in trained.items() if one.grad is None] == []  # which stops torch's DDP


@pytest.mark.parametrize(("patch_size", "size_hw"), [(16, (64, 72)), (8, (60, 64)), (16, (0, 16))])
def test_sizes_that_are_not_whole_patches_are_refused(patch_size, size_hw):
    with pytest.raises(ValueError, match=rf"multiples of {patch_size}.*{size_hw[0]}, {size_hw[1]}"):
        vit_model(patch_size=patch_size)(torch.zeros(1, 3, *size_hw))


def test_the_matching_map_has_the_resolution_of_the_patches_and_fits_its_stage():
    model = vit_model(patch_size=8).model
    with torch.no_grad():
        output = model(tiny_images(1, (64, 96)))
    assert output.matching_map.shape == (1, 1, 8, 12)
    assert output.feature_maps[2].shape == (1, 17, 4, 6)
    assert model.channels == [16, 16, 17, 16]


# ---- what is computed --------------------------------------------------------------------------------


def test_transformers_weights_load_by_name_and_give_the_same_tokens():
    """A grid of the stored size and no class embedding, which the original adds twice."""
    sizes = {name: VIT[name] for name in VIT if name.startswith(("hidden", "interm", "num", "image"))}
    clip = CLIPVisionModel(CLIPVisionConfig(**sizes, patch_size=16)).eval()
    torch.nn.init.zeros_(clip.embeddings.class_embedding)
    tower = vit_tower()
    report = tower.load_state_dict(clip.state_dict(), strict=False)
    assert not report.unexpected_keys
    assert {name.split(".")[0] for name in report.missing_keys} == {"pyramid", "visual_projection"}
    images = tiny_images(2, (64, 64))
    with torch.no_grad():
        expected = clip.post_layernorm(clip(images).last_hidden_state)
        expected = tower.visual_projection(expected)
        output = tower(images)
    torch.testing.assert_close(output.global_embedding, expected[:, 0])
    torch.testing.assert_close(output.dense_embedding.flatten(2).transpose(1, 2), expected[:, 1:])


def test_feature_maps_come_from_the_chosen_layers():
    tower = vit_tower(out_layers=[1, 1, 2, 2])
    seen = []
    for layer in tower.encoder.layers:
        layer.register_forward_hook(lambda module, inputs, output: seen.append(output[:, 1:]))
    with torch.no_grad():
        maps = tower(tiny_images(2, ODD_GRID_HW)).feature_maps
        to_grid = [tokens.transpose(1, 2).unflatten(2, (3, 5)) for tokens in seen]
        for level, layer, found in zip(tower.pyramid.values(), (1, 1, 2, 2), maps, strict=True):
            torch.testing.assert_close(found, level(to_grid[layer]))


def test_levels_that_nobody_reads_are_not_made(tmp_path):
    tower = vit_model(head=FCENET).model.image_tower
    assert {name.split(".")[1] for name in tower.state_dict() if name.startswith("pyramid")} == {
        "1",
        "2",
        "3",
    }
    assert [one is None for one in tower(tiny_images()).feature_maps] == [True, False, False, False]
    vit_model().save_pretrained(tmp_path)
    whole = TCMModel.from_pretrained(tmp_path).eval()
    chosen, info = TCMModel.from_pretrained(tmp_path, out_features=["stage3"], output_loading_info=True)
    assert not any(info.values())
    assert list(chosen.image_tower.pyramid) == ["2"]
    with torch.no_grad():
        found, expected = (one.eval()(tiny_images(), output_hidden_states=True) for one in (chosen, whole))
    torch.testing.assert_close(found.feature_maps, expected.feature_maps[2:3])
    assert (len(found.hidden_states), len(expected.hidden_states)) == (1, 4)
    chosen.out_features = ["stage1", "stage3"]
    with pytest.raises(ValueError, match=r"out_features.*before the model is built.*stage1"):
        chosen(tiny_images())


def test_the_baseline_has_no_layers_behind_the_last_one_that_is_read():
    config = tiny_config("baseline", image_tower_config=VIT, out_features=["stage2"])
    assert len(TCMModel(config).image_tower.encoder.layers) == 2


def test_two_models_of_one_part_have_their_own_kernels():
    part = CLIPViTTowerConfig(**VIT)
    before = part.to_dict(), part._attn_implementation
    models = [TCMModel(tiny_config(image_tower_config=part)) for _ in range(2)]
    assert (part.to_dict(), part._attn_implementation) == before
    models[0].set_attn_implementation("eager")
    kernels = [one.image_tower.encoder.layers[0].self_attn.config._attn_implementation for one in models]
    assert kernels == ["eager", "sdpa"]


def test_one_image_alone_gives_what_it_gives_in_a_batch():
    model, images = vit_model("tcm"), tiny_images(3, ODD_GRID_HW)
    with torch.no_grad():
        together = model(images).probability_map
        alone = torch.cat([model(image[None]).probability_map for image in images])
    torch.testing.assert_close(alone, together, rtol=0, atol=1e-5)


@pytest.mark.parametrize("method", METHODS)
def test_eager_and_sdpa_attention_agree(method):
    images, model = tiny_images(), vit_model(method)
    results = {}
    with torch.no_grad():
        for kernel in ("eager", "sdpa"):
            model.set_attn_implementation(kernel)
            attention = model.model.image_tower.encoder.layers[0].self_attn
            assert attention.config._attn_implementation == kernel
            results[kernel] = model(images).probability_map
    torch.testing.assert_close(results["eager"], results["sdpa"], rtol=0, atol=1e-5)


def test_torch_compile_finds_no_graph_break():
    torch._dynamo.reset()
    tower, images = vit_tower(), tiny_images(2, ODD_GRID_HW)
    compiled = torch.compile(tower, fullgraph=True, backend="eager")
    with torch.no_grad():
        torch.testing.assert_close(compiled(images).dense_embedding, tower(images).dense_embedding)


# ---- training ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("method", METHODS)
def test_every_trainable_parameter_gets_a_gradient(method):
    found = gradients(vit_model(method, drop_path_rate=0.0), ODD_GRID_HW)
    assert [name for name, gradient in found.items() if gradient is None] == []


def test_the_baseline_has_no_embeddings_and_no_layers_behind_its_pyramid():
    tower = vit_tower("baseline", out_layers=[0, 0, 1, 2])
    assert len(tower.encoder.layers) == 3
    assert not [name for name in tower.state_dict() if name.startswith(("post_", "visual_"))]
    with torch.no_grad():
        assert tower(tiny_images())[1:] == (None, None)


@pytest.mark.parametrize("method", METHODS)
def test_gradient_checkpointing_recomputes_and_changes_no_gradient(method):
    model = vit_model(method)
    expected, checkpointed = gradients(copy.deepcopy(model), ODD_GRID_HW), with_checkpointing(model)
    runs = []
    norm = checkpointed.model.image_tower.encoder.layers[1].layer_norm1
    norm.register_forward_pre_hook(lambda *_: runs.append(1))
    found = gradients(checkpointed, ODD_GRID_HW)
    assert len(runs) == 2  # once forward, once more on the way back
    for name, gradient in expected.items():
        torch.testing.assert_close(found[name], gradient, rtol=1e-4, atol=1e-5)


def test_layers_are_dropped_in_training_only():
    tower, images = vit_tower(drop_path_rate=0.9), tiny_images()
    with torch.no_grad():
        torch.manual_seed(0)
        repeated = [tower.train()(images).dense_embedding for _ in range(4)]
        assert not all(torch.equal(one, repeated[0]) for one in repeated)
        assert torch.equal(tower.eval()(images).dense_embedding, tower(images).dense_embedding)
        never = vit_tower(drop_path_rate=0.0)
        torch.testing.assert_close(never.train()(images).dense_embedding, tower(images).dense_embedding)


# ---- saving and loading ------------------------------------------------------------------------------


@pytest.mark.parametrize("method", METHODS)
def test_a_reloaded_model_gives_equal_maps(method, tmp_path):
    model = vit_model(method)
    model.save_pretrained(tmp_path)
    loaded, info = TCMForTextDetection.from_pretrained(tmp_path, output_loading_info=True)
    assert not any(info.values())
    assert not [name for name, buffer in loaded.named_buffers() if buffer.is_meta]
    images = tiny_images(2, ODD_GRID_HW)
    with torch.no_grad():
        torch.testing.assert_close(loaded.eval()(images).probability_map, model(images).probability_map)


def test_new_models_start_with_all_positions_different():
    embeddings = vit_tower().embeddings
    assert embeddings.position_embedding.weight.std().item() == pytest.approx(16**-0.5, rel=0.2)
    assert embeddings.class_embedding.std().item() == pytest.approx(16**-0.5, rel=0.7)


def test_bfloat16_gives_nearly_the_same_embeddings():
    model, images = vit_model(), tiny_images()
    with torch.no_grad():
        exact = model.model(images).dense_embedding
        rough = model.bfloat16().model(images.bfloat16()).dense_embedding
    assert rough.dtype == torch.bfloat16
    assert (rough.float() - exact).abs().max() < 0.1 * exact.std()


def test_the_text_embedding_can_be_cached():
    model, images = vit_model(), tiny_images()
    with torch.no_grad():
        before = model(images).probability_map
        model.cache_text_embeddings()
        torch.testing.assert_close(model(images).probability_map, before, rtol=0, atol=1e-5)


# ---- configuration -----------------------------------------------------------------------------------


def test_the_default_tower_is_vit_b16():
    config = CLIPViTTowerConfig()
    with torch.device("meta"):
        model = TCMModel(tiny_config("baseline", image_tower_config={"tower_type": "clip_vit"}))
    assert model.channels == [768] * 4
    assert len(model.image_tower.encoder.layers) == config.out_layers[-1] + 1 == 12


@pytest.mark.parametrize(
    ("tower", "message"),
    [
        ({"num_attention_heads": 3}, r"num_attention_heads.*16.*got 3"),
        ({"image_size": 72}, r"image_size.*multiple of.*16.*72"),
        ({"image_size": 0}, r"image_size.*got 0"),
        ({"out_layers": [0, 1, 2]}, r"out_layers.*four.*\[0, 1, 2\]"),
        ({"out_layers": [0, 1, 2, 4]}, r"out_layers.*0 to 3.*\[0, 1, 2, 4\]"),
        ({"out_layers": [3, 2, 1, 0]}, r"out_layers.*rising"),
        ({"patch_size": 14}, r"patch_size.*14"),
        ({"patch_size": 16.0}, r"patch_size.*4, 8, 16 or 32.*16\.0"),
        ({"num_attention_heads": 0}, r"num_attention_heads.*at least 1.*0"),
        ({"hidden_size": 0}, r"hidden_size.*at least 1.*0"),
        ({"embed_dim": -1}, r"embed_dim.*at least 1.*-1"),
        ({"hidden_act": "quickgelu"}, r"hidden_act.*gelu.*quick_gelu.*quickgelu"),
        ({"drop_path_rate": 1.0}, r"drop_path_rate.*less than 1.*1\.0"),
        ({"drop_path_rate": -0.1}, r"drop_path_rate.*at least 0.*-0\.1"),
        ({"depth": 4}, r"unknown keywords.*depth"),
    ],
)
def test_sizes_that_do_not_fit_are_refused_with_the_field_and_the_value(tower, message):
    with pytest.raises(ValueError, match=f"image_tower_config(.|\n)*{message}"):
        tiny_config(image_tower_config=VIT | tower)
