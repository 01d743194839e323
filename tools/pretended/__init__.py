"""What `python -m tools.pretend` puts on the PYTHONPATH of a command; the modules are imported there by their bare names."""
