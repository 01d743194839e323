"""Find out what this machine is and which CPU features a program may use on it.

Several sources are asked, all in this process and none of them by starting another, and the answer is their intersection:
a feature that the kernel masks is as unusable as one that the CPU lacks (rspamd/rspamd#5137).
"""

from __future__ import annotations

import os
import sys

from variantkit._record import Record
from variantkit.cpuid import CpuidReading, decode
from variantkit.features import AARCH64, BASELINE, KNOWN, LEVELS, X86, consistent

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from typing import TypeAlias

    from variantkit.cpuid import Registers

    RawCpuid: TypeAlias = "tuple[Mapping[tuple[int, int], Registers], int | None]"
    Reader: TypeAlias = "Callable[[], Reading | None]"

__all__ = ["Host", "Reading", "Source", "detect", "this_machine"]


class Source(Record):
    """The features one source reports; with a `scope`, it says nothing about features outside of it."""

    name: str
    features: frozenset[str]
    scope: frozenset[str] | None = None

    def says(self, feature: str) -> bool | None:
        """Return whether the source has the feature, or None when it does not speak about it."""
        if self.scope is not None and feature not in self.scope:
            return None
        return feature in self.features


class Reading(Record):
    """A source with what else it tells about the machine; `withheld`: CPU features the operating system does not enable."""

    source: Source
    vendor: str = ""
    brand: str = ""
    hypervisor: bool = False
    translated: bool = False
    withheld: tuple[str, ...] = ()


class Host(Record):
    """What detection found out about a machine; `features` is what may be used, `notes` are sentences for a person.

    `translated` is x86-64 code under Apple's Rosetta; `withheld` are as in `Reading`.
    """

    system: str
    machine: str
    vendor: str = ""
    brand: str = ""
    hypervisor: bool = False
    sources: tuple[Source, ...] = ()
    features: frozenset[str] = frozenset()
    notes: tuple[str, ...] = ()
    devices: frozenset[str] = frozenset({"cpu"})
    translated: bool = False
    withheld: tuple[str, ...] = ()

    @property
    def platform(self) -> str:
        """The platform as the matrix spells it: `linux-x86_64`, `macos-arm64`, `windows-x86_64`."""
        return f"{self.system}-{self.machine}"

    @property
    def disagreements(self) -> dict[str, dict[str, bool]]:
        """Features on which the sources differ, each with what every source that speaks about it says."""
        found = {}
        for feature in sorted(frozenset().union(*(source.features for source in self.sources))):
            answers = {source.name: source.says(feature) for source in self.sources}
            spoken = {name: answer for name, answer in answers.items() if answer is not None}
            if len(set(spoken.values())) > 1:
                found[feature] = spoken
        return found

    def missing(self, required: Iterable[str]) -> tuple[str, ...]:
        """Return those of the required features that may not be used here, sorted."""
        return tuple(sorted(frozenset(required) - self.features))


def this_machine() -> tuple[str, str]:
    """Return system and machine of this process: a 32-bit Python on a 64-bit kernel is a 32-bit machine."""
    if sys.platform == "win32":
        # As sysconfig.get_platform() does it; PROCESSOR_ARCHITECTURE describes the shell that started us.
        build = sys.version.lower()
        return "windows", "arm64" if "arm64" in build else "x86_64" if "amd64" in build else "i686"
    system = {"darwin": "macos"}.get(sys.platform, sys.platform)
    machine = os.uname().machine.lower()
    machine = {"amd64": "x86_64"}.get(machine, machine)
    if sys.maxsize < 2**32:
        machine = {"x86_64": "i686", "aarch64": "armv7l"}.get(machine, machine)
    return system, machine


def detect(
    cpuid: Callable[[], RawCpuid] | CpuidReading | None = None,
    sources: Mapping[str, Reader] | None = None,
    *,
    system: str | None = None,
    machine: str | None = None,
    all_sources: bool = False,
) -> Host:
    """Ask the sources and return the host.

    `cpuid` is the customer's compiled reading: a function that returns (leaves, xcr0), or its result. `sources` replaces
    the readers of this machine, by name: "kernel" and "py-cpuinfo"; one that is left out is missing. The third source,
    py-cpuinfo, is asked only where one of the others is missing, or with `all_sources`. A source that raises is a missing
    one: detection itself never fails.
    """
    if system is None or machine is None:
        here = this_machine()
        system, machine = system or here[0], machine or here[1]
    readers = _own_readers(system, machine) if sources is None else sources
    notes: list[str] = []
    asked = [
        _ask("kernel", readers.get("kernel"), notes),
        _ask("cpuid", _cpuid_reader(cpuid, system), notes),
    ]
    if all_sources or None in asked:
        asked.append(_ask("py-cpuinfo", readers.get("py-cpuinfo"), notes))
    readings = [reading for reading in asked if reading is not None]
    if not readings:
        notes.append(
            f"no source could tell the features of this CPU, so only those of every {machine} machine are used."
        )
    found = tuple(_known(reading.source, machine) for reading in readings)
    features = _intersection(found, BASELINE.get(machine, frozenset()))
    # Under an emulator the kernel describes the machine below, CPUID the one that executes us: it goes first.
    by_cpuid = sorted(readings, key=lambda reading: reading.source.name != "cpuid")
    host = Host(
        system=system,
        machine=machine,
        vendor=next((reading.vendor for reading in by_cpuid if reading.vendor), ""),
        brand=next((reading.brand for reading in by_cpuid if reading.brand), ""),
        hypervisor=any(reading.hypervisor for reading in readings),
        sources=found,
        features=features,
        translated=machine == "x86_64" and _translated(readings),
        withheld=tuple(sorted({name for reading in readings for name in reading.withheld})),
    )
    return host.replace(notes=(*notes, *_notes(host)))


def _own_readers(system: str, machine: str) -> dict[str, Reader]:
    """Return the readers of this machine; the modules behind them are imported when they are called."""

    def kernel() -> Reading | None:
        if system == "linux":
            from variantkit.host_linux import read_linux

            return read_linux(machine)
        if system == "macos":
            from variantkit.host_macos import read_macos

            return read_macos()
        if system == "windows":
            from variantkit.host_windows import read_windows

            return read_windows()
        return None

    def py_cpuinfo() -> Reading | None:
        from variantkit.host_pycpuinfo import read_py_cpuinfo

        return read_py_cpuinfo()

    if machine == "x86_64":
        return {"kernel": kernel, "py-cpuinfo": py_cpuinfo}
    return {"kernel": kernel}


def _cpuid_reader(cpuid: Callable[[], RawCpuid] | CpuidReading | None, system: str) -> Reader | None:
    if cpuid is None:
        return None

    def read() -> Reading | None:
        if isinstance(cpuid, CpuidReading):
            reading = cpuid
        else:
            leaves, xcr0 = cpuid()
            reading = CpuidReading(leaves=leaves, xcr0=xcr0)
        if not reading.leaves:
            return None
        facts = decode(reading, lazy_avx512=system == "macos")
        # Without XCR0 this source cannot say yes to AVX-512; it stays silent, and the kernel must say it.
        scope = X86 - {"avx512f"} if system == "macos" and "avx512f" in facts.features else None
        return Reading(
            source=Source(name="cpuid", features=facts.features, scope=scope),
            vendor=facts.vendor,
            brand=facts.brand,
            hypervisor=facts.hypervisor,
            withheld=facts.withheld,
        )

    return read


def _ask(name: str, reader: Reader | None, notes: list[str]) -> Reading | None:
    if reader is None:
        return None
    try:
        return reader()
    except Exception as error:  # noqa: BLE001 -- whatever a source does, the others still answer
        notes.append(f"the source {name!r} failed and was left out: {type(error).__name__}: {error}.")
        return None


def _known(source: Source, machine: str) -> Source:
    """Leave out what no classifier can ask for (`constant_tsc`), so that sources can be compared."""
    names = {"x86_64": X86, "aarch64": AARCH64, "arm64": AARCH64}.get(machine, KNOWN)
    return source.replace(features=source.features & names)


def _intersection(sources: tuple[Source, ...], baseline: frozenset[str]) -> frozenset[str]:
    named = frozenset().union(*(source.features for source in sources))
    answers = {name: {source.says(name) for source in sources} for name in named}
    # Silence (None) is neither yes nor no: one source has to have the feature, and none may deny it.
    agreed = {name for name, said in answers.items() if True in said and False not in said}
    return consistent(agreed | baseline)


def _translated(readings: list[Reading]) -> bool:
    names = [name for reading in readings for name in (reading.vendor, reading.brand)]
    return any(reading.translated for reading in readings) or any(name.startswith("VirtualApple") for name in names)


def _notes(host: Host) -> list[str]:
    notes: list[str] = []
    if host.machine != "x86_64":
        return notes
    if host.translated:
        notes.append(
            "this is x86-64 code translated by Apple's Rosetta, which shows only part of what it can execute; "
            "install a native arm64 Python (or an arm64 container) to use this machine fully."
        )
        return notes
    if host.withheld:
        notes.append(
            f"the CPU has {', '.join(host.withheld)}, but the operating system does not save their registers; "
            "look for `noxsave` or `clearcpuid` on its boot command line."
        )
    masked = [
        feature
        for feature, says in host.disagreements.items()
        if says.get("kernel") is False and says.get("cpuid") and feature in LEVELS["x86-64-v4"]
    ]
    if masked:
        notes.append(
            f"CPUID has {', '.join(masked)}, but the kernel does not list them; they stay unused. "
            "A mitigation such as gather_data_sampling=force does this, or a container on an emulated CPU."
        )
    hidden = host.missing(LEVELS["x86-64-v3"])
    if host.hypervisor and hidden and not host.withheld and not masked:
        notes.append(
            f"this is a virtual machine, and its virtual CPU lacks {', '.join(hidden)}; if the real CPU has them, "
            'the hypervisor hides them: set its CPU type to "host".'
        )
    return notes
