"""Which BLAS the tests of one are for: OpenBLAS, which the test suite brings, or MKL, which has a session of its own."""

from __future__ import annotations

import os

__all__ = ["NAME"]

NAME = os.environ.get("BLAS_UNDER_TEST", "openblas")
