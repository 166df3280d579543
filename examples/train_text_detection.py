"""Train a text detector on your own annotated photos with the Trainer. Copy this file and change it.

    python train_text_detection.py --train my-photos --validation my-other-photos --output my-detector

A folder of photos holds metadata.jsonl, one line an image:

    {"file_name": "img_1.jpg", "polygons": [[[x, y], ...], ...], "ignore": [false, ...]}

Other corpora of `tcm-hf data list` work too: "totaltext:folder@train", a Label Studio export, ...

`tcm-hf train detector` does the same and more (generated pictures, mixing, decoding thresholds, curve).
"""

import argparse
from pathlib import Path

import torch

from tcm_hf.data.augmentation import default_training_augmentation
from tcm_hf.data.corpora.loading import load_corpus
from tcm_hf.modeling.configuration_tcm import TCMConfig
from tcm_hf.modeling.modeling_tcm import TCMForTextDetection
from tcm_hf.processing.image_processing_tcm import TCMImageProcessor
from tcm_hf.training.arguments import TextDetectionTrainingArguments
from tcm_hf.training.datasets import TextDetectionDataset
from tcm_hf.training.image_cache import ImageCache
from tcm_hf.training.trainer import TextDetectionTrainer

SIZE_HW = (320, 320)


def main(argv: list[str] | None = None) -> None:
    """Train, evaluate, save."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--train", required=True, metavar="CORPUS")
    parser.add_argument("--validation", required=True, metavar="CORPUS")
    parser.add_argument("--output", type=Path, required=True, metavar="DIR")
    parser.add_argument("--model", metavar="PATH", help="checkpoint to fine-tune; default: start at random")
    parser.add_argument("--steps", type=int, default=5000)
    parser.add_argument("--batch-size", type=int, default=8)
    args = parser.parse_args(argv)

    # 1. The model and its image processor.
    if args.model:
        model = TCMForTextDetection.from_pretrained(args.model)
        image_processor = TCMImageProcessor.from_pretrained(args.model)
    else:
        model = TCMForTextDetection(TCMConfig.from_preset("fasttcm-dbnet-tiny"))
        image_processor = TCMImageProcessor(size={"shortest_edge": 736, "longest_edge": 1536})

    # 2. The photos: decoded once, cut and distorted anew each time, with target maps.
    cache = ImageCache("data_cache/decoded")
    train_dataset = TextDetectionDataset(
        load_corpus(args.train),
        default_training_augmentation(SIZE_HW),
        image_mean=image_processor.image_mean,
        image_std=image_processor.image_std,
        size_hw=SIZE_HW,
        image_cache=cache,
    )

    # 3. The Trainer: learning-rate groups, poly schedule, hmean on whole photos, best checkpoint kept.
    interval = min(500, args.steps)
    trainer = TextDetectionTrainer(
        model,
        TextDetectionTrainingArguments(
            output_dir=str(args.output),
            max_steps=args.steps,
            per_device_train_batch_size=args.batch_size,
            image_tower_lr_factor=0.1 if args.model else 1.0,
            average_decay=0.998,
            eval_steps=interval,
            save_steps=interval,
            per_device_eval_batch_size=1,
            dataloader_num_workers=1,
            use_cpu=not torch.cuda.is_available(),
        ),
        image_processor=image_processor,
        train_dataset=train_dataset,
        eval_dataset=load_corpus(args.validation),
        image_cache=cache,
    )
    trainer.train()
    print(trainer.evaluate())
    trainer.save_model()  # pipeline("text-detection", "my-detector") opens it


if __name__ == "__main__":
    main()
