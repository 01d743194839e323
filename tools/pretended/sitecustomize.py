"""Python imports this at its start where `python -m tools.pretend` has put its folder on PYTHONPATH."""

import pretended  # type: ignore[import-not-found]  # it lies beside this file, in a process that pretends

pretended.from_environment()
