"""Adapters: golden numbers of the original's STRAdapter, freezing, starting from CLIP's layers, LoRA."""

import pytest
import torch

import golden_files
from tcm_hf.conversion.key_rules import apply_rules
from tcm_hf.conversion.keys_clip4str_adapter import STR_ADAPTER
from tcm_hf.modeling.configuration_clip4str import CLIP4STRConfig
from tcm_hf.modeling.modeling_clip4str import CLIP4STRForTextRecognition
from upstream_clip4str import TOLERANCE, config_of, error, golden, images, words

KINDS = {
    "linear": {"adapter_type": "linear"},
    "attention": {"adapter_type": "attention"},
    "ladder": {"adapter_type": "ladder", "layers": [0, 1]},
    "linear_ladder": {"adapter_type": "ladder", "rung": "linear", "layers": [0, 1]},
    "identity": None,
}
ALL_KINDS = {**KINDS, "narrow": {"adapter_type": "ladder", "rung": "narrow", "layers": [0, 1]}}


def tiny(adapter: dict | None) -> CLIP4STRForTextRecognition:
    """A model small enough to train, with an adapter."""
    tower = {"hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 2, "num_attention_heads": 2}
    torch.manual_seed(0)
    config = CLIP4STRConfig(
        clip_config={
            "projection_dim": 32,
            "text_config": {**tower, "vocab_size": 64},
            "vision_config": {**tower, "image_size": 32, "patch_size": 8},
        },
        decoder_num_attention_heads=4,
        use_cross_branch=False,
        adapter_config=adapter,
        initializer_range=0.2,
    )
    return CLIP4STRForTextRecognition(config)


def pictures(count: int = 2) -> torch.Tensor:
    return torch.randn(count, 3, 32, 32, generator=torch.Generator().manual_seed(1))


@pytest.mark.parametrize("kind", KINDS)
@torch.no_grad()
def test_every_adapter_reads_what_the_original_reads(kind):
    reference, arrays = golden("clip4str_adapter")
    run = reference["runs"][kind]
    inventory = dict(run["state_dict"])
    clip_names = golden("clip4str")[0]["state_dict"]
    inventory |= {name: entry for name, entry in clip_names.items() if name.startswith("clip_model.")}
    weights = {name: torch.from_numpy(array) for name, array in golden_files.state(inventory).items()}
    config = config_of(reference["clip"], adapter_config=KINDS[kind], use_cross_branch=False)
    model = CLIP4STRForTextRecognition(config).eval()
    renamed = apply_rules(weights, STR_ADAPTER)
    assert not (renamed.unknown or renamed.misshaped or renamed.doubled)
    wrong = model.load_state_dict(renamed.tensors, strict=False)
    assert not wrong.missing_keys
    assert all(name.startswith(("clip.text", "clip.logit_scale")) for name in wrong.unexpected_keys)

    pixel_values = images("clip4str_tiny", 4)[:3]
    memory, _ = model.image_memories(pixel_values)
    about = reference["outputs"]
    assert error(memory, arrays[f"{kind}/memory"], about[f"{kind}/memory"]) < TOLERANCE
    for mode, refinements in (("ar", 0), ("ar", 1), ("nar", 0), ("nar", 1)):
        model.config.autoregressive = mode == "ar"
        key = f"{mode}_r{refinements}"
        logits = model(pixel_values, refine_iterations=refinements, num_steps=26).logits
        assert error(logits, arrays[f"{kind}/{key}"], about[f"{kind}/{key}"]) < TOLERANCE, key
        assert words(logits, model.config.charset) == run["strings"][key]


@pytest.mark.parametrize("kind", ALL_KINDS)
def test_clip_stays_frozen_and_everything_else_is_trained_also_after_loading(kind, tmp_path):
    if ALL_KINDS[kind] is None:
        pytest.skip("without an adapter CLIP is trained")
    tiny(ALL_KINDS[kind]).save_pretrained(tmp_path)
    model = CLIP4STRForTextRecognition.from_pretrained(tmp_path).train()
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    labels = torch.tensor([[3, 4, 0, -100], [5, 6, 7, 0]])
    model(pictures(), labels=labels).loss.backward()
    without_gradient = {name for name, p in model.named_parameters() if p.grad is None}
    assert without_gradient == {name for name in before if name.startswith("clip.")} & {
        name for name, _ in model.named_parameters()
    }


@pytest.mark.parametrize("kind", ALL_KINDS)
@torch.no_grad()
def test_saved_and_loaded_adapters_read_the_same(kind, tmp_path):
    model = tiny(ALL_KINDS[kind]).eval()
    model.save_pretrained(tmp_path)
    loaded = CLIP4STRForTextRecognition.from_pretrained(tmp_path).eval()
    assert torch.equal(model(pictures()).logits, loaded(pictures()).logits)


@torch.no_grad()
def test_a_ladder_that_leans_on_its_own_copy_gives_the_towers_tokens():
    # With every gate open to the copy, the rungs are the tower's own layers.
    model = tiny({"adapter_type": "ladder", "layers": [0, 1]}).eval()
    model.adapter.start_from(model.clip)
    model.adapter.alpha.fill_(-100.0)
    memory, _ = model.image_memories(pictures())
    torch.testing.assert_close(memory, model.get_image_features(pictures()).last_hidden_state)


@torch.no_grad()
def test_narrow_rungs_that_leave_nothing_out_are_the_whole_layers():
    model = tiny({"adapter_type": "ladder", "rung": "narrow", "layers": [0, 1], "reduction": 1}).eval()
    model.adapter.start_from(model.clip)
    model.adapter.alpha.fill_(-100.0)
    memory, _ = model.image_memories(pictures())
    torch.testing.assert_close(
        memory, model.get_image_features(pictures()).last_hidden_state, rtol=1e-4, atol=1e-5
    )


@torch.no_grad()
def test_pruning_keeps_the_strongest_dimensions_of_every_head():
    model = tiny({"adapter_type": "ladder", "rung": "narrow", "layers": [1], "reduction": 2}).eval()
    attention = model.clip.vision_model.encoder.layers[1].self_attn
    for projection in (attention.q_proj, attention.k_proj):
        projection.weight.mul_(0.01)
        projection.weight[[1, 3, 4, 5, 8, 10, 12, 15, 16, 17, 18, 19, 20, 21, 22, 30]] *= 1000
    model.adapter.start_from(model.clip)
    kept = attention.q_proj.weight[[1, 3, 4, 5, 8, 10, 12, 15, 16, 17, 18, 19, 20, 21, 22, 30]]
    assert torch.equal(model.adapter.rungs[0].q_proj.weight, kept)


@pytest.mark.parametrize(
    ("adapter", "said"),
    [
        ({"adapter_type": "magic"}, "adapter_type"),
        ({"adapter_type": "ladder", "layers": [1, 0]}, "rising"),
        ({"adapter_type": "ladder", "layers": [0, 12]}, "12 layers"),
        ({"adapter_type": "ladder", "layers": []}, "rising"),
        ({"adapter_type": "linear", "reductoin": 4}, "reductoin"),
    ],
)
def test_settings_that_cannot_be_are_refused(adapter, said):
    with pytest.raises(Exception, match=said):
        CLIP4STRConfig(adapter_config=adapter)


def test_lora_trains_few_weights_and_merges_into_the_model():
    peft = pytest.importorskip("peft", reason='LoRA needs `pip install "tcm_hf[peft]"`')
    model = tiny(None)
    settings = peft.LoraConfig(
        r=2, target_modules=r"clip\.vision_model\..*(q|v)_proj", modules_to_save=["visual_decoder"]
    )
    tuned = peft.get_peft_model(model, settings).train()
    labels = torch.tensor([[3, 4, 0, -100], [5, 6, 7, 0]])
    optimizer = torch.optim.AdamW([p for p in tuned.parameters() if p.requires_grad], lr=1e-2)
    losses = []
    for _ in range(8):
        torch.manual_seed(0)
        loss = tuned(pixel_values=pictures(), labels=labels).loss
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert losses[-1] < 0.7 * losses[0]
    tuned.eval()
    with torch.no_grad():
        expected = tuned(pixel_values=pictures()).logits
        merged = tuned.merge_and_unload()
        assert isinstance(merged, CLIP4STRForTextRecognition)
        torch.testing.assert_close(merged(pictures()).logits, expected, rtol=1e-3, atol=1e-4)
