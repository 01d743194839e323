"""Rules on machine code: nothing above the label, above all not in what runs while a library is loaded; nothing below it."""

from __future__ import annotations

import dataclasses
import fnmatch
import posixpath
from collections import Counter
from typing import TYPE_CHECKING

from variantkit.audit.features_of import UNKNOWN
from variantkit.audit.result import Need
from variantkit.audit.rules import problem, rule
from variantkit.check.findings import count, shown
from variantkit.features import BASELINE, IMPLIES, LEVELS

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

    from variantkit.audit.decode import CodeUse, FunctionUse, Use
    from variantkit.audit.model import Audited, Image
    from variantkit.audit.rules import Problem
    from variantkit.matrix import Dispatch

__all__ = ["needed_level", "notes_on_tzcnt"]

_LEVELS = {level: LEVELS[level] for level in sorted(LEVELS) if level.startswith("x86-64")}


@rule(
    "VA101 above-the-label",
    what="No function needs a CPU feature that its classifier, or the level given, does not have.",
    why="It ends in `Illegal instruction` on a machine that the label says it is for; LZCNT does not even that, it gives "
    "another number.",
    mend="Compile it with the flags of its row. If it is a library that asks the CPU first, say so in "
    "`[[classifier.dispatch]]`.",
)
def _check_ceiling(audited: Audited) -> Iterator[Problem]:
    for image in _held(audited):
        yield from _above(image, (each for each in _functions(image) if not each.constructor))


@rule(
    "VA102 constructor-above-the-label",
    what="The same, of constructors and IFUNC resolvers and of all that they call directly.",
    why="They run while the library is loaded, before any check that is in it; `import` itself ends in a crash.",
    mend="Make it a constant that needs no code, or make it where it is used; a `static` in a header is in every file "
    "that includes it.",
)
def _check_constructors(audited: Audited) -> Iterator[Problem]:
    for image in _held(audited):
        yield from _above(image, (each for each in _functions(image) if each.constructor))


@rule(
    "VA103 below-the-label",
    what="A kernel library of a row with AVX-512 has EVEX code, and one of a row with AVX2 has 256 bit wide VEX code.",
    why="One without was compiled with the flags of another row: who installs it gets nothing for it.",
    mend="Look at the flags that its compiler got, and build it again.",
)
def _check_floor(audited: Audited) -> Iterator[Problem]:
    for image in _held(audited):
        if image.use is None or not image.kernel or image.row is None:
            continue
        widths = image.use.vector_widths
        if "avx512f" in image.allowed:
            if not any(encoding == "EVEX" for encoding, _ in widths):
                yield problem(image, f"it has no EVEX code, and {image.label!r} is for AVX-512")
        elif "avx2" in image.allowed and not widths.get(("VEX", 256)):
            yield problem(image, f"it has no 256 bit wide VEX code, and {image.label!r} is for AVX2")


@rule(
    "VA104 stale-dispatch",
    what="Each pattern of a `[[classifier.dispatch]]` is still that of a function which needs more than its row has.",
    why="What is allowed for nothing today is allowed for something else tomorrow, and nobody looks.",
    mend="Take it out of classifiers.toml, or mend the pattern; functions of a stripped library have names only with "
    "`--symbols`.",
    level="warning",
    needs="matrix",
)
def _check_stale(audited: Audited) -> Iterator[Problem]:
    for row in audited.matrix.rows if audited.matrix is not None else ():
        images = [image for image in _held(audited) if image.row == row]
        for table in row.dispatch if images else ():
            matching = [image for image in images if _is_of(table, image)]
            if not matching:
                yield problem(
                    images[0], f"{row.name!r} has a dispatch of {table.library}, and no such library is there"
                )
                continue
            more = [
                name
                for image in matching
                for function in _functions(image)
                if not function.features.keys() <= image.allowed
                for name in function.names
            ]
            for pattern in table.symbols:
                if not fnmatch.filter(more, pattern):
                    what = f"{row.name!r} allows more to {pattern} in {table.library}, and no such function needs it"
                    yield problem(matching[0], what)


@rule(
    "VA105 unknown-instruction",
    what="What each instruction needs is known.",
    why="What this version does not know cannot be held against a label; it is not passed over.",
    mend="Take a newer variantkit; where it is new there too, ask for it.",
)
def _check_unknown(audited: Audited) -> Iterator[Problem]:
    for image in audited.images:
        for function in _functions(image):
            for feature, use in function.features.items():
                if feature.startswith(UNKNOWN):
                    name = feature.removeprefix(UNKNOWN)
                    yield _at(problem(image, f"{function.name} has {use.text}, of {name}"), function, use, feature)
                    break


@rule(
    "VA106 undecoded",
    what="All that is in executable sections is code, padding, or known to be data; the rest counts as not audited.",
    why="Code that cannot be read can hold anything; what is new in a CPU is not read by an older decoder either.",
    mend="Give data a symbol with a type (`.type name, @object`) and a size, or put it into .rodata; take the prefix 66 from "
    "near jumps and calls.",
    level="warning",
)
def _check_undecoded(audited: Audited) -> Iterator[Problem]:
    for image in audited.images:
        if image.use is not None and (ranges := image.use.undecoded):
            first = ranges[0]
            size = sum(each.size for each in ranges)
            where = f"the first in {first.name} at {first.address:#x}"
            what = f"{count(size, 'byte')} in {count(len(ranges), 'place')} are no code that can be read, {where}"
            found = problem(image, what)
            yield found._replace(symbol=first.name, address=first.address, unaudited=True)


def notes_on_tzcnt(images: Iterable[Image]) -> list[str]:
    """Return a note for each wheel, folder or file that has TZCNT below BMI1 which are not counted as it."""
    numbers: Counter[Path] = Counter()
    for image in images:
        if image.label and image.use is not None and "bmi1" not in image.allowed:
            numbers[image.file] += image.use.tzcnt
    return [
        f"{shown(file)}: {number:,} TZCNT are run as BSF by CPUs without BMI1, which gives another number for 0: compilers "
        f"write them for any x86-64 CPU where the input cannot be 0"
        for file, number in numbers.items()
        if number
    ]


def needed_level(image: Image) -> Need:
    """Return the lowest level that a file needs, with the first instruction that needs it, and the features beyond.

    Of a file that asks CPUID, only what runs while it is loaded is sure to be executed on every machine; `whole` is the
    level that all of its code needs.
    """
    functions = list(_functions(image))
    asks = image.use is not None and image.use.detects
    certain = [each for each in functions if each.constructor] if asks else functions
    level, reason = _level(certain)
    whole, _ = _level(functions)
    beyond = {feature for each in functions for feature in each.features} - _LEVELS["x86-64-v4"]
    need = Need(
        file=image.file,
        member=image.member,
        level=level,
        whole=whole,
        beyond=tuple(sorted(beyond)),
        asks_cpu=asks,
        unfollowed=image.use.unfollowed if image.use is not None else (),
    )
    if reason is None:
        return need
    function, feature = reason
    use = function.features[feature]
    return dataclasses.replace(
        need, symbol=function.name, address=use.address, instruction=use.text, feature=feature,
        constructor=function.constructor,
    )  # fmt: skip


def _level(functions: Iterable[FunctionUse]) -> tuple[str, tuple[FunctionUse, str] | None]:
    """Return the lowest level with all features of these functions that any has, and who needs the most of it."""
    known = _LEVELS["x86-64-v4"]
    used = [(function, feature) for function in functions for feature in function.features if feature in known]
    needed = frozenset[str]().union(*(_closure([feature]) for _, feature in used))
    level = next(level for level, features in _LEVELS.items() if needed <= features)
    below = BASELINE["x86_64"].union(*(features for name, features in _LEVELS.items() if name < level))
    # What runs while the library is loaded is what crashes first, and what implies the most is known by its name.
    reasons = sorted(
        (not function.constructor, -len(_closure([feature])), function.features[feature].address, number)
        for number, (function, feature) in enumerate(used)
        if not _closure([feature]) <= below
    )
    return level, used[reasons[0][-1]] if reasons else None


def _above(image: Image, functions: Iterable[FunctionUse]) -> Iterator[Problem]:
    """Give the first instruction above the label of each function."""
    for function in functions:
        over = _over(image, function)
        if not over:
            continue
        feature, use = min(over.items(), key=lambda item: (item[1].address, item[0]))
        how = f", called by {function.via} while the library is loaded," if function.via else ""
        features = tuple(sorted(over))
        what = f"{function.name}{how} needs {', '.join(features)}, which {image.label} lacks: {use.text} at {use.address:#x}"
        yield _at(problem(image, what), function, use, feature)._replace(features=features)


def _over(image: Image, function: FunctionUse) -> dict[str, Use]:
    """Return the features of a function that it may not need; what this version does not know has a rule of its own."""
    allowed = set(image.allowed)
    # A constructor itself has nobody before it who could have asked the CPU; what it calls may have.
    if image.row is not None and not (function.constructor and not function.via):
        for table in image.row.dispatch:
            if _is_of(table, image) and any(fnmatch.filter(function.names, pattern) for pattern in table.symbols):
                allowed |= _closure(table.features)
    return {
        feature: use
        for feature, use in function.features.items()
        if feature not in allowed and not feature.startswith(UNKNOWN)
    }


def _closure(features: Iterable[str]) -> frozenset[str]:
    found: set[str] = set()
    todo = list(features)
    while todo:
        if (feature := todo.pop()) not in found:
            found.add(feature)
            todo += IMPLIES.get(feature, ())
    return frozenset(found)


def _is_of(table: Dispatch, image: Image) -> bool:
    return fnmatch.fnmatchcase(posixpath.basename(image.member), table.library)


def _held(audited: Audited) -> Iterator[Image]:
    """Give the images whose code is held against a row or a level."""
    return (image for image in audited.images if image.label and image.use is not None)


def _functions(image: Image) -> Iterable[FunctionUse]:
    use: CodeUse | None = image.use
    return use.functions if use is not None else ()


def _at(found: Problem, function: FunctionUse, use: Use, feature: str) -> Problem:
    return found._replace(
        symbol=function.name, address=use.address, instruction=use.text, feature=feature,
        constructor=function.constructor,
    )  # fmt: skip
