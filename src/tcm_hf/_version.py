"""The version, alone in a file so that the command line can answer without importing torch."""

__version__ = "0.1.0"
