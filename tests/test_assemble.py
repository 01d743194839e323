"""Variant wheels, assembled from base and classifier wheels of a few bytes."""

from __future__ import annotations

import json
import os
import shutil
import zipfile
from pathlib import Path

import pytest

from tiny_wheels import TIME, base_wheel, classifier_wheel, library, matrix, pack, row, wheel
from variantkit.assemble import Assembled, Assembler, migrate_file, read_release
from variantkit.cli import assemble as command
from variantkit.errors import VariantError, WheelError
from variantkit.matrix import Matrix
from variantkit.variant_problems import problems
from variantkit.variants import describe
from variantkit.wheel import Wheel, find_wheels

MATRIX = matrix(
    row("avx2", 20, requires=("nanobind",)),
    row("avx512", 30, level="x86-64-v4"),
    row("onednn-avx2", 25, {"x86_64": {"level": ["v3"]}, "dnnlib": {"library": ["onednn"]}}),
)
OLD_TABLE = {
    "$schema": "https://variants-schema.wheelnext.dev/peps/825/v0.1.1.json",
    "default-priorities": {"namespace": ["x86_64"]},
    "variants": {"avx2": {"x86_64": {"level": ["v3"]}}},
}


def assemble(folder: Path, out: Path, of: Matrix = MATRIX) -> dict[str, Wheel]:
    """Assemble all wheels in a folder; return what was made, by label."""
    assembler = Assembler(of, read_release(of, find_wheels([folder])), out)
    made = [assembler.make(*job) for job in assembler.plan()]
    assembler.write_index_file(made)
    return {Wheel(each.path).name.label: Wheel(each.path) for each in made}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """The base wheel and two classifier wheels."""
    folder = tmp_path / "dist"
    base_wheel(folder, MATRIX)
    classifier_wheel(folder, MATRIX, "avx2", lines=["Requires-Dist: nanobind", "Requires-Dist: numpy"])
    classifier_wheel(folder, MATRIX, "onednn-avx2", more={"sboms/demo_onednn_avx2.cdx.json": b"{}"})
    return folder


def test_a_variant_is_the_base_wheel_and_a_library(folder: Path) -> None:
    base = next(each for each in find_wheels([folder]) if each.name.distribution == "demo")
    made = assemble(folder, folder)
    assert sorted(made) == ["avx2", "null", "onednn_avx2"]
    variant = made["avx2"]
    assert variant.path.name == "demo-1.0-cp311-cp311-manylinux_2_17_x86_64-avx2.whl"
    assert variant.defects() == []
    added = {name: variant.entries[name].data for name in variant.entries.keys() - base.entries.keys()}
    document = added.pop("demo-1.0.dist-info/variant.json")
    # The library of the base stays, and that of the classifier lies beside it, with the MANIFEST that tells of it.
    assert added == library("demo/classifiers/avx2", MATRIX.row("avx2"), "1.0")
    assert variant.entries["demo/classifiers/avx2/libdemo_avx2.so"].executable
    changed = [name for name in base.entries if variant.entries[name] != base.entries[name]]
    assert changed == ["demo-1.0.dist-info/METADATA"]
    own = json.loads(document)
    assert own["variants"] == {"avx2": {"x86_64": {"level": ["v3"]}}}
    assert own["default-priorities"]["namespace"] == ["x86_64", "dnnlib"]
    assert problems(own, "avx2") == []
    assert {info.date_time for info in zipfile.ZipFile(variant.path).infolist()} == {TIME}


def test_only_what_the_base_does_not_require_is_required_in_addition(folder: Path) -> None:
    made = assemble(folder, folder)
    assert made["avx2"].metadata.get_all("Requires-Dist") == ["numpy", "nanobind"]
    assert made["onednn_avx2"].metadata.get_all("Requires-Dist") == ["numpy"]
    assert made["null"].metadata.get_all("Requires-Dist") == ["numpy"]
    for each in made.values():
        assert each.metadata.get_payload() == "What it is.\n"


@pytest.mark.parametrize(
    ("metadata", "newline"),
    [
        (b"Name: demo\nRequires-Dist: numpy", b"\n"),
        (b"Name: demo\nRequires-Dist: numpy\n", b"\n"),
        (b"Name: demo\nRequires-Dist: numpy\n\n", b"\n"),
        (b"Name: demo\nRequires-Dist: numpy\n\nText\n\nMore\n", b"\n"),
        (b"Name: demo\r\nRequires-Dist: numpy\r\n", b"\r\n"),
        (b"Name: demo\r\nRequires-Dist: numpy\r\n\r\nText\r\n\r\nMore\r\n", b"\r\n"),
    ],
)
def test_requirements_are_added_to_the_headers_however_these_end(
    tmp_path: Path, metadata: bytes, newline: bytes
) -> None:
    base = wheel(
        tmp_path,
        "demo-1.0-cp311-cp311-manylinux_2_17_x86_64.whl",
        library("demo/classifiers/generic", MATRIX.base, "1.0"),
        more={"METADATA": metadata},
    )
    classifier_wheel(
        tmp_path, MATRIX, "avx2", lines=["Requires-Dist: nanobind", "Requires-Dist: tomli; python_version<'3'"]
    )
    made = assemble(tmp_path, tmp_path / "out")["avx2"]
    assert made.metadata.get_all("Requires-Dist") == ["numpy", "nanobind", "tomli; python_version<'3'"]
    assert made.metadata.get_payload() == Wheel(base).metadata.get_payload()
    assert made.metadata_bytes.count(b"\r\n") in {0, made.metadata_bytes.count(b"\n")}
    assert newline + b"Requires-Dist: nanobind" + newline in made.metadata_bytes


def test_null_is_the_base_wheel_under_a_label(folder: Path) -> None:
    made = assemble(folder, folder)
    base = Wheel(folder / "demo-1.0-cp311-cp311-manylinux_2_17_x86_64.whl")
    more = {name: entry for name, entry in made["null"].entries.items() if entry != base.entries.get(name)}
    assert list(more) == ["demo-1.0.dist-info/variant.json"]
    assert json.loads(more["demo-1.0.dist-info/variant.json"].data)["variants"] == {"null": {}}


def test_what_goes_in_is_not_touched(folder: Path) -> None:
    before = {path: (path.read_bytes(), path.stat().st_mtime_ns) for path in folder.iterdir()}
    assemble(folder, folder)
    assert {path: (path.read_bytes(), path.stat().st_mtime_ns) for path in before} == before


def test_the_bill_of_materials_goes_where_the_library_goes(folder: Path) -> None:
    made = assemble(folder, folder)["onednn_avx2"]
    assert made.read("demo-1.0.dist-info/sboms/onednn_avx2-demo_onednn_avx2.cdx.json") == b"{}"
    assert {name for name in made.files if name.startswith("demo_")} == set()


def test_the_index_file_has_what_was_made(folder: Path) -> None:
    assemble(folder, folder)
    document = json.loads((folder / "demo-1.0-variants.json").read_text())
    assert problems(document) == []
    assert list(document["variants"]) == ["avx2", "onednn_avx2", "null"]
    # Also what is not there is ranked, so that it can come later without contradicting the wheels that are.
    assert {**document, "variants": {}} == {**describe(MATRIX), "variants": {}}


def test_the_same_bytes_on_another_day_in_another_place_in_another_order(folder: Path, tmp_path: Path) -> None:
    first = assemble(folder, tmp_path / "first")
    copies = tmp_path / "elsewhere" / "dist"
    copies.mkdir(parents=True)
    for number, path in enumerate(sorted(folder.iterdir(), reverse=True)):
        shutil.copyfile(path, copies / path.name)
        os.utime(copies / path.name, (number, number))
    second = assemble(copies, tmp_path / "second")
    assert {label: each.path.read_bytes() for label, each in first.items()} == {
        label: each.path.read_bytes() for label, each in second.items()
    }
    assert (tmp_path / "first" / "demo-1.0-variants.json").read_bytes() == (
        tmp_path / "second" / "demo-1.0-variants.json"
    ).read_bytes()


def test_the_same_is_not_written_again(folder: Path) -> None:
    assembler = Assembler(MATRIX, read_release(MATRIX, find_wheels([folder])), folder)
    made = [assembler.make(*job) for job in assembler.plan()]
    assert {each.unchanged for each in made} == {False}
    assert assembler.write_index_file(made) == Assembled(path=folder / "demo-1.0-variants.json", unchanged=False)
    # The wheels that were made are among the inputs now, and are left out.
    again = Assembler(MATRIX, read_release(MATRIX, find_wheels([folder])), folder)
    assert [again.make(*job).unchanged for job in again.plan()] == [True] * 3
    assert again.write_index_file(made) == Assembled(path=folder / "demo-1.0-variants.json", unchanged=True)


def test_a_variant_has_the_time_of_the_newer_input(tmp_path: Path) -> None:
    base_wheel(tmp_path, MATRIX, time=(2026, 1, 1, 0, 0, 0))
    classifier_wheel(tmp_path, MATRIX, "avx2", time=(2026, 2, 2, 0, 0, 0))
    made = assemble(tmp_path, tmp_path / "out")
    assert (made["avx2"].time, made["null"].time) == ((2026, 2, 2, 0, 0, 0), (2026, 1, 1, 0, 0, 0))


def test_each_python_gets_each_variant(tmp_path: Path) -> None:
    for tags in ("cp311-cp311-linux_x86_64", "cp312-abi3-linux_x86_64", "cp314-cp314t-linux_x86_64"):
        base_wheel(tmp_path, MATRIX, tags=tags)
    for name in ("avx2", "avx512"):
        classifier_wheel(tmp_path, MATRIX, name, platform="linux_x86_64")
    assemble(tmp_path, tmp_path / "out")
    names = {path.name for path in (tmp_path / "out").glob("*.whl")}
    pythons = ("cp311-cp311", "cp312-abi3", "cp314-cp314t")
    assert names == {
        f"demo-1.0-{python}-linux_x86_64-{label}.whl" for python in pythons for label in ("avx2", "avx512", "null")
    }


@pytest.mark.parametrize(
    ("base", "classifier", "variant"),
    [
        ("manylinux_2_17_x86_64", "manylinux_2_17_x86_64", "manylinux_2_17_x86_64"),
        ("manylinux_2_17_x86_64", "manylinux_2_28_x86_64", "manylinux_2_28_x86_64"),
        ("manylinux_2_28_x86_64", "manylinux_2_17_x86_64", "manylinux_2_28_x86_64"),
        ("manylinux_2_5_x86_64", "manylinux_2_12_x86_64", "manylinux_2_12_x86_64"),
        ("manylinux2014_x86_64", "manylinux_2_5_x86_64", "manylinux2014_x86_64"),
        ("manylinux1_x86_64", "manylinux2010_x86_64", "manylinux2010_x86_64"),
        (
            "manylinux2014_x86_64.manylinux_2_17_x86_64",
            "manylinux2014_x86_64.manylinux_2_17_x86_64",
            "manylinux2014_x86_64.manylinux_2_17_x86_64",
        ),
        (
            "manylinux_2_17_x86_64.manylinux2014_x86_64",
            "manylinux_2_5_x86_64.manylinux1_x86_64",
            "manylinux_2_17_x86_64.manylinux2014_x86_64",
        ),
        ("manylinux2014_x86_64.manylinux_2_17_x86_64", "manylinux_2_28_x86_64", "manylinux_2_28_x86_64"),
        (
            "manylinux_2_24_x86_64.manylinux_2_28_x86_64",
            "manylinux_2_27_x86_64.manylinux_2_28_x86_64",
            "manylinux_2_27_x86_64.manylinux_2_28_x86_64",
        ),
        ("linux_x86_64", "manylinux_2_17_x86_64", "linux_x86_64"),
        ("manylinux_2_17_x86_64", "linux_x86_64", "linux_x86_64"),
        ("musllinux_1_1_x86_64", "musllinux_1_2_x86_64", "musllinux_1_2_x86_64"),
        ("musllinux_1_2_x86_64", "manylinux_2_17_x86_64", None),
        ("manylinux_2_17_aarch64", "manylinux_2_17_x86_64", None),
        ("macosx_10_13_x86_64", "macosx_11_0_x86_64", "macosx_11_0_x86_64"),
        ("macosx_11_0_arm64", "macosx_10_13_x86_64", None),
        ("macosx_11_0_universal2", "macosx_10_13_x86_64", "macosx_11_0_x86_64"),
        ("macosx_11_0_universal2", "macosx_12_0_arm64", "macosx_12_0_arm64"),
        ("macosx_11_0_universal2", "macosx_12_0_universal2", "macosx_12_0_universal2"),
        ("macosx_10_9_x86_64.macosx_11_0_arm64", "macosx_10_13_x86_64", "macosx_10_13_x86_64"),
        ("macosx_10_9_x86_64.macosx_11_0_arm64", "macosx_12_0_arm64", "macosx_12_0_arm64"),
        ("win_amd64", "win_amd64", "win_amd64"),
        ("win_amd64", "win_arm64", None),
        ("any", "manylinux_2_17_x86_64", "manylinux_2_17_x86_64"),
        ("manylinux_2_17_x86_64", "any", "manylinux_2_17_x86_64"),
        ("any", "any", "any"),
    ],
)
def test_a_variant_runs_where_both_its_parts_run(
    tmp_path: Path, base: str, classifier: str, variant: str | None
) -> None:
    base_wheel(tmp_path, MATRIX, tags=f"cp311-cp311-{base}")
    classifier_wheel(tmp_path, MATRIX, "avx2", platform=classifier)
    made = assemble(tmp_path, tmp_path / "out")
    assert (made["avx2"].name.platform if "avx2" in made else None) == variant
    assert made["null"].name.platform == base
    if variant:
        tags = [line for line in made["avx2"].read("demo-1.0.dist-info/WHEEL").decode().splitlines() if "Tag" in line]
        assert tags == sorted(f"Tag: cp311-cp311-{tag}" for tag in variant.split("."))


def test_the_rest_of_wheel_stays_as_it_is(folder: Path) -> None:
    made = assemble(folder, folder)["avx2"]
    assert made.read("demo-1.0.dist-info/WHEEL").decode().splitlines() == [
        "Wheel-Version: 1.0",
        "Generator: test",
        "Root-Is-Purelib: false",
        "Tag: cp311-cp311-manylinux_2_17_x86_64",
    ]


def test_the_wheels_of_other_projects_and_wheels_with_a_label_are_left_out(folder: Path) -> None:
    wheel(folder, "helper-0.5-py3-none-any.whl")
    wheel(folder, "demo-1.0-cp311-cp311-manylinux_2_17_x86_64-avx2.whl")
    release = read_release(MATRIX, find_wheels([folder]))
    assert [each.path.name for each in release.others] == ["helper-0.5-py3-none-any.whl"]
    assert len(release.bases) == 1
    assert [row.name for row, _ in release.classifiers] == ["avx2", "onednn-avx2"]


def test_a_classifier_without_properties_makes_no_variant(tmp_path: Path) -> None:
    of = matrix(row("avx2", 20), row("plain", 10, {}))
    base_wheel(tmp_path, of)
    classifier_wheel(tmp_path, of, "plain")
    assert list(assemble(tmp_path, tmp_path, of)) == ["null"]


def test_where_no_classifier_has_properties_there_are_no_variants(tmp_path: Path) -> None:
    of = matrix(row("plain", 10, {}))
    base_wheel(tmp_path, of)
    classifier_wheel(tmp_path, of, "plain")
    assert assemble(tmp_path, tmp_path / "out", of) == {}
    assert not (tmp_path / "out").exists()


def test_what_auditwheel_put_beside_the_package_cannot_be_moved(folder: Path) -> None:
    classifier_wheel(folder, MATRIX, "avx512", files={"demo_avx512.libs/libgomp.so": b"openmp"})
    with pytest.raises(
        WheelError, match=r"demo_avx512\.libs/libgomp\.so outside of demo_avx512/, .* Link it statically"
    ):
        assemble(folder, folder)


def test_wheels_without_a_base(tmp_path: Path) -> None:
    classifier_wheel(tmp_path, MATRIX, "avx2")
    with pytest.raises(
        WheelError, match=r"There is no base wheel of demo among these files\. Build it, or name it too"
    ):
        read_release(MATRIX, find_wheels([tmp_path]))


@pytest.mark.parametrize("what", ["base", "classifier"])
def test_wheels_of_two_versions(folder: Path, what: str) -> None:
    if what == "base":
        base_wheel(folder, MATRIX, version="1.1")
    else:
        classifier_wheel(folder, MATRIX, "avx512", version="1.1")
    with pytest.raises(WheelError, match=r"are of different versions\. Assemble one release at a time"):
        read_release(MATRIX, find_wheels([folder]))


def test_a_wheel_of_another_classifiers_toml(folder: Path) -> None:
    changed = matrix(row("avx2", 20, link_flags={"gcc": ("-Wl,-z,x86-64-v3",)}))
    with pytest.raises(WheelError, match=r"another version of classifiers\.toml: the row 'avx2' has changed since"):
        read_release(changed, [Wheel(next(folder.glob("demo-*"))), Wheel(next(folder.glob("demo_avx2-*")))])


def test_a_library_of_another_version(folder: Path) -> None:
    files = library("demo_avx512", MATRIX.row("avx512"), "0.9")
    wheel(folder, "demo_avx512-1.0-py3-none-manylinux_2_17_x86_64.whl", files)
    with pytest.raises(WheelError, match=r"holds a library of version 0\.9 in demo_avx512\. Build it again"):
        read_release(MATRIX, find_wheels([folder]))


def test_a_wheel_without_the_library_that_it_is_for(folder: Path) -> None:
    files = library("demo_avx512", MATRIX.row("avx2"), "1.0")
    wheel(folder, "demo_avx512-1.0-py3-none-manylinux_2_17_x86_64.whl", files)
    with pytest.raises(WheelError, match="holds no library of avx512, with a MANIFEST beside it"):
        read_release(MATRIX, find_wheels([folder]))


def test_a_damaged_wheel(folder: Path) -> None:
    path = next(folder.glob("demo_avx2-*"))
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr("demo_avx2/more.so", b"more")
    with pytest.raises(WheelError, match=r"is damaged: demo_avx2/more\.so is not in RECORD"):
        read_release(MATRIX, find_wheels([folder]))
    path.write_bytes(path.read_bytes()[:-40])
    with pytest.raises(WheelError, match="cannot be read as a wheel"):
        read_release(MATRIX, find_wheels([folder]))


def test_a_base_wheel_without_wheel(tmp_path: Path) -> None:
    contents = {
        **library("demo/classifiers/generic", MATRIX.base, "1.0"),
        "demo-1.0.dist-info/METADATA": b"Name: demo\n",
    }
    pack(tmp_path / "demo-1.0-cp311-cp311-linux_x86_64.whl", contents)
    with pytest.raises(WheelError, match=r"has no demo-1\.0\.dist-info/WHEEL"):
        assemble(tmp_path, tmp_path)


def test_old_metadata_in_a_wheel_is_brought_up_to_date_and_nothing_else_changes(tmp_path: Path) -> None:
    more = {"variant.json": json.dumps(OLD_TABLE).encode()}
    path = wheel(tmp_path, "demo-1.0-py3-none-any-avx2.whl", {"demo/a.so": b"so"}, more=more)
    before = dict(Wheel(path).entries)
    assert migrate_file(path)
    after = Wheel(path)
    assert after.variant_json is not None
    assert problems(after.variant_json, "avx2") == []
    assert after.defects() == []
    assert after.time == TIME
    assert {name for name, entry in after.entries.items() if entry != before[name]} == {
        "demo-1.0.dist-info/variant.json"
    }
    again = path.read_bytes()
    assert not migrate_file(path)
    assert path.read_bytes() == again


def test_an_old_index_file_is_brought_up_to_date(tmp_path: Path) -> None:
    path = tmp_path / "demo-1.0-variants.json"
    path.write_text(json.dumps(OLD_TABLE))
    assert migrate_file(path)
    assert problems(json.loads(path.read_text())) == []
    assert not migrate_file(path)


@pytest.mark.parametrize("text", [None, b"\xff", b"{", b"[" * 100_000, b"[]", b"{}"])
def test_an_index_file_that_is_none(tmp_path: Path, text: bytes | None) -> None:
    path = tmp_path / "demo-1.0-variants.json"
    if text is not None:
        path.write_bytes(text)
    with pytest.raises(VariantError, match=r"Name a (variant\.json, a )?-variants\.json"):
        migrate_file(path)
    assert (path.read_bytes() if path.exists() else None) == text


def test_a_damaged_wheel_is_not_made_right_by_bringing_it_up_to_date(tmp_path: Path) -> None:
    more = {"variant.json": json.dumps(OLD_TABLE).encode()}
    path = wheel(tmp_path, "demo-1.0-py3-none-any-avx2.whl", more=more)
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr("more.py", b"")
    before = path.read_bytes()
    with pytest.raises(WheelError, match=r"is damaged: more\.py is not in RECORD"):
        migrate_file(path)
    assert path.read_bytes() == before


def test_a_plain_wheel_has_nothing_to_bring_up_to_date(tmp_path: Path) -> None:
    with pytest.raises(VariantError, match=r"has no variant\.json\. Name a wheel that has a label"):
        migrate_file(wheel(tmp_path, "demo-1.0-py3-none-any.whl"))


# The command


@pytest.fixture
def project(tmp_path: Path, root: Path) -> Path:
    """The second customer's project, with a base wheel and a classifier wheel in dist/."""
    from variantkit.matrix import read_matrix

    folder = tmp_path / "saxpy"
    shutil.copytree(root / "tests" / "projects" / "saxpy", folder, ignore=shutil.ignore_patterns("build", "dist"))
    of = read_matrix(folder)
    files = library("saxpy/classifiers/sse2", of.base, "1.2.3")
    wheel(folder / "dist", "saxpy-1.2.3-cp311-cp311-linux_x86_64.whl", files)
    files = library("saxpy_fast_v2", of.row("fast-v2"), "1.2.3")
    wheel(folder / "dist", "saxpy_fast_v2-1.2.3-py3-none-linux_x86_64.whl", files)
    return folder


def test_the_command_prints_what_it_writes(
    project: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(project)
    assert command.main([], prog="variantkit assemble") == 0
    assert capsys.readouterr().out.splitlines() == [
        "[1/2] dist/saxpy-1.2.3-cp311-cp311-linux_x86_64-fast_v2.whl",
        "[2/2] dist/saxpy-1.2.3-cp311-cp311-linux_x86_64-null.whl",
        "dist/saxpy-1.2.3-variants.json",
    ]
    assert command.main(["--out", "other"], prog="variantkit assemble") == 0
    assert "[1/2] other/saxpy-1.2.3-cp311" in capsys.readouterr().out
    assert command.main(["dist"], prog="variantkit assemble") == 0
    assert capsys.readouterr().out.count("unchanged") == 2


def test_the_command_says_where_there_are_no_variants(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = project / "classifiers.toml"
    path.write_text(path.read_text().replace('variant = { x86_64 = { level = ["v2"] } }', "variant = {}"))
    (project / "dist" / "saxpy_fast_v2-1.2.3-py3-none-linux_x86_64.whl").unlink()
    assert command.main([], prog="variantkit assemble", root=project) == 0
    assert "has properties (key `variant`), so there are no variants" in capsys.readouterr().out


def test_the_command_brings_a_folder_up_to_date(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    dist = project / "dist"
    more = {"variant.json": json.dumps(OLD_TABLE).encode()}
    labelled = wheel(dist, "saxpy-1.2.3-cp311-cp311-linux_x86_64-avx2.whl", more=more)
    (dist / "saxpy-1.2.3-variants.json").write_text(json.dumps(OLD_TABLE))
    assert command.main(["--migrate", str(dist)], prog="variantkit assemble", root=project) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.rpartition("  ")[2] for line in lines] == ["brought up to date"] * 2
    assert command.main(["--migrate", str(labelled)], prog="variantkit assemble", root=project) == 0
    assert capsys.readouterr().out.endswith("unchanged\n")
    (dist / "saxpy-1.2.3-variants.json").write_text("{}")
    with pytest.raises(VariantError, match=r"saxpy-1\.2\.3-variants\.json: This is not metadata of wheel variants"):
        command.main(["--migrate", str(dist)], prog="variantkit assemble", root=project)
