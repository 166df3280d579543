"""Photos and the smallest real detector for the tests of this folder."""

import pytest
from bars import bar_record

from tcm_hf.data.records import TextRecord


@pytest.fixture(scope="session")
def bar_records() -> list[TextRecord]:
    return [bar_record(seed) for seed in range(6)]


@pytest.fixture
def tiny_detector():
    """Makes FastTCM with a text tower and any head, small enough for steps of milliseconds."""
    import torch

    from tcm_hf.modeling.configuration_tcm import TCMConfig
    from tcm_hf.modeling.modeling_tcm import TCMForTextDetection
    from tiny import HEADS

    def make(head_type="dbnet"):
        torch.manual_seed(0)
        config = TCMConfig.from_preset(
            "fasttcm-dbnet-tiny",
            image_tower_config={
                "tower_type": "timm",
                "trunk": "resnet10t",
                "trunk_options": {"channels": [8, 8, 16, 16], "stem_width": 8},
                "embed_dim": 16,
                "num_attention_heads": 2,
                "grid_size": 4,
            },
            text_tower_config={
                "hidden_size": 16,
                "intermediate_size": 32,
                "num_attention_heads": 2,
                "num_hidden_layers": 1,
                "max_position_embeddings": 18,
                "projection_dim": 16,
            },
            visual_prompt_config={"hidden_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2},
            text_refiner_config={"hidden_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2},
            head_config={"head_type": head_type, **HEADS[head_type]},
        )
        return TCMForTextDetection(config)

    return make
