"""Train a word recognizer on your own labelled crops with the Trainer. Copy this file and change it.

    python train_text_recognition.py --train my-words --validation my-other-words --output my-recognizer

A folder of crops holds metadata.jsonl, one line an image:

    {"file_name": "word_1.png", "text": "Exit"}

LMDBs of the benchmarks and the other corpora of words of `tcm-hf data list` work too.
`tcm-hf train recognizer` does the same and more (mixing, words cut from photos, going on, curve).
"""

import argparse
from pathlib import Path

import torch

from tcm_hf import default_checkpoint
from tcm_hf.data.augmentation_words import default_word_augmentation
from tcm_hf.data.word_corpora import load_words
from tcm_hf.modeling.modeling_clip4str import CLIP4STRForTextRecognition
from tcm_hf.processing.processing_clip4str import CLIP4STRProcessor
from tcm_hf.training.recognition_arguments import TextRecognitionTrainingArguments
from tcm_hf.training.recognition_datasets import WordDataset
from tcm_hf.training.recognition_trainer import TextRecognitionTrainer
from tcm_hf.training.recognition_words import usable_words


def main(argv: list[str] | None = None) -> None:
    """Train, evaluate, save."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--train", required=True, metavar="CORPUS")
    parser.add_argument("--validation", required=True, metavar="CORPUS")
    parser.add_argument("--output", type=Path, required=True, metavar="DIR")
    parser.add_argument(
        "--model",
        default=default_checkpoint("text-recognition"),
        metavar="PATH",
        help="checkpoint to fine-tune; default: the one that ships with tcm_hf",
    )
    parser.add_argument("--steps", type=int, default=2000)
    parser.add_argument("--batch-size", type=int, default=64)
    args = parser.parse_args(argv)

    # 1. The model and its processor.
    model = CLIP4STRForTextRecognition.from_pretrained(args.model)
    processor = CLIP4STRProcessor.from_pretrained(args.model)

    # 2. The words: distorted anew each time, stretched as the processor does it.
    size = processor.image_processor.size
    train_dataset = WordDataset(
        usable_words(load_words(args.train), model.config.charset, model.config.max_label_length),
        default_word_augmentation(),
        size_hw=(size["height"], size["width"]),
    )

    # 3. The Trainer: permutation language modelling, word accuracy of both branches, best checkpoint kept.
    interval = min(500, args.steps)
    trainer = TextRecognitionTrainer(
        model,
        TextRecognitionTrainingArguments(
            output_dir=str(args.output),
            max_steps=args.steps,
            per_device_train_batch_size=args.batch_size,
            learning_rate=2e-4,
            ctc_auxiliary_weight=0.0,
            average_decay=0.998,
            eval_steps=interval,
            save_steps=interval,
            dataloader_num_workers=1,
            use_cpu=not torch.cuda.is_available(),
        ),
        processor=processor,
        train_dataset=train_dataset,
        eval_dataset=load_words(args.validation),
    )
    trainer.train()
    print(trainer.evaluate())
    trainer.save_model()  # pipeline("text-recognition", "my-recognizer") opens it


if __name__ == "__main__":
    main()
