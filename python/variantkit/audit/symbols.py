"""The functions of stripped files, from builds of the same code that were not stripped."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

from variantkit.audit.binary import format_of, read_binary, with_symbols
from variantkit.audit.files import content
from variantkit.errors import BinaryError

if TYPE_CHECKING:
    from pathlib import Path

    from variantkit.audit.binary import Binary

__all__ = ["SymbolMap"]


class SymbolMap:
    """Unstripped builds below a folder, by build id and by their code."""

    def __init__(self, folder: Path | None) -> None:
        self._by_id: dict[str, Binary] = {}
        self._by_code: dict[bytes, Binary] = {}
        for path in sorted(folder.rglob("*")) if folder is not None else ():
            if path.is_symlink() or not path.is_file():
                continue
            try:
                with path.open("rb") as file:
                    if format_of(file.read(64)) is None:
                        continue
                    file.seek(0)
                    images = read_binary(content(file, path.stat().st_size))
            except (BinaryError, OSError, MemoryError):
                # It names functions only: what cannot be read here costs a name and never a finding.
                continue
            for image in images:
                if not image.stripped:
                    self._by_code.setdefault(_digest(image), image)
                    if image.build_id:
                        self._by_id.setdefault(image.build_id, image)

    def named(self, binary: Binary) -> tuple[Binary, str]:
        """Return a binary with the functions of its unstripped build, and why there are none although one is there."""
        if not binary.stripped:
            return binary, ""
        same = self._by_code.get(_digest(binary))
        if same is not None:
            return with_symbols(binary, same), ""
        other = self._by_id.get(binary.build_id)
        if other is None:
            return binary, ""
        try:
            return with_symbols(binary, other), ""
        except BinaryError as error:
            return binary, str(error)


def _digest(binary: Binary) -> bytes:
    digest = hashlib.sha256(f"{binary.format}{binary.machine}".encode())
    for code in binary.said:
        digest.update(f"{code.section}\0{code.address}\0{len(code.data)}\0".encode())
        digest.update(code.data)
    return digest.digest()
