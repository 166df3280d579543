"""Pipelines: pictures in, plain lists out. The modules beside this file travel to the Hub."""

from contextlib import suppress

# First, because importing it registers our pipeline, which imports a module of this package. Machines that
# read with onnxruntime alone have no transformers, and take the modules that need none.
with suppress(ImportError):
    import transformers.pipelines  # noqa: F401
