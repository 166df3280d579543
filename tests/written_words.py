"""Words written by OpenCV, and the smallest real recognizer."""

import json
from pathlib import Path

import cv2
import numpy as np
from PIL import Image

from tcm_hf.data.words import WordRecord

WORDS = ["Stop", "exit", "42", "Cafe", "no", "Bus", "A1", "taxi"]


def written_word(seed: int) -> WordRecord:
    """A word in white on a dark ground that differs with the seed, 24 px high."""
    text = WORDS[seed % len(WORDS)]
    image = np.full((24, 12 + 12 * len(text), 3), 20 + 3 * (seed % 20), np.uint8)
    cv2.putText(image, text, (6, 18), cv2.FONT_HERSHEY_SIMPLEX, 0.6, (240, 240, 240), 2)
    return WordRecord(image, text, f"word_{seed}")


def tiny_recognizer_config(**changes):
    """Settings of a CLIP4STR with all its parts that trains in milliseconds."""
    from tcm_hf.modeling.configuration_clip4str import CLIP4STRConfig

    small = {"hidden_size": 16, "intermediate_size": 32, "num_hidden_layers": 1, "num_attention_heads": 2}
    values = {
        "clip_config": {
            "projection_dim": 16,
            "text_config": small
            | {
                "vocab_size": 90,
                "max_position_embeddings": 16,
                "hidden_act": "gelu",
                "bos_token_id": 88,
                "eos_token_id": 89,
            },
            "vision_config": small | {"hidden_act": "gelu"},
        },
        "patch_embedding_config": {
            "image_size_hw": [16, 64],
            "hidden_sizes": [8, 16],
            "num_blocks": [0, 0],
            "strides": [[4, 2], [2, 2]],
        },
        "decoder_num_attention_heads": 2,
        "text_freeze_layers": -1,
    }
    return CLIP4STRConfig(**(values | changes))


def write_word_crops(folder: Path, count: int = 8) -> Path:
    """Labelled crops `word_1.png`, … with their metadata.jsonl; gives the folder back."""
    folder.mkdir()
    rows = []
    for seed in range(1, count + 1):
        record = written_word(seed)
        Image.fromarray(record.image).save(folder / f"word_{seed}.png")
        rows.append(json.dumps({"file_name": f"word_{seed}.png", "text": record.text}))
    (folder / "metadata.jsonl").write_text("\n".join(rows))
    return folder
