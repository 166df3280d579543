"""Upstream's checkpoints in our names, for the golden tests: config and weights of a case -> our model."""

import re

import numpy as np
import torch

from tcm_hf.modeling.configuration_tcm import PREDEFINED_PROMPT_TOKEN_IDS, TCMConfig
from tcm_hf.modeling.modeling_tcm import TCMForTextDetection

BACKGROUND_TOKEN_IDS = [49406, 5994, 49407]

RENAMES = [
    # image tower
    (r"^backbone\.conv(\d)\.", r"model.image_tower.trunk.stem_conv\1.conv."),
    (r"^backbone\.bn(\d)\.", r"model.image_tower.trunk.stem_conv\1.bn."),
    (r"^backbone\.layer(\d)\.(\d+)\.", lambda m: f"model.image_tower.trunk.stages_{int(m[1]) - 1}.{m[2]}."),
    (r"(stages_\d\.\d+\.)conv(1|3)\.", r"\1conv\2_1x1.conv."),
    (r"(stages_\d\.\d+\.)bn(1|3)\.", r"\1conv\2_1x1.bn."),
    (r"(stages_\d\.\d+\.)conv2\.", r"\1conv2_kxk.conv."),
    (r"(stages_\d\.\d+\.)bn2\.", r"\1conv2_kxk.bn."),
    (r"(stages_\d\.\d+\.)downsample\.0\.", r"\1shortcut.conv.conv."),
    (r"(stages_\d\.\d+\.)downsample\.1\.", r"\1shortcut.conv.bn."),
    (r"^backbone\.attnpool\.positional_embedding$", "model.image_tower.attention_pool.position_embedding"),
    (r"^backbone\.attnpool\.c_proj\.", "model.image_tower.attention_pool.attention.out_proj."),
    (r"^backbone\.attnpool\.", "model.image_tower.attention_pool.attention."),
    # text tower
    (r"^text_encoder\.token_embedding\.", "model.text_tower.embeddings.token_embedding."),
    (r"^text_encoder\.positional_embedding$", "model.text_tower.embeddings.position_embedding.weight"),
    (r"^text_encoder\.transformer\.resblocks\.(\d+)\.", r"model.text_tower.encoder.layers.\1."),
    (r"\.attn\.out_proj\.", ".self_attn.out_proj."),
    (r"\.ln_1\.", ".layer_norm1."),
    (r"\.ln_2\.", ".layer_norm2."),
    (r"\.mlp\.c_fc\.", ".mlp.fc1."),
    (r"\.mlp\.c_proj\.", ".mlp.fc2."),
    (r"^text_encoder\.ln_final\.", "model.text_tower.final_layer_norm."),
    # prompts
    (r"^contexts$", "model.prompt.sequence.contexts"),
    (r"^meta_query$", "model.prompt.meta_query"),
    (r"^prompt_generator\.prompt_proj\.0\.", "model.prompt.language_prompt_generator.norm_in."),
    (r"^prompt_generator\.prompt_proj\.1\.", "model.prompt.language_prompt_generator.fc1."),
    (r"^prompt_generator\.prompt_proj\.3\.", "model.prompt.language_prompt_generator.norm_mid."),
    (r"^prompt_generator\.prompt_proj\.4\.", "model.prompt.language_prompt_generator.fc2."),
    (r"^vis_gamma$", "model.visual_prompter.gate"),
    (r"^gamma$", "model.text_refiner.gate"),
    (r"^visual_prompt_generator\.", "model.visual_prompter.generator."),
    (r"^context_decoder\.", "model.text_refiner.decoder."),
    (r"\.memory_proj\.0\.", ".memory_norm_in."),
    (r"\.memory_proj\.2\.", ".memory_norm_out."),
    (r"\.memory_proj\.1\.", ".memory_proj."),
    (r"\.text_proj\.0\.", ".query_norm."),
    (r"\.text_proj\.1\.", ".query_proj."),
    (r"\.decoder\.(\d+)\.", r".layers.\1."),
    (r"\.(self|cross)_attn\.proj\.", r".\1_attn.out_proj."),
    (r"(layers\.\d+)\.norm1\.", r"\1.self_attn_norm."),
    (r"(layers\.\d+)\.norm2\.", r"\1.cross_attn_norm."),
    (r"(layers\.\d+)\.norm3\.", r"\1.mlp_norm."),
    (r"(layers\.\d+)\.mlp\.0\.", r"\1.fc1."),
    (r"(layers\.\d+)\.mlp\.3\.", r"\1.fc2."),
    (r"\.out_proj\.0\.", ".output_norm."),
    (r"\.out_proj\.1\.", ".output_proj."),
    (r"^logit_scale$", "model.logit_scale"),
    # neck and head
    (r"^neck\.(lateral|smooth)_convs\.(\d)\.conv\.", r"head.neck.\1_convs.\2."),
    (r"^bbox_head\.binarize\.", "head.probability."),
    (r"^bbox_head\.threshold\.", "head.threshold."),
]


def our_name(name: str) -> str:
    """Our state-dict name of an upstream one (fused and transposed tensors apart)."""
    for pattern, replacement in RENAMES:
        name = re.sub(pattern, replacement, name)
    return name


def our_state(state: dict[str, np.ndarray]) -> dict[str, torch.Tensor]:
    """Upstream's weights under our names, with the fused attention projection split."""
    ours = {}
    for name, values in state.items():
        value = torch.from_numpy(np.asarray(values))
        if "attn.in_proj_" in name:
            for part, chunk in zip("qkv", value.chunk(3), strict=True):
                ours[our_name(name.replace("attn.in_proj_", f"self_attn.{part}_proj."))] = chunk
        elif name == "text_encoder.text_projection":
            ours["model.text_tower.text_projection.weight"] = value.T
        elif name == "pix_w":
            ours["model.similarity_matching.projection.weight"] = value.T
        elif name == "contexts":
            ours[our_name(name)] = value[0]
        else:
            ours[our_name(name)] = value
    return ours


def our_config(upstream: dict) -> TCMConfig:
    """Our config of an upstream OCRCLIP detector with a DB head."""
    trunk, text = upstream["backbone"], upstream["text_encoder"]
    width = trunk.get("width", 64)
    only_learnable = upstream.get("use_learnable_prompt_only", False)
    learnable = upstream.get("use_learnable_prompt", True)
    prompts = [PREDEFINED_PROMPT_TOKEN_IDS, BACKGROUND_TOKEN_IDS][: len(upstream["class_names"])]
    words = 0 if only_learnable else len(PREDEFINED_PROMPT_TOKEN_IDS)

    def decoder(options: dict | None) -> dict | None:
        if options is None:
            return None
        return {
            "hidden_size": options["transformer_width"],
            "num_hidden_layers": options["transformer_layers"],
            "num_attention_heads": options["transformer_heads"],
        }

    refined = upstream.get("use_context_decoder", True)
    return TCMConfig(
        method="fasttcm" if upstream.get("is_v2") else "tcm",
        similarity_projection=bool(upstream.get("is_v2")),
        image_tower_config={
            "tower_type": "clip_resnet",
            "depths": trunk["layers"],
            "width": width,
            "embed_dim": trunk["output_dim"],
            "grid_size": trunk["input_resolution"] // 32,
        },
        text_tower_config={
            "hidden_size": text["transformer_width"],
            "intermediate_size": 4 * text["transformer_width"],
            "num_attention_heads": text["transformer_heads"],
            "num_hidden_layers": text["transformer_layers"],
            "max_position_embeddings": text["context_length"],
            "projection_dim": text["embed_dim"],
        },
        prompt_token_ids=None if only_learnable else prompts,
        num_learnable_prompts=text["context_length"] - words if learnable else 0,
        language_prompt=upstream.get("prompt_generator") is not None,
        visual_prompt_config=decoder(upstream.get("visual_prompt_generator")),
        text_refiner_config=decoder(upstream["context_decoder"]) if refined else None,
        learn_temperature=upstream.get("scale_matching_score_map", False),
        head_config={"head_type": "dbnet", "neck_channels": upstream["neck"]["lateral_channels"]},
    )


def our_model(upstream: dict, state: dict[str, np.ndarray]) -> TCMForTextDetection:
    """Our detector with upstream's weights, in eval mode; every one of our weights must be given.

    Upstream keeps tensors that a configuration never reads (an unused decoder, its gate, an unused token
    table); those are left out.
    """
    model = TCMForTextDetection(our_config(upstream)).eval()
    weights = our_state(state)
    wanted = model.state_dict()
    missing = sorted(set(wanted) - set(weights))
    assert not missing, f"no upstream tensor for {missing[:5]}"
    model.load_state_dict({name: weights[name] for name in wanted})
    return model
