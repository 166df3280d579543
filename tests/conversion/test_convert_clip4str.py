"""A published CLIP4STR checkpoint becomes a folder that reads the same words, or nothing at all."""

import pytest
import torch
from safetensors.torch import load_file

import clip_checkpoints
import golden_files
import upstream_clip4str
from tcm_hf.conversion import saving
from tcm_hf.conversion.clip4str_sizes import adapter_config_of
from tcm_hf.conversion.convert_clip4str import convert_clip4str, load_clip4str
from tcm_hf.conversion.key_report import KeyMismatchError
from tcm_hf.conversion.key_rules import apply_rules
from tcm_hf.conversion.keys_clip4str import CLIP4STR
from tcm_hf.conversion.whole_folder import whole_folder
from tcm_hf.modeling.configuration_clip4str import CHARSET_94, CLIP4STRConfig
from tcm_hf.modeling.modeling_clip4str import CLIP4STRForTextRecognition
from tcm_hf.processing.processing_clip4str import CLIP4STRProcessor

# Small enough to be quick; the vocabulary is CLIP's.
SIZES = {"width": 64, "layers": 1, "embed": 64}
CHARACTERS = "0123456789abcdefghijklmnopqrstuvwxyzäöüß"


@pytest.fixture(scope="module")
def tensors() -> dict[str, torch.Tensor]:
    return clip_checkpoints.seeded(clip_checkpoints.clip4str_shapes(**SIZES))


def words(model, processor, images: torch.Tensor) -> list[str]:
    with torch.inference_mode():
        return [word["text"] for word in processor.post_process_text_recognition(model(images))]


def write(path, tensors, **more) -> str:
    torch.save({"state_dict": tensors, "pytorch-lightning_version": "1.6.5", **more}, path)
    return str(path)


def test_a_checkpoint_is_converted_with_processor_and_card_and_reads_the_same(tmp_path, tensors):
    checkpoint = write(tmp_path / "clip4str_small.ckpt", {f"model.{n}": t for n, t in tensors.items()})
    converted = convert_clip4str(checkpoint, tmp_path / "out")
    assert {path.name for path in tmp_path.iterdir()} == {"clip4str_small.ckpt", "out"}
    names = {path.name for path in (tmp_path / "out").iterdir()}
    assert {"config.json", "model.safetensors", "README.md", "charset.json", "caption_tokenizer"} <= names
    model = CLIP4STRForTextRecognition.from_pretrained(tmp_path / "out").eval()
    processor = CLIP4STRProcessor.from_pretrained(tmp_path / "out")
    ours = apply_rules(tensors, CLIP4STR).tensors
    saved = load_file(tmp_path / "out" / "model.safetensors")
    assert all(torch.equal(saved[name], tensor) for name, tensor in ours.items())
    images = torch.randn(2, 3, 32, 32, generator=torch.Generator().manual_seed(3))
    assert words(model, processor, images) == words(converted.model, converted.processor, images)
    config = model.config
    assert config.charset == CHARSET_94 and config.num_caption_merges == 48894
    assert config.clip_config.vision_config.hidden_act == "quick_gelu"
    assert config.clip_config.vision_config.num_attention_heads == 1
    assert config.image_size_hw == (32, 32)
    card = (tmp_path / "out" / "README.md").read_text()
    assert "clip4str_small.ckpt" in card and "Lightning checkpoint (1.6.5)" in card
    assert f"{len(tensors)} tensors taken" in card and str(tmp_path) not in card


def test_settings_in_the_checkpoint_and_another_charset_are_taken_over(tmp_path):
    shapes = clip_checkpoints.clip4str_shapes(charset=40, length=11, **SIZES)
    settings = {
        "charset_train": CHARACTERS,
        "charset_test": CHARACTERS[:10],
        "refine_iters": 3,
        "dec_num_heads": 4,
        "image_detach": False,
        "context_length": 12,
        "lr": 8.4e-5,
    }
    path = write(tmp_path / "x.ckpt", clip_checkpoints.seeded(shapes), hyper_parameters=settings)
    converted = load_clip4str(path, normalization="half")
    config = converted.model.config
    assert (config.charset, config.caption_charset) == (CHARACTERS, CHARACTERS[:10])
    assert (config.refine_iterations, config.decoder_num_attention_heads) == (3, 4)
    assert (config.max_label_length, config.caption_length, config.image_detach) == (11, 12, False)
    assert converted.processor.image_processor.image_mean == (0.5, 0.5, 0.5)
    assert converted.processor.tokenizer.max_label_length == 11


def test_a_charset_that_nothing_tells_must_be_given_and_fit(tmp_path):
    shapes = clip_checkpoints.clip4str_shapes(charset=40, **SIZES)
    path = write(tmp_path / "x.ckpt", clip_checkpoints.seeded(shapes))
    with pytest.raises(ValueError, match="it reads 40 characters, and does not say which"):
        load_clip4str(path)
    with pytest.raises(ValueError, match="the charset has 3"):
        load_clip4str(path, charset="abc")
    assert load_clip4str(path, charset=CHARACTERS).model.config.charset == CHARACTERS


def test_the_size_is_compared_with_a_preset(tmp_path, tensors):
    path = write(tmp_path / "x.ckpt", tensors)
    with pytest.raises(
        ValueError, match=r"not of the size of clip4str-large: vision_config\.hidden_size is 64"
    ):
        load_clip4str(path, preset="clip4str-large")
    with pytest.raises(ValueError, match="There is no preset"):
        load_clip4str(path, preset="clip4str-giant")


LAST = "cross_decoder.head.bias"
DAMAGES = {
    "missing": lambda tensors: tensors.pop(LAST),
    "unknown": lambda tensors: tensors.update({"cross_decoder.head2.bias": torch.ones(95)}),
    "mis-shaped": lambda tensors: tensors.update({LAST: torch.ones(96)}),
    "cannot be told": lambda tensors: tensors.pop("visual_decoder.head.weight"),
    "no clip": lambda tensors: [tensors.pop(name) for name in list(tensors) if name.startswith("clip_model")],
    "three equal parts": lambda tensors: tensors.update(
        {"cross_decoder.layers.0.self_attn.in_proj_bias": torch.ones(100)}
    ),
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_checkpoint_is_refused_and_leaves_no_folder(tmp_path, tensors, damage):
    damaged = dict(tensors)
    DAMAGES[damage](damaged)
    path = write(tmp_path / "x.ckpt", damaged)
    message = "cannot be told" if damage == "no clip" else damage
    with pytest.raises(ValueError, match=message):
        convert_clip4str(path, tmp_path / "out")
    assert [file.name for file in tmp_path.iterdir()] == ["x.ckpt"]


def test_all_names_that_do_not_fit_are_reported_together(tmp_path, tensors):
    damaged = dict(tensors)
    for name in ("missing", "unknown"):
        DAMAGES[name](damaged)
    damaged["visual_decoder.head.bias"] = torch.ones(3)
    with pytest.raises(KeyMismatchError) as caught:
        load_clip4str(write(tmp_path / "x.ckpt", damaged))
    assert caught.value.report.problems() == [
        "unknown: cross_decoder.head2.bias (95,)",
        "missing: cross_decoder.head.bias (95,)",
        "mis-shaped: visual_decoder.head.bias: (3,), and (95,) is needed",
    ]


@pytest.mark.parametrize("kind", ["linear", "attention", "ladder", "linear_ladder", "identity"])
def test_an_adapter_checkpoint_gives_the_golden_words(tmp_path, kind):
    reference, _ = golden_files.load("clip4str_adapter_tiny")
    run = reference["runs"][kind]
    inventory = golden_files.load("clip4str_tiny")[0]["state_dict"]
    clip = {name: entry for name, entry in inventory.items() if name.startswith("clip_model.")}
    shapes = {name: tuple(shape) for name, (shape, _) in (clip | run["state_dict"]).items()}
    settings = reference["hyper_parameters"] | run["settings"]
    path = write(tmp_path / "x.ckpt", clip_checkpoints.seeded(shapes), hyper_parameters=settings)
    converted = load_clip4str(path)
    assert converted.report.num_taken == sum(not is_text(name) for name in shapes)
    assert set(converted.report.ignored) == set(filter(is_text, shapes))
    assert converted.processor.caption_tokenizer is None
    images = upstream_clip4str.images("clip4str_tiny", 4)[:3]
    assert words(converted.model, converted.processor, images) == run["strings"]["ar_r1"]


def test_a_ladder_that_does_not_say_where_it_leans_is_refused():
    with pytest.raises(ValueError, match="a ladder of 2 rungs and does not say which layers"):
        adapter_config_of({"adapter.alpha": torch.zeros(2)}, {})
    published = adapter_config_of({"adapter.alpha": torch.zeros(6)}, {})
    assert published == {"adapter_type": "ladder", "layers": [1, 3, 5, 7, 9, 11]}


@pytest.mark.parametrize("error", [RuntimeError, KeyboardInterrupt])
def test_a_failure_after_saving_leaves_no_folder(tmp_path, tensors, monkeypatch, error):
    def fail(*_):
        raise error

    monkeypatch.setattr(saving, "_verify", fail)
    path = write(tmp_path / "x.ckpt", tensors)
    with pytest.raises(error):
        convert_clip4str(path, tmp_path / "deep" / "out")
    assert not list((tmp_path / "deep").iterdir())


def test_a_saved_model_that_differs_is_found(tensors, tmp_path):
    model = load_clip4str(write(tmp_path / "x.ckpt", tensors)).model
    other = load_clip4str(tmp_path / "x.ckpt").model
    saving._verify(model, other, (32, 32))
    with torch.no_grad():
        other.cross_decoder.head.bias[3] += 1e-6
    with pytest.raises(RuntimeError, match=r"differs in 1 tensors, the first \['cross_decoder.head.bias'\]"):
        saving._verify(model, other, (32, 32))


def test_a_folder_with_something_in_it_is_not_touched_and_an_empty_one_is_used(tmp_path):
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "mine.txt").write_text("mine")
    with pytest.raises(FileExistsError, match="not an empty folder"), whole_folder(tmp_path / "full"):
        pass
    assert (tmp_path / "full" / "mine.txt").read_text() == "mine"
    (tmp_path / "empty").mkdir()
    with whole_folder(tmp_path / "empty") as folder:
        (folder / "a.txt").write_text("a")
        assert not list((tmp_path / "empty").iterdir())
    assert [path.name for path in (tmp_path / "empty").iterdir()] == ["a.txt"]
    assert len(list(tmp_path.iterdir())) == 2


def test_the_golden_checkpoint_gives_the_golden_words(tmp_path):
    reference, _ = golden_files.load("clip4str_tiny")
    shapes = {name: tuple(shape) for name, (shape, _) in reference["state_dict"].items()}
    path = write(
        tmp_path / "x.ckpt",
        clip_checkpoints.seeded(shapes),
        hyper_parameters=dict(reference["hyper_parameters"]),
    )
    convert_clip4str(path, tmp_path / "out")
    model = CLIP4STRForTextRecognition.from_pretrained(tmp_path / "out").eval()
    processor = CLIP4STRProcessor.from_pretrained(tmp_path / "out")
    images = upstream_clip4str.images("clip4str_tiny", 4)
    assert words(model, processor, images) == reference["runs"]["A_ar_r1"]["final"]["strings"]


@pytest.mark.slow
def test_a_full_size_checkpoint_reads_the_same_words_as_its_tensors_in_the_model(tmp_path):
    sizes = {"width": 768, "layers": 12, "embed": 512, "image_size": 224}
    shapes = clip_checkpoints.clip4str_shapes(**sizes)
    text = clip_checkpoints.text_shapes(width=512, layers=12, embed=512)
    shapes = {name: shape for name, shape in shapes.items() if not is_text(name)}
    shapes |= {f"clip_model.{name}": shape for name, shape in text.items()}
    tensors = clip_checkpoints.seeded(shapes)
    assert sum(tensor.numel() for tensor in tensors.values()) == pytest.approx(158.3e6, rel=0.002)
    converted = convert_clip4str(
        write(tmp_path / "clip4str_base16x16.ckpt", tensors), tmp_path / "out", preset="clip4str-base"
    )
    direct = CLIP4STRForTextRecognition(CLIP4STRConfig.from_preset("clip4str-base")).eval()
    loaded = direct.load_state_dict(apply_rules(tensors, CLIP4STR).tensors, strict=False)
    assert not loaded.unexpected_keys
    assert all(name.startswith("caption_tokenizer.") for name in loaded.missing_keys)
    captions = converted.processor.caption_tokenizer
    direct.set_caption_vocabulary(captions.get_vocab(), merges_of(tmp_path / "out"))
    model = CLIP4STRForTextRecognition.from_pretrained(tmp_path / "out").eval()
    processor = CLIP4STRProcessor.from_pretrained(tmp_path / "out")
    images = upstream_clip4str.images("clip4str_full", 2)
    read = words(model, processor, images)
    assert read == words(direct, processor, images)
    assert len(set(read)) == 2 and all(read)


def is_text(name: str) -> bool:
    return name.startswith("clip_model.") and not name.startswith("clip_model.visual.")


def merges_of(folder) -> list[tuple[str, str]]:
    from tcm_hf.conversion.clip_vocabulary import load_clip_vocabulary

    return load_clip_vocabulary(folder / "caption_tokenizer")[1]
