"""Datasets, training, evaluation and benchmarks: how a model is made and what it is worth."""
