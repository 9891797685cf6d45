"""Operator set versions: a model written anew in a later opset."""
