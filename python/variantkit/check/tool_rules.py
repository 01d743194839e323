"""Rules that other tools check: they are run as they are, once for all files; one that is missing is never passed over."""

from __future__ import annotations

import functools
import importlib.util
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from variantkit.check.registry import Problem, rule
from variantkit.errors import UncheckedError

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator, Mapping, Sequence

    from variantkit.check.model import Files

__all__: list[str] = []

# What a command line holds: 32 KiB on Windows, and far more elsewhere.
_LONGEST = 24_000 if sys.platform == "win32" else 200_000
_CRASHES = 3
_COLOUR = re.compile(r"\x1b\[[0-9;]*m")

_Verdicts = dict[Path, list[str]]


@rule(
    "VK601 twine-check",
    what="`twine check --strict` accepts each wheel and sdist.",
    why="A package index refuses the upload otherwise, or shows a description that nobody can read.",
    mend="Mend the metadata in pyproject.toml, or the README, and build it again.",
    needs="tool",
)
def _check_twine(files: Files) -> Iterator[Problem]:
    paths = [each.path for each in files.archives]
    yield from _run("twine", ["--no-color", "check", "--strict"], paths, _read_twine)


@rule(
    "VK602 check-wheel-contents",
    what="`check-wheel-contents` accepts each plain wheel; it does not know labels.",
    why="It knows the common ways in which a wheel comes to have files that it should not, or not those that it should.",
    mend="Mend what goes into the wheel, or say why it is right in [tool.check-wheel-contents] of pyproject.toml.",
    needs="tool",
)
def _check_check_wheel_contents(files: Files) -> Iterator[Problem]:
    plain = [wheel for wheel in files.wheels if not wheel.name.label]
    ours = {wheel.path.absolute(): frozenset(wheel.manifests) for wheel in plain}
    # Its settings are found from the folder it is run in.
    settings = [] if files.root is not None else ["--no-config"]
    read = functools.partial(_read_contents, ours=ours)
    yield from _run("check_wheel_contents", settings, [wheel.path for wheel in plain], read, folder=files.root)


def _run(
    module: str,
    options: Sequence[str],
    paths: Sequence[Path],
    read: Callable[[str, Sequence[Path]], _Verdicts],
    folder: Path | None = None,
) -> Iterator[Problem]:
    name = module.replace("_", "-")
    if paths and importlib.util.find_spec(module) is None:
        msg = f"{name} is not installed. Install it: python -m pip install 'variantkit[release]'"
        raise UncheckedError(msg)
    crashes = 0
    left = [path.absolute() for path in paths]
    names = dict(zip(left, paths, strict=True))
    while left:
        batch = _first(left)
        output, errors = _call([sys.executable, "-m", module, *options, *map(str, batch)], folder)
        verdicts = read(output + "\n" + errors, batch)
        for path, problems in verdicts.items():
            yield from (Problem(names[path], f"{name}: {problem}") for problem in problems)
        left = [path for path in left if path not in verdicts]
        if verdicts:
            # Where it stopped at a file that it cannot read, it goes on with the others.
            continue
        crashes += 1
        last = (errors.strip() or output.strip() or "it says nothing").splitlines()[-1]
        if crashes > _CRASHES:
            msg = f"{name} fails again and again: {last}. Bring it up to date: python -m pip install --upgrade {name}"
            raise UncheckedError(msg)
        yield Problem(names[left.pop(0)], f"{name}: it stops at this file: {last}")


def _first(paths: Sequence[Path]) -> list[Path]:
    """Return as many files as one command line takes."""
    batch: list[Path] = []
    length = 0
    for path in paths:
        length += len(str(path)) + 1
        if batch and length > _LONGEST:
            break
        batch.append(path)
    return batch


def _call(command: Sequence[str], folder: Path | None) -> tuple[str, str]:
    # So that the tools neither break lines nor colour words; on a dumb terminal, rich breaks lines whatever COLUMNS says.
    unwanted = {"FORCE_COLOR", "CLICOLOR_FORCE", "TERM"}
    environment = {key: value for key, value in os.environ.items() if key not in unwanted}
    environment |= {"COLUMNS": "10000", "NO_COLOR": "1", "PYTHONIOENCODING": "utf-8"}
    try:
        done = subprocess.run(
            command, cwd=folder, env=environment, check=False, capture_output=True, text=True, encoding="utf-8",
            errors="replace", stdin=subprocess.DEVNULL,
        )  # fmt: skip
    except OSError as error:
        msg = f"{command[2]} cannot be started: {error}. Try again, or install it anew."
        raise UncheckedError(msg) from error
    return _COLOUR.sub("", done.stdout), _COLOUR.sub("", done.stderr)


def _read_twine(output: str, batch: Sequence[Path]) -> _Verdicts:
    """Read "Checking FILE: PASSED" and what stands below it; twine takes wheels first, as they are given here."""
    verdicts: _Verdicts = {}
    parts = re.split(r"(?m)^Checking ", output)[1:]
    for path, part in zip(batch, parts, strict=False):
        _, _, verdict = part.partition(f"{path.name}: ")
        word, _, rest = verdict.partition("\n")
        # Of a file that cannot be read, the line has the error in place of a verdict, and twine stops.
        if word.startswith("PASSED"):
            verdicts[path] = []
        elif re.match(r"FAILED|ERROR", word):
            text = rest if word.startswith("FAILED") else verdict
            words = " ".join(re.sub(r"(?m)^(WARNING|ERROR)\s+", "", text).split())
            verdicts[path] = [words.rstrip(".") or "it failed"]
    return verdicts


def _read_contents(output: str, batch: Sequence[Path], *, ours: Mapping[Path, Collection[str]]) -> _Verdicts:
    """Read "FILE: OK" and "FILE: W001: what", with the files it is about on lines below it.

    A library is no module: one that lies beside a MANIFEST, in a folder of `ours`, or that auditwheel has brought along, in
    `NAME.libs/`, may lie in a folder that cannot be imported.
    """
    verdicts: _Verdicts = {}
    known = {str(path): path for path in batch}
    checks: list[tuple[Path, str, list[str]]] = []
    for line in output.splitlines():
        file, _, what = line.rpartition(".whl: ")
        path = known.get(f"{file}.whl")
        if path is not None:
            verdicts.setdefault(path, [])
            if what != "OK":
                checks.append((path, what.rstrip(":"), []))
        elif line.startswith("  ") and checks:
            checks[-1][2].append(line.strip())
    for path, what, entries in checks:
        others = [
            entry
            for entry in entries
            if not entry.split("/")[0].endswith(".libs") and entry.rpartition("/")[0] not in ours.get(path, ())
        ]
        if what[:4] in {"W004", "W009", "W010"} and len(others) < (2 if what.startswith("W009") else 1):
            continue
        verdicts[path].append(f"{what}: {', '.join(entries)}" if entries else what)
    return verdicts
