"""Native files in archives and compressed files: not audited there, and said so; what is too large, and what has no memory."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import tarfile
import zipfile
import zlib
from typing import TYPE_CHECKING

import pytest

from audited import ENTRY
from native_files import compiled
from tiny_wheels import wheel
from variantkit.audit import AuditResult, audit, auditing, files, nested

if TYPE_CHECKING:
    from pathlib import Path

NAME = "other-1.0-py3-none-linux_x86_64.whl"
NATIVE = b"\x7fELF" + bytes(600)


def zipped(members: dict[str, bytes], before: bytes = b"", how: int = zipfile.ZIP_DEFLATED) -> bytes:
    file = io.BytesIO()
    file.write(before)
    with zipfile.ZipFile(file, "a", how) as archive:
        for name, data in members.items():
            archive.writestr(name, data)
    return file.getvalue()


def tarred(members: dict[str, bytes], mode: str = "w") -> bytes:
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode=mode) as archive:  # type: ignore[call-overload] # a mode that is not a literal
        for name, data in members.items():
            info = tarfile.TarInfo(name)
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))
    return file.getvalue()


def audited(folder: Path, members: dict[str, bytes]) -> AuditResult:
    return audit([wheel(folder, NAME, members)], matrix=None, level="x86-64")


PACKED = {
    "zip": (zipped({"a.py": b"x", "in/lib.so": NATIVE}), "!in/lib.so", "in an archive"),
    "zipapp": (zipped({"lib.so": NATIVE}, b"#!/usr/bin/env python3\n"), "!lib.so", "in an archive"),
    "zip in zip": (zipped({"deep.whl": zipped({"lib.so": NATIVE})}), "!deep.whl!lib.so", "in an archive"),
    "bzip2 in zip": (zipped({"a": b"a"}, how=zipfile.ZIP_BZIP2), "!a", "neither stored nor deflated"),
    "tar": (tarred({"a": bytes(9999), "lib.so": NATIVE}), "!lib.so", "in an archive"),
    "tar.gz": (tarred({"a": b"", "lib.so": NATIVE}, "w:gz"), "!lib.so", "in an archive"),
    "tar.bz2": (tarred({"lib.so": NATIVE}, "w:bz2"), "!lib.so", "in an archive"),
    "tar.xz": (tarred({"lib.so": NATIVE}, "w:xz"), "!lib.so", "in an archive"),
    "zip in tar.gz": (tarred({"a.zip": zipped({"lib.so": NATIVE})}, "w:gz"), "!a.zip!lib.so", "in an archive"),
    "gz": (gzip.compress(NATIVE), "", "is compressed"),
    "bz2": (bz2.compress(NATIVE), "", "is compressed"),
    "xz": (lzma.compress(NATIVE), "", "is compressed"),
    "two streams": (lzma.compress(b"") + bytes(8) + lzma.compress(NATIVE), "", "is compressed"),
    "7z": (b"7z\xbc\xaf\x27\x1c" + bytes(9), "", "is 7z, which is not unpacked here"),
    "damaged": (zipped({"lib.so": NATIVE})[:-30], "", "cannot be read"),
    "cut": (tarred({"a": bytes(99999), "lib.so": NATIVE}, "w:gz")[:90], "", "cannot be read"),
}


@pytest.mark.parametrize("kind", PACKED)
def test_a_native_file_in_an_archive_is_not_passed_over(kind: str, tmp_path: Path) -> None:
    data, inner, why = PACKED[kind]
    result = audited(tmp_path, {"other/data.bin": data})
    assert result.status == 2
    (text,) = result.unaudited
    assert f": other/data.bin{inner}: it " in text
    assert why in text


def test_in_a_folder_too(tmp_path: Path) -> None:
    (tmp_path / "data.zip").write_bytes(zipped({"lib.so": NATIVE}))
    result = audit([tmp_path], matrix=None)
    (text,) = result.unaudited
    assert ": data.zip!lib.so: it is in an archive" in text


def test_there_is_nothing_to_say_of_other_archives(tmp_path: Path) -> None:
    plain = {
        "a.npz": zipped({"a.npy": b"\x93NUMPY", "lib.txt": b"x"}),
        "b.json.gz": gzip.compress(b"{}"),
        "c.tar.xz": tarred({"a": b"MZ is how this text begins", "b": b""}, "w:xz"),
        "d.py": b"#!/usr/bin/env python3\n",
        "empty.gz": gzip.compress(b""),
        "none": b"",
        "zeros": bytes(5000),
    }
    result = audited(tmp_path, plain)
    assert (result.status, result.unaudited, result.files) == (0, (), 0)


def test_there_is_an_end_to_unpacking(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(nested, "MOST_UNPACKED", 1 << 20)
    bomb = tarred({"zeros": bytes(4 << 20), "lib.so": NATIVE}, "w:xz")
    many = zipped({str(number): b"" for number in range(300)})
    for data in (bomb, many):
        (text,) = audited(tmp_path, {"data": data}).unaudited
        assert "there is more to unpack than the 1 MiB that are looked through" in text
    deep = NATIVE
    for _ in range(9):
        deep = zipped({"a": deep})
    assert "it is packed more than 6 times" in audited(tmp_path, {"data": deep}).unaudited[0]
    result = audited(tmp_path, {"data": zipped({f"{number}.so": NATIVE for number in range(50)})})
    assert len(result.unaudited) == 21
    assert "more than these 20 native files" in result.unaudited[-1]


def test_an_xz_stream_cannot_ask_for_gigabytes(tmp_path: Path) -> None:
    data = bytearray(lzma.compress(NATIVE, filters=[{"id": lzma.FILTER_LZMA2, "dict_size": 1 << 20}]))
    # The size of the dictionary is a byte in the header of the block, which has a checksum.
    place = 12
    size = (data[place] + 1) * 4
    data[place + 4] = 37  # 1.5 GiB
    data[place + size - 4 : place + size] = zlib.crc32(data[place : place + size - 4]).to_bytes(4, "little")
    (text,) = audited(tmp_path, {"data.xz": bytes(data)}).unaudited
    assert "Memory usage limit" in text


def test_a_file_that_is_too_large_is_said_to_be(compiler: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    lib = compiled(compiler, tmp_path, ENTRY)
    monkeypatch.setattr(files, "LARGEST", lib.stat().st_size)
    (tmp_path / "package").mkdir()
    (tmp_path / "package" / "lib.so").write_bytes(lib.read_bytes() + b"\0")
    for path in (
        wheel(tmp_path, NAME, {"other/lib.so": lib.read_bytes() + b"\0"}),
        tmp_path / "package",
        tmp_path / "package" / "lib.so",
    ):
        result = audit([path], matrix=None)
        assert result.status == 2
        (text,) = result.unaudited
        assert "lib.so: it is larger than" in text
    assert audit([lib], matrix=None).status == 0


def test_a_sparse_file_is_not_read(tmp_path: Path) -> None:
    path = tmp_path / "lib.so"
    with path.open("wb") as file:
        file.write(NATIVE)
        file.truncate(3 << 30)
    (text,) = audit([path], matrix=None).unaudited
    assert "it is larger than 2 GiB" in text


@pytest.mark.parametrize("place", ["reading", "decoding"])
def test_too_little_memory_is_no_traceback(place: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> None:
        raise MemoryError

    monkeypatch.setattr(*((files, "content") if place == "reading" else (auditing, "read_binary")), fail)
    result = audited(tmp_path, {"other/lib.so": NATIVE})
    assert result.status == 2
    assert "other/lib.so: there is not enough memory" in result.unaudited[0]


def test_a_member_that_unpacks_without_an_end_is_refused(tmp_path: Path) -> None:
    path = wheel(tmp_path, NAME)
    with zipfile.ZipFile(path, "a", zipfile.ZIP_LZMA) as archive:
        archive.writestr("other/lib.so", NATIVE)
    (text,) = audit([path], matrix=None).unaudited
    assert "other/lib.so: it is neither stored nor deflated" in text
