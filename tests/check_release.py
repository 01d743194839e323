"""A tiny release that is right in every way, made without a compiler, and ways to break it.

Its project is the second customer's with one classifier more; the libraries are a few bytes that nobody loads.
"""

from __future__ import annotations

import dataclasses
import gzip
import hashlib
import io
import shutil
import tarfile
from pathlib import Path
from typing import TYPE_CHECKING

from variantkit import generate
from variantkit.assemble import Assembler, read_release
from variantkit.check import check
from variantkit.matrix import Matrix, read_matrix
from variantkit.sbom import add_sbom
from variantkit.wheel import Entry, Wheel, WheelName, find_wheels, record_hash, write_wheel

if TYPE_CHECKING:
    from collections.abc import Callable

    from variantkit.check import Result
    from variantkit.matrix import Row

__all__ = ["TIME", "VERSION", "Release", "entry", "make_release", "messages", "record_of", "rewrite", "rules", "write"]

VERSION = "1.2.3"
PLATFORM = "manylinux_2_17_x86_64"
TIME = (2026, 11, 24, 12, 0, 0)
LICENCE = b"Do as you like.\n"

_MORE = """
[[classifier]]
name = "avx2"
summary = "Haswell and later"
device = "cpu"
rank = 2
platforms = ["linux-x86_64"]
level = "x86-64-v3"
features = [
    "cmov", "cx8", "fpu", "fxsr", "mmx", "sse", "sse2",
    "cx16", "lahf_lm", "pni", "popcnt", "sse4_1", "sse4_2", "ssse3",
    "abm", "avx", "avx2", "bmi1", "bmi2", "f16c", "fma", "movbe", "xsave",
]
compile-flags = { gcc = ["-march=x86-64-v3"], clang = ["-march=x86-64-v3"] }
link-flags = { gcc = [], clang = [] }
helpers = []
requires = []
size-budget-kib = 64
variant = { x86_64 = { level = ["v3"] } }
"""


@dataclasses.dataclass(frozen=True)
class Release:
    """A folder of files, the project they are of, and short names for them."""

    root: Path
    dist: Path

    @property
    def matrix(self) -> Matrix:
        return read_matrix(self.root)

    def path(self, start: str, *, label: str = "", tag: str = "") -> Path:
        """Return the one file whose name begins like that, with that label and tag."""
        found = [
            path
            for path in sorted(self.dist.glob(f"{start}-{VERSION}*.whl"))
            if WheelName.parse(path.name).label == label and tag in path.name
        ]
        assert len(found) == 1, found
        return found[0]

    @property
    def base(self) -> Path:
        return self.path("saxpy", tag="cp311")

    @property
    def variant(self) -> Path:
        return self.path("saxpy", label="fast_v2", tag="cp311")

    @property
    def classifier(self) -> Path:
        return self.path("saxpy_fast_v2")

    @property
    def table(self) -> Path:
        return self.dist / f"saxpy-{VERSION}-variants.json"

    def check(self, *paths: Path, ignore: tuple[str, ...] = ("VK6",), **options: object) -> Result:
        """Check the release, without the tools that take a second."""
        arguments: dict[str, object] = {"matrix": self.matrix, "root": self.root, **options}
        return check(paths or [self.dist], ignore=ignore, **arguments)  # type: ignore[arg-type]


def rules(result: Result) -> set[str]:
    """Return the rules that have found something."""
    return {finding.rule for finding in result.findings}


def messages(result: Result, rule: str) -> str:
    """Return what a rule has found, one line each."""
    return "\n".join(f"{finding.file.name}: {finding.message}" for finding in result.findings if finding.rule == rule)


def project(root: Path, source: Path) -> Path:
    """Write the project, with one row more than `source` has, and all that is generated."""
    shutil.copytree(source, root, ignore=shutil.ignore_patterns("build", "dist", "__pycache__"))
    path = root / "classifiers.toml"
    path.write_text(path.read_text() + _MORE)
    generate.write(root)
    return root


def make_release(folder: Path, source: Path) -> Release:
    """Make base, classifier and variant wheels, a pure wheel and an sdist."""
    release = Release(project(folder / "project", source), folder / "dist")
    matrix = release.matrix
    for python, abi in (("cp311", "cp311"), ("cp312", "abi3")):
        _base(release, matrix, python, abi)
    for row in matrix.rows:
        if row != matrix.base:
            _classifier(release, row)
    _pure(release)
    _sdist(release)
    for wheel in find_wheels([release.dist]):
        add_sbom(wheel.path, release.root)
    assembler = Assembler(matrix, read_release(matrix, find_wheels([release.dist])), release.dist)
    assembler.write_index_file([assembler.make(*job) for job in assembler.plan()])
    return release


def _base(release: Release, matrix: Matrix, python: str, abi: str) -> None:
    extras = [
        line
        for extra, requirements in generate.extras(matrix, VERSION).items()
        for line in (f"Provides-Extra: {extra}", *(f"Requires-Dist: {_with(each, extra)}" for each in requirements))
    ]
    catalogue = (release.root / "src" / "saxpy" / "_catalogue.py").read_bytes()
    write(
        release.dist,
        WheelName(distribution="saxpy", version=VERSION, python=python, abi=abi, platform=PLATFORM),
        {
            "saxpy/__init__.py": b"",
            "saxpy/_catalogue.py": catalogue,
            f"saxpy/_binding.{abi}.so": b"binding " + abi.encode(),
            **library("saxpy/classifiers/sse2", matrix.base),
        },
        ["Requires-Dist: variantkit", *extras],
    )


def _with(requirement: str, extra: str) -> str:
    name, _, marker = requirement.partition("; ")
    return f"{name}; ({marker}) and extra == '{extra}'"


def _classifier(release: Release, row: Row) -> None:
    write(
        release.dist,
        WheelName(distribution=f"saxpy_{row.label}", version=VERSION, python="py3", abi="none", platform=PLATFORM),
        {f"saxpy_{row.label}/__init__.py": b"# holds a library\n", **library(f"saxpy_{row.label}", row)},
        [f"Requires-Dist: saxpy=={VERSION}"],
    )


def _pure(release: Release) -> None:
    name = WheelName(distribution="helper", version="0.5", python="py3", abi="none", platform="any")
    write(release.dist, name, {"helper/__init__.py": b"HELP = True\n"}, [])


def _sdist(release: Release) -> None:
    folder = f"saxpy-{VERSION}"
    files = {
        "PKG-INFO": "\n".join(metadata("saxpy", VERSION, [])).encode(),
        "LICENSE": LICENCE,
        "pyproject.toml": (release.root / "pyproject.toml").read_bytes(),
    }
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        for name, data in files.items():
            info = tarfile.TarInfo(f"{folder}/{name}")
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))
    (release.dist / f"{folder}.tar.gz").write_bytes(gzip.compress(buffer.getvalue(), mtime=0))


def library(folder: str, row: Row) -> dict[str, bytes]:
    """Return a library that is none, and its MANIFEST."""
    content = f"library of {row.name}".encode()
    name = f"libsaxpy_{row.label}.so"
    fields = {
        "Manifest-Version": "1",
        "Distribution": "saxpy",
        "Classifier": row.name,
        "Version": VERSION,
        "ABI": "1.0",
        "Row": generate.row_digest(row),
        "Library": name,
        "Size": str(len(content)),
        "SHA256": hashlib.sha256(content).hexdigest(),
    }
    manifest = "".join(f"{key}: {value}\n" for key, value in fields.items())
    return {f"{folder}/{name}": content, f"{folder}/MANIFEST": manifest.encode()}


def metadata(name: str, version: str, lines: list[str]) -> list[str]:
    """Return the lines of METADATA."""
    return [
        "Metadata-Version: 2.4",
        f"Name: {name}",
        f"Version: {version}",
        "Summary: A test",
        "License-Expression: 0BSD",
        "License-File: LICENSE",
        "Requires-Python: >=3.10",
        *lines,
        "Description-Content-Type: text/markdown",
        "",
        "A *test*.",
        "",
    ]


def write(folder: Path, name: WheelName, files: dict[str, bytes], lines: list[str]) -> Path:
    """Write a wheel around `files`."""
    info = f"{name.distribution}-{name.version}.dist-info"
    tags = "".join(f"Tag: {tag}\n" for tag in sorted(map(str, name.tags)))
    wheel = f"Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: false\n{tags}"
    files = {
        **files,
        f"{info}/METADATA": "\n".join(metadata(name.project, name.version, lines)).encode(),
        f"{info}/WHEEL": wheel.encode(),
        f"{info}/licenses/LICENSE": LICENCE,
    }
    folder.mkdir(parents=True, exist_ok=True)
    write_wheel(folder / name.filename, {key: Entry(data=data) for key, data in files.items()}, info, TIME)
    return folder / name.filename


def rewrite(path: Path, change: Callable[[dict[str, bytes]], object], name: str | None = None) -> Path:
    """Change the files of a wheel, with a RECORD that is right; with `name`, also what it is called."""
    wheel = Wheel(path)
    files = {key: each.data for key, each in wheel.entries.items()}
    change(files)
    info = next(key for key in files if key.endswith(".dist-info/WHEEL")).partition("/")[0]
    path.unlink()
    target = path.with_name(name or path.name)
    write_wheel(target, {key: Entry(data=data) for key, data in files.items()}, info, TIME)
    return target


def entry(files: dict[str, bytes], end: str) -> str:
    """Return the one name that ends like that."""
    (found,) = [name for name in files if name.endswith(end)]
    return found


def record_of(files: dict[str, bytes], info: str) -> bytes:
    """Return the RECORD of files."""
    lines = [f"{name},{record_hash(data)},{len(data)}" for name, data in files.items()]
    return "\n".join([*lines, f"{info}/RECORD,,", ""]).encode()
