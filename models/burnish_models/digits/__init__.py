"""A classifier of handwritten digits: the model, its test data and its training script."""
