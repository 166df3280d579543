"""A model as a `torch.export` program, which runs with torch alone."""

from pathlib import Path
from typing import Any

import torch

from tcm_hf.export.tracing import Traced


def to_torch_program(traced: Traced) -> torch.export.ExportedProgram:
    """The program of a model, through `transformers.exporters`.

    Args:
        traced: From [`prepare`][tcm_hf.export.tracing.prepare].

    Returns:
        What `program.module()(pixel_values=…)` runs: a dict of the fields that post-processing reads.
    """
    from transformers.exporters import DynamoConfig, DynamoExporter

    config = DynamoConfig(dynamic=True, dynamic_shapes=traced.dynamic_shapes)
    exported: Any = DynamoExporter().export(traced.model, traced.inputs, config)
    # transformers 5.17 returns the program itself.
    program: torch.export.ExportedProgram = getattr(exported, "program", exported)
    for part in program.graph_module.modules():
        for node in part.graph.nodes if isinstance(part, torch.fx.GraphModule) else ():
            node.meta.pop("stack_trace", None)  # paths of this computer
    return program


def write_torch_program(program: torch.export.ExportedProgram, path: Path) -> None:
    """Writes a program, for `torch.export.load`; folders are made."""
    path.parent.mkdir(parents=True, exist_ok=True)
    torch.export.save(program, path)
