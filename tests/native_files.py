"""Native files of all three formats: ELF files by the compiler of the machine, and small PE and Mach-O files by hand."""

from __future__ import annotations

import struct
import subprocess
from pathlib import Path

__all__ = ["MACHO_BASE", "PE_BASE", "compiled", "fat", "for_arm", "macho", "pe"]

PE_BASE = 0x180000000
MACHO_BASE = 0
# mov eax, 1; ret -- and 14 bytes of padding
_FUNCTION = b"\xb8\x01\x00\x00\x00\xc3".ljust(16, b"\xcc")


def compiled(compiler: str, folder: Path, source: str, *options: str, name: str = "made.so") -> Path:
    """Compile C into a shared library."""
    path = folder / name
    command = [
        compiler,
        *([] if "-c" in options else ["-shared"]),
        "-fPIC",
        "-O1",
        "-xc",
        "-",
        "-o",
        str(path),
        *options,
    ]
    subprocess.run(command, input=source, text=True, check=True)
    return path


def for_arm(data: bytes) -> bytes:
    """Return an ELF file whose header says that it is for 64-bit Arm."""
    return data[:18] + struct.pack("<H", 183) + data[20:]


def pe(
    code: bytes = _FUNCTION * 4,
    *,
    machine: int = 0x8664,
    characteristics: int = 0x160,
    flags: int = 0x60000020,
    beside: bytes = b"",
) -> bytes:
    """Return a DLL with three functions, a TLS callback (the second), an entry point (the third) and one export.

    `flags` are those of its section of code, and `beside` lies behind the size that it says it has. The only relocation
    is of the pointer to the callback.
    """
    text, rdata, pdata = 0x1000, 0x2000, 0x3000
    functions = [text, text + 16, text + 32]
    # .rdata: a directory of exports, one of TLS, its callbacks, unwind information, one import
    data = bytearray(0x200)
    data[0x00:0x28] = struct.pack(
        "<IIHHIIIIIII", 0, 0, 0, 0, rdata + 0x60, 1, 1, 1, rdata + 0x40, rdata + 0x44, rdata + 0x48
    )
    data[0x40:0x4C] = struct.pack("<IIHH", functions[0], rdata + 0x50, 0, 0)
    data[0x50:0x56] = b"entry\0"
    data[0x60:0x67] = b"my.dll\0"
    data[0x80:0xA8] = struct.pack("<QQQQII", 0, 0, PE_BASE + rdata + 0xC8, PE_BASE + rdata + 0xB0, 0, 0)
    data[0xB0:0xC0] = struct.pack("<QQ", PE_BASE + functions[1], 0)
    data[0xD0:0xD4] = b"\x01\x00\x00\x00"
    data[0xE0:0x108] = struct.pack("<IIIIIIIIII", rdata + 0x120, 0, 0, rdata + 0x110, rdata + 0x130, 0, 0, 0, 0, 0)
    data[0x110:0x11D] = b"KERNEL32.dll\0"
    data[0x120:0x130] = struct.pack("<QQ", rdata + 0x140, 0)
    data[0x130:0x140] = struct.pack("<QQ", rdata + 0x140, 0)
    data[0x140:0x14C] = struct.pack("<H", 0) + b"GetTick\0\0\0"
    data[0x150:0x15C] = struct.pack("<IIHH", rdata, 12, 0xA0B0, 0)
    unwind = b"".join(struct.pack("<III", each, each + 6, rdata + 0xD0) for each in functions)

    directories = [(0, 0)] * 16
    directories[0] = (rdata, 0x68)
    directories[1] = (rdata + 0xE0, 0x28)
    directories[3] = (pdata, len(unwind))
    directories[5] = (rdata + 0x150, 12)
    directories[9] = (rdata + 0x80, 0x28)
    optional = struct.pack("<HBBIIIII", 0x20B, 14, 0, 0x200, 0x400, 0, functions[2], text)
    optional += struct.pack(
        "<QIIHHHHHHIIIIHH", PE_BASE, 0x1000, 0x200, 6, 0, 0, 0, 6, 0, 0, 0x4000, 0x400, 0, 2, characteristics
    )
    optional += struct.pack("<QQQQII", 0x100000, 0x1000, 0x100000, 0x1000, 0, 16)
    optional += b"".join(struct.pack("<II", *each) for each in directories)
    header = b"PE\0\0" + struct.pack("<HHIIIHH", machine, 3, 0, 0, 0, len(optional), 0x2022) + optional
    sections = [
        (b".text", len(code), text, flags),
        (b".rdata", len(data), rdata, 0x40000040),
        (b".pdata", len(unwind), pdata, 0x40000040),
    ]
    for index, (name, size, address, kind) in enumerate(sections):
        header += struct.pack("<8sIIIIIIHHI", name, size, address, 0x200, 0x400 + 0x200 * index, 0, 0, 0, 0, kind)
    stub = b"MZ".ljust(0x3C, b"\0") + struct.pack("<I", 0x40)
    return (stub + header).ljust(0x400, b"\0") + b"".join(
        bytes(part).ljust(0x200, b"\0") for part in (code + beside, data, unwind)
    )


def macho(
    code: bytes = _FUNCTION * 4,
    *,
    cpu: int = 0x01000007,
    flags: int = 0x85,
    attributes: int = 0x80000400,
    beside: bytes = b"",
    constructor: int = 16,
) -> bytes:
    """Return a dylib with two functions; the second is a constructor, and the last 16 bytes of the code are data.

    `attributes` are those of its section of code; `beside` lies behind it, in the same segment and in no section.
    """
    text_at, data_at, link_at = 0x1000, 0x2000, 0x3000
    strings = b"\0_entry\0_started\0"
    symbols = struct.pack("<IBBHQ", 1, 0x0F, 1, 0, MACHO_BASE + text_at)
    symbols += struct.pack("<IBBHQ", 8, 0x0E, 1, 0, MACHO_BASE + text_at + 16)
    data_in_code = struct.pack("<IHH", text_at + len(code) - 16, 16, 1)
    link = data_in_code + symbols + strings

    def segment(name: bytes, address: int, offset: int, size: int, protection: int, *sections: bytes) -> bytes:
        body = struct.pack(
            "<16sQQQQIIII", name, address, 0x1000, offset, size, protection, protection, len(sections), 0
        )
        return struct.pack("<II", 0x19, 8 + len(body) + sum(map(len, sections))) + body + b"".join(sections)

    def section(name: bytes, segment_name: bytes, address: int, size: int, kind: int) -> bytes:
        return struct.pack("<16s16sQQIIIIIIII", name, segment_name, address, size, address, 4, 0, 0, kind, 0, 0, 0)

    def library(command: int, name: bytes) -> bytes:
        name = (name + b"\0").ljust((len(name) + 8) // 8 * 8, b"\0")
        return struct.pack("<IIIIII", command, 24 + len(name), 24, 0, 0x10000, 0x10000) + name

    commands = [
        segment(b"__TEXT", MACHO_BASE, 0, 0x2000, 5, section(b"__text", b"__TEXT", text_at, len(code), attributes)),
        segment(b"__DATA", data_at, data_at, 0x1000, 3, section(b"__mod_init_func", b"__DATA", data_at, 8, 9)),
        segment(b"__LINKEDIT", link_at, link_at, len(link), 1),
        library(0xD, b"@rpath/libmy.dylib"),
        library(0xC, b"/usr/lib/libSystem.B.dylib"),
        struct.pack("<III", 0x8000001C, 32, 12) + b"@loader_path/libs\0\0\0",
        struct.pack("<II", 0x1B, 24) + bytes(range(16)),
        struct.pack("<IIIIII", 0x2, 24, link_at + 8, 2, link_at + 8 + len(symbols), len(strings)),
        struct.pack("<IIII", 0x29, 16, link_at, 8),
    ]
    header = struct.pack("<IIIIIIII", 0xFEEDFACF, cpu, 3, 6, len(commands), sum(map(len, commands)), flags, 0)
    data = struct.pack("<Q", MACHO_BASE + text_at + constructor)
    head = (header + b"".join(commands)).ljust(text_at, b"\0")
    return head + (code + beside).ljust(0x1000, b"\0") + data.ljust(0x1000, b"\0") + link


def fat(*images: bytes) -> bytes:
    """Return Mach-O files as one."""
    cpus = [struct.unpack("<II", each[4:12]) for each in images]
    header, offset, body = struct.pack(">II", 0xCAFEBABE, len(images)), 0x1000, b""
    for (cpu, kind), image in zip(cpus, images, strict=True):
        header += struct.pack(">IIIII", cpu, kind, offset + len(body), len(image), 12)
        body += image.ljust((len(image) + 0xFFF) // 0x1000 * 0x1000, b"\0")
    return header.ljust(0x1000, b"\0") + body
