"""In which module each function lies that is imported only when it is used."""

from __future__ import annotations

__all__ = ["MODULES"]

MODULES = {
    "softmax": "_softmax",
}
