"""What the Linux kernel says about the CPUs: /proc/cpuinfo, in which masked features are missing."""

from __future__ import annotations

from variantkit.host import Reading, Source

__all__ = ["parse", "read_linux"]


def read_linux(machine: str, path: str = "/proc/cpuinfo") -> Reading | None:
    """Read the kernel's list; None where it has none for this machine. Raises OSError where it cannot be read."""
    with open(path, "rb") as file:
        return parse(file.read(), machine)


def parse(text: bytes, machine: str) -> Reading | None:
    """Parse the text of /proc/cpuinfo; a feature holds when every CPU listed has it.

    Where Rosetta or QEMU executes us on another kind of machine, the file describes that one (docker/for-mac#7080): an
    x86 process then finds `Features` instead of `flags`, and has no answer.

    Cores can differ (BLAKE3-team/BLAKE3#220), and the scheduler may move us to any of them. Equal lines are split only
    once, so that 256 CPUs cost hardly more than one.
    """
    text = b"\n" + text
    key = b"\nflags" if machine in ("x86_64", "i686") else b"\nFeatures"
    lines = set()
    start = text.find(key)
    while start >= 0:
        end = text.find(b"\n", start + 1)
        end = len(text) if end < 0 else end
        lines.add(text[start:end])
        start = text.find(key, end)
    features: frozenset[str] | None = None
    for line in lines:
        names = frozenset(line.decode("latin-1").partition(":")[2].split())
        features = names if features is None else features & names
    if not features:
        return None
    return Reading(
        source=Source(name="kernel", features=features),
        vendor=_field(text, b"\nvendor_id"),
        brand=_field(text, b"\nmodel name"),
        hypervisor="hypervisor" in features,
    )


def _field(text: bytes, key: bytes) -> str:
    start = text.find(key)
    if start < 0:
        return ""
    line = text[start + 1 :].split(b"\n", 1)[0]
    return line.decode("latin-1").partition(":")[2].strip()
