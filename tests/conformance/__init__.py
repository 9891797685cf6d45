"""The backend cases of the onnx wheel, run before and after optimization."""
