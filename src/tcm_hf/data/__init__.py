"""Annotated photos: records, corpora, targets, augmentation, generated pictures."""
