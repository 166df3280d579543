"""Which files of a folder are pictures, told by their names."""

# What Pillow opens and people keep photos in; in lower case, with the dot.
IMAGE_SUFFIXES = frozenset(
    (".jpg", ".jpeg", ".png", ".bmp", ".gif", ".tif", ".tiff", ".webp", ".jp2", ".ppm", ".pgm", ".avif")
)
