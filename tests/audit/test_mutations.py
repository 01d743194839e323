"""Files with one or two wrong bytes outside of their code: as long as they still run it, the audit does not pass them.

The loader believes other things in a file than the tools of a linker do, so that a byte can hide code from one of them.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import lief
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from machine_code import assembled, function
from variantkit.audit import audit
from variantkit.errors import WheelError

# POPCNT is beyond x86-64, and every machine that runs these tests has it. That it ran is what this tells the descriptor.
TELL = (
    "sub rsp, 8; mov edi, 255; popcnt eax, edi; mov [rsp], al; mov edi, 198; mov rsi, rsp; mov edx, 1; mov eax, 1; syscall;"
    "add rsp, 8; ret"
)
TOLD = 198
FILES = {
    "function": ".globl demo\n" + function("demo", TELL),
    "constructor": function("start", TELL) + '.section .init_array, "aw"\n.quad start\n',
    "initializer": ".globl _init\n" + function("_init", TELL),
    "resolver": ".globl demo\n" + function("demo", TELL).replace("@function", "@gnu_indirect_function"),
}
# It loads each file in a process of its own, calls its function if it has one, and says whether the code has run.
RUNNER = f"""
import ctypes, os, signal, sys
for line in sys.stdin:
    read, write = os.pipe()
    child = os.fork()
    if not child:
        os.dup2(write, {TOLD})
        os.dup2(os.open(os.devnull, os.O_WRONLY), 2)
        signal.alarm(2)
        getattr(ctypes.CDLL(line.strip()), "demo", int)()
        os._exit(0)
    os.close(write)
    os.waitpid(child, 0)
    print(os.read(read, 1) == b"\\x08", flush=True)
    os.close(read)
"""


@pytest.fixture(scope="module")
def runs() -> Iterator[Callable[[Path], bool]]:
    """Give what tells whether a file is loaded and its code runs."""
    with subprocess.Popen(
        [sys.executable, "-c", RUNNER], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as runner:
        assert runner.stdin is not None
        assert runner.stdout is not None
        tell, answers = runner.stdin, runner.stdout

        def run(path: Path) -> bool:
            print(path, file=tell, flush=True)
            return answers.readline() == "True\n"

        yield run
        tell.close()


@pytest.fixture(scope="module")
def made(compiler: str, tmp_path_factory: pytest.TempPathFactory) -> dict[str, tuple[bytes, list[int]]]:
    """Give the files, and the places in each that are no code, but for the zeros that fill up pages."""
    found = {}
    for name, source in FILES.items():
        path = assembled(compiler, tmp_path_factory.mktemp(name), source)
        data = path.read_bytes()
        elf = lief.ELF.parse(data)
        assert elf is not None
        code = set[int]()
        for section in elf.sections:
            if section.has(lief.ELF.Section.FLAGS.EXECINSTR):
                code |= set(range(section.offset, section.offset + section.size))
        places = [
            place for place in range(len(data) - 8) if place not in code and any(data[max(place - 32, 0) : place + 32])
        ]
        found[name] = data, places
    return found


@pytest.fixture(scope="module")
def mutant(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("mutants") / "mutant.so"


def written(mutant: Path, data: bytes) -> Path:
    # A new file each time: what another process still maps is not changed under it.
    mutant.unlink(missing_ok=True)
    mutant.write_bytes(data)
    return mutant


def test_the_files_run_and_are_violations(
    made: dict[str, tuple[bytes, list[int]]], mutant: Path, runs: Callable[[Path], bool]
) -> None:
    for name, (data, _) in made.items():
        path = written(mutant, data)
        result = audit([path], matrix=None, level="x86-64")
        assert {each.rule for each in result.findings} == {"VA101" if name == "function" else "VA102"}
        assert runs(path), name


# A byte becomes another, or a word of four or eight bytes becomes a small number, an address of the file or one near it.
CHANGES = st.lists(
    st.tuples(
        st.integers(0, 1 << 16),
        st.one_of(
            st.binary(min_size=1, max_size=1),
            st.tuples(st.integers(0, 0x4000) | st.sampled_from([(1 << 32) - 1]), st.sampled_from([4, 8])).map(
                lambda word: word[0].to_bytes(word[1], "little")
            ),
        ),
    ),
    min_size=1,
    max_size=2,
)


@pytest.mark.parametrize("name", FILES)
@settings(max_examples=400, deadline=None, derandomize=True, database=None)
@given(changes=CHANGES)
def test_no_file_that_runs_what_it_must_not_is_passed(
    made: dict[str, tuple[bytes, list[int]]],
    mutant: Path,
    runs: Callable[[Path], bool],
    name: str,
    changes: list[tuple[int, bytes]],
) -> None:
    data, places = made[name]
    outside = set(places)
    changed = bytearray(data)
    for number, new in changes:
        place = places[number % len(places)]
        # The words of headers and tables are aligned.
        place -= place % len(new)
        if all(place + each in outside for each in range(len(new))):
            changed[place : place + len(new)] = new
    path = written(mutant, bytes(changed))
    try:
        result = audit([path], matrix=None, level="x86-64")
    except WheelError:
        return  # no native file any more, which is status 2
    if result.status == 2 or {"VA101", "VA102"} & {each.rule for each in result.findings}:
        return
    # Whatever else is said of it, what its code needs is not.
    assert not runs(path)
