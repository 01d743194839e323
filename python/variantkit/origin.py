"""Whether a wheel was built from this matrix: the MANIFEST beside each kernel library says from which row."""

from __future__ import annotations

from typing import TYPE_CHECKING

from variantkit.errors import WheelError
from variantkit.generate import row_digest

if TYPE_CHECKING:
    from variantkit.matrix import Matrix
    from variantkit.wheel import Wheel

__all__ = ["check_origin"]


def check_origin(wheel: Wheel, matrix: Matrix) -> set[str]:
    """Return the classifiers whose libraries are in a wheel of the matrix' project.

    Raises `WheelError` where one was built from another version of classifiers.toml, or for another version of the wheel.
    """
    rows = {row.name: row for row in matrix.rows}
    found = set()
    for folder, fields in wheel.manifests.items():
        name = fields.get("Classifier", "")
        if name not in rows or fields.get("Row") != row_digest(rows[name]):
            change = "has changed since" if name in rows else "is not there now"
            msg = (
                f"{wheel.path} was built from another version of classifiers.toml: the row {name!r} {change}. "
                f"Build it again."
            )
            raise WheelError(msg)
        if fields.get("Version") != wheel.name.version:
            msg = f"{wheel.path} holds a library of version {fields.get('Version')} in {folder}. Build it again."
            raise WheelError(msg)
        found.add(name)
    return found
