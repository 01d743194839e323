"""No native file, however damaged, makes the audit raise anything but `BinaryError`, nor the process crash."""

from __future__ import annotations

import struct
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fuzzing import edited, fuzz
from native_files import compiled, fat, macho, pe
from variantkit.audit.binary import read_binary
from variantkit.audit.decode import code_use
from variantkit.errors import BinaryError

SOURCE = """
__attribute__((constructor)) static void first(void) { __asm__ volatile("nop"); }
static int plain(int x) { return x + 1; }
static int (*choose(void))(int) { return plain; }
int chosen(int x) __attribute__((ifunc("choose")));
double entry(double x) { return x * chosen((int)x); }
"""
NUMBERS = (0, 1, 0x7F, 0xFF, 0xFFFF, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF, 0x1000, 0x100000)
WORDS = [struct.pack(form, number) for form in ("<I", "<Q", ">I") for number in NUMBERS]
WORDS += [struct.pack("<Q", number) for number in (0x7FFFFFFFFFFFFFFF, 0x8000000000000000, 0xFFFFFFFFFFFFFFFF)]


@pytest.fixture(scope="module")
def seeds(compiler: str, tmp_path_factory: pytest.TempPathFactory) -> list[bytes]:
    folder = tmp_path_factory.mktemp("seeds")

    def elf(*options: str) -> bytes:
        return Path(compiled(compiler, folder, SOURCE, *options)).read_bytes()

    files = [elf("-Wl,-z,x86-64-v3"), elf("-s", "-Wl,-z,pack-relative-relocs"), pe(), macho(), fat(macho(), macho())]
    for file in files:
        assert read_binary(file)
    return files


@fuzz
@given(data=st.data())
def test_no_native_file_raises_anything_else(data: st.DataObject, seeds: list[bytes]) -> None:
    content = data.draw(edited(seeds, WORDS))
    try:
        images = read_binary(content)
    except BinaryError:
        return
    for image in images:
        for code in image.code:
            # A file cannot be made to say that there is more than there is.
            assert len(code.data) <= len(content)
        if image.machine == "x86_64":
            code_use(image)


@fuzz
@given(data=st.data())
def test_nor_does_one_whose_header_alone_is_damaged(data: st.DataObject, seeds: list[bytes]) -> None:
    # Edits of a whole file seldom hit the tables that lead to all else.
    content = bytearray(data.draw(st.sampled_from(seeds)))
    for _ in range(data.draw(st.integers(1, 4))):
        place = data.draw(st.integers(0, 0x300)) & ~3
        word = data.draw(st.sampled_from(WORDS))
        content[place : place + len(word)] = word
    try:
        images = read_binary(bytes(content))
    except BinaryError:
        return
    assert images
