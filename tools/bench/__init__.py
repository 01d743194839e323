"""`python -m tools.bench`: every kernel under each classifier, beside NumPy, torch and onnxruntime."""
