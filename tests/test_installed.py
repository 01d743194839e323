from __future__ import annotations

import os
import random
from typing import TYPE_CHECKING, Any

import pytest

from hosts import CATALOGUE, Tree
from variantkit.installed import find, read_manifest, search_folders

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from variantkit.select import Installed


def found(tree: Tree, *path: Any) -> dict[str, Installed]:
    return {item.classifier: item for item in find(CATALOGUE, str(tree.package), path)}


@pytest.fixture
def tree(tmp_path: Path) -> Tree:
    return Tree(tmp_path / "site")


def test_base_and_classifier_wheels_are_found(tree: Tree) -> None:
    tree.install("generic", "avx2")
    items = found(tree)
    assert list(items) == ["generic", "avx2"]
    base = items["generic"]
    assert (base.origin, base.version, base.abi, base.size, base.defect) == ("base", "1.2.0", "1.0", 7, "")
    assert base.path == str(tree.package / "classifiers" / "generic" / "libgizmo_generic.so")
    assert items["avx2"].origin == "wheel"
    assert items["avx2"].path == str(tree.root / "gizmo_avx2" / "libgizmo_avx2.so")


def test_a_variant_wheel_has_its_classifier_inside_the_package(tree: Tree) -> None:
    tree.install("avx2", folder=tree.package / "classifiers" / "avx2")
    assert found(tree)["avx2"].origin == "base"


def test_an_editable_package_finds_wheels_on_the_path(tree: Tree, tmp_path: Path) -> None:
    other = Tree(tmp_path / "other").install("avx2")
    assert found(tree, str(other.root))["avx2"].path.startswith(str(other.root))
    assert "avx2" not in found(tree)


def test_an_editable_package_has_its_compiled_part_in_site_packages(tree: Tree, tmp_path: Path) -> None:
    site = tmp_path / "lib" / "site-packages"
    compiled = site / "gizmo" / "classifiers" / "generic"
    tree.install("generic", folder=compiled)
    item = found(tree, str(site))["generic"]
    assert (item.origin, item.defect, item.path) == ("base", "", str(compiled / "libgizmo_generic.so"))
    assert found(tree) == {}


def test_every_folder_of_the_package_counts_and_its_own_goes_first(tree: Tree, tmp_path: Path) -> None:
    more = [tmp_path / "second" / "gizmo", tmp_path / "third" / "gizmo"]
    tree.install("generic").install("generic", "avx2", folder=more[1] / "classifiers" / "generic")
    tree.install("avx2", folder=more[1] / "classifiers" / "avx2")
    path = [str(tree.package), *map(str, more)]
    items = {item.classifier: item.path for item in find(CATALOGUE, str(tree.package), [], package_path=path)}
    assert items["generic"].startswith(str(tree.package))
    assert items["avx2"].startswith(str(more[1]))


def test_a_usable_one_further_down_the_path_wins_over_a_broken_one(tree: Tree, tmp_path: Path) -> None:
    tree.install("avx2", Version="1.1.0")
    other = Tree(tmp_path / "other").install("avx2")
    assert found(tree, str(other.root))["avx2"].version == "1.2.0"
    assert found(tree)["avx2"].version == "1.1.0"


def test_llama_cpp_the_current_directory_is_never_searched(
    tree: Tree, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    planted = Tree(tmp_path / "planted").install("avx2")
    monkeypatch.chdir(planted.root)
    link = tmp_path / "link"
    link.symlink_to(planted.root, target_is_directory=True)
    assert found(tree, "", ".", str(planted.root), str(link), "relative") == {}
    assert search_folders(str(tree.package), ["", ".", str(planted.root), str(link)]) == [str(tree.root)]


@pytest.mark.parametrize("name", ["site-packages", "dist-packages"])
def test_an_install_folder_is_searched_even_when_it_is_current(
    tree: Tree, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    site = Tree(tmp_path / name).install("avx2").root
    monkeypatch.chdir(site)
    assert "avx2" in found(tree, f"{site}{os.sep}")
    assert found(tree, "", ".") == {}


def test_a_folder_named_by_pythonpath_is_searched_even_when_it_is_current(
    tree: Tree, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = Tree(tmp_path / "other").install("avx2").root
    monkeypatch.chdir(other)
    # An empty or a relative item is the current directory, whichever that is.
    for value, searched in (("", False), (":/x", False), (".", False), (f"/x:{other}/", True)):
        monkeypatch.setenv("PYTHONPATH", value.replace(":", os.pathsep))
        assert ("avx2" in found(tree, str(other))) is searched, value


def test_the_folder_of_the_package_is_searched_even_when_it_is_current(
    tree: Tree, monkeypatch: pytest.MonkeyPatch
) -> None:
    tree.install("avx2")
    monkeypatch.chdir(tree.root)
    assert "avx2" in found(tree, "", str(tree.root))


def test_a_path_with_zip_files_and_missing_folders(tree: Tree, tmp_path: Path) -> None:
    archive = tmp_path / "python.zip"
    archive.write_bytes(b"PK")
    assert found(tree.install("generic"), str(archive), str(tmp_path / "gone")).keys() == {"generic"}


def test_a_path_with_entries_that_are_no_folders(tree: Tree, tmp_path: Path) -> None:
    other = Tree(tmp_path / "other").install("avx2").root
    odd = [None, 3, os.fsencode(other), other, f"{other}\0", f"{tmp_path}/\ud800"]
    assert found(tree, *odd) == {}
    assert "avx2" in found(tree, *odd, str(other))


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"Size": "8"}, "its library libgizmo_avx2.so is damaged: 7 bytes, where its MANIFEST says 8"),
        ({"Size": "-7"}, "Size: -7, which is not a number of bytes"),
        ({"Size": "many"}, "Size: many, which is not a number of bytes"),
        ({"Size": "7" * 5000}, "which is not a number of bytes"),
        ({"Size": "²"}, "which is not a number of bytes"),
        ({"Size": None}, "its MANIFEST has no Size"),
        ({"Library": "lib\0.so"}, "cannot be found: embedded null"),
        ({"Library": "l" * 5000}, "cannot be found: File name too long"),
        ({"ABI": None, "SHA256": ""}, "its MANIFEST has no ABI, SHA256"),
        ({"Manifest_Version": "2"}, "its MANIFEST is of version 2, and only 1 can be read"),
        ({"Library": "gone.so"}, "its library gone.so cannot be found"),
        ({"Library": "../gizmo/evil.so"}, "Library: ../gizmo/evil.so, which is not a plain file name"),
        ({"Library": "/lib/libc.so.6"}, "Library: /lib/libc.so.6, which is not a plain file name"),
        ({"Library": ".."}, "Library: .., which is not a plain file name"),
        ({"Distribution": "gadget"}, "Distribution: gadget, where gizmo-kit was expected"),
        ({"Classifier": "avx512"}, "Classifier: avx512, where avx2 was expected"),
    ],
)
def test_a_damaged_manifest_is_a_reason_and_no_crash(tree: Tree, change: dict[str, str | None], why: str) -> None:
    tree.install("avx2", **change)
    assert why in found(tree)["avx2"].defect


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (b"", "its MANIFEST has no Manifest-Version"),
        (b"Manifest-Version 1\n", "the line 'Manifest-Version 1'"),
        (b"\xff\xfe\x00\x01", "its MANIFEST is not text"),
    ],
)
def test_a_manifest_that_is_none(tree: Tree, data: bytes, why: str) -> None:
    tree.install("avx2")
    (tree.folder("avx2") / "MANIFEST").write_bytes(data)
    assert why in found(tree)["avx2"].defect


def test_a_manifest_that_cannot_be_read(tree: Tree) -> None:
    (tree.folder("avx2") / "MANIFEST").mkdir(parents=True)
    assert "its MANIFEST cannot be read: Is a directory" in found(tree)["avx2"].defect


@pytest.mark.parametrize("make", [os.mkfifo, lambda path: path.symlink_to(os.devnull)])
def test_nothing_but_files_is_opened(tree: Tree, make: Callable[[Path], None]) -> None:
    """Opening a pipe waits until something writes into it."""
    tree.install("avx2", Size="0")
    for name, why in (
        ("libgizmo_avx2.so", "its library libgizmo_avx2.so is not a file"),
        ("MANIFEST", "its MANIFEST is not a file"),
    ):
        path = tree.folder("avx2") / name
        path.unlink()
        make(path)
        assert why in found(tree)["avx2"].defect


def test_a_truncated_library_is_found_before_it_is_opened(tree: Tree) -> None:
    """The dynamic loader would map it and die by SIGBUS."""
    tree.install("avx2", data=b"x" * 100)
    (tree.folder("avx2") / "libgizmo_avx2.so").write_bytes(b"x" * 40)
    assert "damaged: 40 bytes, where its MANIFEST says 100" in found(tree)["avx2"].defect


def test_a_package_without_a_manifest_is_not_installed(tree: Tree) -> None:
    (tree.root / "gizmo_avx2").mkdir()
    (tree.root / "gizmo_avx512").write_text("a file", encoding="utf-8")
    assert found(tree) == {}


def test_manifest_lines_may_have_blanks(tmp_path: Path) -> None:
    path = tmp_path / "MANIFEST"
    path.write_text(
        "\nManifest-Version:1\nDistribution: d\nClassifier : c\nVersion: 1!2\nABI: 1.0\nLibrary: l.so\nSize: 3\nSHA256: a:b\n",
        encoding="utf-8",
    )
    values = read_manifest(str(path))
    assert (values["Classifier"], values["SHA256"]) == ("c", "a:b")


def test_any_bytes_in_a_manifest_are_a_defect_and_no_crash(tree: Tree) -> None:
    tree.install("avx2")
    path = tree.folder("avx2") / "MANIFEST"
    good = path.read_bytes()
    chance = random.Random(5296)  # noqa: S311 -- the same bytes on every run
    for _ in range(500):
        data = bytearray(good)
        for _ in range(chance.randint(1, 4)):
            start = chance.randrange(len(data))
            noise = chance.choice([chance.randbytes(3), b"\0", b"\n", b":", b"9" * 5000, "\u2028²".encode()])
            data[start : start + chance.randrange(20)] = noise
        path.write_bytes(data)
        (item,) = found(tree).values()
        # What is left intact has either a defect or the library that is there.
        assert item.defect or (item.size, item.path) == (7, str(path.parent / "libgizmo_avx2.so")), bytes(data)
