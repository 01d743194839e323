"""Recorded machines: a TOML file of some ten lines that replays what one said about itself.

```toml
name = "haswell"
source = "where the facts come from"
system = "linux"
machine = "x86_64"

[kernel]                        # what the kernel says; leave the table out for a machine where it cannot be read
vendor = "GenuineIntel"
brand = "Intel(R) Xeon(R) CPU E5-2680 v3 @ 2.50GHz"
flags = "fpu vme de …"          # all CPUs alike; else cpus = ["…", "…"], on macOS sysctl = {…}, on Windows present = […]

[cpuid]                         # what the instruction says; leave it out where no compiled reading is at hand
leaves = { "1.0" = "000306f2 00100800 7ffefbff bfebfbff" }  # leaf.subleaf = eax ebx ecx edx, all hexadecimal
xcr0 = 7                        # leave it out where OSXSAVE is not set

[expected]                      # for the tests of whoever keeps the file; not looked into
```

Instead of `leaves`, `vendor` and `features` give the names, with `osxsave` among them where it is set.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

from variantkit._record import Record
from variantkit.cpuid import BITS, CpuidReading
from variantkit.errors import HostFileError
from variantkit.host import Host, detect
from variantkit.host_linux import parse
from variantkit.host_macos import read_macos
from variantkit.host_windows import FEATURES, read_windows

if TYPE_CHECKING:
    from os import PathLike

    from variantkit.cpuid import Registers
    from variantkit.host import Reader, Reading

__all__ = ["RecordedHost", "read"]

_KEYS = ("name", "source", "system", "machine", "kernel", "cpuid", "expected")
_KERNEL_LISTS = ("flags", "cpus", "sysctl", "present")
_OSXSAVE = (1, 0), 2, 27


class RecordedHost(Record):
    """A recorded machine: what `variantkit.host.detect` needs to replay it."""

    name: str
    source: str
    system: str
    machine: str
    sources: dict[str, Reader]
    cpuid: CpuidReading | None
    expected: dict[str, Any]

    def detect(self, *, all_sources: bool = False) -> Host:
        """Detect the recorded machine, exactly as a live one."""
        return detect(self.cpuid, self.sources, system=self.system, machine=self.machine, all_sources=all_sources)


def read(path: str | PathLike[str]) -> RecordedHost:
    """Read a recorded machine; raises HostFileError, naming file and key, and OSError where it cannot be read.

    Python 3.10 needs `tomli` for it; where that is not installed, HostFileError says so.
    """
    if sys.version_info >= (3, 11):
        import tomllib
    else:
        try:
            import tomli as tomllib
        except ImportError:
            msg = f"{path}: Python 3.10 cannot read TOML by itself; pip install tomli"
            raise HostFileError(msg) from None
    with open(path, "rb") as file:
        try:
            data = tomllib.load(file)
        # TOMLDecodeError and UnicodeDecodeError are ValueErrors; a number of thousands of digits is a plain one.
        except (ValueError, RecursionError) as error:
            msg = f"{path}: this is not TOML: {error}; correct it, or record the machine again"
            raise HostFileError(msg) from None
    try:
        return _recorded(data)
    except HostFileError as error:
        msg = f"{path}: {error}"
        raise HostFileError(msg) from None


def _recorded(data: dict[str, Any]) -> RecordedHost:
    _only(data, "", _KEYS)
    machine = _text(data, "", "machine")
    kernel = _table(data, "kernel")
    sources: dict[str, Reader] = {}
    if kernel is not None:
        reading = _kernel(kernel, machine)
        sources["kernel"] = lambda: reading
    cpuid = _table(data, "cpuid")
    return RecordedHost(
        name=_text(data, "", "name"),
        source=_text(data, "", "source"),
        system=_text(data, "", "system"),
        machine=machine,
        sources=sources,
        cpuid=None if cpuid is None else _cpuid(cpuid),
        expected=_table(data, "expected") or {},
    )


def _kernel(table: dict[str, Any], machine: str) -> Reading | None:
    _only(table, "kernel.", ("vendor", "brand", *_KERNEL_LISTS))
    given = [key for key in _KERNEL_LISTS if key in table]
    if len(given) != 1:
        msg = f"kernel: give exactly one of {', '.join(_KERNEL_LISTS)}"
        raise HostFileError(msg)
    if given == ["sysctl"]:
        values = _table(table, "sysctl", "kernel.") or {}
        return read_macos(values.get)
    if given == ["present"]:
        numbers = {_number(name) for name in _texts(table, "kernel.", "present")}
        return read_windows(lambda number: number in numbers)
    # Written as the kernel writes it, so that the reader of live machines is the one that is replayed.
    key = "flags" if machine in ("x86_64", "i686") else "Features"
    cpus = [_text(table, "kernel.", "flags")] if given == ["flags"] else _texts(table, "kernel.", "cpus")
    head = "".join(
        f"{name}\t: {_text(table, 'kernel.', field)}\n"
        for name, field in (("vendor_id", "vendor"), ("model name", "brand"))
        if field in table
    )
    text = "\n".join(
        f"processor\t: {number}\n{head}{key}\t\t: {' '.join(flags.split())}\n" for number, flags in enumerate(cpus)
    )
    return parse(text.encode(), machine)


def _number(name: str) -> int:
    if name not in FEATURES:
        msg = f"kernel.present: {name!r} is not one of {', '.join(FEATURES)}"
        raise HostFileError(msg)
    return FEATURES[name]


def _cpuid(table: dict[str, Any]) -> CpuidReading:
    _only(table, "cpuid.", ("leaves", "xcr0", "vendor", "features"))
    xcr0 = table.get("xcr0")
    if xcr0 is not None and (not isinstance(xcr0, int) or isinstance(xcr0, bool)):
        msg = "cpuid.xcr0: this has to be an integer; leave it out where OSXSAVE is not set"
        raise HostFileError(msg)
    if "leaves" not in table:
        return CpuidReading(
            leaves=_encoded(_text(table, "cpuid.", "vendor"), _text(table, "cpuid.", "features").split()), xcr0=xcr0
        )
    leaves = {}
    for key, value in (_table(table, "leaves", "cpuid.") or {}).items():
        try:
            leaf, subleaf = (int(part, 16) for part in key.split("."))
            eax, ebx, ecx, edx = (int(part, 16) for part in value.split())
        except (ValueError, AttributeError):
            msg = f'cpuid.leaves: {key!r} has to be written as "7.0" = "eax ebx ecx edx", all hexadecimal'
            raise HostFileError(msg) from None
        leaves[leaf, subleaf] = (eax, ebx, ecx, edx)
    return CpuidReading(leaves=leaves, xcr0=xcr0)


def _encoded(vendor: str, features: list[str]) -> dict[tuple[int, int], Registers]:
    """Return the registers in which a CPU of that vendor would show those features."""
    places = {
        name: (key, register, bit)
        for key, registers in BITS.items()
        for register, bits in registers.items()
        for bit, name in bits.items()
    }
    places["osxsave"] = _OSXSAVE
    leaves = {key: [0, 0, 0, 0] for key in BITS}
    for name in features:
        if name not in places:
            msg = f"cpuid.features: {name!r} is not the name of a CPUID bit that is read; use those of /proc/cpuinfo"
            raise HostFileError(msg)
        key, register, bit = places[name]
        leaves[key][register] |= 1 << bit
    words = [int.from_bytes(vendor.encode().ljust(12, b"\0")[start : start + 4], "little") for start in (0, 4, 8)]
    leaves[0, 0] = [13, words[0], words[2], words[1]]
    leaves[0x80000000, 0] = [0x80000001, 0, 0, 0]
    return {key: (values[0], values[1], values[2], values[3]) for key, values in leaves.items()}


def _only(table: dict[str, Any], where: str, allowed: tuple[str, ...]) -> None:
    for key in table:
        if key not in allowed:
            msg = f"{where}{key}: unknown key; allowed are {', '.join(allowed)}"
            raise HostFileError(msg)


def _table(table: dict[str, Any], key: str, where: str = "") -> dict[str, Any] | None:
    value = table.get(key)
    if value is None or isinstance(value, dict):
        return value
    msg = f"{where}{key}: this has to be a table, not {value!r}"
    raise HostFileError(msg)


def _text(table: dict[str, Any], where: str, key: str) -> str:
    value = table.get(key)
    if not isinstance(value, str):
        msg = f"{where}{key}: this has to be a text" + (", and is missing" if value is None else f", not {value!r}")
        raise HostFileError(msg)
    return value


def _texts(table: dict[str, Any], where: str, key: str) -> list[str]:
    value = table.get(key)
    if not isinstance(value, list) or not value or not all(isinstance(each, str) for each in value):
        msg = f"{where}{key}: this has to be a list of texts, not {value!r}"
        raise HostFileError(msg)
    return value
