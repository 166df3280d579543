"""Whether a model runs on a CPU for its results alone: some layouts and kernels are faster there."""

import torch


def is_cpu_inference(values: torch.Tensor) -> bool:
    """Whether it runs now, on a CPU, without gradients; what is traced may run elsewhere."""
    is_traced = torch.compiler.is_compiling() or torch.jit.is_tracing()
    return values.device.type == "cpu" and not torch.is_grad_enabled() and not is_traced
