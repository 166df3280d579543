"""Train a text detector with a plain loop of your own, on one process or many. Copy this file and change it.

    python train_with_accelerate.py --train photos --validation others --model start --output out
    python -m torch.distributed.run --nproc_per_node 2 train_with_accelerate.py ...      (two processes)
    accelerate launch --config_file configs/multi_gpu.yaml train_with_accelerate.py ...  (GPUs)

accelerate takes care of devices, processes and mixed precision; all else is in front of you. The same command
goes on from the last checkpoint in the output folder. (Do not use `accelerate launch --cpu` for several
processes: it starts one.) `tcm-hf train detector` and `train_text_detection.py` do the same with the Trainer.
"""

import argparse
from pathlib import Path
from typing import Any

import torch
from accelerate import Accelerator, skip_first_batches
from accelerate.utils import set_seed
from torch.utils.data import DataLoader

from tcm_hf.data.augmentation import default_training_augmentation
from tcm_hf.data.corpora.loading import load_corpus
from tcm_hf.modeling.modeling_tcm import TCMForTextDetection
from tcm_hf.processing.image_processing_tcm import TCMImageProcessor
from tcm_hf.training.batch_norm import synchronise_batch_norms
from tcm_hf.training.collators import TextDetectionCollator
from tcm_hf.training.datasets import MixedDataset, PassSampler, TextDetectionDataset
from tcm_hf.training.detectors import detector_of
from tcm_hf.training.evaluation_loop import evaluate_detector
from tcm_hf.training.frozen import FrozenParts
from tcm_hf.training.optimizer import frozen_names, parameter_groups, tower_parts
from tcm_hf.training.processes import Processes
from tcm_hf.training.weight_average import WeightAverage

IMAGE_TOWER, TEXT_TOWER = 0.1, 0.0  # learning-rate factors, as in the papers; 0 is frozen


class Progress:
    """How far the training is; lies in the checkpoints."""

    def __init__(self) -> None:
        self.step = 0

    def state_dict(self) -> dict[str, int]:
        """What is saved."""
        return {"step": self.step}

    def load_state_dict(self, state: dict[str, int]) -> None:
        """Go on from there."""
        self.step = state["step"]


def main(argv: list[str] | None = None) -> None:
    """Train, evaluate, save."""
    args = parse(argv)
    accelerator = Accelerator(cpu=args.cpu, mixed_precision=args.mixed_precision)
    set_seed(args.seed)
    model = TCMForTextDetection.from_pretrained(args.model)
    image_processor = TCMImageProcessor.from_pretrained(args.model)

    # 1. Samples are numbered through the whole run: sample n is the same in any process, at any time. The
    #    loader that `prepare` gives takes every N-th batch, where there are N processes.
    run = samples(model, image_processor, args, args.steps * args.batch_size * accelerator.num_processes)
    loader = DataLoader(
        run,
        batch_size=args.batch_size,  # of each process
        sampler=PassSampler(len(run)),
        collate_fn=TextDetectionCollator(),
        num_workers=args.workers,
        # Starting the loader draws a number: of its own, or dropout would see others after going on.
        generator=torch.Generator(),
    )

    # 2. What learns how fast. The text tower is frozen for good: no gradients, and no batch statistics.
    frozen = FrozenParts(model, frozen_names(model, tower_parts(IMAGE_TOWER, TEXT_TOWER)))
    optimizer = torch.optim.AdamW(groups(model, args.learning_rate))
    # Not prepared: accelerate would step it once for each process.
    schedule = torch.optim.lr_scheduler.PolynomialLR(optimizer, args.steps, power=0.9)

    # 3. Processes share batches and gradients; batch norms and losses then count all of a batch, too.
    if accelerator.num_processes > 1:
        synchronise_batch_norms(model, accelerator.device.type)
    model, optimizer, loader = accelerator.prepare(model, optimizer, loader)
    plain_model = accelerator.unwrap_model(model)
    average = WeightAverage(plain_model, args.average_decay) if args.average_decay else None

    # 4. Checkpoints hold weights, optimizer and random numbers, and what is registered here.
    progress = Progress()
    accelerator.register_for_checkpointing(schedule, progress, *([average] if average else []))
    if last := last_checkpoint(args.output):
        accelerator.load_state(last)

    # 5. The loop.
    for batch in skip_first_batches(loader, progress.step):
        model.train()
        frozen.hold()
        with accelerator.autocast():
            loss = model(**batch).loss
        accelerator.backward(loss)
        accelerator.clip_grad_norm_(model.parameters(), 5.0)
        optimizer.step()
        schedule.step()
        optimizer.zero_grad()
        progress.step += 1
        if average:
            average.update(plain_model, progress.step)
        mean_loss = accelerator.reduce(loss.detach(), "mean").item()
        accelerator.print(f"step {progress.step}/{args.steps}  loss {mean_loss:.4f}")
        if progress.step % args.save_steps == 0:
            save(accelerator, args.output, progress.step)

    # 6. Evaluate, every process on its share of the photos; the first one saves.
    if average:
        average.copy_to(plain_model)
    processes = Processes(accelerator.process_index, accelerator.num_processes)
    records = load_corpus(args.validation)
    scores = evaluate_detector(plain_model, image_processor, records, batch_size=1, processes=processes)
    accelerator.print({name: round(value, 4) for name, value in scores.items()})
    if accelerator.is_main_process:
        plain_model.save_pretrained(args.output)
        image_processor.save_pretrained(args.output)
    accelerator.end_training()


def parse(argv: list[str] | None) -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--train", required=True, metavar="CORPUS")
    parser.add_argument("--validation", required=True, metavar="CORPUS")
    parser.add_argument("--model", required=True, metavar="PATH", help="checkpoint to start from")
    parser.add_argument("--output", type=Path, required=True, metavar="DIR")
    parser.add_argument("--steps", type=int, default=5000)
    parser.add_argument("--save-steps", type=int, default=500)
    parser.add_argument("--batch-size", type=int, default=8, help="of each process")
    parser.add_argument("--crop", type=int, default=320, metavar="PX", help="side of a sample")
    parser.add_argument("--learning-rate", type=float, default=1e-3)
    parser.add_argument("--average-decay", type=float, default=0.998, help="0 does without")
    parser.add_argument("--mixed-precision", choices=("no", "bf16"), default="no")
    parser.add_argument("--workers", type=int, default=0)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--cpu", action="store_true")
    return parser.parse_args(argv)


def groups(model: TCMForTextDetection, learning_rate: float) -> list[dict[str, Any]]:
    """Parameters by learning rate, norms without decay; what is frozen is in none."""
    return parameter_groups(
        model,
        learning_rate=learning_rate,
        weight_decay=1e-4,
        image_tower_lr_factor=IMAGE_TOWER,
        text_tower_lr_factor=TEXT_TOWER,
    )


def samples(
    model: TCMForTextDetection, image_processor: TCMImageProcessor, args: argparse.Namespace, length: int
) -> MixedDataset:
    """Crops of the photos with their target maps; one epoch of the mix is the whole run."""
    size_hw = (args.crop, args.crop)
    photos = TextDetectionDataset(
        load_corpus(args.train),
        default_training_augmentation(size_hw),
        image_mean=image_processor.image_mean,
        image_std=image_processor.image_std,
        size_hw=size_hw,
        seed=args.seed,
        targets=detector_of(model.config).targets(model.config.head_config, 7.0),
    )
    return MixedDataset([photos], length=length, seed=args.seed)


def save(accelerator: Accelerator, output: Path, step: int) -> None:
    """Write a checkpoint; it has its name once it is whole."""
    accelerator.save_state(output / "unfinished")
    accelerator.wait_for_everyone()
    if accelerator.is_main_process:
        (output / "unfinished").rename(output / f"checkpoint-{step}")
    accelerator.wait_for_everyone()


def last_checkpoint(output: Path) -> str | None:
    """The newest checkpoint in the output folder."""
    found = sorted(output.glob("checkpoint-*"), key=lambda path: int(path.name.split("-")[1]))
    return str(found[-1]) if found else None


if __name__ == "__main__":
    main()
