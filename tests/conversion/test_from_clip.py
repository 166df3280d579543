"""CLIP weights of every kind become a starting point, with their own heads and activation."""

import json
from itertools import product

import pytest
import torch
from safetensors.torch import save_file
from transformers import CLIPConfig, CLIPModel

import clip_checkpoints
from tcm_hf.conversion.clip_sizes import clip_config_of
from tcm_hf.conversion.clip_sources import load_clip_source
from tcm_hf.conversion.from_clip import from_clip, start_from_clip
from tcm_hf.conversion.key_report import KeyMismatchError
from tcm_hf.conversion.key_rules import apply_rules
from tcm_hf.conversion.keys_clip import CLIP_MODEL
from tcm_hf.modeling.configuration_clip4str import CLIP4STRConfig
from tcm_hf.modeling.configuration_tcm import TCMConfig

LETTERS = "0123456789abcdefghijklmnopqrstuvwxyz"


@pytest.fixture(scope="module")
def vit() -> dict[str, torch.Tensor]:
    return clip_checkpoints.seeded(clip_checkpoints.vit_shapes())


@pytest.fixture(scope="module")
def resnet() -> dict[str, torch.Tensor]:
    return clip_checkpoints.seeded(clip_checkpoints.resnet_shapes())


def in_our_names(tensors: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    return apply_rules(tensors, CLIP_MODEL).tensors


def test_openais_archive_starts_clip4str_with_quick_gelu(tmp_path, vit):
    clip_checkpoints.save_torchscript(vit, tmp_path / "ViT-B-16.pt")
    start = start_from_clip(tmp_path / "ViT-B-16.pt", "clip4str")
    config = start.model.config.clip_config
    assert config.vision_config.hidden_act == config.text_config.hidden_act == "quick_gelu"
    assert set(start.report.ignored) == {"input_resolution", "context_length", "vocab_size"}
    for name, tensor in in_our_names(vit).items():
        ours = start.model.clip.state_dict()[name]
        assert ours.dtype == torch.float32
        assert torch.equal(ours, tensor.half().float()), name
    assert start.model.config.num_caption_merges == 48894
    with torch.inference_mode():
        assert start.model(torch.randn(1, 3, 32, 32)).logits.shape[-1] == 95


@pytest.mark.parametrize("suffix", ["bin", "safetensors"])
def test_open_clips_bare_file_is_gelu_unless_told(tmp_path, vit, suffix):
    path = tmp_path / f"open_clip_pytorch_model.{suffix}"
    save_file(vit, path) if suffix == "safetensors" else torch.save(vit, path)
    source = load_clip_source(path)
    assert (source.activation, source.activation_reason) == (
        "gelu",
        "OpenCLIP's default: the file does not say it",
    )
    assert load_clip_source(path, "quick_gelu").activation == "quick_gelu"
    model = from_clip(path, CLIP4STRConfig.from_preset("clip4str-base", clip_config=small_clip_config()))
    assert model.config.clip_config.vision_config.hidden_act == "gelu"
    assert torch.equal(model.clip.visual_projection.weight, vit["visual.proj"].T)


def small_clip_config() -> dict:
    shapes = clip_checkpoints.vit_shapes()
    tensors = {name: torch.empty(shape, device="meta") for name, shape in shapes.items()}
    return clip_config_of(in_our_names(tensors), "quick_gelu")


def test_what_lies_beside_open_clips_weights_tells_activation_and_heads(tmp_path, vit):
    torch.save(vit, tmp_path / "open_clip_pytorch_model.bin")
    config = {"vision_cfg": {"head_width": 16}, "text_cfg": {"width": 64, "heads": 2}, "quick_gelu": True}
    (tmp_path / "open_clip_config.json").write_text(json.dumps({"model_cfg": config}))
    for source in (tmp_path, tmp_path / "open_clip_pytorch_model.bin"):
        found = load_clip_source(source)
        assert (found.activation, found.vision_head_width, found.text_head_width) == ("quick_gelu", 16, 32)


def test_open_clips_huge_model_has_16_heads_and_the_published_recogniser_20():
    sizes = {"width": 1280, "layers": 1, "embed": 1024, "patch": 14, "image_size": 224}
    shapes = clip_checkpoints.vit_shapes(**sizes)
    tensors = in_our_names({name: torch.empty(shape, device="meta") for name, shape in shapes.items()})
    own = clip_config_of(tensors, "gelu", vision_head_width=80)
    assert own["vision_config"]["num_attention_heads"] == 16
    assert clip_config_of(tensors, "quick_gelu")["vision_config"]["num_attention_heads"] == 20
    assert own["vision_config"]["image_size"] == 224


@pytest.mark.parametrize("shard", ["5GB", "1MB"], ids=["one file", "parts"])
def test_a_clip_model_of_transformers_keeps_its_weights_heads_and_activation(tmp_path, shard):
    sizes = {"hidden_size": 64, "intermediate_size": 128, "num_hidden_layers": 1, "num_attention_heads": 4}
    config = CLIPConfig(
        vision_config={**sizes, "patch_size": 16, "image_size": 32, "hidden_act": "gelu"},
        text_config={**sizes, "bos_token_id": 49406, "eos_token_id": 49407, "hidden_act": "gelu"},
        projection_dim=32,
    )
    torch.manual_seed(0)
    original = CLIPModel(config).eval()
    original.save_pretrained(tmp_path, max_shard_size=shard)
    assert bool(list(tmp_path.glob("*.index.json"))) == (shard == "1MB")
    model = from_clip(tmp_path, "clip4str")
    assert model.config.clip_config.vision_config.num_attention_heads == 4
    assert model.config.clip_config.vision_config.hidden_act == "gelu"
    ours = model.clip.state_dict()
    assert all(torch.equal(ours[name], tensor) for name, tensor in original.state_dict().items())


def test_a_folder_that_carries_a_vocabulary_is_read_with_it(tmp_path, vit):
    torch.save(vit, tmp_path / "open_clip_pytorch_model.bin")
    assert load_clip_source(tmp_path).vocabulary is None
    ids = {f"{letter}{end}": n for n, (letter, end) in enumerate(product(LETTERS, ("", "</w>")))}
    ids |= {"ab": 1000, "<|startoftext|>": 49406, "<|endoftext|>": 49407}
    (tmp_path / "vocab.json").write_text(json.dumps(ids))
    (tmp_path / "merges.txt").write_text("#version: 0.2\na b\n")
    model = from_clip(tmp_path, "clip4str")
    assert model.config.num_caption_merges == 1
    word = torch.tensor([[11, 12, 11, 0]])  # "aba"
    assert model.caption_tokenizer(word)[0, :5].tolist() == [49406, 1000, ids["a</w>"], 49407, 0]


def test_a_ladder_begins_as_a_copy_of_clips_layers(tmp_path, vit):
    torch.save(vit, tmp_path / "vit.bin")
    ladder = {"adapter_type": "ladder", "layers": [0, 1]}
    config = CLIP4STRConfig(clip_config=small_clip_config(), use_cross_branch=False, adapter_config=ladder)
    start = start_from_clip(tmp_path / "vit.bin", config)
    layers = start.model.clip.vision_model.encoder.layers
    for rung, layer in zip(start.model.adapter.rungs, layers, strict=True):
        for name, tensor in rung.layer.state_dict().items():
            assert torch.equal(tensor, layer.state_dict()[name])
    assert start.report.ignored["token_embedding.weight"] == "no cross branch reads captions"


def test_a_resnet_starts_the_detector_with_resized_positions_and_cut_text(tmp_path, resnet):
    clip_checkpoints.save_torchscript(resnet, tmp_path / "RN50.pt")
    start = start_from_clip(tmp_path / "RN50.pt", "tcm")
    config, state = start.model.config, start.model.state_dict()
    assert config.image_tower_config.depths == [1, 2, 1, 1]
    assert config.image_tower_config.num_attention_heads == 8
    assert config.freeze_text_tower and config.text_tower_config.hidden_act == "quick_gelu"
    assert state["model.image_tower.attention_pool.position_embedding"].shape == (401, 512)
    table = state["model.text_tower.embeddings.position_embedding.weight"]
    assert torch.equal(table, resnet["positional_embedding"].half().float())
    assert not any(name.startswith("model.text_tower.") for name in start.report.fresh)
    assert any(name.startswith("head.") for name in start.report.fresh)
    with torch.inference_mode():
        assert start.model(torch.randn(1, 3, 64, 96)).probability_map.shape == (1, 64, 96)


def test_a_preset_cuts_the_text_positions_to_its_prompt(tmp_path, resnet):
    torch.save(resnet, tmp_path / "RN50.pt")
    config = TCMConfig(
        image_tower_config={"depths": (1, 2, 1, 1), "width": 16, "embed_dim": 32, "grid_size": 3},
        text_tower_config={
            "hidden_size": 64,
            "intermediate_size": 256,
            "num_hidden_layers": 2,
            "max_position_embeddings": 18,
        },
    )
    model = from_clip(tmp_path / "RN50.pt", config)
    table = model.state_dict()["model.text_tower.embeddings.position_embedding.weight"]
    assert torch.equal(table, resnet["positional_embedding"][:18])


def test_the_baseline_takes_the_trunk_alone(tmp_path, resnet):
    torch.save(resnet, tmp_path / "RN50.pt")
    tower = {"depths": (1, 2, 1, 1), "width": 16, "embed_dim": 32}
    config = TCMConfig(method="baseline", image_tower_config=tower)
    report = start_from_clip(tmp_path / "RN50.pt", config).report
    assert report.ignored["token_embedding.weight"] == "the baseline has no text side"
    assert "visual.conv1.weight" not in report.ignored


@pytest.mark.parametrize(
    ("tensors", "target", "message"),
    [
        ("vit", "fasttcm-dbnet-r50-ic15", "'clip_vit'.*'clip_resnet'.*tcm-dbnet-vit-b16"),
        ("resnet", "tcm-dbnet-vit-b16", "'clip_resnet'.*'clip_vit'.*fasttcm-dbnet-r50-ic15"),
        ("vit", "tcm-dbnet-vit-b16", "another size than the preset"),
        ("resnet", "clip4str", "needs a vision transformer"),
        ("vit", "clip4str-large", "another size than the preset"),
        ("resnet", "fasttcm-dbnet-r50-ic15", "another size than the preset"),
        ("resnet", "fasttcm-dbnet-tiny", "this config has 'timm'"),
        ("vit", "clip4str-giant", "There is no preset"),
    ],
)
def test_what_does_not_go_together_is_refused(tmp_path, request, tensors, target, message):
    torch.save(request.getfixturevalue(tensors), tmp_path / "x.pt")
    with pytest.raises(ValueError, match=message):
        from_clip(tmp_path / "x.pt", target)


@pytest.mark.parametrize("kind", ["unknown", "missing", "mis-shaped"])
def test_names_that_do_not_fit_are_listed(tmp_path, vit, kind):
    tensors, name = dict(vit), "visual.transformer.resblocks.1.ln_2.bias"
    match kind:
        case "unknown":
            name = "visual.transformer.resblocks.1.ls_1.gamma"
            tensors[name] = torch.ones(64)
        case "missing":
            del tensors[name]
        case "mis-shaped":
            tensors[name] = torch.ones(63)
    torch.save(tensors, tmp_path / "x.pt")
    with pytest.raises(KeyMismatchError, match=f"1 {kind}") as caught:
        from_clip(tmp_path / "x.pt", "clip4str")
    assert name in str(caught.value)


@pytest.mark.parametrize(
    ("tensors", "message"),
    [
        ({"conv1.weight": (3,)}, "holds no CLIP weights"),
        ({"visual.class_embedding": (64,)}, "the size cannot be told"),
        ({"vision_model.embeddings.class_embedding": (64,)}, "no config.json"),
    ],
)
def test_what_is_no_clip_is_refused(tmp_path, tensors, message):
    torch.save(clip_checkpoints.seeded(tensors), tmp_path / "x.pt")
    with pytest.raises(ValueError, match=message):
        from_clip(tmp_path / "x.pt", "clip4str")


def test_a_folder_without_weights_and_a_path_that_is_none_are_refused(tmp_path):
    with pytest.raises(ValueError, match="holds no weights"):
        load_clip_source(tmp_path)
    with pytest.raises(FileNotFoundError, match="no file or folder"):
        load_clip_source(tmp_path / "absent")


def test_a_text_tower_that_timm_does_not_hold_is_fresh_and_learns(tmp_path):
    import timm
    from timm.models.byobnet import ByoBlockCfg

    blocks = tuple(
        ByoBlockCfg(type="bottle", d=1, c=64 * 2**stage, s=min(2, stage + 1), br=0.25) for stage in range(4)
    )
    original = timm.create_model(
        "resnet50_clip", blocks=blocks, stem_chs=(8, 8, 16), img_size=64, num_classes=32
    )
    save_file(original.state_dict(), tmp_path / "model.safetensors")
    (tmp_path / "config.json").write_text('{"architecture": "resnet50_clip"}')
    text = {"hidden_size": 32, "intermediate_size": 64, "num_attention_heads": 2, "num_hidden_layers": 1}
    tower = {"depths": (1, 1, 1, 1), "width": 16, "embed_dim": 32, "num_attention_heads": 8}
    start = start_from_clip(tmp_path, TCMConfig(image_tower_config=tower, text_tower_config=text))
    assert not start.model.config.freeze_text_tower
    assert all(parameter.requires_grad for parameter in start.model.model.text_tower.parameters())
    assert any(name.startswith("model.text_tower.") for name in start.report.fresh)


@pytest.mark.parametrize("source", ["openai", "transformers"])
def test_a_vit_starts_the_detector(tmp_path, vit, source):
    if source == "openai":
        torch.save(vit, tmp_path / "vit.pt")
        start, vision = start_from_clip(tmp_path / "vit.pt", "tcm"), "visual."
        proj = vit["visual.proj"].T
    else:
        torch.manual_seed(0)
        original = CLIPModel(CLIPConfig(**small_clip_config()))
        original.save_pretrained(tmp_path)
        start, vision = start_from_clip(tmp_path, "tcm"), "vision_model."
        proj = original.visual_projection.weight
    config, state = start.model.config, start.model.state_dict()
    assert config.image_tower_config.tower_type == "clip_vit" and config.matching_stage == 2
    assert torch.equal(state["model.image_tower.visual_projection.weight"], proj)
    assert {name.split(".")[2] for name in start.report.fresh if name.startswith("model.image_tower.")} == {
        "pyramid"
    }
    assert not any(name.startswith((vision, "text_model.", "transformer.")) for name in start.report.ignored)
    with torch.inference_mode():
        assert start.model(torch.randn(1, 3, 64, 96)).probability_map.shape == (1, 64, 96)


def test_a_config_resizes_the_positions_of_a_vit(tmp_path, vit):
    torch.save(vit, tmp_path / "vit.pt")
    config = start_from_clip(tmp_path / "vit.pt", "tcm").model.config
    tower = config.image_tower_config.to_dict() | {"image_size": 64, "out_layers": [0, 0, 1, 1]}
    tower.pop("transformers_version", None)
    sized = TCMConfig(image_tower_config=tower, text_tower_config=config.text_tower_config, matching_stage=2)
    model = from_clip(tmp_path / "vit.pt", sized)
    positions = model.state_dict()["model.image_tower.embeddings.position_embedding.weight"]
    assert positions.shape == (17, 64) and torch.equal(positions[0], vit["visual.positional_embedding"][0])
    assert model.config.image_tower_config.out_layers == [0, 0, 1, 1]


@pytest.mark.slow
@pytest.mark.parametrize("preset", ["fasttcm-dbnet-r50-ic15", "tcm-dbnet-r50-ctw1500"])
def test_a_full_size_rn50_starts_the_published_detectors(tmp_path, preset):
    shapes = clip_checkpoints.resnet_shapes((3, 4, 6, 3), 64, 1024, grid=7)
    text = clip_checkpoints.text_shapes(width=512, layers=12, embed=1024)
    shapes = {name: shape for name, shape in shapes.items() if name.startswith("visual.")} | text
    tensors = clip_checkpoints.seeded(shapes)
    assert sum(tensor.numel() for tensor in tensors.values()) == pytest.approx(102e6, rel=0.01)
    clip_checkpoints.save_torchscript(tensors, tmp_path / "RN50.pt")
    start = start_from_clip(tmp_path / "RN50.pt", preset)
    assert start.model.config.image_tower_config == TCMConfig.from_preset(preset).image_tower_config
