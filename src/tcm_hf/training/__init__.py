"""Training: arguments, parameter groups, data sets, collator, Trainer, evaluation while training."""
