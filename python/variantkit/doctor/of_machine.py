"""Findings about the machine: features that are hidden, withheld or missing, and Pythons that see another one."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from variantkit.doctor.findings import Finding
from variantkit.doctor.words import about, listed
from variantkit.features import LEVELS

if TYPE_CHECKING:
    from collections.abc import Iterator

    from variantkit.doctor.facts import Facts

__all__ = ["SETTINGS", "findings", "promised"]

# The first that fits counts. These families have all of the level in each of their CPUs; a name that says less is not here.
_BRANDS = (
    (r"Xeon.*\b(Platinum|Gold|Silver|Bronze) \d{4}", "x86-64-v4"),
    (r"Xeon.*\b(Skylake|Cascade ?[Ll]ake|Cooper ?[Ll]ake|Ice ?[Ll]ake|Sapphire ?Rapids|Granite ?Rapids)", "x86-64-v4"),
    (r"EPYC[- ](Genoa|Bergamo|Turin)|EPYC [489]\d\d[45F]|EPYC 9\w{3}\b", "x86-64-v4"),
    (r"EPYC|Ryzen|Threadripper", "x86-64-v3"),
    (r"Xeon.*\bE[357]-\d{4}\w* v[3-6]|Xeon.*\b(E-2\d{3}|D-1[5-9]\d\d|D-2\d{3}|W-[1-3]\d{3})", "x86-64-v3"),
    (r"\bi[3579]-([5-9]\d{3}|1\d{4})|\bi[35]-4\d{3}|Core.* Ultra|Core.*\((Haswell|Broadwell|Skylake)|Xeon.*\((Haswell|Broadwell)",
     "x86-64-v3"),
)  # fmt: skip

# Models that hypervisors show in place of the CPU that is there.
_STAND_INS = re.compile(
    r"QEMU Virtual CPU|QEMU TCG CPU|Common (32-bit )?KVM processor|Virtual CPU [0-9a-f]+"
    # QEMU's models of old CPUs: "9xx (Nehalem Class Core i7)", "E312xx (Sandy Bridge)", "Opteron 63xx class CPU".
    r"|\dxx|Class (Core|Opteron)"
)

SETTINGS = {
    "KVM": "give the virtual machine the host's CPU model: QEMU `-cpu host`, libvirt `<cpu mode='host-passthrough'/>`, "
    "Proxmox VE: Hardware, Processors, Type `host` (`qm set VMID --cpu host`), OpenStack `cpu_mode = host-passthrough`; then "
    "stop and start it",
    "VMware": "raise or disable EVC (vSphere: Cluster, Configure, VMware EVC; or VMware EVC of the virtual machine), upgrade "
    "its hardware version, and power it off and on",
    "Hyper-V": "switch processor compatibility off: `Set-VMProcessor -VMName NAME -CompatibilityForMigrationEnabled $false` "
    "while it is off",
    "VirtualBox": "`VBoxManage modifyvm NAME --cpu-profile host`, and where its status bar shows a turtle, switch Hyper-V off "
    "on the Windows host (`bcdedit /set hypervisorlaunchtype off`, restart)",
    "Xen": "raise the CPU levelling of the pool, or take the `cpuid` mask out of the guest's configuration; then restart it",
    "a cloud": "choose an instance type with a newer CPU, or say a minimum CPU platform",
}
SETTINGS["QEMU"] = f"{SETTINGS['KVM']}; without KVM, QEMU itself computes, and has no AVX-512: `-accel kvm`"
"""What shows the features of the CPU to a guest, by hypervisor."""


_SOURCES = {
    "kernel": "let the process read /proc/cpuinfo",
    "cpuid": "mend what else is found here, so that the package's compiled module can be loaded",
}


def promised(brand: str) -> str:
    """Return the level that CPUs of this brand string have, "" where it does not tell."""
    return next((level for pattern, level in _BRANDS if re.search(pattern, brand)), "")


def findings(facts: Facts) -> Iterator[Finding]:
    """Give what is wrong with the machine, as far as it can be told from within."""
    host = facts.host
    yield from _platform(facts)
    if host.translated:
        yield Finding(
            rule="rosetta",
            message="This is x86-64 code that Apple's Rosetta translates, and it shows a part of what it can execute.",
            mend="install a native arm64 Python, or use an arm64 container",
        )
    elif host.machine == "x86_64":
        yield from _features(facts)
    yield from _sources(facts)
    python = facts.interpreter
    if python.frozen:
        yield Finding(
            rule="interpreter",
            message="This is a frozen application: starting its executable would start it again, so no library was tried.",
            mend="run the doctor in the Python environment that the application was made from",
        )
    if python.subinterpreter:
        yield Finding(
            rule="interpreter",
            message="This is a subinterpreter; compiled modules may be refused in it.",
            mend=f"import {facts.catalogue.package} in the main interpreter",
        )


def _platform(facts: Facts) -> Iterator[Finding]:
    known = sorted({platform for row in facts.catalogue.classifiers for platform in row.platforms})
    if facts.host.platform in known:
        return
    if facts.interpreter.bits == 32:
        mend = "install a 64-bit Python"
    else:
        mend = f"use a machine of {' or '.join(known)}, or build it from source"
    yield Finding(
        rule="wrong-platform",
        message=f"{facts.catalogue.distribution} is published for {', '.join(known)}, and this is {facts.host.platform}"
        f"{', a 32-bit Python' if facts.interpreter.bits == 32 else ''}.",
        mend=mend,
        about=about(facts, ""),
    )


def _features(facts: Facts) -> Iterator[Finding]:
    host = facts.host
    needed = frozenset[str]().union(
        *(row.features for row in facts.catalogue.classifiers if host.platform in row.platforms)
    )
    withheld = sorted(needed & set(host.withheld))
    if withheld:
        yield Finding(
            rule="withheld-features",
            message=f"The CPU has {listed(withheld)}, but the operating system does not save their registers.",
            mend="take `noxsave` or `clearcpuid` out of the boot command line of the kernel (/proc/cmdline), and restart",
        )
        return
    disagreed = sorted(needed & host.disagreements.keys())
    if disagreed:
        yield _disagreement(facts, disagreed)
        return
    if host.hypervisor:
        if hidden := _hidden(facts, needed):
            yield hidden
    elif "avx" in needed and "avx" not in host.features:
        yield Finding(
            rule="no-avx",
            message=f"This CPU, {host.brand or 'unknown'}, has no AVX, so that {facts.catalogue.base} is all it can run.",
            mend="use a machine with AVX2: Intel since Haswell (2013), AMD since Excavator (2015)",
        )


def _disagreement(facts: Facts, features: list[str]) -> Finding:
    answers = facts.host.disagreements[features[0]]
    yes = ", ".join(name for name, says in answers.items() if says)
    no = ", ".join(name for name, says in answers.items() if not says)
    if answers.get("kernel") is False:
        mend = "boot the kernel without the mitigation that disables them (gather_data_sampling=force does), or load new microcode"
    elif answers.get("cpuid") is False:
        mend = "run natively, and not in an emulator on a machine of another kind; a container has to be of this machine's kind"
    else:
        mend = "report it, with the output of --json"
    return Finding(
        rule="sources-disagree",
        message=f"The sources disagree on {listed(features)} (yes: {yes}; no: {no}), so that it is not used.",
        mend=mend,
    )


def _hidden(facts: Facts, needed: frozenset[str]) -> Finding | None:
    """Return that the virtual CPU lacks what the real one has, or very likely has."""
    host = facts.host
    level = promised(host.brand)
    if level:
        missing = sorted(needed & LEVELS[level] - host.features)
        what = f"This is a virtual machine, and its CPU, {host.brand}, has {listed(missing)}, which are hidden from it."
    else:
        # Nobody makes CPUs without AVX2 for servers any more; AVX-512 is another matter.
        missing = sorted(needed & LEVELS["x86-64-v3"] - host.features)
        if _STAND_INS.search(host.brand):
            likely = f"{host.brand} stands for the CPU that is there, which very likely has them"
        elif host.brand:
            likely = f"its CPU is shown as {host.brand}, and the one that is there has them if it is newer"
        else:
            likely = "its CPU is unknown, and very likely has them"
        what = f"This is a virtual machine without {listed(missing)}; {likely}."
    if not missing:
        return None
    unknown = "set the CPU type of the virtual machine to that of its host"
    return Finding(rule="hidden-features", message=what, mend=SETTINGS.get(facts.hypervisor, unknown))


def _sources(facts: Facts) -> Iterator[Finding]:
    names = {source.name for source in facts.host.sources}
    missing = [name for name in ("kernel", *(["cpuid"] if facts.catalogue.cpuid else [])) if name not in names]
    if missing and facts.host.machine == "x86_64":
        yield Finding(
            rule="source-missing",
            message=f"{' and '.join(missing)} could not be asked what the CPU can do; asked were {', '.join(names) or 'none'}.",
            mend="; ".join(_SOURCES[name] for name in missing),
            about=about(facts, "") if missing == ["cpuid"] else frozenset(),
        )
