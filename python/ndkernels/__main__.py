"""`python -m ndkernels`: show what is loaded and why."""

from __future__ import annotations

from ndkernels import show_config

show_config()
