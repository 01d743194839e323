"""Files that somebody has damaged, or made to do damage: there are findings, and never a traceback."""

from __future__ import annotations

import json
import shutil
import tempfile
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from check_release import TIME, Release, entry, messages, rewrite
from variantkit.check import check, sarif
from variantkit.check.documents import read_variants
from variantkit.check.published import read_index
from variantkit.errors import VariantkitError
from variantkit.index import Repository

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)

# The example database would be written into the checkout.
quick = settings(
    max_examples=30, deadline=None, database=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


def places(document: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Return the way to each value of a document."""
    yield path
    if isinstance(document, dict):
        for key, value in document.items():
            yield from places(value, (*path, key))
    elif isinstance(document, list):
        for number, value in enumerate(document):
            yield from places(value, (*path, number))


def damaged(document: Any, path: tuple[Any, ...], value: Any) -> Any:
    """Return a copy of a document with another value in one place."""
    if not path:
        return value
    copy = json.loads(json.dumps(document))
    inner = copy
    for key in path[:-1]:
        inner = inner[key]
    inner[path[-1]] = value
    return copy


@quick
@given(st.data())
def test_damaged_variant_json(built_release: Release, data: st.DataObject) -> None:
    document = json.loads(zipfile.ZipFile(built_release.variant).read("saxpy-1.2.3.dist-info/variant.json"))
    document["providers"]["choice"] = {"static-properties": {"a": ["b"], "c": ["d"]}, "feature-order": ["a", "c"]}
    document["default-priorities"]["namespace"].append("choice")
    changed = damaged(document, data.draw(st.sampled_from(list(places(document)))), data.draw(JSON))
    with tempfile.TemporaryDirectory() as folder:
        path = Path(shutil.copy(built_release.variant, folder))
        shutil.copy(built_release.base, folder)
        rewrite(path, lambda files: files.update({entry(files, "/variant.json"): json.dumps(changed).encode()}))
        table = {**document, "variants": {**document["variants"], "null": {}}}
        changed = damaged(table, data.draw(st.sampled_from(list(places(table)))), data.draw(JSON))
        Path(folder, "saxpy-1.2.3-variants.json").write_text(json.dumps(changed))
        result = check([Path(folder)], matrix=built_release.matrix, ignore=["VK6"])
        assert not result
        assert result.text()
        assert json.loads(sarif(result, Path(folder)))


@quick
@given(st.data())
def test_damaged_pages(built_release: Release, data: st.DataObject) -> None:
    with tempfile.TemporaryDirectory() as folder:
        target = Path(folder, "index")
        Repository(target).publish([built_release.classifier, built_release.dist / "helper-0.5-py3-none-any.whl"])
        path = target / "simple" / data.draw(st.sampled_from(["helper/index.json", "index.json"]))
        document = json.loads(path.read_text())
        changed = damaged(document, data.draw(st.sampled_from(list(places(document)))), data.draw(JSON))
        path.write_text(json.dumps(changed))
        result = check([target], matrix=None, ignore=["VK6"])
        assert result.text()
        assert result.status in {0, 1}


@quick
@given(st.data())
def test_damaged_lists_of_parts(built_release: Release, data: st.DataObject) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(shutil.copy(built_release.classifier, folder))

        def change(files: dict[str, bytes]) -> None:
            name = entry(files, ".cdx.json")
            document = json.loads(files[name])
            way = data.draw(st.sampled_from(list(places(document))))
            files[name] = json.dumps(damaged(document, way, data.draw(JSON))).encode()

        rewrite(path, change)
        assert check([path], matrix=None, ignore=["VK6"]).text()


@quick
@given(st.data())
def test_damaged_metadata_and_manifests(built_release: Release, data: st.DataObject) -> None:
    with tempfile.TemporaryDirectory() as folder:
        shutil.copytree(built_release.dist, folder, dirs_exist_ok=True)
        release = Release(built_release.root, Path(folder))
        path = data.draw(st.sampled_from([release.base, release.classifier, release.variant]))
        end = data.draw(st.sampled_from(["/METADATA", ".dist-info/WHEEL", "2/MANIFEST"]))

        def change(files: dict[str, bytes]) -> None:
            name = next(name for name in files if name.endswith(end))
            lines = files[name].split(b"\n")
            place = data.draw(st.integers(0, len(lines) - 1))
            key, colon, value = lines[place].partition(b":")
            text = data.draw(st.text(max_size=12)).encode("utf-8", "surrogatepass")
            lines[place] = data.draw(st.sampled_from([key + colon + text, text + colon + value, text, b""]))
            files[name] = b"\n".join(lines)

        rewrite(path, change)
        assert release.check().text()


@quick
@given(st.data())
def test_damaged_archives(built_release: Release, data: st.DataObject) -> None:
    """Bytes are turned at random, also in headers and in the table at the end."""
    content = bytearray(built_release.classifier.read_bytes())
    for _ in range(data.draw(st.integers(1, 4))):
        place = data.draw(st.integers(0, len(content) - 1) | st.integers(len(content) - 400, len(content) - 1))
        content[place] = data.draw(st.integers(0, 255))
    cut = data.draw(st.just(len(content)) | st.integers(0, len(content)))
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, built_release.classifier.name)
        path.write_bytes(content[:cut])
        assert check([path], matrix=built_release.matrix, ignore=["VK6"]).text()


@quick
@given(st.binary(max_size=200))
def test_what_is_no_document(data: bytes) -> None:
    found = read_variants(data, "avx2")
    assert found.problems or found.document


def test_json_that_is_nested_too_deeply(release: Release, tmp_path: Path) -> None:
    deep = b'{"a":' * 100_000
    rewrite(release.variant, lambda files: files.update({entry(files, "/variant.json"): deep}))
    rewrite(release.classifier, lambda files: files.update({entry(files, ".cdx.json"): b"[" * 100_000}))
    release.table.write_bytes(deep)
    result = release.check()
    assert messages(result, "VK102").count("it is not JSON") == 2
    assert "is not JSON" in messages(result, "VK501")
    index = tmp_path / "index"
    Repository(index).publish([release.dist / "helper-0.5-py3-none-any.whl"])
    (index / "simple" / "index.json").write_bytes(deep)
    assert "it is not JSON" in messages(release.check(index), "VK701")


def test_encrypted_entries(release: Release) -> None:
    data = bytearray(release.classifier.read_bytes())
    place = data.index(b"PK\x01\x02")
    data[place + 8] |= 1  # the flag of the first entry in the table
    release.classifier.write_bytes(data)
    assert "it cannot be read as a wheel" in messages(release.check(), "VK201")


def test_a_name_without_a_letter(release: Release) -> None:
    with zipfile.ZipFile(release.classifier, "a") as archive:
        archive.writestr(zipfile.ZipInfo("x", TIME), b"")
    data = release.classifier.read_bytes()
    header = data.rindex(b"PK\x01\x02", 0, data.rindex(b"PK\x05\x06"))
    changed = bytearray(data)
    changed[header + 28 : header + 30] = b"\0\0"  # the length of its name, which is now what comes after the name
    changed[header + 30 : header + 32] = b"\1\0"
    release.classifier.write_bytes(changed)
    assert release.check().status == 1


def test_a_bomb_is_counted_and_not_kept(tmp_path: Path) -> None:
    path = tmp_path / "bomb-1.0-py3-none-any.whl"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name in ("METADATA", "WHEEL", "RECORD"):
            archive.writestr(zipfile.ZipInfo(f"bomb-1.0.dist-info/{name}", TIME), b"", zipfile.ZIP_DEFLATED)
        with archive.open("bomb-1.0.dist-info/sboms.json", "w", force_zip64=True) as stream:
            for _ in range(64):
                stream.write(bytes(1 << 20))
    assert path.stat().st_size < 1 << 20
    result = check([path], matrix=None, ignore=["VK6"])
    assert "sboms.json is not in RECORD" in messages(result, "VK204")


def test_pages_that_are_folders_or_links_to_nowhere(release: Release, tmp_path: Path) -> None:
    index = tmp_path / "index"
    Repository(index).publish([release.dist / "helper-0.5-py3-none-any.whl"])
    page = index / "simple" / "helper" / "index.json"
    page.unlink()
    page.mkdir()
    assert "it cannot be read" in messages(release.check(index), "VK701")
    page.rmdir()
    page.symlink_to(tmp_path / "nowhere")
    assert "it is not there" in messages(release.check(index), "VK701")
    assert read_index(index).pages[0].files is None


def test_an_unreadable_wheel_is_a_finding(tmp_path: Path) -> None:
    (tmp_path / "folder-1.0-py3-none-any.whl").mkdir()
    (tmp_path / "gone-1.0-py3-none-any.whl").symlink_to(tmp_path / "nowhere")
    result = check([tmp_path], matrix=None, ignore=["VK6"])
    assert messages(result, "VK201").count("it cannot be read as a wheel") == 2


def test_only_errors_of_ours_are_raised(release: Release) -> None:
    path = release.root / "classifiers.toml"
    path.write_text(path.read_text().replace('level = ["v3"]', 'level = ["v4"]'))
    with pytest.raises(VariantkitError, match="Make them equal"):
        release.check()
