"""Recorded machines, a catalogue and made-up install trees, for tests that must not depend on this machine."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

from variantkit.catalogue import Catalogue, Classifier
from variantkit.features import LEVELS
from variantkit.hostfile import RecordedHost, read

if TYPE_CHECKING:
    from variantkit.host import Host

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

ROOT = Path(__file__).resolve().parent.parent
HOSTS = Path(__file__).resolve().parent / "data" / "hosts"

RECORDED: dict[str, RecordedHost] = {path.stem: read(path) for path in sorted(HOSTS.glob("*.toml"))}


def host(name: str) -> Host:
    """Return the recorded machine of that name, detected."""
    return RECORDED[name].detect()


def catalogue(*more: Classifier) -> Catalogue:
    """Return the classifiers that this repository's matrix recommends, in a catalogue of another project, and some more."""
    rows = tomllib.loads((ROOT / "classifiers.toml").read_text(encoding="utf-8"))["classifier"]
    return Catalogue(
        distribution="gizmo-kit",
        package="gizmo",
        version="1.2.0",
        base="generic",
        prefix="GIZMO",
        cpuid="gizmo._binding:cpuid",
        classifiers=(
            *(
                Classifier(
                    name=row["name"],
                    summary=row["summary"],
                    rank=row["rank"],
                    device=row["device"],
                    platforms=tuple(row["platforms"]),
                    level=row["level"],
                    features=frozenset(row["features"]),
                )
                for row in rows
                if not row.get("on-request")
            ),
            *more,
        ),
    )


CATALOGUE = catalogue()

_X86 = ("linux-x86_64", "macos-x86_64", "windows-x86_64")
_ARM = ("linux-aarch64", "macos-arm64")
_V3, _V4 = LEVELS["x86-64-v3"], LEVELS["x86-64-v4"]
_AMX = {"avx512_bf16", "avx512_vnni", "amx_bf16", "amx_int8", "amx_tile"}

# Made up: what a larger project might have. `v3-helper` stands for a row with a helper library: the same features, and
# a higher rank. The ranks are the order below, and the order of the catalogue is another one.
_WIDE: dict[str, tuple[tuple[str, ...], str, frozenset[str]]] = {
    "base": (_X86, "x86-64", LEVELS["x86-64"]),
    "neon": (_ARM, "armv8-a", LEVELS["armv8-a"]),
    "v2": (_X86, "x86-64-v2", LEVELS["x86-64-v2"]),
    "sve": (_ARM, "armv8-a", LEVELS["armv8-a"] | {"sve"}),
    "v3": (_X86, "x86-64-v3", _V3),
    "v3-helper": (_X86, "x86-64-v3", _V3),
    "v3-vnni": (_X86, "x86-64-v3", _V3 | {"avx_vnni"}),
    "v4": (_X86, "x86-64-v4", _V4),
    "v4-vnni": (_X86, "x86-64-v4", _V4 | {"avx512_vnni"}),
    "amx": (_X86, "x86-64-v4", _V4 | _AMX),
}

WIDE = CATALOGUE.replace(
    classifiers=tuple(
        Classifier(
            name=name, summary="made up", rank=rank, device="cpu", platforms=platforms, level=level, features=features
        )
        for rank, (name, (platforms, level, features)) in sorted(enumerate(_WIDE.items()), key=lambda row: row[1][0])
    ),
    base="base",
)
"""Ten rows for the machines of every platform; what each recorded machine runs of them is its `expected.wide`."""

CUDA = Classifier(
    name="cuda-13",
    summary="made up",
    rank=10,
    device="cuda",
    platforms=("linux-x86_64",),
    level="x86-64",
    features=frozenset({"sse2"}),
)


class Tree:
    """A made-up site-packages folder with the package `gizmo` and whichever of its classifiers a test installs."""

    def __init__(self, root: Path, catalogue: Catalogue = CATALOGUE) -> None:
        self.root = root
        self.catalogue = catalogue
        self.package = root / "gizmo"
        self.package.mkdir(parents=True)
        # A Record's repr is the expression that makes it.
        text = f"from variantkit.catalogue import Catalogue, Classifier\n\nCATALOGUE = {catalogue!r}\n"
        (self.package / "_catalogue.py").write_text(text, encoding="utf-8")
        (self.package / "__init__.py").write_text(
            "from variantkit.loader import load\n\nLOADED = load(__name__, open_library=len)\n", encoding="utf-8"
        )

    def folder(self, name: str) -> Path:
        """Return where that classifier lies: the base in the package, the others in import packages of their own."""
        if name == self.catalogue.base:
            return self.package / "classifiers" / name
        return self.root / f"gizmo_{name.replace('-', '_')}"

    def install(
        self, *names: str, data: bytes = b"library", folder: Path | None = None, **manifest: str | None
    ) -> Tree:
        """Install classifiers; keys of `manifest` replace those of the MANIFEST, None takes one out."""
        for name in names:
            target = folder or self.folder(name)
            target.mkdir(parents=True, exist_ok=True)
            values: dict[str, str | None] = {
                "Manifest-Version": "1",
                "Distribution": self.catalogue.distribution,
                "Classifier": name,
                "Version": self.catalogue.version,
                "ABI": "1.0",
                "Library": f"libgizmo_{name}.so",
                "Size": str(len(data)),
                "SHA256": "00",
                **{key.replace("_", "-"): value for key, value in manifest.items()},
            }
            lines = [f"{key}: {value}\n" for key, value in values.items() if value is not None]
            (target / "MANIFEST").write_text("".join(lines), encoding="utf-8")
            (target / f"libgizmo_{name}.so").write_bytes(data)
        return self
