"""Which wheels fit the same machine: a reading of platform and Python tags that does not depend on where it runs.

https://packaging.python.org/en/latest/specifications/platform-compatibility-tags/
"""

from __future__ import annotations

import functools
import itertools
import math
import re
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from variantkit.wheel import WheelName

__all__ = ["common", "covers", "environment", "fit_together", "interpreters", "pythons", "systems"]

_VERSIONED = re.compile(r"(manylinux|musllinux|macosx)_(\d+)_(\d+)_(\w+)")
_LEGACY = {"manylinux1": (2, 5), "manylinux2010": (2, 12), "manylinux2014": (2, 17)}
_WINDOWS = {"win_amd64": "x86_64", "win_arm64": "arm64", "win32": "x86"}
_FAT = "universal2"
_UNIVERSAL = {_FAT: ("x86_64", "arm64")}
# For telling which Pythons take a wheel, those that exist and some to come are enough.
_MINORS = range(6, 30)


class _Tag(NamedTuple):
    system: str
    machine: str
    version: tuple[float, ...]


@functools.lru_cache(maxsize=1024)
def _tags(platform: str) -> tuple[_Tag, ...]:
    found = []
    for tag in platform.split("."):
        family, _, rest = tag.partition("_")
        if match := _VERSIONED.fullmatch(tag):
            system = {"manylinux": "linux", "musllinux": "musl", "macosx": "macos"}[match[1]]
            version = (int(match[2]), int(match[3]))
            found += [_Tag(system, machine, version) for machine in _UNIVERSAL.get(match[4], (match[4],))]
        elif family in _LEGACY:
            found.append(_Tag("linux", rest, _LEGACY[family]))
        elif family == "linux":
            # It promises nothing about the libc.
            found += [_Tag("linux", rest, ()), _Tag("musl", rest, ())]
        elif tag in _WINDOWS:
            found.append(_Tag("windows", _WINDOWS[tag], ()))
        else:
            found.append(_Tag(tag, "", ()))
    return tuple(found)


@functools.lru_cache(maxsize=1024)
def systems(platform: str) -> frozenset[str]:
    """Return the platforms of tags as a matrix names them, "linux-x86_64"; "any" stays as it is."""
    return frozenset(
        f"{'linux' if tag.system == 'musl' else tag.system}-{tag.machine}" if tag.machine else tag.system
        for tag in _tags(platform)
    )


def covers(one: str, other: str) -> bool:
    """Return whether every machine that takes a wheel for `other` also takes one for `one`."""

    def takes(mine: _Tag, theirs: _Tag) -> bool:
        return (mine.system, mine.machine) == (theirs.system, theirs.machine) and (
            mine.version <= (theirs.version or (math.inf,))
        )

    theirs = _tags(other)
    # `linux_…` stands for both libcs; one of them is enough.
    wanted = [tag for tag in theirs if tag.system != "musl"] if "linux" in {tag.system for tag in theirs} else theirs
    return one == "any" or all(any(takes(mine, tag) for mine in _tags(one)) for tag in wanted)


def fit_together(one: WheelName, two: WheelName) -> bool:
    """Return whether there is a machine with a Python that takes both wheels."""
    if not interpreters(one) & interpreters(two):
        return False
    first, second = ({tag[:2] for tag in _tags(name.platform)} for name in (one, two))
    return "any" in (one.platform, two.platform) or bool(first & second)


def interpreters(name: WheelName) -> frozenset[str]:
    """Return the Pythons that take a wheel: "cp311", "cp313t", and others by their tag."""
    return pythons(name.python, name.abi)


@functools.lru_cache(maxsize=1024)
def pythons(tags: str, abis: str) -> frozenset[str]:
    """Return the Pythons that take these Python and ABI tags, as `interpreters` does for a wheel."""
    found: set[str] = set()
    for python in tags.split("."):
        match = re.fullmatch(r"(py|cp)3(\d*)", python)
        least = int(match[2] or 0) if match else 0
        for abi in abis.split("."):
            if match and match[1] == "py" and abi == "none":
                found |= {f"cp3{minor}{kind}" for minor in _MINORS if minor >= least for kind in ("", "t")}
            elif match and abi == "abi3":
                found |= {f"cp3{minor}" for minor in _MINORS if minor >= least}
            elif match and abi == "none":
                found |= {f"cp3{least}", f"cp3{least}t"}
            elif match:
                found.add(abi)
            else:
                found.add(python)
    return frozenset(found)


def environment(system: str) -> dict[str, str]:
    """Return what markers see on a platform that a matrix names."""
    name, _, machine = system.partition("-")
    known = {
        "linux": ("linux", "Linux", "posix"),
        "macos": ("darwin", "Darwin", "posix"),
        "windows": ("win32", "Windows", "nt"),
    }
    platform, word, kind = known.get(name, (name, name, "posix"))
    spelling = {"x86_64": "AMD64", "arm64": "ARM64"} if name == "windows" else {}
    return {
        "sys_platform": platform,
        "platform_system": word,
        "os_name": kind,
        "platform_machine": spelling.get(machine, machine),
    }


def common(one: str, two: str) -> str:
    """Return the platform tags on which both wheels run, "" where there are none."""
    if "any" in (one, two):
        return two if one == "any" else one
    pairs = itertools.product(map(_promise, one.split(".")), map(_promise, two.split(".")))
    found = {tag for mine, theirs in pairs if (tag := _stricter(mine, theirs))}
    return one if found == set(one.split(".")) else ".".join(sorted(found))


class _Promise(NamedTuple):
    """What a platform tag asks for: the system, the machine, and the version of its libc or of macOS."""

    family: str
    machine: str
    version: tuple[float, ...]
    tag: str


def _promise(tag: str) -> _Promise:
    family, _, rest = tag.partition("_")
    if family in _LEGACY:
        return _Promise("manylinux", rest, _LEGACY[family], tag)
    if match := _VERSIONED.fullmatch(tag):
        return _Promise(match[1], match[4], (int(match[2]), int(match[3])), tag)
    # `linux_x86_64` promises nothing about the libc, so it is newer than each that does.
    return _Promise("manylinux" if family == "linux" else family, rest, (math.inf,), tag)


def _stricter(one: _Promise, two: _Promise) -> str:
    """Return the tag of the machines that take both: the newer system of the two decides."""
    if one.family != two.family:
        return ""
    newer = two if two.version > one.version else one
    if one.machine == two.machine:
        return newer.tag
    if _FAT not in (one.machine, two.machine):
        return ""
    machine = two.machine if one.machine == _FAT else one.machine
    return newer.tag.removesuffix(newer.machine) + machine
