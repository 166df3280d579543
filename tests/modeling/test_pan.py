"""PAN's head and losses: golden numbers of the original, and what must hold for any numbers."""

import numpy as np
import pytest
import torch

import golden_files
from tcm_hf.modeling.configuration_tcm import TCMConfig
from tcm_hf.modeling.pan import PANHead, PANMaps, PyramidConv, hard_negative_mask
from tiny import tiny_images, tiny_labels, tiny_model

GOLDEN_LABELS = {"instance_map": "gt_text", "kernel_map": "gt_shrink", "text_mask": "gt_mask"}


def head_with(**options):
    config = TCMConfig(
        method="baseline",
        image_tower_config={"tower_type": "clip_resnet", "depths": [1, 1, 1, 1], "width": 8},
        head_config={"head_type": "pan", "neck_channels": 8, **options},
    )
    return PANHead(config, [8, 8, 8, 8]).eval()


def noise(seed, shape):
    return np.random.default_rng(seed).standard_normal(shape).astype(np.float32)


def golden_labels(count):
    _, arrays = golden_files.load("D_losses")
    return {
        ours: torch.from_numpy(arrays[f"gt.{theirs}"].astype(np.float32))[:count]
        for ours, theirs in GOLDEN_LABELS.items()
    }


def maps_of(prediction):
    return PANMaps(prediction[:, 0], prediction[:, 1], prediction[:, 2:])


def random_case(count=2, instances=5, seed=0):
    """Predictions and labels with numbered stripes of text; the last stripe has lost its kernel."""
    generator = torch.Generator().manual_seed(seed)
    prediction = torch.randn(count, 6, 16, 24, generator=generator)
    instance_map, kernel_map = torch.zeros(2, count, 64, 96)
    for i in range(instances):
        instance_map[:, 12 * i : 12 * i + 8, 8:64] = i + 1
        if i < instances - 1:
            kernel_map[:, 12 * i : 12 * i + 4, 16:48] = i + 1
    return prediction, {
        "instance_map": instance_map,
        "kernel_map": kernel_map,
        "text_mask": torch.ones_like(kernel_map),
    }


def at_stride_4(labels):
    return [labels[name][:, ::4, ::4] for name in ("instance_map", "kernel_map")]


# ---- the original's numbers --------------------------------------------------------------------------


@pytest.mark.parametrize("case", ["pan.n1", "pan.n2", "pan.empty_first"])
def test_losses_and_gradient_are_the_originals(case):
    reference, arrays = golden_files.load("D_losses")
    count = 1 if case == "pan.n1" else 2
    prediction = torch.from_numpy(1.5 * noise(15, (2, 6, 24, 32)))[:count].requires_grad_()
    labels = golden_labels(count)
    if case == "pan.empty_first":
        labels["instance_map"][0] = labels["kernel_map"][0] = 0
    losses = head_with().loss(maps_of(prediction), labels)
    assert losses.keys() == reference["losses"][case].keys()
    for name, expected in reference["losses"][case].items():
        np.testing.assert_allclose(losses[name].item(), expected, rtol=1e-5, err_msg=name)
    sum(losses.values()).backward()
    stored, gradient = arrays[f"{case}.grad0"], golden_files.sub(prediction.grad.numpy())
    np.testing.assert_allclose(gradient.reshape(-1), stored.reshape(-1), atol=5e-4 * stored.std())


@pytest.mark.parametrize("count", [1, 2])
def test_matching_loss_and_gradient_are_the_originals(count):
    reference, arrays = golden_files.load("D_losses")
    logits = torch.from_numpy(3 * noise(13, (2, 1, 3, 4)))[:count].requires_grad_()
    loss = head_with().matching_loss(logits, golden_labels(count))
    expected = reference["losses"][f"panident.n{count}"]["loss_pix_cls"]
    np.testing.assert_allclose(loss.item(), expected, rtol=1e-5)
    loss.backward()
    stored = arrays[f"panident.n{count}.grad0"]
    np.testing.assert_allclose(logits.grad.numpy(), stored, atol=5e-4 * stored.std())


# ---- the losses against a plain reading of the paper -------------------------------------------------


def losses_by_loops(embeddings, instances, kernels, pull_margin=0.5, push_margin=3.0):
    """PAN eq. 3 and 5 of one image, instance by instance (eq. 5 halved, as the released code has it)."""
    means, pulls = [], []
    for number in range(1, int(instances.max()) + 1):
        text, kernel = instances == number, kernels == number
        if not text.any() or not kernel.any():
            continue
        mean = embeddings[:, kernel].mean(dim=1)
        distance = (embeddings[:, text] - mean[:, None]).norm(dim=0)
        pulls.append(((distance - pull_margin).clamp(min=0) ** 2 + 1).log().mean())
        means.append(mean)
    pushes = [
        ((push_margin - (means[i] - means[j]).norm()).clamp(min=0) ** 2 + 1).log()
        for i in range(len(means))
        for j in range(i)
    ]
    pull = sum(pulls) / len(pulls) if pulls else torch.tensor(0.0)
    push = sum(pushes) / (len(means) * (len(means) - 1)) if pushes else torch.tensor(0.0)
    return pull, push


@pytest.mark.parametrize("instances", [0, 1, 2, 5])
def test_embedding_losses_are_those_of_a_loop_over_instances(instances):
    prediction, labels = random_case(instances=instances, seed=instances)
    embeddings, maps = (
        prediction[:, 2:],
        [labels[name][:, ::4, ::4] for name in ("instance_map", "kernel_map")],
    )
    found = head_with().embedding_losses(embeddings, *(x.long() for x in maps))
    expected = [losses_by_loops(embeddings[i], maps[0][i], maps[1][i]) for i in range(2)]
    for losses, by_loops in zip(found, zip(*expected, strict=True), strict=True):
        torch.testing.assert_close(losses, torch.stack(by_loops))


def test_numbers_of_the_instances_mean_nothing_and_may_have_gaps():
    prediction, labels = random_case()
    renumbered = dict(labels)
    for name in ("instance_map", "kernel_map"):
        renumbered[name] = torch.tensor([0.0, 40, 7, 2, 90, 11])[labels[name].long()]
    head = head_with()
    torch.testing.assert_close(
        head.loss(maps_of(prediction), renumbered), head.loss(maps_of(prediction), labels)
    )


def test_a_kernel_outside_every_text_takes_no_part():
    prediction, labels = random_case()
    stray = labels | {"kernel_map": labels["kernel_map"].clone()}
    stray["kernel_map"][:, 60:, 88:] = 9  # more than there are instances
    maps, head = maps_of(prediction), head_with()
    found, expected = head.loss(maps, stray), head.loss(maps, labels)
    for name in ("loss_aggregation", "loss_discrimination"):
        torch.testing.assert_close(found[name], expected[name])


def test_losses_of_a_batch_are_the_means_of_its_images():
    prediction, labels = random_case()
    labels["instance_map"][1], labels["kernel_map"][1] = 0, 0
    head = head_with()
    together = head.loss(maps_of(prediction), labels)
    alone = [
        head.loss(maps_of(prediction[i : i + 1]), {name: x[i : i + 1] for name, x in labels.items()})
        for i in range(2)
    ]
    for name, loss in together.items():
        torch.testing.assert_close(loss, (alone[0][name] + alone[1][name]) / 2)


def test_pixels_that_are_not_supervised_change_no_loss():
    prediction, labels = random_case()
    labels["text_mask"][:, 24:44] = 0
    changed = prediction.clone()
    changed[:, :, 6:11] = 5
    head = head_with(negative_ratio=100.0)
    torch.testing.assert_close(head.loss(maps_of(changed), labels), head.loss(maps_of(prediction), labels))


def test_a_right_prediction_costs_nothing():
    instances, kernels = at_stride_4(random_case(instances=3)[1])
    right = torch.stack([200 * (instances > 0) - 100.0, 200 * (kernels > 0) - 100.0], dim=1)
    right = torch.cat([right, 10 * instances[:, None].expand(-1, 4, -1, -1)], dim=1)
    for name, loss in head_with().loss(maps_of(right), random_case(instances=3)[1]).items():
        assert loss.item() == pytest.approx(0, abs=1e-5), name


def test_of_too_many_instances_a_random_sample_enters_the_embedding_losses():
    prediction, labels = random_case(count=1)
    few, all_of_them = head_with(max_instances=2), head_with(max_instances=4)

    def pushes(head, seed):
        torch.manual_seed(seed)
        return head.loss(maps_of(prediction), labels)["loss_discrimination"].item()

    assert len({round(pushes(few, seed), 5) for seed in range(20)}) > 2
    assert pushes(few, 3) == pushes(few, 3)
    assert len({pushes(all_of_them, seed) for seed in range(3)}) == 1
    state = torch.get_rng_state()
    all_of_them.loss(maps_of(prediction), labels)
    assert torch.equal(torch.get_rng_state(), state)  # nothing was drawn


# ---- hard negatives ----------------------------------------------------------------------------------

SCORES = torch.tensor([[9.0, 1.0, 5.0, 4.0, 3.0, 2.0]])


@pytest.mark.parametrize(
    ("target", "mask", "ratio", "expected"),
    [
        ([1, 0, 0, 0, 0, 0], [1, 1, 1, 1, 1, 1], 2.0, [1, 0, 1, 1, 0, 0]),  # the two highest negatives
        ([0, 1, 0, 0, 0, 0], [1, 1, 1, 1, 1, 1], 1.0, [1, 1, 0, 0, 0, 0]),
        ([1, 0, 0, 0, 0, 0], [1, 1, 1, 1, 1, 1], 9.0, [1, 1, 1, 1, 1, 1]),  # fewer than wanted: all
        ([0, 0, 0, 0, 0, 0], [1, 1, 0, 1, 1, 1], 3.0, [1, 1, 0, 1, 1, 1]),  # no text: the mask
        ([1, 1, 1, 1, 1, 1], [1, 1, 0, 1, 1, 1], 3.0, [1, 1, 0, 1, 1, 1]),  # nothing but text
        ([1, 0, 0, 0, 0, 0], [0, 1, 1, 1, 1, 1], 3.0, [0, 1, 1, 1, 1, 1]),  # no supervised text: the mask
        ([1, 0, 0, 0, 0, 0], [1, 1, 0, 1, 1, 1], 1.0, [1, 0, 0, 0, 0, 0]),  # an ignored one takes the place
        ([1, 0, 0, 0, 0, 0], [0, 0, 0, 0, 0, 0], 1.0, [0, 0, 0, 0, 0, 0]),
    ],
)
def test_hard_negatives_are_the_highest_scored(target, mask, ratio, expected):
    target, mask = torch.tensor([target]).float(), torch.tensor([mask]).float()
    assert hard_negative_mask(SCORES, target, mask, ratio).tolist() == [expected]


def test_hard_negatives_are_chosen_map_by_map():
    target, mask = torch.zeros(2, 1, 6), torch.ones(2, 1, 6)
    target[0, 0, 0] = 1
    chosen = hard_negative_mask(torch.stack([SCORES, SCORES]), target, mask, 1.0)
    assert chosen.tolist() == [[[1, 0, 1, 0, 0, 0]], [[1, 1, 1, 1, 1, 1]]]


# ---- the network -------------------------------------------------------------------------------------


def test_convolving_before_resizing_is_convolving_the_concatenation():
    torch.manual_seed(0)
    conv = PyramidConv(12, 6, kernel_size=1)
    levels = tuple(torch.randn(2, 3, 16 >> i, 24 >> i) for i in range(4))
    resized = [torch.nn.functional.interpolate(x, (16, 24), mode="bilinear") for x in levels]
    expected = torch.nn.functional.conv2d(torch.cat(resized, dim=1), conv.weight, conv.bias)
    torch.testing.assert_close(conv(levels), expected)


def test_a_new_head_is_undecided_everywhere():
    with torch.no_grad():
        output = tiny_model(head_type="pan")(tiny_images())
    for maps in (output.text_logits, output.kernel_logits):
        assert 0 < maps.abs().max() < 0.5


def test_the_margins_and_weights_of_the_config_reach_the_losses():
    prediction, labels = random_case()
    plain = head_with().loss(maps_of(prediction), labels)
    weighted = head_with(kernel_loss_weight=1.0, embedding_loss_weight=0.5).loss(maps_of(prediction), labels)
    for name, factor in (("text", 1), ("kernel", 2), ("aggregation", 2), ("discrimination", 2)):
        torch.testing.assert_close(weighted[f"loss_{name}"], factor * plain[f"loss_{name}"])
    calm = head_with(aggregation_margin=100.0, discrimination_margin=0.0).loss(maps_of(prediction), labels)
    assert calm["loss_aggregation"] == calm["loss_discrimination"] == 0


def test_matching_loss_reads_the_whole_text_and_every_class():
    logits = torch.randn(2, 2, 2, 3, generator=torch.Generator().manual_seed(0))
    labels, head = tiny_labels(head_type="pan"), head_with()
    per_class = [head.matching_loss(logits[:, k : k + 1], labels) for k in range(2)]
    torch.testing.assert_close(head.matching_loss(logits, labels), torch.stack(per_class).mean())
    without_kernels = labels | {"kernel_map": torch.zeros_like(labels["kernel_map"])}
    torch.testing.assert_close(
        head.matching_loss(logits, without_kernels), head.matching_loss(logits, labels)
    )
