"""Published checkpoints and CLIP weights become models of this package."""
