"""Put TCM under one of transformers' own detectors, RT-DETR, and train it on generated photos.

    pip install scipy                      # RT-DETR matches boxes with it
    python backbone_for_detr.py
    python backbone_for_detr.py --model my-tcm-checkpoint --output my-rt-detr

Every detector of transformers that takes a `backbone_config` takes a `TCMConfig`: its backbone is then
`AutoBackbone.from_config(config)`, a pyramid of which one map carries the matching map as its last channel.
"""

import argparse

import numpy as np
import torch
from transformers import AutoBackbone, RTDetrConfig, RTDetrForObjectDetection, RTDetrImageProcessor

from tcm_hf import TCMConfig, TCMImageProcessor, TCMModel
from tcm_hf.data.records import TextRecord
from tcm_hf.data.synthetic.composition import SyntheticTextOptions
from tcm_hf.data.synthetic.generator import SyntheticTextGenerator
from tcm_hf.processing.polygons import bounding_box

SIZE_HW = (192, 256)
WIDTH = 64
STAGES = ["stage2", "stage3", "stage4"]


def build_detector(model_folder: str | None) -> RTDetrForObjectDetection:
    """A small RT-DETR on the stages of stride 8, 16 and 32 of a TCM backbone.

    Args:
        model_folder: TCM checkpoint that the backbone starts from; random weights when None.
    """
    if model_folder is None:
        backbone_config = TCMConfig.from_preset("fasttcm-dbnet-tiny", out_features=STAGES)
    else:
        backbone_config = TCMConfig.from_pretrained(model_folder, out_features=STAGES)
    with torch.device("meta"):  # costs nothing; only to ask what it gives
        backbone = AutoBackbone.from_config(backbone_config)
    print(f"{type(backbone).__name__}: {backbone.channels} channels at strides {backbone.strides}")
    config = RTDetrConfig(
        backbone_config=backbone_config,
        encoder_in_channels=backbone.channels,
        feat_strides=backbone.strides,
        freeze_backbone_batch_norms=model_folder is not None,
        encoder_hidden_dim=WIDTH,
        encoder_ffn_dim=2 * WIDTH,
        encoder_attention_heads=4,
        d_model=WIDTH,
        decoder_in_channels=[WIDTH] * len(STAGES),
        decoder_ffn_dim=2 * WIDTH,
        decoder_attention_heads=4,
        decoder_layers=2,
        num_queries=30,
        num_denoising=10,
        id2label={0: "text"},
    )
    detector = RTDetrForObjectDetection(config)
    if model_folder is not None:
        weights = TCMModel.from_pretrained(model_folder, config=backbone_config).state_dict()
        missing, _ = detector.model.backbone.model.load_state_dict(weights, strict=False)
        if missing:
            raise ValueError(f"{model_folder!r} lacks weights of the backbone: {missing}.")
    return detector


def coco_annotation(record: TextRecord, number: int) -> dict:
    """The words of a photo as upright boxes of one class, as transformers' image processors take them."""
    boxes = [bounding_box(polygon) for polygon in record.polygons_xy]
    return {
        "image_id": number,
        "annotations": [
            {
                "category_id": 0,
                "bbox": [float(x0), float(y0), float(x1 - x0), float(y1 - y0)],
                "area": float((x1 - x0) * (y1 - y0)),
                "iscrowd": int(ignore),
            }
            for (x0, y0, x1, y1), ignore in zip(boxes, record.ignore, strict=True)
        ],
    }


def main(argv: list[str] | None = None) -> tuple[RTDetrForObjectDetection, list[float]]:
    """Train on one batch; returns the detector and the loss of every step."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--model", metavar="DIR", help="TCM checkpoint to start from; default: random weights"
    )
    parser.add_argument("--steps", type=int, default=30)
    parser.add_argument("--photos", type=int, default=2)
    parser.add_argument("--output", metavar="DIR", help="save the detector here")
    args = parser.parse_args(argv)
    torch.manual_seed(0)

    # 1. Photos with words, and their boxes.
    looks = SyntheticTextOptions(
        median_words=4, max_words=6, empty_share=0, word_height_px=(20, 60), median_height_px=32
    )
    generator = SyntheticTextGenerator(SIZE_HW, options=looks)
    records = [generator(seed=0, index=number) for number in range(args.photos)]
    normalization = TCMImageProcessor.from_pretrained(args.model) if args.model else TCMImageProcessor()
    processor = RTDetrImageProcessor(
        size={"height": SIZE_HW[0], "width": SIZE_HW[1]},
        do_normalize=True,
        image_mean=normalization.image_mean,
        image_std=normalization.image_std,
    )
    annotations = [coco_annotation(record, number) for number, record in enumerate(records)]
    images = [record.load_image() for record in records]
    batch = processor(images=images, annotations=annotations, return_tensors="pt")
    print(f"{len(images)} photos, {[len(labels['boxes']) for labels in batch['labels']]} words")

    # 2. Train. The text tower stays frozen, the prompts and the trunk learn.
    detector = build_detector(args.model)
    trained = [parameter for parameter in detector.parameters() if parameter.requires_grad]
    optimizer = torch.optim.AdamW(trained, lr=1e-3, weight_decay=1e-4)
    losses = []
    detector.train()
    for step in range(args.steps):
        loss = detector(pixel_values=batch["pixel_values"], labels=batch["labels"]).loss
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(trained, 1.0)
        optimizer.step()
        losses.append(loss.item())
        if step % 5 == 0 or step == args.steps - 1:
            print(f"step {step}: loss {losses[-1]:.2f}")

    # 3. What it finds, in pixels of the photo.
    detector.eval()
    with torch.no_grad():
        outputs = detector(pixel_values=batch["pixel_values"])
    sizes = [image.shape[:2] for image in images]
    for result in processor.post_process_object_detection(outputs, threshold=0.3, target_sizes=sizes):
        print(f"found {len(result['boxes'])} boxes: {np.rint(result['boxes'].numpy()).astype(int).tolist()}")
    if args.output:
        detector.save_pretrained(args.output)
        processor.save_pretrained(args.output)
    return detector, losses


if __name__ == "__main__":
    main()
