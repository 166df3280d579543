"""What is known about the presets: their published figures, their weights, their sizes."""
