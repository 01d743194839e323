"""How the selector page says things: platforms, versions of Python, sizes."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["platform_words", "python_words", "size_words"]

_ABI = re.compile(r"cp(\d)(\d+)(t?)(-abi3)?")
_SYSTEMS = {"linux": "Linux", "macos": "macOS", "windows": "Windows"}
_MACHINES = {"x86_64": "x86-64", "aarch64": "Arm64", "arm64": "Arm64"}


def platform_words(platform: str) -> tuple[str, str]:
    """Return what people call the system and the machine of a platform."""
    system, _, machine = platform.partition("-")
    if system == "macos":
        return "macOS", "Apple silicon" if machine == "arm64" else "Intel"
    return _SYSTEMS.get(system, system), _MACHINES.get(machine, machine)


def python_words(abis: Iterable[str]) -> str:
    """Return the Python versions of some ABIs: "3.10, 3.11, 3.12 and later; free-threaded 3.13"."""
    usual: list[str] = []
    free: list[str] = []
    matches = (_ABI.fullmatch(abi) for abi in sorted(set(abis)))
    for match in sorted((match for match in matches if match), key=lambda match: int(match[2])):
        version = f"{match[1]}.{match[2]}"
        (free if match[3] else usual).append(f"{version} and later" if match[4] else version)
    parts = [", ".join(usual), f"free-threaded {', '.join(free)}" if free else ""]
    return "; ".join(part for part in parts if part)


def size_words(size: int) -> str:
    """Return a size as pip prints it."""
    for unit, scale in (("GB", 1_000_000_000), ("MB", 1_000_000)):
        if size >= scale:
            return f"{size / scale:.1f} {unit}"
    return f"{max(1, round(size / 1000))} kB"
