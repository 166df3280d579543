"""Query-based spotting heads side by side: time at the published sizes, steps to learn the same few crops.

    python benchmarks/spotting_heads.py --data ../shared/data/ic15-train:1-60

Times are of the heads alone, behind the feature maps of a ResNet-50, at the sizes of the papers. For the
second table small heads of equal sizes learn three crops by heart, on frozen features of the shipped
detector, with the same optimizer and schedule; a word is read if a query in its place says it to the letter.
That tells how directly a head learns, not how well it reads new words.
"""

import argparse
import time
from collections.abc import Sequence
from functools import partial
from typing import Any, NamedTuple

import numpy as np
import torch
from harness import machine, medians_ms, print_table
from transformers import set_seed

from tcm_hf import default_checkpoint
from tcm_hf.data.augmentation_spotting import default_spotting_augmentation
from tcm_hf.data.targets_spotting import spotting_targets
from tcm_hf.modeling.configuration_tcm_spotting import CHARACTERS_96, TCMSpottingConfig
from tcm_hf.modeling.modeling_tcm import TCMForTextDetection
from tcm_hf.modeling.modeling_tcm_spotting import SPOTTING_HEADS, FastTCMForTextSpotting
from tcm_hf.modeling.outputs_tcm import TCMModelOutput
from tcm_hf.modeling.query_spotting_head import QuerySpottingHead
from tcm_hf.processing.decode_spotting import decode_spotting
from tcm_hf.processing.image_processing_tcm import TCMImageProcessor
from tcm_hf.training.corpus_spec import CorpusSpec
from tcm_hf.training.spotting_datasets import TextSpottingDataset

HEADS: dict[str, dict[str, Any]] = {
    "TESTR": {"head_type": "testr"},
    "DeepSolo": {"head_type": "deepsolo"},
}
SMALL = {
    "num_queries": 40,
    "num_characters": 20,
    "hidden_size": 64,
    "intermediate_size": 128,
    "num_encoder_layers": 1,
    "num_decoder_layers": 2,
    "num_feature_levels": 3,
    "dropout": 0.0,
}
CROP_HW = (192, 256)
FIELDS = ("score_logits", "control_points", "character_logits", "ctc_logits")
EVERY = 25
"""Steps between two looks at what is read."""


class Crops(NamedTuple):
    """What is learned."""

    features: TCMModelOutput
    labels: list[dict[str, torch.Tensor]]
    texts: list[list[str]]


def main(argv: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", required=True, metavar="FOLDER[:A-B]", help="photos whose texts are known")
    parser.add_argument(
        "--side", type=int, default=640, metavar="PX", help="of the timed image (%(default)s)"
    )
    parser.add_argument("--repeats", type=int, default=3, metavar="N", help="timed runs (%(default)s)")
    parser.add_argument("--steps", type=int, default=300, metavar="N", help="of learning (%(default)s)")
    parser.add_argument("--learning-rate", type=float, default=2e-3, help="peak rate (%(default)s)")
    parser.add_argument("--threads", type=int, default=1, metavar="N", help="of torch (%(default)s)")
    arguments = parser.parse_args(argv)
    torch.set_num_threads(arguments.threads)
    print(f"CPU time; {machine()}\n")
    print_times(arguments.side, arguments.repeats)
    print()
    print_learning(CorpusSpec.parse(arguments.data), arguments.steps, arguments.learning_rate)


def print_times(side: int, repeats: int) -> None:
    """The first table."""
    channels = [512, 1024, 2048]
    maps = [
        torch.randn(1, count, side // s, side // s) for count, s in zip(channels, (8, 16, 32), strict=True)
    ]
    features = TCMModelOutput(feature_maps=tuple(maps))
    functions, parameters = {}, {}
    for name, options in HEADS.items():
        config = TCMSpottingConfig(head_config=options)
        config._attn_implementation = "sdpa"  # as a model sets it
        head: Any = SPOTTING_HEADS[config.head_config.head_type](config, channels)
        head.initialize_parameters()
        parameters[name] = sum(parameter.numel() for parameter in head.parameters()) / 1e6
        functions[f"{name} find"] = partial(find, head, features)
        functions[f"{name} learn"] = partial(learn, head, features, some_words(10))
    times = medians_ms(functions, repeats)
    rows = [(name, parameters[name], times[f"{name} find"], times[f"{name} learn"]) for name in HEADS]
    print(f"One image of {side}x{side}, 10 words in it\n")
    print_table(("head", "million parameters", "forward, ms", "forward, losses, backward, ms"), rows)


def some_words(count: int) -> list[dict[str, torch.Tensor]]:
    """Words of five letters, one below the other."""
    corners = np.array([[20, 10], [120, 10], [120, 24], [20, 24]], dtype=np.float32)
    words = [corners + np.float32([0, 40 * row]) for row in range(count)]
    targets = spotting_targets(
        words, ["words"] * count, [False] * count, (640, 640), characters=CHARACTERS_96
    )
    return [{name: torch.from_numpy(value) for name, value in targets.items()}]


@torch.no_grad()
def find(head: QuerySpottingHead, features: TCMModelOutput) -> dict[str, torch.Tensor]:
    return head.eval().outputs(head(features, None, None))


def learn(head: QuerySpottingHead, features: TCMModelOutput, labels: list[dict[str, torch.Tensor]]) -> None:
    head.train().zero_grad()
    losses = head.loss(head(features, None, labels), labels)
    torch.stack(list(losses.values())).sum().backward()


def print_learning(data: CorpusSpec, steps: int, learning_rate: float) -> None:
    """The second table."""
    looks = [step for step in range(EVERY, steps + 1, EVERY) if not step % (2 * EVERY)]
    rows, count = [], 0
    for name, options in HEADS.items():
        config = TCMSpottingConfig.from_preset("fasttcm-testr-tiny", head_config=SMALL | options)
        set_seed(0)
        model = FastTCMForTextSpotting(config)
        crops = crops_of(data, model)
        count = sum(map(len, crops.texts))
        began = time.process_time()
        read = learned(model, crops, steps, learning_rate)
        all_read = next(
            (step for step in sorted(read) if min(read[s] for s in read if s >= step) == count), "-"
        )
        per_step = (time.process_time() - began) / steps * 1000
        rows.append((name, *(read[step] for step in looks), all_read, per_step))
    print(f"Words of {count} that are read after so many steps\n")
    print_table(("head", *map(str, looks), "all from step", "ms a step"), rows)


def crops_of(data: CorpusSpec, model: FastTCMForTextSpotting) -> Crops:
    """Three crops with some words each, and what the shipped detector's image tower sees in them."""
    detector = TCMForTextDetection.from_pretrained(default_checkpoint())
    model.model.image_tower.load_state_dict(detector.model.image_tower.state_dict())
    processor = TCMImageProcessor.from_pretrained(default_checkpoint())
    config = model.config
    targets = partial(
        spotting_targets, characters=config.characters, num_characters=config.head_config.num_characters
    )
    dataset = TextSpottingDataset(
        data.records(),
        default_spotting_augmentation(CROP_HW, 7.0, (0.8, 1.2)),
        targets=targets,
        image_mean=processor.image_mean,
        image_std=processor.image_std,
        size_hw=CROP_HW,
        seed=0,
    )
    samples = (dataset[number] for number in range(len(dataset)))
    unknown = len(config.characters) - 1
    chosen = (
        sample
        for sample in samples
        if 2 <= len(sample["labels"]["character_ids"]) <= 12
        and not (sample["labels"]["character_ids"] == unknown).any()
    )
    some = [next(chosen) for _ in range(3)]
    labels = [sample["labels"] for sample in some]
    texts = [[text_of(ids, config.characters) for ids in label["character_ids"].tolist()] for label in labels]
    with torch.no_grad():
        features = model.eval().model(torch.stack([sample["pixel_values"] for sample in some]))
    return Crops(features, labels, texts)


def text_of(ids: Sequence[int], characters: str) -> str:
    return "".join(characters[index] for index in ids if index < len(characters))


def learned(model: FastTCMForTextSpotting, crops: Crops, steps: int, learning_rate: float) -> dict[int, int]:
    """Step -> words that are read after it."""
    head: Any = model.head
    optimizer = torch.optim.AdamW(head.parameters(), lr=learning_rate, weight_decay=1e-4)
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimizer, learning_rate, total_steps=steps, pct_start=0.05
    )
    read = {}
    for step in range(1, steps + 1):
        learn(head, crops.features, crops.labels)
        torch.nn.utils.clip_grad_norm_(head.parameters(), 1.0)
        optimizer.step()
        schedule.step()
        if step % EVERY == 0:
            read[step] = words_read(head, crops, model.config.characters)
    return read


def words_read(head: QuerySpottingHead, crops: Crops, characters: str) -> int:
    """Words whose nearest query above 0.3 says them."""
    outputs, count = find(head, crops.features), 0
    for row, (label, texts) in enumerate(zip(crops.labels, crops.texts, strict=True)):
        fields = {name: outputs[name][row].numpy() for name in FIELDS if name in outputs}
        found = decode_spotting(fields, size_hw=(1, 1))
        said = [word.text for word in found.reading.read(found.logits, characters)]
        centers = label["boxes"][:, :2].numpy()
        nearest = [
            int(np.linalg.norm(centers - polygon.mean(axis=0), axis=1).argmin())
            for polygon in found.polygons_xy
        ]
        told = {word for word, text in zip(nearest, said, strict=True) if text == texts[word]}
        count += len(told)
    return count


if __name__ == "__main__":
    main()
