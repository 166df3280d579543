"""Finds and reads the words of photos with onnxruntime, numpy and OpenCV alone: for small machines.

It reads the folders that `tcm-hf export` writes, and needs no torch, transformers or Pillow.
"""

from tcm_hf.onnx_reader.reader import Reader

__all__ = ["Reader"]
