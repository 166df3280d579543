"""Models to ONNX, `torch.export` and OpenVINO, checked against PyTorch.

[`export_checkpoint`][tcm_hf.export.folders.export_checkpoint] writes a folder that our pipelines load; the
other files make one program each.
"""
