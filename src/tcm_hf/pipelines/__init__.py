"""Pipelines: pictures in, plain lists out. The modules beside this file travel to the Hub."""

# First, because importing it registers our pipeline, which imports a module of this package.
import transformers.pipelines  # noqa: F401
