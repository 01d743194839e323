"""What this machine grants: the interpreter and its libc, CPUs by affinity and by cgroup, and which hypervisor there is."""

from __future__ import annotations

import contextlib
import os
import sys
import sysconfig
from pathlib import Path
from typing import TYPE_CHECKING

from variantkit.doctor.facts import Cpus, Interpreter

if TYPE_CHECKING:
    from collections.abc import Mapping

    from variantkit.cpuid import Registers

__all__ = ["cpus", "hypervisor", "interpreter", "quota"]

# Leaf 0x40000000. Not to be believed before the firmware's words: VirtualBox says it is KVM to Linux guests.
_SIGNATURES = {
    "KVMKVMKVM": "KVM",
    "Linux KVM Hv": "KVM",
    "TCGTCGTCGTCG": "QEMU",
    "VMwareVMware": "VMware",
    "Microsoft Hv": "Hyper-V",
    "VBoxVBoxVBox": "VirtualBox",
    "XenVMMXenVMM": "Xen",
}

# What /sys/class/dmi/id says (sys_vendor, product_name), in lower case.
_FIRMWARE = (
    ("virtualbox", "VirtualBox"),
    ("innotek", "VirtualBox"),
    ("vmware", "VMware"),
    ("microsoft corporation virtual machine", "Hyper-V"),
    ("amazon ec2", "a cloud"),
    ("google", "a cloud"),
    ("openstack", "KVM"),
    ("xen", "Xen"),
    ("qemu", "KVM"),
    ("kvm", "KVM"),
)


def interpreter() -> Interpreter:
    """Describe the Python that runs this."""
    info = sys.version_info
    cpython = sys.implementation.name == "cpython"
    threaded = bool(sysconfig.get_config_var("Py_GIL_DISABLED"))
    libc, version = _libc()
    return Interpreter(
        version=".".join(map(str, info[:3])),
        executable=sys.executable or "",
        tag=f"cp{info[0]}{info[1]}{'t' if threaded else ''}" if cpython else "",
        platform_tag=_platform_tag(libc, version),
        bits=64 if sys.maxsize > 2**32 else 32,
        libc=f"{libc} {version}".strip(),
        free_threaded=threaded,
        frozen=bool(getattr(sys, "frozen", False)),
        subinterpreter=_in_subinterpreter(),
    )


def _libc() -> tuple[str, str]:
    if sys.platform != "linux":
        return "", ""
    try:
        words = (os.confstr("CS_GNU_LIBC_VERSION") or "").split()
    except (OSError, ValueError):  # musl has no such name
        words = []
    if len(words) == 2:
        return words[0], words[1]
    # musl's dynamic linker is the library itself; whoever has it runs on it.
    linkers = sorted(Path("/lib").glob("ld-musl-*.so.1"))
    return ("musl", "") if linkers else ("", "")


def _platform_tag(libc: str, version: str) -> str:
    system = sysconfig.get_platform().replace("-", "_").replace(".", "_")
    if system.startswith("linux_"):
        machine = system.removeprefix("linux_")
        if sys.maxsize < 2**32:
            machine = {"x86_64": "i686", "aarch64": "armv7l"}.get(machine, machine)
        if libc == "glibc":
            return f"manylinux_{version.replace('.', '_')}_{machine}"
        # Its version is told by the dynamic linker only, which would have to be started; 1.2 is what all have.
        return f"musllinux_1_2_{machine}" if libc == "musl" else f"linux_{machine}"
    return system


def _in_subinterpreter() -> bool:
    for name in ("_interpreters", "_xxsubinterpreters"):  # the latter before 3.13
        with contextlib.suppress(Exception):  # a private module: without it, or changed, nothing is claimed
            module = __import__(name)
            return bool(module.get_current() != module.get_main())
    return False


def cpus() -> Cpus:
    """Return how many CPUs there are, and how many of them this process may use."""
    present = os.cpu_count() or 1
    try:
        allowed = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else present
    except OSError:
        allowed = present
    try:
        load: float | None = os.getloadavg()[0]
    except (OSError, AttributeError):  # Windows has none, and /proc may be denied
        load = None
    return Cpus(present=present, allowed=allowed, quota=quota(Path("/")), load=load)


def quota(root: Path) -> float | None:
    """Return how many CPUs the cgroups of this process grant, None where there is no limit or it cannot be read.

    https://docs.kernel.org/admin-guide/cgroup-v2.html (cpu.max), and cpu.cfs_quota_us of version 1. Each group up to the
    root may have a limit, and the least counts.
    """
    limits = []
    mounts = root / "sys" / "fs" / "cgroup"
    for line in _text(root / "proc" / "self" / "cgroup").splitlines():
        fields = line.split(":", 2)
        if len(fields) != 3:
            continue
        _, controllers, group = fields
        if not controllers:
            for place in (mounts, mounts / "unified"):
                limits += [_ratio(*_text(folder / "cpu.max").split()[:2]) for folder in _upwards(place, group)]
        elif "cpu" in controllers.split(","):
            for place in (mounts / controllers, mounts / "cpu"):
                limits += [
                    _ratio(_text(folder / "cpu.cfs_quota_us"), _text(folder / "cpu.cfs_period_us"))
                    for folder in _upwards(place, group)
                ]
    found = [limit for limit in limits if limit]
    return min(found) if found else None


def _upwards(mount: Path, group: str) -> list[Path]:
    """Return the folders of a group and of those that it is in; a container sees its own group as the root."""
    parts = [part for part in group.split("/") if part not in {"", ".", ".."}]
    return [mount.joinpath(*parts[:length]) for length in range(len(parts), -1, -1)]


def _ratio(allowance: str = "", period: str = "") -> float | None:
    try:
        granted, span = int(allowance), int(period)
    except ValueError:  # "max", or nothing
        return None
    return granted / span if granted > 0 and span > 0 else None


def hypervisor(leaves: Mapping[tuple[int, int], Registers], root: Path = Path("/")) -> str:
    """Return the hypervisor below us, "" where there is none or nothing names it."""
    folder = root / "sys" / "class" / "dmi" / "id"
    firmware = " ".join(_text(folder / name) for name in ("sys_vendor", "product_name")).lower()
    if found := next((name for words, name in _FIRMWARE if words in firmware), ""):
        return found
    registers = leaves.get((0x40000000, 0))
    if registers is None:
        return ""
    signature = b"".join(register.to_bytes(4, "little") for register in registers[1:])
    return _SIGNATURES.get(signature.rstrip(b"\0").decode("latin-1"), "")


def _text(file: Path) -> str:
    try:
        return file.read_text(encoding="utf-8", errors="replace").strip()
    except OSError:
        return ""
