"""What every result says about where and when it was measured."""

from __future__ import annotations

import datetime
import json
import os
import platform
import re
from importlib import metadata
from pathlib import Path
from typing import Any

from variantkit import host
from variantkit.features import LEVELS

__all__ = ["describe", "save", "slug"]

RESULTS = Path(__file__).resolve().parent / "results"


def describe(*distributions: str) -> dict[str, Any]:
    """Return date, machine and the versions of what was measured."""
    found = host.detect()
    return {
        "date": datetime.datetime.now(datetime.timezone.utc).strftime("%Y-%m-%d"),
        "cpu": found.brand or found.vendor,
        "model": _family_and_model(),
        "virtual": found.hypervisor,
        "cpus": len(os.sched_getaffinity(0)),
        "level": next(level for level in sorted(LEVELS, reverse=True) if LEVELS[level] <= found.features),
        "system": f"{platform.system()} {platform.release()}",
        "python": platform.python_version(),
        "versions": {name: metadata.version(name) for name in distributions},
    }


def slug(machine: dict[str, Any]) -> str:
    """Return the machine as a part of a file name."""
    words = f"{machine['cpu']} {machine['model']} {machine['level']}"
    return "-".join(re.findall(r"[\w.]+", words.lower().replace("(r)", "")))


def _family_and_model() -> str:
    """Return the numbers by which CPUs differ that hypervisors call the same, "25.17", where Linux tells them."""
    try:
        text = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""
    found = (re.search(rf"^{name}\s*:\s*(\d+)$", text, re.MULTILINE) for name in ("cpu family", "model"))
    return ".".join(match[1] for match in found if match)


def save(name: str, result: dict[str, Any]) -> Path:
    """Write a result beside those of other machines."""
    path = RESULTS / f"{name}-{slug(result['machine'])}.json"
    path.parent.mkdir(exist_ok=True)
    path.write_text(json.dumps(result, indent=2) + "\n", encoding="utf-8")
    return path
