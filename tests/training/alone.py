"""Checks of losses of single samples, shared by the tests of all Trainers with a head."""

import torch


def assert_sample_losses_are_those_of_images_alone(trainer) -> None:
    """What the replay takes for the loss of an image is what the head says of a batch of that image."""
    losses = trainer.sample_losses()
    model = trainer.model.eval()  # no dropout, and norms that do not look at the batch
    model.training = model.head.training = True
    samples = [trainer.train_dataset[number] for number in range(3)]
    batch = trainer.data_collator(samples)
    model(pixel_values=batch["pixel_values"], labels=batch["labels"])
    together = losses.of(batch["labels"])
    assert together.shape == (3,)
    for sample, loss in zip(samples, together, strict=True):
        one = trainer.data_collator([sample])
        parts = model(pixel_values=one["pixel_values"], labels=one["labels"]).loss_dict
        alone = sum(part for name, part in parts.items() if name != "loss_matching")
        torch.testing.assert_close(loss, alone.detach(), rtol=1e-3, atol=1e-4)
    assert together.unique().numel() == 3
