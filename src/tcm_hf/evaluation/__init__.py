"""Metrics: predictions and annotations in, precision, recall and hmean out."""
