"""FSDP: torch's `fully_shard` takes the models, and losses and gradients stay those of one process."""

import numpy as np
import pytest
import torch

from tcm_hf.training.arguments import TextDetectionTrainingArguments
from tcm_hf.training.batch_norm import synchronise_batch_norms
from tcm_hf.training.processes import ALONE, Processes, weights_are_sharded
from tcm_hf.training.sharding import scalars_to_vectors, vectors_to_scalars
from tcm_hf.training.trainer import TextDetectionTrainer
from tiny import tiny_images, tiny_labels, tiny_model
from two_processes import can_fork, in_two_processes

WITHOUT_DROPOUT = {
    name: {
        "hidden_size": 16,
        "num_hidden_layers": 1,
        "num_attention_heads": 2,
        "residual_scale": 0.5,
        "dropout": 0.0,
    }
    for name in ("visual_prompt_config", "text_refiner_config")
}


def make_model():
    return tiny_model(**WITHOUT_DROPOUT).train()


def test_single_numbers_become_vectors_and_are_written_as_before():
    model = make_model().eval()
    before, said = dict(model.state_dict()), model(tiny_images()).probability_map
    names = scalars_to_vectors(model)
    assert names == {name for name, value in before.items() if value.ndim == 0 and "num_batches" not in name}
    assert names  # the gates
    assert all(parameter.ndim for parameter in model.parameters())
    assert torch.equal(model(tiny_images()).probability_map, said)
    written = vectors_to_scalars(model.state_dict(), names)
    assert {name: value.shape for name, value in written.items()} == {
        name: value.shape for name, value in before.items()
    }
    model = make_model()
    model.load_state_dict(written)


def learned(images: slice, prepare) -> dict:
    model = make_model()
    prepare(model)
    labels = {name: value[images] for name, value in tiny_labels(4).items()}
    loss = model(tiny_images(4)[images], labels=labels).loss
    loss.backward()
    gradients = {name: parameter.grad for name, parameter in model.named_parameters()}
    whole = {
        name: getattr(grad, "full_tensor", lambda grad=grad: grad)().numpy().reshape(-1)
        for name, grad in gradients.items()
        if grad is not None
    }
    return {"loss": loss.item(), "gradients": whole}


@can_fork
def test_cut_over_two_processes_a_model_learns_what_it_learns_in_one():
    fsdp = pytest.importorskip("torch.distributed.fsdp")
    if not hasattr(fsdp, "fully_shard"):
        pytest.skip("this torch has no fully_shard")

    def cut(model):
        mesh = torch.distributed.init_device_mesh("cpu", (2,))
        synchronise_batch_norms(model, "cpu")
        scalars_to_vectors(model)
        for part in (model.model.image_tower, model.head, model):
            fsdp.fully_shard(part, mesh=mesh)

    one = learned(slice(None), lambda model: None)
    two = in_two_processes(lambda rank: learned(slice(2 * rank, 2 * rank + 2), cut))
    assert np.mean([result["loss"] for result in two]) == pytest.approx(one["loss"], rel=1e-5)
    assert one["gradients"].keys() == two[0]["gradients"].keys()
    difference = [two[0]["gradients"][name] - gradient for name, gradient in one["gradients"].items()]
    size = np.linalg.norm(np.concatenate(list(one["gradients"].values())))
    assert np.linalg.norm(np.concatenate(difference)) < 1e-4 * size


def arguments(folder, **changes) -> TextDetectionTrainingArguments:
    return TextDetectionTrainingArguments(
        str(folder), use_cpu=True, eval_strategy="no", load_best_model_at_end=False, **changes
    )


def test_where_weights_are_cut_no_average_is_kept_and_all_evaluate_everything(tmp_path, monkeypatch):
    whole = arguments(tmp_path)
    assert not weights_are_sharded(whole)
    assert Processes.of_evaluation(whole) == Processes.of(whole)
    monkeypatch.setenv("ACCELERATE_USE_FSDP", "true")
    assert weights_are_sharded(whole)
    assert Processes.of_evaluation(whole) is ALONE
    whole.average_decay = 0.9
    with pytest.raises(ValueError, match=r"average_decay.*--average-decay 0"):
        TextDetectionTrainer(make_model(), whole, image_processor=None)
