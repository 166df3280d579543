"""Text of several kinds by class prompts: "handwritten text", "printed text" and "number plate".

    pip install 'tcm_hf[clip,train]'       # the prompts are spelled in CLIP's vocabulary
    python multi_class_text.py --output my-text-kinds

The class names are free text: give others, and photos annotated with them, and the same lines train a
detector for those. Here the photos are generated, the detector is small and starts at random, and it learns
in minutes on a CPU. At the end it says the AP50 of every class on photos it has not seen, and draws some.
"""

import argparse
import json
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import torch
from PIL import Image, ImageDraw, ImageFont
from transformers import pipeline

import tcm_hf
from tcm_hf.cli.drawing import draw_objects
from tcm_hf.data.augmentation_rotated import upright_augmentation
from tcm_hf.data.rotated_records import RotatedRecord
from tcm_hf.data.synthetic.textures import random_texture
from tcm_hf.modeling.configuration_rotated import TCMRotatedDetectionConfig
from tcm_hf.modeling.modeling_rotated import TCMForRotatedObjectDetection
from tcm_hf.processing.image_processing_rotated import TCMRotatedImageProcessor
from tcm_hf.processing.rotated_boxes import boxes_to_polygons, rotated_overlaps
from tcm_hf.training.arguments import RotatedDetectionTrainingArguments
from tcm_hf.training.rotated_datasets import RotatedDetectionDataset
from tcm_hf.training.rotated_evaluation import choose_threshold, evaluate_rotated
from tcm_hf.training.rotated_trainer import RotatedDetectionTrainer

SIZE_HW = (160, 224)
WORDS = ("open", "bakery", "market", "please", "ring", "milk", "dear", "friend", "exit", "library", "coffee")
LETTERS = list("ABCDEFGHJKLMNPRSTUVWXYZ")
Color = np.ndarray
"""(3,) RGB, 0..255."""
Patch = tuple[np.ndarray, np.ndarray]
"""Colours (h, w, 3) and coverage (h, w) in 0..1, no larger than the text or plate."""


def printed(rng: np.random.Generator, color: Color) -> Patch:
    """A word or two in a printer's face."""
    text = " ".join(rng.choice(WORDS, rng.integers(1, 3)))
    text = text.upper() if rng.random() < 0.4 else text
    return _colored(_typeset(text, int(rng.integers(20, 34))), color)


def handwritten(rng: np.random.Generator, color: Color) -> Patch:
    """A word in a running hand that nobody can read: loops of a pen, one a letter."""
    count, pitch, x_height = rng.integers(4, 12), rng.uniform(7, 12), rng.uniform(8, 14)
    tall = rng.choice([1.0, 1.0, 1.0, 2.0, -1.0], count + 1)  # some rise above, some fall below the line
    steps = np.arange(0, count, 0.04)
    phase = 2 * np.pi * steps
    height = x_height * tall[steps.astype(int)] * rng.uniform(0.8, 1.2, count + 1)[steps.astype(int)]
    x = pitch * steps - pitch * rng.uniform(0.2, 0.4) * np.sin(phase)
    y = -height * (1 - np.cos(phase)) / 2
    x = x - rng.uniform(0.1, 0.5) * y  # slanted
    y = y + rng.uniform(0, 3) * np.sin(steps / rng.uniform(0.5, 2))
    thickness = int(rng.integers(1, 4))
    points = np.stack([x - x.min() + 3, y - y.min() + 3], axis=1)
    ink = np.zeros(np.ceil(points.max(axis=0) + 4).astype(int)[::-1], np.uint8)
    cv2.polylines(ink, [np.round(points).astype(np.int32)], False, 255, thickness, cv2.LINE_AA)
    return _colored(ink, color)


def number_plate(rng: np.random.Generator, color: Color) -> Patch:
    """A framed plate of letters and digits, with or without a blue strip."""
    text = f"{rng.choice(LETTERS)} {rng.choice(LETTERS)}{rng.choice(LETTERS)} {rng.integers(10, 9999)}"
    ink = _typeset(text, int(rng.integers(18, 28)))
    margin = ink.shape[0] // 2
    strip = int(rng.random() < 0.6) * margin
    cover = np.pad(ink, ((margin, margin), (margin + strip, margin)))[..., None] / 255
    paper = np.array([238, 238, 232] if rng.random() < 0.7 else [240, 200, 40])
    plate = paper * (1 - cover) + 20 * cover
    plate[:, :strip] = (30, 60, 150)
    cv2.rectangle(plate, (0, 0), (plate.shape[1] - 1, plate.shape[0] - 1), (20, 20, 20), 2)
    return plate * rng.uniform(0.6, 1.0), np.ones(plate.shape[:2])


CLASSES: dict[str, Callable[[np.random.Generator, Color], Patch]] = {
    "handwritten text": handwritten,
    "printed text": printed,
    "number plate": number_plate,
}


def photo(seed: int) -> RotatedRecord:
    """A wall with one to four texts of these kinds, each in its rotated box."""
    rng = np.random.default_rng(seed)
    image = cv2.GaussianBlur(random_texture(rng, SIZE_HW), (0, 0), rng.uniform(0.5, 2)).astype(np.float32)
    boxes, names = np.zeros((0, 5)), []
    for _ in range(3 * rng.integers(1, 5)):
        name = str(rng.choice(list(CLASSES)))
        is_bright = image.mean() > 120
        colors, cover = CLASSES[name](rng, rng.uniform(0, 60, 3) if is_bright else rng.uniform(190, 255, 3))
        height, width = cover.shape
        angle = rng.normal(scale=0.25)
        box = np.array([[rng.uniform(0, SIZE_HW[1]), rng.uniform(0, SIZE_HW[0]), width, height, angle]])
        corners, grown = boxes_to_polygons(box)[0], box + np.array([0, 0, 6, 6, 0])
        inside = (corners >= 0).all() and (corners <= SIZE_HW[::-1]).all()
        if len(names) == 4 or not inside or (rotated_overlaps(grown, boxes) > 0).any():
            continue
        cos, sin = np.cos(angle), np.sin(angle)
        turn = np.array([[cos, -sin], [sin, cos]])
        # OpenCV counts from pixel centres, boxes from pixel edges.
        matrix = np.column_stack([turn, box[0, :2] - 0.5 - turn @ ((width - 1) / 2, (height - 1) / 2)])
        shown = cv2.warpAffine(cover.astype(np.float32), matrix, SIZE_HW[::-1])[..., None]
        painted = cv2.warpAffine(colors.astype(np.float32), matrix, SIZE_HW[::-1])
        image = image * (1 - shown) + painted * shown
        boxes, names = np.concatenate([boxes, box]), [*names, name]
    noisy = np.clip(image + rng.normal(scale=rng.uniform(1, 6), size=image.shape), 0, 255)
    return RotatedRecord(noisy.astype(np.uint8), boxes_to_polygons(boxes), names, name=f"{seed}")


def _typeset(text: str, em_px: int) -> np.ndarray:
    """The letters of a text, (h, w) uint8."""
    font = ImageFont.load_default(em_px)
    left, top, right, bottom = (int(side) for side in font.getbbox(text))
    ink = Image.new("L", (right - left + 1, bottom - top + 1))
    ImageDraw.Draw(ink).text((-left, -top), text, 255, font)
    return np.asarray(ink)


def _colored(ink: np.ndarray, color: Color) -> Patch:
    """Ink (h, w) uint8 in a colour, without the empty margin around it."""
    rows, columns = (np.flatnonzero(ink.max(axis=axis) > 80) for axis in (1, 0))
    cover = ink[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1] / 255
    return np.broadcast_to(color, (*cover.shape, 3)), cover


def train(
    photos: list[RotatedRecord], preset: str, steps: int, batch_size: int, output: Path
) -> tuple[TCMForRotatedObjectDetection, TCMRotatedImageProcessor]:
    """A detector of the classes that learns from photos; returns it with its image processor."""
    # 1. The model: its classes are their names. Its text tower is random here, so it learns too.
    torch.manual_seed(0)
    classes = tcm_hf.class_prompts(list(CLASSES))
    config = TCMRotatedDetectionConfig.from_preset(preset, freeze_text_tower=False, **classes)
    model = TCMForRotatedObjectDetection(config)
    processor = TCMRotatedImageProcessor(size={"longest_edge": max(SIZE_HW)})

    # 2. Samples: tilted and zoomed a little, never mirrored.
    samples = RotatedDetectionDataset(
        photos,
        upright_augmentation(SIZE_HW, scale=(0.8, 1.25)),
        class_names=list(CLASSES),
        shown_size_hw=processor.get_processed_size_hw,
        image_mean=processor.image_mean,
        image_std=processor.image_std,
        size_hw=SIZE_HW,
    )

    # 3. The Trainer.
    trainer = RotatedDetectionTrainer(
        model,
        RotatedDetectionTrainingArguments(
            output_dir=str(output / "checkpoints"),
            max_steps=steps,
            per_device_train_batch_size=batch_size,
            learning_rate=3e-3,
            image_tower_lr_factor=1.0,
            text_tower_lr_factor=1.0,
            average_decay=0.99,
            eval_strategy="no",
            save_strategy="no",
            load_best_model_at_end=False,
            use_cpu=not torch.cuda.is_available(),
            report_to=[],
        ),
        image_processor=processor,
        train_dataset=samples,
    )
    trainer.train()
    model.cache_text_embeddings()  # the text tower has done its work
    return model, processor


def main(argv: list[str] | None = None) -> dict[str, float]:
    """Train, score, save and draw; returns AP50 by class."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--output", type=Path, required=True, metavar="DIR")
    parser.add_argument("--steps", type=int, default=400)
    parser.add_argument("--batch-size", type=int, default=8)
    parser.add_argument("--photos", type=int, default=600, help="to train on; a tenth as many to score on")
    parser.add_argument("--preset", default="fasttcm-rotated-fcos-tiny")
    args = parser.parse_args(argv)
    train_photos = [photo(seed) for seed in range(args.photos)]
    other_photos = [photo(seed) for seed in range(10**6, 10**6 + max(args.photos // 10, 1))]
    model, processor = train(train_photos, args.preset, args.steps, args.batch_size, args.output)

    # The threshold from photos it has learned from, the score from others.
    processor.threshold = choose_threshold(model, processor, train_photos[:50])["threshold"]
    scores = evaluate_rotated(model, processor, other_photos)
    print(json.dumps({name: scores[name] for name in ("map50", "map50_95", "ap50", "num_objects")}, indent=2))
    model.save_pretrained(args.output)
    processor.save_pretrained(args.output)

    # What a user does with it.
    detector = pipeline("rotated-object-detection", model=str(args.output))
    pictures = [record.load_image() for record in other_photos[:4]]
    drawn = [
        draw_objects(picture, found, list(CLASSES))
        for picture, found in zip(pictures, detector(pictures), strict=True)
    ]
    Image.fromarray(np.hstack([np.asarray(one) for one in drawn])).save(args.output / "example.png")
    return scores["ap50"]


if __name__ == "__main__":
    main()
