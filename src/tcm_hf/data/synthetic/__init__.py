"""The text image generator: rendered scenes with exact word polygons and transcriptions."""
