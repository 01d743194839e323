"""What is loaded, why, and on which machine: for bug reports."""

from __future__ import annotations

import sys

from ndkernels import _binding
from variantkit import loader

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

__all__ = ["show_config"]


def show_config(mode: str = "stdout") -> dict[str, Any] | None:
    """Show which classifier is loaded, why, and what this machine could run.

    With `mode="stdout"` it is printed; with `mode="dicts"` it is returned as a dictionary of plain values that can be
    written as JSON: `version`, `classifier`, `reason`, `path`, `abi`, `host`, `features`, `notes`, `threads`, `helpers`, `installed`,
    `rejected`, `forced`, `better`, which are those that this machine could run in place of the loaded one, and `install`,
    the command that installs the first of them, or mends it. Raises ValueError for another mode.
    """
    if mode not in ("stdout", "dicts"):
        msg = f"mode: {mode!r} is unknown; accepted are 'stdout' and 'dicts'. Pass one of these."
        raise ValueError(msg)
    config = _collect()
    if mode == "dicts":
        return config
    sys.stdout.write(_text(config))
    return None


def _collect() -> dict[str, Any]:
    loaded = loader.load("ndkernels")
    decision, host = loaded.decision, loaded.host
    return {
        "version": loaded.catalogue.version,
        "classifier": loaded.classifier,
        "reason": decision.reason,
        "path": loaded.path,
        "abi": ".".join(map(str, loaded.library.abi)),
        "host": {
            "platform": host.platform,
            "vendor": host.vendor,
            "brand": host.brand,
            "hypervisor": host.hypervisor,
            "sources": [source.name for source in host.sources],
        },
        "features": sorted(host.features),
        "notes": list(host.notes),
        "threads": _binding.get_num_threads(),
        "helpers": _helpers(),
        "installed": [item.as_dict() for item in loaded.installed],
        "rejected": dict(decision.rejected),
        "forced": decision.forced,
        "better": _better(loaded),
        "install": _install_command(loaded),
    }


def _helpers() -> dict[str, Any]:
    names, origin = _binding.get_helpers()
    libraries = sys.modules.get("ndkernels._libraries")  # nothing is opened by another module
    counters = _binding.helper_counters()
    opened = []
    for each in libraries.opened() if libraries is not None else ():
        kept = dict(zip(("hits", "misses", "evictions", "entries"), counters.get(each.name, ()), strict=False))
        opened.append({**each.as_dict(), **({"cache": kept} if kept else {})})
    return {"in_force": names, "origin": origin or "the default", "opened": opened}


def _better(loaded: loader.Loaded) -> list[str]:
    """Return what could be loaded in place of this one, installed and damaged or not installed, the best first."""
    decision = loaded.decision
    return [name for name in decision.runnable if name in (*decision.better, *decision.defective)]


def _install_command(loaded: loader.Loaded) -> str | None:
    better = _better(loaded)
    if not better:
        return None
    from variantkit.installer import command

    extra = None if better[0] == loaded.catalogue.base else better[0]
    return command(loaded.catalogue, extra, repair=better[0] in loaded.decision.defective)


def _text(config: dict[str, Any]) -> str:
    from textwrap import fill

    host = config["host"]
    machine = host["brand"] or host["vendor"] or "unknown CPU"
    rows = [
        ("version", config["version"]),
        ("classifier", config["classifier"]),
        ("reason", config["reason"]),
        ("path", config["path"]),
        ("abi", config["abi"]),
        ("host", f"{host['platform']}, {machine}{' (virtual machine)' if host['hypervisor'] else ''}"),
        ("asked", ", ".join(host["sources"]) or "nothing could be asked"),
        ("features", " ".join(config["features"])),
        *(("note", note) for note in config["notes"]),
        ("threads", str(config["threads"])),
        ("helpers", f"{', '.join(config['helpers']['in_force'])} ({config['helpers']['origin']})"),
        *(("helper", f"{each['name']} {each['version']} at {each['path']}") for each in config["helpers"]["opened"]),
        *(("installed", _installed_line(item)) for item in config["installed"]),
        *((f"not {name}", why) for name, why in config["rejected"].items()),
        ("better", _better_line(config)),
    ]
    if config["install"]:
        rows.append(("install", config["install"]))
    verbatim = ("path", "install", "helper", "installed")  # to be copied into a shell: never broken
    lines = [
        f"{name:<12}{value}"
        if name in verbatim
        else fill(f"{name:<12}{value}", width=100, subsequent_indent=" " * 12, break_on_hyphens=False)
        for name, value in rows
    ]
    return "\n".join(["ndkernels", *(f"  {line}".replace("\n", "\n  ") for line in lines)]) + "\n"


def _better_line(config: dict[str, Any]) -> str:
    if config["forced"]:
        return f"not looked for: {config['classifier']} is forced"
    installed = {item["classifier"] for item in config["installed"]}
    names = [f"{name} (cannot be used as installed)" if name in installed else name for name in config["better"]]
    return ", ".join(names) or "nothing: the best published classifier for this machine is loaded"


def _installed_line(item: dict[str, Any]) -> str:
    defect = f" ({item['defect']})" if item["defect"] else ""
    return f"{item['classifier']} {item['version']} at {item['path']}{defect}"
