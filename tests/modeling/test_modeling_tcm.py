"""The detector and its backbone on tiny parts: every composition, its losses, its equal results."""

import copy

import pytest
import torch
from transformers import AutoBackbone

import tcm_hf  # noqa: F401  (registers the model type)
from tcm_hf.modeling.modeling_tcm import TCMForTextDetection, TCMModel
from tiny import HEADS, SIZE_HW, maps_of, tiny_config, tiny_images, tiny_labels, tiny_model

DECODER = {"hidden_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2}
ONLY_FIXED = {"language_prompt": False, "visual_prompt_config": None, "text_refiner_config": None}
LEARNABLE = {"method": "tcm", "prompt_token_ids": None, **ONLY_FIXED}
TWO_CLASSES = {"prompt_token_ids": [[62, 5, 9, 63], [62, 7, 63]]}


def text_tower(positions):
    return tiny_config().text_tower_config.to_dict() | {"max_position_embeddings": positions}


COMPOSITIONS = {
    "baseline": {"method": "baseline"},
    "tcm": {"method": "tcm"},
    "fasttcm": {},
    "PP": {"method": "tcm", "num_learnable_prompts": 0, **ONLY_FIXED},
    "PP + LP4": {"method": "tcm", **ONLY_FIXED},
    "LP4": {"num_learnable_prompts": 4, "text_tower_config": text_tower(4), **LEARNABLE},
    "LP18": {"num_learnable_prompts": 18, "text_tower_config": text_tower(18), **LEARNABLE},
    "LP32": {"num_learnable_prompts": 32, "text_tower_config": text_tower(32), **LEARNABLE},
    "PP + LP4 + LG": {"method": "tcm", **ONLY_FIXED, "language_prompt": True},
    "PP + LP4 + VG": {"method": "tcm", **ONLY_FIXED, "visual_prompt_config": DECODER},
    "PP + LP4 + refiner": {"method": "tcm", **ONLY_FIXED, "text_refiner_config": DECODER},
    "LP4 + LG": {"prompt_token_ids": None},
    "fasttcm without LG": {"language_prompt": False},
    "similarity projection": {"similarity_projection": True},
    "learned temperature": {"learn_temperature": True},
    "two classes": TWO_CLASSES,
    "matching map at stride 8": {"matching_stage": 1},
    "dice loss": {"head_config": {"neck_channels": 16, "balanced_probability_loss": False}},
    "no matching loss": {"matching_loss_weight": 0.0},
    "trained text tower": {"freeze_text_tower": False},
    "pan": {"head_type": "pan"},
    "pan on the baseline": {"method": "baseline", "head_type": "pan"},
    "pan with one enhancement": {
        "head_config": {"head_type": "pan", "neck_channels": 8, "num_enhancements": 1}
    },
    "fcenet": {"head_type": "fcenet"},
    "fcenet on the baseline": {"method": "baseline", "head_type": "fcenet"},
    "segnet": {"head_type": "segnet"},
    "segnet, two classes": {"head_type": "segnet", **TWO_CLASSES},
    "segnet, dice loss": {
        "head_config": {"head_type": "segnet", "neck_channels": 8, "balanced_probability_loss": False}
    },
}
METHODS = ["baseline", "tcm", "fasttcm"]
DETECTORS = [(method, "dbnet") for method in METHODS] + [
    ("fasttcm", head) for head in HEADS if head != "dbnet"
]
LOSSES = {
    "dbnet": {"loss_probability", "loss_threshold", "loss_binary"},
    "pan": {"loss_text", "loss_kernel", "loss_aggregation", "loss_discrimination"},
    "fcenet": {"loss_region", "loss_center", "loss_contour_x", "loss_contour_y"},
    "segnet": {"loss_probability"},
}


def composed(name):
    torch.manual_seed(0)
    options = dict(COMPOSITIONS[name])
    return TCMForTextDetection(tiny_config(options.pop("method", "fasttcm"), **options))


def without_gradient(model):
    """Names of trainable parameters that no gradient reached; empty ones have nothing to learn."""
    return [
        name
        for name, parameter in model.named_parameters()
        if parameter.requires_grad
        and parameter.numel()
        and (parameter.grad is None or not parameter.grad.any())
    ]


def assert_shapes(output, size_hw, num_classes=1):
    """Every map of the head has the size its stride says; float32."""
    found = {name: tuple(x.shape[1:]) for name, x in maps_of(output).items() if name != "matching_map"}
    height, width = size_hw
    quarter = (height // 4, width // 4)
    levels = {i: (height // stride, width // stride) for i, stride in enumerate((8, 16, 32))}
    expected = {
        "dbnet": {"probability_map": size_hw},
        "segnet": {"probability_map": size_hw, "segmentation_logits": (num_classes, *size_hw)},
        "pan": {"text_logits": quarter, "kernel_logits": quarter, "pixel_embeddings": (4, *quarter)},
        "fcenet": {f"region_logits.{i}": (2, *size) for i, size in levels.items()}
        | {f"center_logits.{i}": (2, *size) for i, size in levels.items()}
        | {f"fourier_coefficients.{i}": (22, *size) for i, size in levels.items()},
    }
    assert found in expected.values()
    if output.probability_map is not None:
        assert output.probability_map.min() >= 0 and output.probability_map.max() <= 1


# ---- compositions ------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", COMPOSITIONS)
def test_every_composition_gives_finite_losses_and_every_trainable_parameter_a_gradient(name):
    model = composed(name).train()
    head_type = model.config.head_config.head_type
    output = model(tiny_images(), labels=tiny_labels(head_type=head_type))
    output.loss.backward()
    expected = set(LOSSES[head_type])
    if model.config.method != "baseline" and model.config.matching_loss_weight:
        expected.add("loss_matching")
    assert set(output.loss_dict) == expected
    assert torch.isfinite(output.loss)
    torch.testing.assert_close(output.loss, sum(output.loss_dict.values()))
    untouched = without_gradient(model)
    if model.config.text_refiner_config is not None and model.config.num_classes == 1:
        # One text query attends to itself with weight 1, whatever its query and key are.
        untouched = [x for x in untouched if ".self_attn.q_proj" not in x and ".self_attn.k_proj" not in x]
    assert untouched == []


@pytest.mark.parametrize("name", COMPOSITIONS)
def test_every_composition_gives_maps_of_the_size_of_the_image(name):
    model = composed(name).eval()
    with torch.no_grad():
        output = model(tiny_images())
    assert_shapes(output, SIZE_HW, model.config.num_classes)
    assert output.loss is None and output.loss_dict is None
    if model.config.method == "baseline":
        assert output.matching_map is None
    else:
        assert output.matching_map.shape == (2, model.config.num_classes, SIZE_HW[0] // 32, SIZE_HW[1] // 32)


def test_language_prompt_of_tcm_follows_the_image_and_that_of_fasttcm_does_not():
    one, other = torch.randn(2, 16, generator=torch.Generator().manual_seed(3))
    tcm, fasttcm = tiny_model("tcm").model, tiny_model("fasttcm").model
    with torch.no_grad():
        assert not torch.allclose(tcm.encode_text(one[None]), tcm.encode_text(other[None]))
        torch.testing.assert_close(
            fasttcm.encode_text(one[None]), fasttcm.encode_text(other[None]), rtol=0, atol=0
        )


@pytest.mark.parametrize("size_hw", [(32, 32), (64, 224), (160, 32)])
@pytest.mark.parametrize(("method", "head_type"), DETECTORS)
def test_any_multiple_of_32_will_do(method, head_type, size_hw):
    with torch.no_grad():
        assert_shapes(tiny_model(method, head_type=head_type)(tiny_images(1, size_hw)), size_hw)


# ---- training and inference --------------------------------------------------------------------------


def test_threshold_branch_runs_for_training_and_losses_only():
    model, calls = tiny_model(), []
    model.head.threshold.register_forward_hook(lambda *_: calls.append(1))
    with torch.no_grad():
        output = model(tiny_images())
        assert (len(calls), output.threshold_map, output.binary_map) == (0, None, None)
        assert model(tiny_images(), labels=tiny_labels()).threshold_map.shape == (2, *SIZE_HW)
        assert len(calls) == 1
        assert model.train()(tiny_images()).binary_map.shape == (2, *SIZE_HW)
        assert len(calls) == 2


@pytest.mark.parametrize("head_type", HEADS)
def test_a_few_steps_of_training_lower_the_loss(head_type):
    torch.manual_seed(0)
    model = tiny_model(head_type=head_type).train()
    optimizer = torch.optim.AdamW([p for p in model.parameters() if p.requires_grad], lr=3e-3)
    losses = []
    for _ in range(20):
        loss = model(tiny_images(), labels=tiny_labels(head_type=head_type)).loss
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert losses[-1] < 0.8 * losses[0]


@pytest.mark.parametrize("head_type", HEADS)
def test_images_without_text_or_all_ignored_have_finite_losses_and_gradients(head_type):
    model = tiny_model(head_type=head_type).train()
    labels = tiny_labels(3, head_type=head_type)
    for name, target in labels.items():
        if name.startswith("contour_maps"):  # text region, centre region, mask, coefficients
            target[0, :2] = target[0, 3:] = target[1, 2] = 0
        else:
            target[1 if "mask" in name else 0] = 0
    for images in (slice(0, 3), slice(0, 1), slice(1, 2)):
        batch = {name: target[images] for name, target in labels.items()}
        output = model(tiny_images(3)[images], labels=batch)
        output.loss.backward()
        assert torch.isfinite(output.loss)
        assert all(torch.isfinite(p.grad).all() for p in model.parameters() if p.grad is not None)


def test_losses_are_means_so_trainer_must_divide_by_the_accumulation_steps():
    assert TCMForTextDetection.accepts_loss_kwargs is False


@pytest.mark.parametrize(("method", "head_type"), DETECTORS)
def test_one_image_alone_gives_what_it_gives_in_a_batch(method, head_type):
    # In double precision: rounding turns short vectors, and logits of SegNet are fourteen of their cosines.
    model, images = tiny_model(method, head_type=head_type).double(), tiny_images(3).double()
    with torch.no_grad():
        together = maps_of(model(images))
        alone = [maps_of(model(image[None])) for image in images]
    tolerance = 1e-6
    for name, maps in together.items():
        tolerated = tolerance * max(1.0, maps.abs().max().item())
        torch.testing.assert_close(torch.cat([one[name] for one in alone]), maps, rtol=0, atol=tolerated)


def gradients(model):
    torch.manual_seed(0)  # dropout
    model.train()(tiny_images(), labels=tiny_labels()).loss.backward()
    return {
        name: parameter.grad for name, parameter in model.named_parameters() if parameter.grad is not None
    }


@pytest.mark.parametrize("method", METHODS)
def test_gradient_checkpointing_recomputes_and_changes_no_gradient(method):
    model = tiny_model(method)
    expected, checkpointed = gradients(copy.deepcopy(model)), copy.deepcopy(model)
    enable = getattr(
        checkpointed, "activation_checkpointing_enable", checkpointed.gradient_checkpointing_enable
    )
    enable()
    runs = []
    stage = checkpointed.model.image_tower.trunk["layer2"]
    stage.register_forward_pre_hook(lambda *_: runs.append(1))
    found = gradients(checkpointed)
    assert len(runs) == 2  # once forward, once more on the way back
    assert found.keys() == expected.keys()
    for name in expected:
        torch.testing.assert_close(found[name], expected[name], rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("method", METHODS)
def test_eager_and_sdpa_attention_agree(method):
    images, model = tiny_images(), tiny_model(method)
    results = {}
    with torch.no_grad():
        for kernel in ("eager", "sdpa"):
            model.set_attn_implementation(kernel)
            assert model.config._attn_implementation == kernel
            if method != "baseline":
                assert model.model.text_tower.encoder.config._attn_implementation == kernel
            results[kernel] = model(images).probability_map
    torch.testing.assert_close(results["eager"], results["sdpa"], rtol=0, atol=1e-5)


@pytest.mark.parametrize("method", ["tcm", "fasttcm"])
def test_torch_compile_finds_no_graph_break(method):
    torch._dynamo.reset()
    model, images = tiny_model(method), tiny_images()
    compiled = torch.compile(model, fullgraph=True, backend="eager")
    with torch.no_grad():
        torch.testing.assert_close(compiled(images).probability_map, model(images).probability_map)


@pytest.mark.parametrize("head_type", list(HEADS)[1:])
def test_torch_compile_finds_no_graph_break_in_any_head(head_type):
    torch._dynamo.reset()
    model = tiny_model(head_type=head_type)
    compiled = torch.compile(model.head, fullgraph=True, backend="eager")
    with torch.no_grad():
        features = model.model(tiny_images())
        torch.testing.assert_close(tuple(compiled(features)), tuple(model.head(features)))


def test_output_may_be_a_tuple():
    model = tiny_model()
    with torch.no_grad():
        output = model(tiny_images())
        as_tuple = model(tiny_images(), return_dict=False)
    torch.testing.assert_close(as_tuple[0], output.probability_map)


# ---- backbone ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("matching_stage", [0, 3])
def test_backbone_declares_the_channels_and_strides_of_its_maps(matching_stage):
    backbone = AutoBackbone.from_config(tiny_config(matching_stage=matching_stage, **TWO_CLASSES)).eval()
    assert type(backbone) is TCMModel
    with torch.no_grad():
        maps = backbone(tiny_images()).feature_maps
    channels = [8, 8, 16, 16]
    channels[matching_stage] += 2
    assert backbone.channels == channels == [feature_map.shape[1] for feature_map in maps]
    for stride, feature_map in zip((4, 8, 16, 32), maps, strict=True):
        assert feature_map.shape[-2:] == (SIZE_HW[0] // stride, SIZE_HW[1] // stride)


def test_backbone_gives_the_stages_that_are_asked_for():
    backbone = AutoBackbone.from_config(tiny_config(out_features=["stage2", "stage4"])).eval()
    with torch.no_grad():
        output = backbone(tiny_images(), output_hidden_states=True)
    assert backbone.channels == [8, 17]
    assert [feature_map.shape[1] for feature_map in output.feature_maps] == [8, 17]
    assert len(output.hidden_states) == 4
    assert AutoBackbone.from_config(tiny_config(out_indices=[1])).out_features == ["stage2"]


def test_last_channels_of_the_matching_stage_are_the_matching_map():
    model = tiny_model().model
    with torch.no_grad():
        output = model(tiny_images())
    torch.testing.assert_close(output.feature_maps[3][:, -1:], output.matching_map)
    assert output.matching_map.abs().max() <= 1 + 1e-6


def test_detector_passes_the_hidden_states_on():
    with torch.no_grad():
        output = tiny_model()(tiny_images(), output_hidden_states=True)
    assert len(output.hidden_states) == 4
    assert tiny_model()(tiny_images()).hidden_states is None


# ---- errors ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("shape", [(1, 3, 64, 100), (1, 3, 50, 64), (3, 64, 96)])
def test_images_of_other_sizes_are_refused_with_the_size(shape):
    with pytest.raises(
        ValueError, match=r"multiples of 32.*" + str(shape).replace("(", r"\(").replace(")", r"\)")
    ):
        tiny_model()(torch.zeros(shape))


@pytest.mark.parametrize("head_type", HEADS)
def test_every_head_lists_the_labels_its_losses_read(head_type):
    labels = tiny_labels(1, head_type=head_type)
    head = tiny_model(head_type=head_type).head
    assert head.label_shapes(SIZE_HW) == {name: tuple(x.shape[1:]) for name, x in labels.items()}


def test_missing_labels_are_named():
    labels = tiny_labels()
    del labels["threshold_mask"]
    with pytest.raises(ValueError, match=r"\['threshold_mask'\] are missing"):
        tiny_model()(tiny_images(), labels=labels)


def test_labels_of_another_shape_are_refused_with_both_shapes():
    with pytest.raises(ValueError, match=r"probability_map.*\(2, 64, 96\).*\(2, 32, 96\)"):
        tiny_model()(tiny_images(), labels=tiny_labels(size_hw=(32, 96)))


@pytest.mark.parametrize(
    ("head_type", "missing"),
    [("dbnet", "stage3"), ("pan", "stage1"), ("fcenet", "stage2"), ("fcenet", "stage4")],
)
def test_detector_needs_the_stages_that_its_head_reads(head_type, missing):
    stages = [name for name in ("stage1", "stage2", "stage3", "stage4") if name != missing]
    with pytest.raises(ValueError, match=rf"{head_type}.*reads.*{missing}.*out_features"):
        TCMForTextDetection(tiny_config(head_type=head_type, out_features=stages))


def test_a_head_reads_its_stages_among_others():
    """As in checkpoints of FCENet whose config names all four."""
    model = tiny_model(head_type="fcenet")
    four = tiny_model(head_type="fcenet", out_indices=[0, 1, 2, 3])
    assert (len(model.model.channels), len(four.model.channels)) == (3, 4)
    four.load_state_dict(model.state_dict())
    with torch.no_grad():
        found, expected = maps_of(four(tiny_images())), maps_of(model(tiny_images()))
    for name, values in expected.items():
        assert torch.equal(found[name], values), name


@pytest.mark.parametrize(
    "overrides",
    [
        {"head_config": {"neck_channels": 20}},
        {"head_config": {"head_type": "segnet", "neck_channels": 18}},
        {"visual_prompt_config": {"hidden_size": 16, "num_attention_heads": 3}},
    ],
)
def test_widths_that_do_not_divide_are_refused(overrides):
    with pytest.raises(ValueError, match=r"neck_channels|num_attention_heads"):
        TCMForTextDetection(tiny_config(**overrides))


def test_a_head_that_reads_the_text_embedding_refuses_the_baseline():
    with pytest.raises(ValueError, match=r"segnet.*baseline.*choose method"):
        tiny_model("baseline", head_type="segnet")


def test_a_trunk_with_channels_last_maps_is_refused():
    tower = {"tower_type": "timm", "trunk": "swin_tiny_patch4_window7_224"}
    config = tiny_config("baseline", image_tower_config=tower)
    with torch.device("meta"), pytest.raises(ValueError, match="channels last"):
        TCMForTextDetection(config)
