"""No input makes a reader raise anything but this package's own errors, and what is read is what it says that it is."""

from __future__ import annotations

import io
import os
import tempfile
import warnings
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import tomli_w
from hypothesis import example, given
from hypothesis import strategies as st

from fuzzing import edited, fuzz, replaced
from hosts import CATALOGUE, HOSTS
from tiny_wheels import base_wheel, classifier_wheel, matrix, row
from variantkit import hostfile
from variantkit.check.contents import read_wheel
from variantkit.cpuid import BITS, CpuidReading
from variantkit.errors import HostFileError, MatrixError, WheelError
from variantkit.host import detect
from variantkit.host_linux import parse
from variantkit.installed import find, read_manifest
from variantkit.matrix import Matrix, read_matrix
from variantkit.select import select
from variantkit.wheel import Wheel, WheelName

ROOT = Path(__file__).resolve().parent.parent.parent
LIBRARY = b"\x7fELF, or so it says"
MANIFEST = (
    "Manifest-Version: 1.0\nDistribution: gizmo-kit\nClassifier: avx2\nVersion: 1.2.0\nABI: 1.0\n"
    f"Library: libgizmo_avx2.so\nSize: {len(LIBRARY)}\nSHA256: {'0' * 64}\n"
).encode()
MANIFEST_WORDS = [line.partition(b":")[0] + b": " for line in MANIFEST.splitlines()] + [
    b"2.0",
    b"MANIFEST",
    b"/etc/passwd",
]


@pytest.fixture(scope="module")
def folder() -> Iterator[Path]:
    """A folder in memory where there is such a thing: each example writes a file there."""
    memory = Path("/dev/shm")  # noqa: S108 -- the folder in it has a name of its own
    with tempfile.TemporaryDirectory(dir=memory if memory.is_dir() and os.access(memory, os.W_OK) else None) as name:
        yield Path(name)


def attempt(call: Callable[[], Any], expected: type[Exception]) -> tuple[Any, Exception | None]:
    """What a call returns, and the error that it may raise; every other one ends the test."""
    try:
        return call(), None
    except expected as error:
        return None, error


@fuzz
@given(data=edited([MANIFEST], MANIFEST_WORDS))
@example(data=b"")
def test_manifest(folder: Path, data: bytes) -> None:
    package = folder / "manifest" / "gizmo"
    library = package.parent / "gizmo_avx2" / "libgizmo_avx2.so"
    library.parent.mkdir(parents=True, exist_ok=True)
    library.write_bytes(LIBRARY)
    manifest = library.with_name("MANIFEST")
    manifest.write_bytes(data)
    (item,) = find(CATALOGUE, str(package), ())
    assert item.classifier == "avx2"
    if item.defect:
        assert item.defect.startswith("its "), item.defect
    else:
        assert (item.path, item.size) == (str(library), len(LIBRARY))
    # The decision, and the sentences made of it, do not fail either.
    decision = select(CATALOGUE, [item], detect(None, {}, system="linux", machine="x86_64"))
    assert decision.chosen is None
    values, error = attempt(
        lambda: read_manifest(str(manifest)), ValueError
    )  # with a reason for a person, as documented
    if error:
        assert isinstance(error, UnicodeDecodeError) or str(error).startswith("its MANIFEST ")
    else:
        assert os.path.basename(values["Library"]) == values["Library"]  # noqa: PTH119 -- pathlib forgives too much


CPUINFO = b"".join(
    b"processor\t: %d\nvendor_id\t: GenuineIntel\nmodel name\t: A CPU\nflags\t\t: fpu sse sse2 avx avx2 hypervisor\n\n"
    % number
    for number in range(2)
)


@fuzz
@given(
    text=edited(
        [CPUINFO, CPUINFO.replace(b"flags\t", b"Features")], [b"flags", b"\nflags\t: ", b"Features", b"processor"]
    ),
    leaves=st.dictionaries(
        st.sampled_from([*BITS, (0, 0), (0x80000000, 0), (0x80000002, 0), (0x80000003, 0), (0x80000004, 0)]),
        st.tuples(*[st.integers(0, 2**32 - 1) | st.sampled_from([0, 7, 13, 0x80000008, 2**32 - 1])] * 4),
    ),
    xcr0=st.none() | st.sampled_from([0, 1, 3, 7, 0xE7, 2**64 - 1]),
)
def test_what_a_machine_says_of_itself(text: bytes, leaves: dict[tuple[int, int], Any], xcr0: int | None) -> None:
    reading = parse(text, "x86_64")
    found = detect(
        CpuidReading(leaves=leaves, xcr0=xcr0), {"kernel": lambda: reading}, system="linux", machine="x86_64"
    )
    assert not any("failed and was left out" in note for note in found.notes)
    for source in found.sources:
        # Whatever is said, nothing is believed that a source denies, but for what every machine of the kind has.
        assert found.features - {"cmov", "cx8", "fpu", "fxsr", "mmx", "sse", "sse2"} <= source.features


HOST_FILES = [path.read_bytes() for path in sorted(HOSTS.glob("*.toml"))[:12]]
HOST: dict[str, Any] = {
    "name": "made-up",
    "source": "nowhere",
    "system": "linux",
    "machine": "x86_64",
    "kernel": {"vendor": "GenuineIntel", "brand": "A CPU", "flags": "fpu sse sse2"},
    "cpuid": {"leaves": {"0.0": "0 1 2 3", "1.0": "000306f2 00100800 7ffefbff bfebfbff"}, "xcr0": 7},
    "expected": {"best": "generic"},
}
MORE_HOSTS = [
    {
        **HOST,
        "system": "macos",
        "kernel": {"sysctl": {"machdep.cpu.vendor": "GenuineIntel", "hw.optional.avx2_0": "1"}},
    },
    {**HOST, "system": "windows", "kernel": {"present": ["sse2", "avx2"]}},
    {**HOST, "machine": "aarch64", "kernel": {"cpus": ["fp asimd", "fp"]}},
    {**HOST, "cpuid": {"vendor": "AuthenticAMD", "features": "fpu sse avx osxsave", "xcr0": 7}},
]


@fuzz
@given(
    data=edited(
        HOST_FILES, [b"[kernel]", b"[cpuid]", b"leaves = {", b"xcr0 = ", b"cpus = [", b'"7.0" = "', b'"""', b"#"]
    )
    | st.sampled_from([HOST, *MORE_HOSTS])
    .flatmap(replaced)
    .map(lambda each: tomli_w.dumps(each).encode("utf-8", "replace"))
)
@example(data=b"name = " + b"9" * 5000)
@example(data=b"name = " + b"[" * 5000)
def test_recorded_host(folder: Path, data: bytes) -> None:
    path = folder / "host.toml"
    path.write_bytes(data)
    recorded, error = attempt(lambda: hostfile.read(path), HostFileError)
    if error:
        assert str(error).startswith(f"{path}: ")
    else:
        select(CATALOGUE, [], recorded.detect())


DOCUMENT: dict[str, Any] = {
    "schema": 1,
    "project": {
        "distribution": "gizmo-kit",
        "package": "gizmo",
        "base": "generic",
        "environment": "GIZMO",
        "cpuid": "gizmo._binding:cpuid",
        "opener": "gizmo._binding:open_library",
    },
    "generate": {"catalogue": "gizmo/_catalogue.py", "extras": "pyproject.toml"},
    "pipelines": {"command": "gizmo {}", "install": ["gizmo"], "python": ["cp312-abi3"]},
    "classifier": [
        {
            "name": name,
            "summary": "some machines",
            "device": "cpu",
            "rank": rank,
            "platforms": ["linux-x86_64"],
            "level": "x86-64",
            "features": ["cmov", "cx8", "fpu", "fxsr", "mmx", "sse", "sse2"],
            "compile-flags": {"gcc": ["-O2"]},
            "link-flags": {"gcc": []},
            "helpers": [],
            "requires": [],
            "size-budget-kib": 64,
            "variant": {"x86_64": {"level": ["v1"]}} if rank else {},
        }
        for rank, name in enumerate(("generic", "fast-v2"))
    ],
}
MATRIX = (ROOT / "classifiers.toml").read_bytes()
MATRIX_WORDS = [
    b"[[classifier]]",
    b"[project]",
    b"name = ",
    b"features = [",
    b"variant = {",
    b'"avx2"',
    b"rank = ",
    b'"""',
    b"#",
]


def test_the_documents_that_are_damaged_are_right(folder: Path) -> None:
    path = folder / "classifiers.toml"
    path.write_bytes(tomli_w.dumps(DOCUMENT).encode())
    assert read_matrix(path).base.name == "generic"
    for number, document in enumerate([HOST, *MORE_HOSTS]):
        path = folder / f"host{number}.toml"
        path.write_bytes(tomli_w.dumps(document).encode())
        assert hostfile.read(path).detect().features


@fuzz
@given(
    data=edited([MATRIX], MATRIX_WORDS)
    | replaced(DOCUMENT).map(lambda each: tomli_w.dumps(each).encode("utf-8", "replace"))
)
@example(data=b"schema = " + b"9" * 5000)
@example(data=b"schema = " + b"[" * 5000)
def test_matrix(folder: Path, data: bytes) -> None:
    path = folder / "classifiers.toml"
    path.write_bytes(data)
    found, error = attempt(lambda: read_matrix(path), MatrixError)
    if error:
        assert "classifiers.toml" in str(error)
    else:
        assert isinstance(found, Matrix)
        assert found.base in found.rows


def _wheels() -> dict[str, bytes]:
    with tempfile.TemporaryDirectory() as name:
        rows = matrix(row("fast-v2", 20))
        made = [base_wheel(Path(name), rows), classifier_wheel(Path(name), rows, "fast-v2")]
        return {path.name: path.read_bytes() for path in made}


WHEELS = _wheels()
WHEEL_WORDS = [
    b"PK\x01\x02",
    b"PK\x03\x04",
    b"PK\x05\x06",
    b"PK\x06\x06",
    b"PK\x06\x07",
    b"\x01\x00\x10\x00",
    b"\x08\x00",
    b"\x0c\x00",
]
NAMES = st.sampled_from(sorted(WHEELS)) | st.builds(
    lambda name, data: data.decode("latin-1") if data else name,
    st.sampled_from(sorted(WHEELS)),
    edited([name.encode() for name in sorted(WHEELS)], [b".whl", b"-py3-none-any", b"-x86_64_v3"]),
)


@st.composite
def packed(draw: st.DrawFn) -> bytes:
    """A wheel whose archive is right, and whose files are not."""
    with zipfile.ZipFile(io.BytesIO(draw(st.sampled_from(sorted(WHEELS.values()))))) as archive:
        files = {info.filename: archive.read(info) for info in archive.infolist()}
    names = sorted(files)
    for _ in range(draw(st.integers(1, 3))):
        name = draw(st.sampled_from(names))
        if name in files and draw(st.booleans()):
            files[name] = draw(
                edited([files[name] or b"\n"], [b"sha256=", b"Requires-Dist: ", b"Name: ", b"{", b"Version: "])
            )
        elif name in files:
            other = draw(
                edited([name.encode()], [b".dist-info/", b"RECORD", b"MANIFEST", b"METADATA", b"variant.json"])
            )
            files[other.decode("utf-8", "replace")[:60_000] or "x"] = files.pop(name)
    buffer = io.BytesIO()
    with (
        warnings.catch_warnings(),  # of names that are there twice
        zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive,
    ):
        warnings.simplefilter("ignore")
        for name, data in files.items():
            archive.writestr(zipfile.ZipInfo(name), data, zipfile.ZIP_DEFLATED)
    return buffer.getvalue()


@fuzz
@given(name=NAMES)
@example(name=f"demo-{'9' * 5000}-py3-none-any.whl")
@example(name=f"demo-1-{'9' * 5000}-py3-none-any.whl")
def test_wheel_name(name: str) -> None:
    parsed, error = attempt(lambda: WheelName.parse(name), WheelError)
    if not error:
        assert parsed.filename == name
        assert parsed.tags
        assert parsed.project


@fuzz
@given(data=edited(sorted(WHEELS.values()), WHEEL_WORDS) | packed(), name=st.sampled_from(sorted(WHEELS)))
def test_wheel(folder: Path, data: bytes, name: str) -> None:
    path = folder / name
    path.write_bytes(data)
    wheel = Wheel(path)
    for what in ("files", "dist_info", "metadata", "entries", "time", "manifests", "variant_json"):
        _, error = attempt(lambda what=what: getattr(wheel, what), WheelError)
        assert not error or str(path) in str(error)
    defects, error = attempt(wheel.defects, WheelError)
    assert str(path) in str(error) if error else all(isinstance(each, str) for each in defects)


@fuzz
@given(data=edited(sorted(WHEELS.values()), WHEEL_WORDS) | packed(), name=st.sampled_from(sorted(WHEELS)))
def test_wheel_as_the_check_reads_it(folder: Path, data: bytes, name: str) -> None:
    path = folder / name
    path.write_bytes(data)
    contents, error = attempt(lambda: read_wheel(path, WheelName.parse(name)), WheelError)
    if error:
        assert str(error).endswith(".")
        return
    assert contents.size == len(data)
    assert all(isinstance(fields, dict) for fields in contents.manifests.values())
    if contents.variants is not None and contents.variants.document is None:
        assert contents.variants.problems
    assert all(each.name for each in contents.metadata.requirements)
