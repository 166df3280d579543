"""What a CLIP4STR model promises, on a tiny one."""

import pytest
import torch

from tcm_hf.modeling import modeling_clip4str
from tcm_hf.modeling.configuration_clip4str import CLIP4STRConfig
from tcm_hf.modeling.modeling_clip4str import CLIP4STRForTextRecognition
from tcm_hf.modeling.permutations import reading_orders
from tiny_recognizer import MERGES, VOCAB, tiny_crops, tiny_recognizer

LABELS = torch.tensor([[3, 1, 4, 0, -100], [13, 0, -100, -100, -100], [0, -100, -100, -100, -100]])


@torch.no_grad()
def eager_to_end(model: CLIP4STRForTextRecognition) -> CLIP4STRForTextRecognition:
    """Makes random weights read words that end at different lengths: [E] wins at every fourth position."""
    for part, std in ((model.clip, 0.5), (model.visual_decoder, 1.0), (model.cross_decoder, 1.0)):
        for parameter in part.parameters():
            if parameter.ndim > 1:
                torch.nn.init.normal_(parameter, std=std)
    images = tiny_crops(8, seed=5)
    for branch, decoder in (("visual_logits", model.visual_decoder), ("logits", model.cross_decoder)):
        logits = model(images, refine_iterations=0, num_steps=7)[branch]
        margins = logits[..., 1:].amax(-1) - logits[..., 0]
        decoder.head.bias[0] += margins.quantile(0.25)
    return model


def lengths_of(logits: torch.Tensor) -> list[int]:
    ended = (logits.argmax(-1) == 0).int()
    return [int(row.argmax()) if row.any() else logits.shape[1] for row in ended]


@pytest.mark.parametrize("refine_iterations", [0, 1, 2])
@pytest.mark.parametrize(
    ("options", "cross"),
    [({}, True), ({"decoder_num_layers": 2}, True), ({"autoregressive": False}, True), ({}, False)],
    ids=["plain", "two layers", "non-autoregressive", "visual branch"],
)
@torch.no_grad()
def test_a_batch_never_changes_a_word(options, cross, refine_iterations):
    model = eager_to_end(tiny_recognizer(seed=3, **options))
    images = tiny_crops(8, seed=5)
    arguments = {"refine_iterations": refine_iterations, "use_cross_branch": cross}
    together = model(images, **arguments)
    if refine_iterations == 0:
        assert len(set(lengths_of(together.visual_logits))) > 1  # else this test shows nothing
    for i in range(len(images)):
        alone = model(images[i : i + 1], **arguments)
        steps = alone.logits.shape[1]
        torch.testing.assert_close(together.logits[i, :steps], alone.logits[0], atol=1e-3, rtol=1e-3)
        probabilities = together.logits[i, steps:].softmax(-1)
        assert (probabilities[:, 0] == 1).all()  # certain [E] behind the word
        if cross:
            torch.testing.assert_close(together.caption_ids[i], alone.caption_ids[0])


@torch.no_grad()
def test_a_fixed_number_of_steps_reads_on_behind_the_end():
    model = eager_to_end(tiny_recognizer(seed=3))
    images = tiny_crops(4, seed=5)
    own, fixed = (model(images, refine_iterations=0, num_steps=steps) for steps in (None, 7))
    assert fixed.logits.shape == fixed.visual_logits.shape == (4, 7, 14)
    for row, length in enumerate(lengths_of(own.visual_logits)):
        steps = slice(0, length + 1)
        torch.testing.assert_close(
            own.visual_logits[row, steps], fixed.visual_logits[row, steps], atol=1e-3, rtol=1e-3
        )
    assert model(images, num_steps=3).logits.shape == (4, 7, 14)  # a refinement asks for all positions
    assert model(images, max_length=2).logits.shape == (4, 3, 14)


@torch.no_grad()
def test_refinement_encodes_changed_captions_only(monkeypatch):
    model = eager_to_end(tiny_recognizer(seed=3))
    images = tiny_crops(6, seed=5)
    encoded = []
    encode = model._caption_tokens
    monkeypatch.setattr(model, "_caption_tokens", lambda ids: encoded.append(len(ids)) or encode(ids))
    before = model(images, refine_iterations=0).caption_ids
    after = model(images, refine_iterations=1).caption_ids
    changed = after[(before != after).any(dim=1)]
    wanted = [len(before.unique(dim=0))] * 2
    assert encoded == wanted + ([len(changed.unique(dim=0))] if len(changed) else [])


@torch.no_grad()
def test_captions_say_what_the_visual_branch_read():
    model = eager_to_end(tiny_recognizer(seed=3))
    output = model(tiny_crops(4, seed=5), refine_iterations=0)
    captions = model.caption_tokenizer(output.visual_logits.argmax(-1))
    torch.testing.assert_close(output.caption_ids, captions)
    assert captions.shape == (4, 16)


def test_training_gives_every_parameter_a_gradient():
    model = tiny_recognizer(text_freeze_layers=-1).train()
    output = model(tiny_crops(3), labels=LABELS)
    assert output.logits is None
    torch.testing.assert_close(output.loss, output.loss_dict["loss_visual"] + output.loss_dict["loss_cross"])
    output.loss.backward()
    without = [name for name, p in model.named_parameters() if p.grad is None or not p.grad.any()]
    # Only the contrastive warm-up trains the temperature.
    assert without == ["clip.logit_scale"]


def test_the_cross_branch_trains_the_image_tower_only_if_told_to():
    for detach in (True, False):
        model = tiny_recognizer(image_detach=detach).train()
        model(tiny_crops(3), labels=LABELS).loss_dict["loss_cross"].backward()
        gradient = model.clip.vision_model.post_layernorm.weight.grad
        assert (gradient is None) == detach


@torch.no_grad()
def test_evaluation_gives_the_same_loss_twice_and_what_was_read():
    model = tiny_recognizer()
    first, second = (model(tiny_crops(3), labels=LABELS) for _ in range(2))
    assert first.loss == second.loss
    torch.testing.assert_close(first.logits, model(tiny_crops(3)).logits)


def test_padding_of_labels_does_not_change_the_loss():
    model = tiny_recognizer()
    wide = torch.nn.functional.pad(LABELS, (0, 2), value=-100)
    torch.testing.assert_close(
        model(tiny_crops(3), labels=LABELS).loss, model(tiny_crops(3), labels=wide).loss
    )


def test_empty_words_alone_train():
    output = tiny_recognizer().train()(tiny_crops(2), labels=torch.tensor([[0, -100], [0, -100]]))
    assert output.loss.isfinite()


@torch.no_grad()
def test_bfloat16_reads_and_trains_with_logits_and_loss_in_float32():
    model = tiny_recognizer().to(torch.bfloat16)
    output = model(tiny_crops(3).to(torch.bfloat16), labels=LABELS)
    assert output.logits.dtype == output.visual_logits.dtype == output.loss.dtype == torch.float32
    assert output.loss.item() == pytest.approx(
        tiny_recognizer()(tiny_crops(3), labels=LABELS).loss.item(), rel=0.02
    )


@torch.no_grad()
def test_eager_and_sdpa_attention_agree():
    images = tiny_crops(3)
    outputs = []
    for implementation in ("eager", "sdpa"):
        model = tiny_recognizer(attn_implementation=implementation)
        assert model.clip.vision_model.config._attn_implementation == implementation
        outputs.append(model(images, labels=LABELS))
    torch.testing.assert_close(outputs[0].logits, outputs[1].logits)
    torch.testing.assert_close(outputs[0].loss, outputs[1].loss)


@torch.no_grad()
def test_saving_and_loading_keeps_what_is_read_and_the_vocabulary(tmp_path):
    model = eager_to_end(tiny_recognizer())
    model.save_pretrained(tmp_path)
    loaded, info = CLIP4STRForTextRecognition.from_pretrained(tmp_path, output_loading_info=True)
    assert not info["missing_keys"] and not info["unexpected_keys"]
    assert loaded.config.num_caption_merges == len(MERGES)
    assert not [name for name, value in loaded.state_dict().items() if value.is_meta]
    images = tiny_crops(3)
    torch.testing.assert_close(model(images).logits, loaded.eval()(images).logits, atol=0, rtol=0)


@torch.no_grad()
def test_the_visual_branch_of_saved_weights_loads_alone(tmp_path):
    model = eager_to_end(tiny_recognizer())
    model.save_pretrained(tmp_path)
    alone = CLIP4STRForTextRecognition.from_pretrained(tmp_path, use_cross_branch=False).eval()
    assert not any(name.startswith(("cross_decoder", "clip.text")) for name in alone.state_dict())
    images = tiny_crops(3)
    torch.testing.assert_close(alone(images).logits, model(images, use_cross_branch=False).logits)
    assert alone(images, labels=LABELS).loss_dict.keys() == {"loss_visual"}
    with pytest.raises(ValueError, match="no cross branch"):
        alone(images, use_cross_branch=True)
    with pytest.raises(ValueError, match="no cross branch"):
        alone.set_caption_vocabulary(VOCAB, MERGES)


def test_weights_without_a_vocabulary_get_working_tables(tmp_path):
    """As converted weights do: the caption tokenizer's buffers are missing and must not stay garbage."""
    model = tiny_recognizer()
    state = {n: v for n, v in model.state_dict().items() if not n.startswith("caption_tokenizer.")}
    config = CLIP4STRConfig(**(model.config.to_dict() | {"num_caption_merges": 0}))
    loaded = CLIP4STRForTextRecognition.from_pretrained(None, config=config, state_dict=state)
    with pytest.raises(ValueError, match="set_caption_vocabulary"):
        loaded(tiny_crops(1))
    assert loaded(tiny_crops(1), use_cross_branch=False).logits.isfinite().all()
    loaded.set_caption_vocabulary(VOCAB, MERGES)
    ids = torch.tensor([[11, 12, 13, 0], [2, 12, 0, 0]])
    torch.testing.assert_close(loaded.caption_tokenizer(ids), model.caption_tokenizer(ids))


def test_frozen_layers_stay_frozen_after_loading(tmp_path):
    tiny_recognizer(text_freeze_layers=1, image_freeze_layers=0).save_pretrained(tmp_path)
    loaded = CLIP4STRForTextRecognition.from_pretrained(tmp_path).train()
    frozen = {name for name, p in loaded.named_parameters() if not p.requires_grad}
    assert {"clip.logit_scale", "clip.vision_model.embeddings.class_embedding"} < frozen
    assert any(name.startswith("clip.text_model.encoder.layers.0.") for name in frozen)
    assert not any("decoder" in name or "post_layernorm" in name for name in frozen)


def test_fresh_weights_are_those_of_the_configuration():
    model = tiny_recognizer()
    assert model.visual_decoder.pos_queries.std().item() == pytest.approx(0.02, rel=0.2)
    assert model.visual_decoder.pos_queries.abs().max() < 0.1
    assert model.cross_decoder.head.weight.std().item() == pytest.approx(0.02, rel=0.2)
    convolution = model.clip.vision_model.embeddings.stages[0].conv
    fan_out = convolution.out_channels * 9
    assert convolution.weight.std().item() == pytest.approx((2 / fan_out) ** 0.5, rel=0.25)
    assert model.clip.vision_model.embeddings.position_embedding.std().item() == pytest.approx(0.02, rel=0.2)


def test_gradient_checkpointing_gives_the_same_gradients():
    gradients = []
    for checkpointing in (False, True):
        model = tiny_recognizer(dropout=0.0).train()
        if checkpointing:
            model.gradient_checkpointing_enable()
        torch.manual_seed(0)
        model(tiny_crops(3), labels=LABELS).loss.backward()
        gradients.append(model.clip.vision_model.encoder.layers[0].mlp.fc1.weight.grad)
    torch.testing.assert_close(*gradients)


def test_contrastive_features_are_the_class_and_the_end_token():
    model = tiny_recognizer()
    image = model.get_image_features(tiny_crops(2))
    torch.testing.assert_close(image.pooler_output, image.last_hidden_state[:, 0])
    ids = model.caption_tokenizer(torch.tensor([[11, 0], [0, 0]]))
    caption = model.get_caption_features(ids)
    end = (ids == len(VOCAB) - 1).int().argmax(-1)
    torch.testing.assert_close(caption.pooler_output, caption.last_hidden_state[torch.arange(2), end])
    assert caption.last_hidden_state.shape == (2, 16, 16)


@torch.no_grad()
def test_the_last_position_may_hold_a_character_as_in_the_original():
    model = tiny_recognizer(seed=3)
    for decoder in (model.visual_decoder, model.cross_decoder):
        decoder.head.bias[0] -= 1e3  # no word ends
    for max_length, characters in ((1, 2), (99, 7), (None, 7)):
        logits = model(tiny_crops(1), max_length=max_length).logits
        assert logits.shape[1] == characters
        assert logits.argmax(-1).all()


def test_a_step_may_have_a_number_of_reading_orders_of_its_own(monkeypatch):
    model = tiny_recognizer()
    drawn = []
    monkeypatch.setattr(
        modeling_clip4str, "reading_orders", lambda *args: drawn.append(args[1]) or reading_orders(*args)
    )
    losses = [model(tiny_crops(3), labels=LABELS, num_permutations=count).loss for count in (None, 6, 2)]
    assert drawn == [6, 6, 2]
    assert losses[0] == losses[1] != losses[2]
    assert model.config.num_permutations == 6
    with pytest.raises(ValueError, match="`num_permutations` must be 1 or more"):
        model(tiny_crops(3), labels=LABELS, num_permutations=0)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"refine_iterations": -1}, "`refine_iterations` must be 0 .* or more: got -1"),
        ({"num_steps": 0}, "`num_steps` must be 1 or more: got 0"),
        ({"max_length": -3}, "`max_length` must be 1 or more: got -3"),
        ({"pixel_values": torch.zeros(0, 3, 32, 64)}, "at least one image: got .0, 3, 32, 64"),
        ({"pixel_values": torch.zeros(3, 32, 64)}, "must be .B, 3, H, W."),
    ],
)
def test_what_cannot_be_read_is_named(arguments, message):
    with pytest.raises(ValueError, match=message):
        tiny_recognizer()(**({"pixel_values": tiny_crops(2)} | arguments))


@pytest.mark.parametrize(
    ("ids", "message"),
    [
        ([[-100, -100], [-100, -100]], "must hold a target"),
        ([[14, 0], [1, 0]], "got ids from 0 to 14"),
        ([[-1, 0], [1, 0]], "got ids from -1 to 1"),
    ],
)
@pytest.mark.parametrize("training", [False, True])
def test_labels_that_mean_nothing_are_refused(ids, message, training):
    with pytest.raises(ValueError, match=message):
        tiny_recognizer().train(training)(tiny_crops(2), labels=torch.tensor(ids))


@pytest.mark.parametrize("shape", [(2, 8), (3, 5), (2,)])
def test_labels_that_do_not_fit_are_refused(shape):
    with pytest.raises(ValueError, match="`labels` must be"):
        tiny_recognizer()(tiny_crops(2), labels=torch.ones(shape, dtype=torch.long))


@torch.no_grad()
def test_outputs_come_in_the_order_of_their_fields_with_hidden_states_on_demand():
    model, images = tiny_recognizer(), tiny_crops(3)
    output = model(images, labels=LABELS, output_hidden_states=True)
    assert list(output) == ["loss", "loss_dict", "logits", "visual_logits", "caption_ids", "hidden_states"]
    assert len(output.hidden_states) == model.config.clip_config.vision_config.num_hidden_layers + 1
    assert model(images).hidden_states is None
    torch.testing.assert_close(model(images, return_dict=False)[0], output.logits)
