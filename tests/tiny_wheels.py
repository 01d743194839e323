"""Wheels of a few bytes, written by hand, and made-up matrices for them.

Written without `variantkit.wheel`, so that what reads and writes wheels is tested against the standard and not against
itself.
"""

from __future__ import annotations

import base64
import csv
import hashlib
import io
import zipfile
from typing import TYPE_CHECKING

from variantkit.generate import row_digest
from variantkit.matrix import Matrix, Project, Row

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

__all__ = ["TIME", "base_wheel", "classifier_wheel", "library", "matrix", "pack", "row", "wheel"]

TIME = (2026, 11, 24, 12, 30, 40)

_LEVEL = {"x86-64": "v1", "x86-64-v2": "v2", "x86-64-v3": "v3", "x86-64-v4": "v4"}


def row(
    name: str,
    rank: int,
    variant: Mapping[str, Mapping[str, Iterable[str]]] | None = None,
    *,
    level: str = "x86-64-v3",
    device: str = "cpu",
    requires: tuple[str, ...] = (),
    link_flags: Mapping[str, tuple[str, ...]] | None = None,
) -> Row:
    """Return a row; without `variant` its properties are its level."""
    properties = {"x86_64": {"level": (_LEVEL[level],)}} if variant is None else variant
    return Row(
        name=name,
        summary=f"for {name}",
        device=device,
        rank=rank,
        platforms=("linux-x86_64",),
        level=level,
        features=("fpu",),
        compile_flags={"gcc": ("-O2",)},
        link_flags=dict(link_flags or {"gcc": ()}),
        helpers=(),
        requires=requires,
        size_budget_kib=64,
        variant={
            namespace: {feature: tuple(values) for feature, values in features.items()}
            for namespace, features in properties.items()
        },
    )


def matrix(*rows: Row) -> Matrix:
    """Return the matrix of the project `demo` with a base `generic` and these rows."""
    project = Project(distribution="demo", package="demo", base="generic", environment="DEMO")
    return Matrix(schema=1, project=project, classifier=(row("generic", 0, {}, level="x86-64"), *rows))


def pack(path: Path, files: Mapping[str, bytes], time: tuple[int, int, int, int, int, int] = TIME) -> Path:
    """Write a zip of `files`, and of a RECORD of them where they have a `.dist-info` and no RECORD."""
    contents = dict(files)
    infos = {name.partition("/")[0] for name in files if name.partition("/")[0].endswith(".dist-info")}
    record = f"{min(infos, default='')}/RECORD"
    if infos and record not in contents:
        table = io.StringIO()
        rows = csv.writer(table, lineterminator="\n")
        for name, data in files.items():
            digest = base64.urlsafe_b64encode(hashlib.sha256(data).digest()).rstrip(b"=").decode()
            rows.writerow([name, f"sha256={digest}", len(data)])
        rows.writerow([record, "", ""])
        contents[record] = table.getvalue().encode()
    path.parent.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(path, "w") as archive:
        for name, data in contents.items():
            member = zipfile.ZipInfo(name, time)
            member.external_attr = (0o100755 if name.endswith(".so") else 0o100644) << 16
            archive.writestr(member, data, zipfile.ZIP_DEFLATED)
    return path


def wheel(
    folder: Path,
    filename: str,
    files: Mapping[str, bytes] | None = None,
    *,
    lines: Iterable[str] = (),
    more: Mapping[str, bytes] | None = None,
    time: tuple[int, int, int, int, int, int] = TIME,
) -> Path:
    """Write a wheel: `files`, METADATA with more `lines`, and in its `.dist-info` what `more` says."""
    distribution, version, python, abi, platform = filename.removesuffix(".whl").split("-")[:5]
    info = f"{distribution}-{version}.dist-info"
    metadata = ["Metadata-Version: 2.4", f"Name: {distribution}", f"Version: {version}", *lines]
    tags = [f"Tag: {python}-{abi}-{each}" for each in platform.split(".")]
    own = {
        "METADATA": "\n".join([*metadata, "", "What it is.", ""]).encode(),
        "WHEEL": "\n".join(["Wheel-Version: 1.0", "Generator: test", "Root-Is-Purelib: false", *tags, ""]).encode(),
        **(more or {}),
    }
    contents = {f"{distribution}/__init__.py": b"", **(files or {})}
    return pack(folder / filename, {**contents, **{f"{info}/{name}": data for name, data in own.items()}}, time)


def library(folder: str, row: Row, version: str) -> dict[str, bytes]:
    """Return a kernel library that is none, and its MANIFEST."""
    content = f"library of {row.name}".encode()
    fields = {
        "Classifier": row.name,
        "Version": version,
        "Row": row_digest(row),
        "Library": f"libdemo_{row.label}.so",
        "Size": len(content),
        "SHA256": hashlib.sha256(content).hexdigest(),
    }
    manifest = "".join(f"{key}: {value}\n" for key, value in fields.items())
    return {f"{folder}/libdemo_{row.label}.so": content, f"{folder}/MANIFEST": manifest.encode()}


def base_wheel(
    folder: Path,
    of: Matrix,
    *,
    version: str = "1.0",
    tags: str = "cp311-cp311-manylinux_2_17_x86_64",
    lines: Iterable[str] = (),
    files: Mapping[str, bytes] | None = None,
    time: tuple[int, int, int, int, int, int] = TIME,
) -> Path:
    """Write a base wheel of a made-up matrix."""
    contents = {"demo/_binding.so": b"binding", **library("demo/classifiers/generic", of.base, version)}
    lines = ["Requires-Python: >=3.10", "Requires-Dist: numpy", *lines]
    return wheel(folder, f"demo-{version}-{tags}.whl", {**contents, **(files or {})}, lines=lines, time=time)


def classifier_wheel(
    folder: Path,
    of: Matrix,
    name: str,
    *,
    version: str = "1.0",
    platform: str = "manylinux_2_17_x86_64",
    lines: Iterable[str] = (),
    files: Mapping[str, bytes] | None = None,
    more: Mapping[str, bytes] | None = None,
    time: tuple[int, int, int, int, int, int] = TIME,
) -> Path:
    """Write the wheel of a classifier of a made-up matrix."""
    row = of.row(name)
    package = f"demo_{row.label}"
    contents = {**library(package, row, version), **(files or {})}
    lines = ["Requires-Python: >=3.10", f"Requires-Dist: demo=={version}", *lines]
    filename = f"{package}-{version}-py3-none-{platform}.whl"
    return wheel(folder, filename, contents, lines=lines, more=more, time=time)
