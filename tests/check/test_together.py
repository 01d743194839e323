"""Rules on a release as a whole."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from check_release import PLATFORM, Release, entry, messages, rewrite, rules, write
from variantkit.assemble import Assembler, read_release
from variantkit.check import check
from variantkit.wheel import WheelName, find_wheels


def change_metadata(path: Path, old: str, new: str) -> None:
    def change(files: dict[str, bytes]) -> None:
        name = entry(files, ".dist-info/METADATA")
        assert old.encode() in files[name], files[name].decode()
        files[name] = files[name].replace(old.encode(), new.encode())

    rewrite(path, change)


def test_no_plain_wheel(release: Release) -> None:
    release.base.unlink()
    result = release.check()
    assert rules(result) == {"VK301"}
    assert f"there is no plain wheel of saxpy 1.2.3 for cp311-cp311-{PLATFORM}" in messages(result, "VK301")


@pytest.mark.parametrize(
    ("plain", "variant", "is_enough"),
    [
        ("manylinux_2_17_x86_64", "manylinux_2_28_x86_64", True),
        ("manylinux2014_x86_64.manylinux_2_17_x86_64", "manylinux_2_17_x86_64", True),
        ("manylinux_2_28_x86_64", "manylinux_2_17_x86_64", False),
        ("musllinux_1_2_x86_64", "manylinux_2_17_x86_64", False),
        ("manylinux_2_17_aarch64", "manylinux_2_17_x86_64", False),
        ("macosx_11_0_universal2", "macosx_11_0_arm64", True),
        ("macosx_11_0_arm64", "macosx_11_0_universal2", False),
        ("win_amd64", "win_amd64", True),
        ("any", "win_amd64", True),
    ],
)
def test_which_plain_wheel_is_enough(tmp_path: Path, plain: str, variant: str, is_enough: bool) -> None:
    for platform, label in ((plain, ""), (variant, "null")):
        name = WheelName(distribution="a", version="1", python="py3", abi="none", platform=platform, label=label)
        write(tmp_path, name, {}, [])
    result = check([tmp_path], matrix=None, select=["VK301"])
    assert bool(result) is is_enough


def test_a_label_that_is_missing_for_one_python(release: Release) -> None:
    release.path("saxpy", label="fast_v2", tag="cp312").unlink()
    result = release.check()
    assert rules(result) == {"VK302"}
    assert "saxpy-1.2.3-cp312-abi3" in messages(result, "VK302")
    assert "there is no wheel of the label fast_v2 for its Python, ABI and platform" in messages(result, "VK302")
    assert not release.check(matrix=None)


def test_a_label_that_is_missing_altogether(release: Release) -> None:
    for tag in ("cp311", "cp312"):
        release.path("saxpy", label="avx2", tag=tag).unlink()
    release.table.unlink()
    assert messages(release.check(), "VK302").count("there is no wheel of the label avx2") == 2
    assert release.check(matrix=None)  # without the matrix, nobody knows of it


def test_no_null_for_one_python(release: Release) -> None:
    release.path("saxpy", label="null", tag="cp311").unlink()
    assert "there is no wheel of the label null" in messages(release.check(), "VK302")


def test_a_release_without_labels_is_right(release: Release) -> None:
    for wheel in find_wheels([release.dist]):
        if wheel.name.label:
            wheel.path.unlink()
    release.table.unlink()
    assert release.check()


def test_an_index_or_folder_with_a_part_of_the_files_is_refused(release: Release) -> None:
    release.classifier.unlink()
    result = release.check()
    assert rules(result) == {"VK303", "VK305"}
    assert "classifiers.toml publishes fast-v2 for linux-x86_64" in messages(result, "VK303")
    assert "there is no wheel of saxpy-fast-v2 1.2.3 for it. Build what is missing" in messages(result, "VK303")
    assert "its extra fast-v2 requires saxpy-fast-v2 1.2.3 on linux-x86_64" in messages(result, "VK305")
    assert rules(release.check(matrix=None)) == {"VK305"}


def test_no_base_wheel(release: Release) -> None:
    for wheel in find_wheels([release.dist]):
        if wheel.name.project == "saxpy":
            wheel.path.unlink()
    release.table.unlink()
    result = release.check()
    assert rules(result) == {"VK303"}
    assert "there is no base wheel of saxpy 1.2.3. Build it." in messages(result, "VK303")


def test_a_platform_that_the_matrix_does_not_publish(release: Release) -> None:
    name = release.classifier.name.replace("manylinux_2_17_x86_64", "manylinux_2_17_aarch64")
    shutil.copy(release.classifier, release.dist / name)
    assert "classifiers.toml does not publish fast-v2 for linux-aarch64" in messages(release.check(), "VK303")


def test_two_versions_in_a_folder(release: Release) -> None:
    for project in ("saxpy", "saxpy_fast_v2"):
        name = WheelName(distribution=project, version="1.2.4", python="py3", abi="none", platform=PLATFORM)
        write(release.dist, name, {}, [])
    result = release.check()
    text = messages(result, "VK304")
    assert "it is of version 1.2.3, and saxpy is here in 1.2.4" in text
    assert release.classifier.name in text


def test_an_extra_that_pins_another_version(release: Release) -> None:
    for tag in ("cp311", "cp312"):
        for label in ("", "null", "fast_v2", "avx2"):
            change_metadata(release.path("saxpy", label=label, tag=tag), "saxpy-fast-v2==1.2.3", "saxpy-fast-v2==1.2.2")
    result = release.check()
    assert rules(result) == {"VK305", "VK306"}
    assert "its extra fast-v2 requires saxpy-fast-v2==1.2.2 and not ==1.2.3" in messages(result, "VK306")
    assert "classifiers.toml makes that saxpy-fast-v2==1.2.3" in messages(result, "VK306")
    assert "VK306" in rules(release.check(matrix=None))


def test_an_extra_that_is_not_pinned(release: Release) -> None:
    change_metadata(release.base, "saxpy-fast-v2==1.2.3", "saxpy-fast-v2>=1.2.3")
    assert "requires saxpy-fast-v2>=1.2.3 and not ==1.2.3" in messages(release.check(matrix=None), "VK306")


def test_an_extra_with_another_marker(release: Release) -> None:
    change_metadata(release.base, "sys_platform == 'linux'", "sys_platform == 'darwin'")
    result = release.check()
    assert "its extra fast-v2 requires nothing on linux-x86_64, and classifiers.toml makes that" in messages(
        result, "VK306"
    )


def test_an_extra_that_is_missing(release: Release) -> None:
    change_metadata(release.base, "Provides-Extra: fast-v2", "Provides-Extra: fast")
    assert "it has no extra fast-v2, and classifiers.toml makes one" in messages(release.check(), "VK306")


def test_extras_of_others_are_nobodys_business(release: Release) -> None:
    for tag in ("cp311", "cp312"):
        for label in ("", "null", "fast_v2", "avx2"):
            more = "Provides-Extra: docs\nRequires-Dist: sphinx==7; extra == 'docs'\nProvides-Extra: all"
            change_metadata(release.path("saxpy", label=label, tag=tag), "Provides-Extra: all", more)
    assert release.check()


def test_base_wheels_with_different_requirements(release: Release) -> None:
    change_metadata(release.base, "Requires-Dist: variantkit", "Requires-Dist: variantkit>=2")
    result = release.check()
    assert rules(result) == {"VK307", "VK310"}
    assert "its Requires-Dist is not that of saxpy-1.2.3-cp311" in messages(result, "VK307")
    change_metadata(release.base, "Requires-Python: >=3.10", "Requires-Python: >=3.9")
    assert "its Requires-Python is not that of" in messages(release.check(), "VK307")


@pytest.mark.parametrize("new", ["saxpy>=1.2.3", "saxpy==1.2.2", "saxpy==1.2.3; sys_platform == 'linux'", "saxpy"])
def test_a_classifier_that_does_not_require_its_base(release: Release, new: str) -> None:
    change_metadata(release.classifier, "Requires-Dist: saxpy==1.2.3", f"Requires-Dist: {new}")
    for matrix in (release.matrix, None):
        assert "it does not require saxpy==1.2.3" in messages(release.check(matrix=matrix), "VK308")


def test_a_classifier_without_what_its_row_requires(release: Release) -> None:
    path = release.root / "classifiers.toml"
    path.write_text(path.read_text().replace("requires = []", 'requires = ["nvidia-nothing>=1"]'))
    assert "it does not require nvidia-nothing>=1, which its row in classifiers.toml does" in messages(
        release.check(), "VK308"
    )


def test_a_file_in_two_wheels(release: Release) -> None:
    rewrite(release.classifier, lambda files: files.update({"saxpy/__init__.py": b""}))
    result = release.check()
    assert rules(result) == {"VK309"}
    assert "it installs saxpy/__init__.py, and so does saxpy-1.2.3-cp311" in messages(result, "VK309")


def test_a_script_in_two_wheels(release: Release) -> None:
    points = b"[console_scripts]\nsaxpy = saxpy:main\n"
    rewrite(release.classifier, lambda files: files.update({"saxpy_fast_v2-1.2.3.dist-info/entry_points.txt": points}))
    helper = release.dist / "helper-0.5-py3-none-any.whl"
    rewrite(helper, lambda files: files.update({"helper-0.5.data/scripts/saxpy": b"#!python\n"}))
    assert "it installs bin/saxpy, and so does" in messages(release.check(), "VK309")


def test_files_of_wheels_that_exclude_each_other_may_be_the_same(tmp_path: Path) -> None:
    def make(project: str, python: str, requires: str = "", platform: str = "any") -> None:
        name = WheelName(distribution=project, version="1", python=python, abi="none", platform=platform)
        write(tmp_path, name, {"shared.py": b""}, [f"Requires-Dist: {requires}"] if requires else [])

    make("a", "cp311")
    make("b", "cp312")
    assert check([tmp_path], matrix=None, select=["VK309"])
    make("c", "py3", "a==2", "win_amd64")
    make("d", "cp311", platform="macosx_11_0_arm64")
    assert messages(check([tmp_path], matrix=None, select=["VK309"]), "VK309").count("shared.py") == 2  # a-d, b-c


def test_a_variant_with_other_metadata(release: Release) -> None:
    change_metadata(release.variant, "Summary: A test", "Summary: Another")
    result = release.check()
    assert rules(result) == {"VK310"}
    assert "does not have what that of saxpy-1.2.3-cp311" in messages(result, "VK310")
    assert "summary: A test" in messages(result, "VK310")
    assert "summary: Another" in messages(result, "VK310")


def test_a_variant_may_require_what_its_classifier_requires_and_no_more(release: Release) -> None:
    change_metadata(release.variant, "Requires-Dist: variantkit\n", "Requires-Dist: variantkit\nRequires-Dist: more\n")
    assert "METADATA has what that of" in messages(release.check(), "VK310")
    change_metadata(
        release.classifier, "Requires-Dist: saxpy==1.2.3\n", "Requires-Dist: saxpy==1.2.3\nRequires-Dist: more\n"
    )
    result = release.check()
    assert release.variant not in {finding.file for finding in result.findings}


def test_a_variant_with_another_description(release: Release) -> None:
    change_metadata(release.variant, "A *test*.", "Another.")
    assert "METADATA has another description than that of" in messages(release.check(), "VK310")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda files: files.update({"saxpy/__init__.py": b"changed"}), "saxpy/__init__.py is not that of saxpy-1.2.3"),
        (lambda files: files.pop("saxpy/__init__.py"), "saxpy/__init__.py of saxpy-1.2.3-cp311"),
        (lambda files: files.update({"saxpy/more.py": b""}), "saxpy/more.py is neither in saxpy-1.2.3-cp311"),
        (lambda files: files.pop("saxpy/classifiers/fast-v2/MANIFEST"), "it holds no library of fast_v2"),
        (
            lambda files: files.update({"saxpy/classifiers/fast-v2/libsaxpy_fast_v2.so": b"other"}),
            "libsaxpy_fast_v2.so is not saxpy_fast_v2/libsaxpy_fast_v2.so of saxpy_fast_v2-1.2.3",
        ),
    ],
)
def test_a_variant_that_is_not_its_base_and_a_library(release: Release, change: object, message: str) -> None:
    rewrite(release.variant, change)  # type: ignore[arg-type]
    assert message in messages(release.check(), "VK311")


def test_null_has_nothing_more_than_its_base(release: Release) -> None:
    path = release.path("saxpy", label="null", tag="cp311")
    rewrite(path, lambda files: files.update({"saxpy/more.so": b""}))
    assert "saxpy/more.so is neither in" in messages(release.check(), "VK311")


def test_what_the_assembler_makes_of_newer_classifiers_is_right(release: Release) -> None:
    """The variant is for the newer of the two systems; the base wheel for the older one covers it."""
    for wheel in find_wheels([release.dist]):
        if wheel.name.label:
            wheel.path.unlink()
    tags = {b"manylinux_2_17": b"manylinux_2_28"}

    def change(files: dict[str, bytes]) -> None:
        name = entry(files, ".dist-info/WHEEL")
        for old, new in tags.items():
            files[name] = files[name].replace(old, new)

    rewrite(release.classifier, change, release.classifier.name.replace("2_17", "2_28"))
    assembler = Assembler(release.matrix, read_release(release.matrix, find_wheels([release.dist])), release.dist)
    assembler.write_index_file([assembler.make(*job) for job in assembler.plan()])
    assert "manylinux_2_28" in release.variant.name
    assert release.check().findings == ()
