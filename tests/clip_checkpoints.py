"""Checkpoints as others write them, small and seeded: names and shapes of OpenAI's CLIP and of CLIP4STR."""

from pathlib import Path

import torch
from torch import nn

import golden_files

Shapes = dict[str, tuple[int, ...]]

VOCABULARY = 49408


def seeded(shapes: Shapes) -> dict[str, torch.Tensor]:
    """A tensor for every name by the rule of `golden_files`."""
    counters = {name for name in shapes if name.endswith("num_batches_tracked")}
    return {
        name: torch.from_numpy(golden_files.tensor(name, shape, "int64" if name in counters else "float32"))
        for name, shape in shapes.items()
    }


def linear(prefix: str, inputs: int, outputs: int) -> Shapes:
    return {f"{prefix}.weight": (outputs, inputs), f"{prefix}.bias": (outputs,)}


def norm(prefix: str, width: int) -> Shapes:
    return {f"{prefix}.weight": (width,), f"{prefix}.bias": (width,)}


def attention(prefix: str, width: int) -> Shapes:
    fused = {f"{prefix}.in_proj_weight": (3 * width, width), f"{prefix}.in_proj_bias": (3 * width,)}
    return fused | linear(f"{prefix}.out_proj", width, width)


def transformer(prefix: str, width: int, layers: int) -> Shapes:
    shapes: Shapes = {}
    for layer in range(layers):
        block = f"{prefix}transformer.resblocks.{layer}"
        shapes |= attention(f"{block}.attn", width) | norm(f"{block}.ln_1", width)
        shapes |= linear(f"{block}.mlp.c_fc", width, 4 * width)
        shapes |= linear(f"{block}.mlp.c_proj", 4 * width, width) | norm(f"{block}.ln_2", width)
    return shapes


def text_shapes(width: int = 64, layers: int = 2, embed: int = 64, positions: int = 77) -> Shapes:
    """The text half of an OpenAI CLIP."""
    return {
        "positional_embedding": (positions, width),
        "text_projection": (width, embed),
        "logit_scale": (),
        **transformer("", width, layers),
        "token_embedding.weight": (VOCABULARY, width),
        **norm("ln_final", width),
    }


def vit_shapes(
    width: int = 64, layers: int = 2, embed: int = 64, patch: int = 16, image_size: int = 32
) -> Shapes:
    """A whole OpenAI ViT CLIP; the text half has width and layers of the image half."""
    return {
        "visual.class_embedding": (width,),
        "visual.positional_embedding": ((image_size // patch) ** 2 + 1, width),
        "visual.proj": (width, embed),
        "visual.conv1.weight": (width, 3, patch, patch),
        **norm("visual.ln_pre", width),
        **transformer("visual.", width, layers),
        **norm("visual.ln_post", width),
        **text_shapes(width=width, layers=layers, embed=embed),
    }


def batch_norm(prefix: str, width: int) -> Shapes:
    names = ("weight", "bias", "running_mean", "running_var")
    return {f"{prefix}.{name}": (width,) for name in names} | {f"{prefix}.num_batches_tracked": ()}


def resnet_shapes(
    depths: tuple[int, ...] = (1, 2, 1, 1), width: int = 16, embed: int = 32, grid: int = 2
) -> Shapes:
    """A whole OpenAI ResNet CLIP."""
    shapes: Shapes = {"visual.attnpool.positional_embedding": (grid * grid + 1, 32 * width)}
    stem = (3, width // 2, width // 2, width)
    for index in range(3):
        shapes[f"visual.conv{index + 1}.weight"] = (stem[index + 1], stem[index], 3, 3)
        shapes |= batch_norm(f"visual.bn{index + 1}", stem[index + 1])
    channels = width
    for stage, depth in enumerate(depths):
        inner = width * 2**stage
        for block in range(depth):
            name = f"visual.layer{stage + 1}.{block}"
            shapes[f"{name}.conv1.weight"] = (inner, channels, 1, 1)
            shapes[f"{name}.conv2.weight"] = (inner, inner, 3, 3)
            shapes[f"{name}.conv3.weight"] = (4 * inner, inner, 1, 1)
            for index, size in ((1, inner), (2, inner), (3, 4 * inner)):
                shapes |= batch_norm(f"{name}.bn{index}", size)
            if block == 0:
                shapes[f"{name}.downsample.0.weight"] = (4 * inner, channels, 1, 1)
                shapes |= batch_norm(f"{name}.downsample.1", 4 * inner)
            channels = 4 * inner
    for part in "qkv":
        shapes |= linear(f"visual.attnpool.{part}_proj", channels, channels)
    return shapes | linear("visual.attnpool.c_proj", channels, embed) | text_shapes(embed=embed)


def decoder_shapes(prefix: str, width: int, charset: int = 94, length: int = 25) -> Shapes:
    """One character decoder of CLIP4STR."""
    layer = f"{prefix}.layers.0"
    return {
        f"{prefix}.pos_queries": (1, length + 1, width),
        **attention(f"{layer}.self_attn", width),
        **attention(f"{layer}.cross_attn", width),
        **linear(f"{layer}.linear1", width, 4 * width),
        **linear(f"{layer}.linear2", 4 * width, width),
        **{
            name: shape
            for part in ("norm1", "norm2", "norm_q", "norm_c")
            for name, shape in norm(f"{layer}.{part}", width).items()
        },
        f"{prefix}.text_embed.embedding.weight": (charset + 3, width),
        **norm(f"{prefix}.norm", width),
        **linear(f"{prefix}.head", width, charset + 1),
    }


def clip4str_shapes(charset: int = 94, length: int = 25, **sizes: int) -> Shapes:
    """A whole CLIP4STR in upstream's names."""
    embed = sizes.get("embed", 64)
    clip = {f"clip_model.{name}": shape for name, shape in vit_shapes(**sizes).items()}
    return {
        **clip,
        **decoder_shapes("visual_decoder", embed, charset, length),
        **decoder_shapes("cross_decoder", embed, charset, length),
    }


class _Node(nn.Module):
    """A module that holds tensors and does nothing."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x


def save_torchscript(tensors: dict[str, torch.Tensor], path: Path) -> None:
    """A TorchScript archive as OpenAI's: half precision, and the three numbers as tensors."""
    root = _Node()
    numbers = {"input_resolution": 224, "context_length": 77, "vocab_size": VOCABULARY}
    everything = tensors | {name: torch.tensor(number) for name, number in numbers.items()}
    for name, tensor in everything.items():
        *folders, leaf = name.split(".")
        node = root
        for folder in folders:
            if not hasattr(node, folder):
                node.add_module(folder, _Node())
            node = getattr(node, folder)
        if tensor.is_floating_point() and not leaf.startswith("running_"):
            node.register_parameter(leaf, nn.Parameter(tensor.half(), requires_grad=False))
        else:
            node.register_buffer(leaf, tensor)
    torch.jit.script(root).save(str(path))
