"""What survives saving, loading, copying and a change of precision; the frozen and the cached text side."""

import copy
import json
import pickle

import pytest
import torch
from safetensors.torch import load_file
from transformers import AutoModel, AutoModelForObjectDetection

import tcm_hf
from tcm_hf.modeling.modeling_tcm import TCMForTextDetection, TCMModel
from tcm_hf.modeling.outputs_tcm import TCMModelOutput
from tcm_hf.modeling.prompts import TextTower
from tiny import HEADS, maps_of, tiny_config, tiny_images, tiny_labels, tiny_model

METHODS = ["baseline", "tcm", "fasttcm"]
WITH_TEXT = ["tcm", "fasttcm"]


@torch.no_grad()
def probability_map(model, dtype=None):
    # A copy, because weights that lie unaligned in a file change the last bit of sums on a CPU.
    return copy.deepcopy(model).eval()(tiny_images().to(dtype)).probability_map


@torch.no_grad()
def maps(model, dtype=None):
    return maps_of(copy.deepcopy(model).eval()(tiny_images().to(dtype)))


def reloaded(model, folder, **options):
    model.save_pretrained(folder)
    return type(model).from_pretrained(folder, **options)


# ---- saving and loading ------------------------------------------------------------------------------


@pytest.mark.parametrize("method", METHODS)
def test_a_reloaded_model_gives_bit_equal_maps(method, tmp_path):
    model = tiny_model(method)
    loaded = reloaded(model, tmp_path)
    assert model.state_dict().keys() == loaded.state_dict().keys()
    assert torch.equal(probability_map(loaded), probability_map(model))
    again = reloaded(loaded, tmp_path / "again")
    assert torch.equal(probability_map(again), probability_map(model))


@pytest.mark.parametrize("head_type", HEADS)
def test_a_reloaded_model_gives_bit_equal_maps_with_every_head(head_type, tmp_path):
    model = tiny_model(head_type=head_type)
    loaded = reloaded(model, tmp_path)
    assert type(loaded.head) is type(model.head)
    assert not [name for name, tensor in loaded.state_dict().items() if tensor.is_meta]
    found, expected = maps(loaded), maps(model)
    assert found.keys() == expected.keys()
    for name, values in expected.items():
        assert torch.equal(found[name], values), name


@pytest.mark.parametrize("head_type", HEADS)
def test_a_new_head_on_a_saved_backbone_starts_as_a_new_model_does(head_type, tmp_path):
    """Loading fills what is missing by the rules of `_init_weights`; an unset scale or weight would show."""
    tiny_model().model.save_pretrained(tmp_path)
    loaded = TCMForTextDetection.from_pretrained(tmp_path, config=tiny_config(head_type=head_type))
    for (name, found), expected in zip(
        loaded.head.named_parameters(), tiny_model(head_type=head_type).head.parameters(), strict=True
    ):
        if found.numel() > 100:
            torch.testing.assert_close(found.std(), expected.std(), rtol=0.35, atol=1e-3, msg=name)
        if found.ndim < 2:
            torch.testing.assert_close(found, expected, msg=name)


@pytest.mark.parametrize("new", HEADS)
@pytest.mark.parametrize("old", HEADS)
def test_a_head_of_another_type_by_keyword_starts_as_in_a_new_model(old, new, tmp_path):
    """Nothing of the old head is taken for a part of the new one, but for the neck that two share."""
    tiny_model(head_type=old).save_pretrained(tmp_path)
    loaded, info = TCMForTextDetection.from_pretrained(
        tmp_path, head_config={"head_type": new, **HEADS[new]}, output_loading_info=True
    )
    fresh = tiny_model(head_type=new)
    assert loaded.config.head_config.to_dict() == fresh.config.head_config.to_dict()
    assert loaded.config.out_features == fresh.config.out_features
    kept = "head." if old == new else "head.neck." if {old, new} == {"dbnet", "segnet"} else "none"
    expected = {name for name in fresh.state_dict() if name.startswith("head.") and not name.startswith(kept)}
    assert {name for name in info["missing_keys"] if "num_batches" not in name} == {
        name for name in expected if "num_batches" not in name
    }
    assert all(name.startswith("head.") for name in info["unexpected_keys"])
    for name, parameter in fresh.head.named_parameters():
        found = loaded.head.get_parameter(name)
        if parameter.numel() > 100 and old != new:
            torch.testing.assert_close(found.std(), parameter.std(), rtol=0.35, atol=1e-3, msg=name)
    output = loaded(tiny_images(), labels=tiny_labels(head_type=new))
    assert torch.isfinite(output.loss)


@pytest.mark.parametrize(
    "overrides", [{"prompt_token_ids": [[62, 5, 9, 63], [62, 7, 63]]}, {"learn_temperature": True}]
)
def test_parts_outside_the_default_reload_too(overrides, tmp_path):
    model = tiny_model(**overrides)
    assert torch.equal(probability_map(reloaded(model, tmp_path)), probability_map(model))


@pytest.mark.parametrize("method", WITH_TEXT)
def test_buffers_that_are_not_saved_are_filled_again_on_loading(method, tmp_path):
    """Loading builds the model on the meta device, where non-persistent buffers hold nothing."""
    model = tiny_model(method)
    loaded = reloaded(model, tmp_path)
    saved = load_file(tmp_path / "model.safetensors")
    buffers = dict(loaded.named_buffers())
    unsaved = set(buffers) - set(saved)
    assert {"model.prompt.sequence.token_ids", "model.text_tower.embeddings.position_ids"} <= unsaved
    for name in unsaved:
        assert torch.equal(buffers[name], dict(model.named_buffers())[name]), name
    assert not [name for name, tensor in loaded.state_dict().items() if tensor.is_meta]


def test_no_key_is_missing_or_unexpected(tmp_path):
    tiny_model().save_pretrained(tmp_path)
    _, info = TCMForTextDetection.from_pretrained(tmp_path, output_loading_info=True)
    assert not any(info.values())


def test_the_backbone_loads_from_a_detector_and_the_detector_from_a_backbone(tmp_path):
    detector = tiny_model()
    detector.save_pretrained(tmp_path / "detector")
    backbone = TCMModel.from_pretrained(tmp_path / "detector").eval()
    with torch.no_grad():
        expected = detector.model(tiny_images()).feature_maps
        for found, one in zip(backbone(tiny_images()).feature_maps, expected, strict=True):
            assert torch.equal(found, one)
    backbone.save_pretrained(tmp_path / "backbone")
    _, info = TCMForTextDetection.from_pretrained(tmp_path / "backbone", output_loading_info=True)
    assert {name.split(".")[0] for name in info["missing_keys"]} == {"head"}
    assert not info["unexpected_keys"]


def test_auto_classes_give_what_the_config_names(tmp_path):
    tiny_model().save_pretrained(tmp_path / "detector")
    tiny_model().model.save_pretrained(tmp_path / "backbone")
    assert type(AutoModel.from_pretrained(tmp_path / "detector")) is TCMForTextDetection
    assert type(AutoModelForObjectDetection.from_pretrained(tmp_path / "detector")) is TCMForTextDetection
    assert (
        type(tcm_hf.AutoModelForTextDetection.from_pretrained(tmp_path / "detector")) is TCMForTextDetection
    )
    assert type(AutoModel.from_pretrained(tmp_path / "backbone")) is TCMModel
    assert type(AutoModel.from_config(tiny_config())) is TCMModel


def test_weights_of_another_size_are_refused(tmp_path):
    tiny_model().save_pretrained(tmp_path)
    with pytest.raises(RuntimeError, match="size"):
        TCMForTextDetection.from_pretrained(tmp_path, config=tiny_config(head_config={"neck_channels": 32}))


def test_sharded_weights_load(tmp_path):
    model = tiny_model()
    model.save_pretrained(tmp_path, max_shard_size="20KB")
    assert len(list(tmp_path.glob("model-*.safetensors"))) > 2
    assert torch.equal(probability_map(TCMForTextDetection.from_pretrained(tmp_path)), probability_map(model))


# ---- copies and precision ----------------------------------------------------------------------------


@pytest.mark.parametrize("method", METHODS)
def test_a_model_can_be_copied_and_pickled_also_after_use(method):
    model = tiny_model(method)
    expected = probability_map(model)
    with torch.no_grad():
        model(tiny_images(), output_hidden_states=True)
    for copied in (copy.deepcopy(model), pickle.loads(pickle.dumps(model))):
        assert torch.equal(probability_map(copied), expected)


@pytest.mark.parametrize(("dtype", "tolerance"), [(torch.bfloat16, 0.15), (torch.float16, 0.03)])
@pytest.mark.parametrize("method", METHODS)
def test_half_precision_loads_and_runs_and_stays_close(method, dtype, tolerance, tmp_path):
    model = tiny_model(method)
    loaded = reloaded(model, tmp_path, dtype=dtype)
    assert {parameter.dtype for parameter in loaded.parameters()} == {dtype}
    found = probability_map(loaded, dtype)
    assert found.dtype == torch.float32  # the sigmoid is taken in full precision
    torch.testing.assert_close(found.float(), probability_map(model), rtol=0, atol=tolerance)


@pytest.mark.parametrize("head_type", list(HEADS)[1:])
def test_every_head_loads_and_runs_in_bfloat16_with_maps_in_float32(head_type, tmp_path):
    model = tiny_model(head_type=head_type)
    found, expected = maps(reloaded(model, tmp_path, dtype=torch.bfloat16), torch.bfloat16), maps(model)
    for name, values in expected.items():
        if name != "matching_map":
            assert found[name].dtype == torch.float32
            assert (found[name] - values).abs().mean() < 0.15 * values.std(), name


def test_a_confident_mistake_has_a_gradient_under_autocast():
    # A bfloat16 sigmoid of 10 is exactly 1: the cross entropy of such a pixel would be clamped and flat.
    head = tiny_model("baseline").head
    torch.nn.init.constant_(head.probability[-1].bias, 10.0)
    torch.nn.init.zeros_(head.probability[-1].weight)
    channels = head.neck.lateral_convs
    feature_maps = tuple(
        torch.zeros(1, conv.in_channels, 16 // 2**i, 24 // 2**i) for i, conv in enumerate(channels)
    )
    with torch.autocast("cpu", torch.bfloat16):
        maps = head(TCMModelOutput(feature_maps=feature_maps), for_training=True)
    assert 0.999 < maps.probability_map.max().item() < 1
    nothing = torch.zeros(1, 64, 96)
    nothing[:, :8, :8] = 1
    labels = dict.fromkeys(("probability_map", "threshold_map", "threshold_mask"), nothing)
    head.loss(maps, labels | {"probability_mask": torch.ones_like(nothing)})["loss_probability"].backward()
    assert head.probability[-1].bias.grad.abs().item() > 0.1


@pytest.mark.parametrize("head_type", HEADS)
def test_autocast_trains_with_losses_in_full_precision(head_type):
    model = tiny_model(head_type=head_type).train()
    with torch.autocast("cpu", torch.bfloat16):
        output = model(tiny_images(), labels=tiny_labels(head_type=head_type))
    assert output.loss.dtype == torch.float32
    output.loss.backward()


# ---- the frozen text tower ---------------------------------------------------------------------------


def text_tower(model):
    (tower,) = [module for module in model.modules() if isinstance(module, TextTower)]
    return tower


@pytest.mark.parametrize(
    "make", [tiny_model, lambda method: tiny_model(method).model], ids=["detector", "backbone"]
)
@pytest.mark.parametrize("method", WITH_TEXT)
def test_text_tower_is_frozen_from_the_start_after_loading_and_in_training(method, make, tmp_path):
    model = make(method)
    for each in (model, reloaded(model, tmp_path), AutoModel.from_pretrained(tmp_path)):
        each.train()
        assert not [name for name, p in text_tower(each).named_parameters() if p.requires_grad]
        assert not [module for module in text_tower(each).modules() if module.training]
        assert each.training
        prompts = [p for name, p in each.named_parameters() if ".sequence.contexts" in name]
        assert prompts and all(p.requires_grad for p in prompts)


def test_loading_with_loading_info_freezes_too(tmp_path):
    tiny_model().save_pretrained(tmp_path)
    model, _ = TCMForTextDetection.from_pretrained(tmp_path, output_loading_info=True)
    assert not any(p.requires_grad for p in text_tower(model).parameters())


def test_text_tower_trains_if_the_config_says_so(tmp_path):
    model = reloaded(tiny_model(freeze_text_tower=False), tmp_path).train()
    assert all(p.requires_grad for p in text_tower(model).parameters())
    assert text_tower(model).training


# ---- the cached text embedding -----------------------------------------------------------------------


CACHEABLE = {
    "fasttcm": {},
    "fasttcm, projected": {"similarity_projection": True},
    "fasttcm, two classes": {"prompt_token_ids": [[62, 5, 9, 63], [62, 7, 63]]},
    "tcm without language prompt": {"method": "tcm", "language_prompt": False},
}


@pytest.mark.parametrize("overrides", CACHEABLE.values(), ids=CACHEABLE.keys())
def test_caching_the_text_embedding_changes_no_output_and_drops_the_text_side(overrides, tmp_path):
    model = tiny_model(**overrides)
    expected = probability_map(model)
    model.save_pretrained(tmp_path / "full")
    model.cache_text_embeddings()
    torch.testing.assert_close(probability_map(model), expected, rtol=0, atol=1e-6)
    model.save_pretrained(tmp_path / "cached")
    saved = load_file(tmp_path / "cached" / "model.safetensors")
    assert "model.text_embedding" in saved
    assert not [name for name in saved if "text_tower" in name or ".prompt." in name]
    full, cached = ((tmp_path / name / "model.safetensors").stat().st_size for name in ("full", "cached"))
    assert cached < full
    loaded, info = TCMForTextDetection.from_pretrained(tmp_path / "cached", output_loading_info=True)
    assert not any(info.values())
    assert (loaded.model.text_tower, loaded.model.prompt) == (None, None)
    assert torch.equal(probability_map(loaded), probability_map(model))
    written = [json.loads((tmp_path / name / "config.json").read_text()) for name in ("full", "cached")]
    assert written[0] | {"text_embedding_cached": True} == written[1]


def test_caching_twice_is_harmless_and_the_backbone_can_do_it_alone():
    model = tiny_model().model
    model.cache_text_embeddings()
    first = model.text_embedding
    model.cache_text_embeddings()
    assert model.text_embedding is first
    assert model.config.text_embedding_cached


@pytest.mark.parametrize(
    ("method", "reason"), [("tcm", "no text embedding that holds for all images"), ("baseline", "baseline")]
)
def test_a_text_embedding_that_depends_on_the_image_or_is_not_there_cannot_be_cached(method, reason):
    model = tiny_model(method)
    with pytest.raises(ValueError, match=reason):
        model.cache_text_embeddings()
    probability_map(model)  # and the model still works


def test_a_cached_model_can_be_trained_on(tmp_path):
    model = tiny_model()
    model.cache_text_embeddings()
    loaded = reloaded(model, tmp_path).train()
    loaded(tiny_images(), labels=tiny_labels()).loss.backward()
    assert loaded.head.probability[0].weight.grad.abs().sum() > 0
    assert not loaded.model.text_embedding.requires_grad
