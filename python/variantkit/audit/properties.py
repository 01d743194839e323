"""Rules on what native files say of themselves: exports, needed libraries, ISA notes, stacks and search paths."""

from __future__ import annotations

import fnmatch
import posixpath
from typing import TYPE_CHECKING

from variantkit.audit.rules import problem, rule
from variantkit.features import LEVELS

if TYPE_CHECKING:
    from collections.abc import Iterator

    from variantkit.audit.model import Audited, Image
    from variantkit.audit.rules import Problem

__all__: list[str] = []

# What linkers define on their own, and older ones export.
_LINKERS = frozenset({"__bss_start", "_edata", "_end", "_fini", "_init"})
_OWN_PLACE = ("$ORIGIN", "${ORIGIN}", "@loader_path", "@executable_path", "@rpath")
# Those of a property note of 64-bit Arm, and the features of a row that must have them.
_ARM_NOTES = {"bti": "bti", "paca": "pac"}


@rule(
    "VA201 one-entry-point",
    what="A kernel library, one that lies beside a MANIFEST, exports the entry points that classifiers.toml names as "
    "`exports` (one, where it names none), and nothing else.",
    why="Several such libraries are in one process; with symbols of the same name, one would call the code of another, "
    "which may be for a better machine.",
    mend="Compile with -fvisibility=hidden, and link with a version script where a static library brings symbols along.",
)
def _check_exports(audited: Audited) -> Iterator[Problem]:
    wanted = audited.matrix.project.exports if audited.matrix is not None else ()
    for image in _kernels(audited):
        # Mach-O has an underscore before each name of C.
        prefix = "_" if image.binary.format == "Mach-O" else ""
        names = sorted({each.removeprefix(prefix) for each in image.binary.exported} - _LINKERS)
        if image.row is None or not wanted:
            if len(names) != 1:
                yield problem(
                    image,
                    f"it exports {_listed(names)}, and a kernel library has one entry point",
                    mend="Hide the others (-fvisibility=hidden), or name all that it shall export as `exports` in the "
                    "[project] of classifiers.toml.",
                )
            continue
        unwanted = [each for each in names if each not in wanted]
        if unwanted:
            yield problem(image, f"it exports {_listed(unwanted)}")
        if missing := [each for each in wanted if each not in names]:
            yield problem(
                image, f"it does not export {_listed(missing)}", mend="Mark it for export, or mend `exports`."
            )


@rule(
    "VA202 needed-libraries",
    what="A kernel library needs only those shared libraries that the `needed` of its row in classifiers.toml allows; "
    "libraries that it is a filter of or has as auxiliary ones are needed, too.",
    why="Each other one has to be on the machine, or in the wheel, and can bring a second C++ or OpenMP runtime into the "
    "process.",
    mend="Do not link it, link it statically, or allow it in `needed` and say why.",
    needs="matrix",
)
def _check_needed(audited: Audited) -> Iterator[Problem]:
    for image in _kernels(audited):
        if image.row is None or not image.row.needed:
            continue
        for library in image.binary.needed:
            if "/" in library and image.binary.format == "ELF":
                yield problem(image, f"it needs {library}, a place and not a name")
                continue
            name = posixpath.basename(library.replace("\\", "/"))
            if not any(fnmatch.fnmatchcase(each, pattern) for pattern in image.row.needed for each in (name, library)):
                yield problem(image, f"it needs {library}, which {image.row.name!r} does not allow")


@rule(
    "VA203 isa-note",
    what="An ELF file has no note of a level above what it is for; a kernel library above the lowest level has the note of "
    "its own one (of 64-bit Arm: bti and pac where its row has these features).",
    why="glibc refuses a library whose note says more than the machine has, with words and not with a crash; without the "
    "note, the first instruction is what fails.",
    mend="Link with -Wl,-z,x86-64-v3 (or the level that it is); see `link-flags` in classifiers.toml.",
)
def _check_isa_note(audited: Audited) -> Iterator[Problem]:
    for image in audited.images:
        binary, note = image.binary, image.binary.isa_note
        level = image.row.level if image.row is not None else image.level
        if binary.format != "ELF" or not level:
            continue
        if binary.machine == "x86_64":
            wanted = level if image.kernel and image.row is not None and level != "x86-64" else ""
            if wanted and note != wanted:
                found = f"its note says {note}" if note else "it has no ISA note"
                mend = f'Put "-Wl,-z,{wanted}" into `link-flags` of its row in classifiers.toml.'
                yield problem(image, f"{found}, and it is for {wanted}", mend=mend)
            elif LEVELS.get(note, frozenset()) - LEVELS.get(level, frozenset()):
                yield problem(image, f"its note says {note}, and it has to run on {level}")
        elif binary.machine == "aarch64" and image.kernel and image.row is not None:
            marks = set(note.split(","))
            for feature, mark in _ARM_NOTES.items():
                if feature in image.row.features and mark not in marks:
                    what = f"it has no {mark} in its property note, and {image.row.name!r} has the feature {feature}"
                    yield problem(image, what, mend="Compile all of it with -mbranch-protection=standard.")


@rule(
    "VA204 no-executable-stack",
    what="No file asks for an executable stack.",
    why="It makes the stack of the whole process executable; hardened systems, and glibc from 2.41 on, refuse to load it.",
    mend="Add `.section .note.GNU-stack` to assembly files, or link with -Wl,-z,noexecstack (PE: /NXCOMPAT).",
)
def _check_stack(audited: Audited) -> Iterator[Problem]:
    for image in audited.images:
        if image.binary.executable_stack:
            yield problem(image, "it asks for an executable stack")


@rule(
    "VA205 search-path",
    what="RPATH and RUNPATH name only places beside the file, within what is installed with it.",
    why="Any other place is one of the build machine: whoever can write there on the user's machine has his code run.",
    mend="Link without -rpath (CMake: CMAKE_SKIP_INSTALL_RPATH), and repair the wheel.",
)
def _check_search_path(audited: Audited) -> Iterator[Problem]:
    for image in audited.images:
        for path in image.binary.search_path:
            if not _own_place(path, image):
                yield problem(image, f"it looks for libraries in {path or 'the current directory (an empty place)'}")


@rule(
    "VA206 no-writable-code",
    what="Nothing of a file is mapped to be written to and to be executed, nor does the loader write into code.",
    why="What such a place holds when it is executed is not in the file, so that no audit can say what it needs.",
    mend='Link without -N, without sections that are both (`.section .x, "awx"`), and with -z text.',
)
def _check_writable_code(audited: Audited) -> Iterator[Problem]:
    for image in audited.images:
        if image.binary.writable_code:
            yield problem(image, "it has code in memory that can be written to")
        elif image.binary.relocated_code:
            yield problem(image, "it has relocations in its code")


@rule(
    "VA207 no-auditors",
    what="No file has the loader load libraries that watch it: no DT_AUDIT, and no DT_DEPAUDIT.",
    why="What such a library does to all others of the process is found in none of them; its place is the LD_AUDIT of one "
    "who debugs.",
    mend="Link without --audit, --depaudit and -P.",
)
def _check_auditors(audited: Audited) -> Iterator[Problem]:
    for image in audited.images:
        if image.binary.auditors:
            yield problem(image, f"it has {_listed(list(image.binary.auditors))} watch the loader")


def _own_place(path: str, image: Image) -> bool:
    first, _, rest = path.partition("/")
    if first not in _OWN_PLACE:
        return False
    there = posixpath.normpath(posixpath.join(posixpath.dirname(image.member), rest))
    if image.file.is_dir() and there.startswith("../") and there.count("/") == 1:
        return there.endswith(".libs")  # what auditwheel lays beside an installed package
    return not (there == ".." or there.startswith("../"))


def _kernels(audited: Audited) -> Iterator[Image]:
    return (image for image in audited.images if image.kernel)


def _listed(names: list[str]) -> str:
    shown = ", ".join(names[:5]) or "nothing"
    return f"{shown} and {len(names) - 5} more" if len(names) > 5 else shown
