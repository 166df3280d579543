"""A tiny CLIP4STR with its processor: 20 000 parameters, 13 characters, pictures of 32 x 64."""

import torch

from tcm_hf.modeling.configuration_clip4str import CLIP4STRConfig
from tcm_hf.modeling.modeling_clip4str import CLIP4STRForTextRecognition
from tcm_hf.processing.processing_clip4str import CLIP4STRProcessor
from tcm_hf.processing.tokenization_clip4str import CaptionBPETokenizer
from tcm_hf.training.caption_vocabulary import train_caption_vocabulary

CHARSET = "0123456789abc"
MAX_LABEL_LENGTH = 6
SIZE = {"height": 32, "width": 64}
VOCAB, MERGES = train_caption_vocabulary(["abc", "cab", "cabs"] * 3, 80)


def tiny_recognizer(seed: int = 0, **overrides) -> CLIP4STRForTextRecognition:
    """A seeded tiny recognizer with a caption vocabulary, in eval mode."""
    layers = {"hidden_size": 16, "intermediate_size": 32, "num_hidden_layers": 1, "num_attention_heads": 2}
    text = {"vocab_size": len(VOCAB), "bos_token_id": len(VOCAB) - 2, "eos_token_id": len(VOCAB) - 1}
    defaults = {
        "clip_config": {
            "projection_dim": 16,
            "text_config": layers | text | {"max_position_embeddings": 16},
            "vision_config": layers | {"image_size": 32, "patch_size": 16},
        },
        "patch_embedding_config": {
            "image_size_hw": [32, 64],
            "hidden_sizes": [8, 8, 16],
            "num_blocks": [0, 0, 0],
        },
        "charset": CHARSET,
        "max_label_length": MAX_LABEL_LENGTH,
        "decoder_num_attention_heads": 2,
        "text_freeze_layers": 0,
    }
    torch.manual_seed(seed)
    model = CLIP4STRForTextRecognition(CLIP4STRConfig(**(defaults | overrides)))
    model.set_caption_vocabulary(VOCAB, MERGES)
    return model.eval()


def tiny_processor(with_captions: bool = True) -> CLIP4STRProcessor:
    """The processor of `tiny_recognizer`."""
    processor = CLIP4STRProcessor.from_preset("clip4str-tiny", CHARSET, MAX_LABEL_LENGTH, size=SIZE)
    if with_captions:
        processor.caption_tokenizer = CaptionBPETokenizer(vocab=VOCAB, merges=MERGES)
    return processor


def tiny_crops(count: int = 2, seed: int = 1) -> torch.Tensor:
    """(count, 3, 32, 64) seeded noise."""
    return torch.randn(count, 3, 32, 64, generator=torch.Generator().manual_seed(seed))
