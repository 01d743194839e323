"""What is in the wheels."""

from __future__ import annotations

import base64
import csv
import email.parser
import hashlib
import re
import zipfile
from collections import Counter
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import parse_wheel_filename

from variantkit.generate import extras
from variantkit.interpreters import choose_interpreters
from variantkit.matrix import read_matrix, read_pyproject

pytestmark = pytest.mark.wheels


@pytest.fixture(scope="module")
def wheels(wheelhouse: Path) -> list[Path]:
    return sorted(wheelhouse.glob("*.whl"))


def metadata(wheel: Path) -> email.message.Message:
    with zipfile.ZipFile(wheel) as archive:
        (name,) = [name for name in archive.namelist() if name.endswith(".dist-info/METADATA")]
        return email.parser.Parser().parsestr(archive.read(name).decode())


def manifest(wheel: Path) -> tuple[str, dict[str, str]]:
    with zipfile.ZipFile(wheel) as archive:
        (name,) = [name for name in archive.namelist() if name.endswith("/MANIFEST")]
        lines = archive.read(name).decode().splitlines()
    return name.rpartition("/")[0], dict(line.split(": ", 1) for line in lines)


def test_there_is_one_wheel_per_classifier_and_one_per_abi(wheels: list[Path], root: Path) -> None:
    rows = read_matrix(root)
    tags = {wheel.name: {str(tag) for tag in parse_wheel_filename(wheel.name)[3]} for wheel in wheels}
    classifier_wheels = {name: tag for name, tag in tags.items() if name.startswith("ndkernels_")}
    assert len(classifier_wheels) == len(rows.rows) - 1
    assert all(tag == {"py3-none-linux_x86_64"} for tag in classifier_wheels.values())
    base = {name.split("-", 2)[2].removesuffix("-linux_x86_64.whl") for name in tags if name.startswith("ndkernels-")}
    versions = {interpreter.version for interpreter in choose_interpreters(root) if not interpreter.free_threaded}
    # The stable ABI serves 3.12 and later.
    assert base >= {"cp312-abi3" if version >= (3, 12) else f"cp3{version[1]}-cp3{version[1]}" for version in versions}
    assert not any(re.match(r"cp3(1[2-9]|[2-9]\d)-cp3\d+$", name) for name in base)


def test_no_file_appears_in_two_wheels(wheels: list[Path]) -> None:
    # microsoft/onnxruntime#26996: two wheels with the same files overwrite each other, and uninstalling one breaks both.
    # Base wheels of several ABIs are never installed together; one of them stands for all.
    base = [wheel for wheel in wheels if wheel.name.startswith("ndkernels-")][:1]
    others = [wheel for wheel in wheels if not wheel.name.startswith("ndkernels-")]
    files: Counter[str] = Counter()
    for wheel in base + others:
        with zipfile.ZipFile(wheel) as archive:
            files.update(set(archive.namelist()))
    assert files
    assert [name for name, count in files.items() if count > 1] == []


def test_record_has_the_hash_of_every_file(wheels: list[Path]) -> None:
    for wheel in wheels:
        with zipfile.ZipFile(wheel) as archive:
            (record,) = [name for name in archive.namelist() if name.endswith(".dist-info/RECORD")]
            rows = {row[0]: row[1] for row in csv.reader(archive.read(record).decode().splitlines())}
            assert set(rows) == {name for name in archive.namelist() if not name.endswith("/")}
            for name, listed in rows.items():
                if name != record:
                    digest = base64.urlsafe_b64encode(hashlib.sha256(archive.read(name)).digest()).rstrip(b"=").decode()
                    assert listed == f"sha256={digest}", f"{name} in {wheel.name}"


def test_manifest_describes_the_library_beside_it(wheels: list[Path]) -> None:
    seen = set()
    for wheel in wheels:
        if not wheel.name.startswith("ndkernels"):
            continue
        folder, fields = manifest(wheel)
        with zipfile.ZipFile(wheel) as archive:
            library = archive.read(f"{folder}/{fields['Library']}")
        assert fields["Manifest-Version"] == "1"
        assert fields["Distribution"] == "ndkernels"
        assert fields["Size"] == str(len(library))
        assert fields["SHA256"] == hashlib.sha256(library).hexdigest()
        assert fields["Version"] == str(parse_wheel_filename(wheel.name)[1])
        seen.add(fields["Classifier"])
    assert seen == {"generic", "avx2", "avx512", "onednn", "onednn-avx2", "onednn-avx512"}


def test_manifest_abi_is_that_of_the_header(wheels: list[Path], root: Path) -> None:
    header = (root / "native" / "include" / "ndkernels.h").read_text()
    major, minor = (re.search(rf"#define NDK_ABI_{part} (\d+)", header) for part in ("MAJOR", "MINOR"))
    assert major is not None
    assert minor is not None
    abis = {manifest(wheel)[1]["ABI"] for wheel in wheels if wheel.name.startswith("ndkernels")}
    assert abis == {f"{major[1]}.{minor[1]}"}


def test_every_base_wheel_holds_the_same_generic_library(wheels: list[Path]) -> None:
    # Compiled once: a second compilation would differ at least in nothing, so the build trees are looked at too, below.
    digests = {manifest(wheel)[1]["SHA256"] for wheel in wheels if wheel.name.startswith("ndkernels-")}
    assert len(digests) == 1


def test_kernels_are_compiled_once_per_classifier_and_never_for_a_base_wheel(wheels: list[Path], root: Path) -> None:
    assert wheels
    trees = list((root / "build" / "cmake").iterdir())
    kernels = {plain(path) for path in trees if list(path.glob("kernels/**/*.o"))}
    bindings = {plain(path) for path in trees if list(path.glob("binding/**/module.cpp.o"))}
    assert kernels == {
        "ndkernels_generic", "ndkernels_avx2", "ndkernels_avx512",
        "ndkernels_onednn", "ndkernels_onednn_avx2", "ndkernels_onednn_avx512",
    }  # fmt: skip
    assert bindings == {plain(path) for path in trees if path.name.startswith("base-")}


def plain(tree: Path) -> str:
    """Return the name of a build tree without what distinguishes its compiler settings."""
    return re.sub(r"(-werror)?(-[0-9a-f]{8})?$", "", tree.name)


def test_extras_are_pinned_to_the_same_version(wheels: list[Path], root: Path) -> None:
    version = read_pyproject(root)["project"]["version"]
    table = read_pyproject(root)["project"]["optional-dependencies"]
    assert table.items() >= extras(read_matrix(root), version).items()
    for wheel in wheels:
        if not wheel.name.startswith("ndkernels-"):
            continue
        fields = metadata(wheel)
        assert sorted(fields.get_all("Provides-Extra", [])) == sorted(table)
        requirements = [Requirement(text) for text in fields.get_all("Requires-Dist", [])]
        ours = [each for each in requirements if each.name.startswith("ndkernels-")]
        assert ours
        assert {str(each.specifier) for each in ours} == {f"=={version}"}


def test_a_classifier_wheel_requires_the_base_of_its_version_and_what_its_row_says(
    wheels: list[Path], root: Path
) -> None:
    requires = {row.label: row.requires for row in read_matrix(root).rows}
    for wheel in wheels:
        if wheel.name.startswith("ndkernels_"):
            name, version, *_ = parse_wheel_filename(wheel.name)
            more = requires[wheel.name.split("-")[0].removeprefix("ndkernels_")]
            assert metadata(wheel).get_all("Requires-Dist") == [f"{name.partition('-')[0]}=={version}", *more]


def test_wheels_stay_within_their_size_budget(wheels: list[Path], root: Path) -> None:
    matrix = read_matrix(root)
    budgets = {row.label: row.size_budget_kib * 1024 for row in matrix.rows}
    checked = 0
    for wheel in wheels:
        label = wheel.name.split("-")[0].removeprefix("ndkernels_")
        budget = budgets.get(label, budgets[matrix.base.label])
        if wheel.name.startswith("ndkernels"):
            assert wheel.stat().st_size <= budget, wheel.name
            checked += 1
    assert checked >= 3


def test_typing_is_shipped(wheels: list[Path]) -> None:
    for wheel in wheels:
        if wheel.name.startswith(("ndkernels-", "variantkit-")):
            with zipfile.ZipFile(wheel) as archive:
                assert f"{wheel.name.split('-')[0]}/py.typed" in archive.namelist()


def test_wheels_hold_no_path_of_the_machine_that_built_them(wheels: list[Path], root: Path) -> None:
    for wheel in wheels:
        with zipfile.ZipFile(wheel) as archive:
            for name in archive.namelist():
                assert str(root).encode() not in archive.read(name), f"{name} in {wheel.name}"
