"""Wheels as files: names with labels, reading what may be damaged, and writing the same bytes again."""

from __future__ import annotations

import base64
import csv
import hashlib
import io
import json
import shutil
import string
import zipfile
from pathlib import Path

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from packaging.utils import InvalidWheelFilename, parse_wheel_filename

import tiny_wheels
from tiny_wheels import TIME, pack
from variantkit.errors import WheelError
from variantkit.wheel import Entry, Wheel, WheelName, find_wheels, record_hash, write_wheel

distributions = st.lists(
    st.text(string.ascii_letters + string.digits, min_size=1, max_size=3), min_size=1, max_size=3
).map("_".join)
versions = st.sampled_from(
    ["1", "0.1.0", "1!2.0", "1.0+cu12.8", "2026.11.24", "1.0rc1", "0.1.1.dev2026112401", "1.0.post1"]
)
tags = st.sampled_from(["py3", "py2.py3", "cp312", "abi3", "none", "any", "manylinux_2_17_x86_64.manylinux2014_x86_64"])
names = st.builds(
    WheelName,
    distribution=distributions,
    version=versions,
    build=st.sampled_from(["", "1", "007", "1b", "20a1"]),
    python=tags,
    abi=tags,
    platform=tags,
    label=st.just("") | st.text(string.ascii_lowercase + string.digits + "_.", min_size=1, max_size=20),
)


@given(names)
def test_the_name_of_a_wheel_can_be_read_and_written(name: WheelName) -> None:
    assert WheelName.parse(name.filename) == name


@given(names)
def test_packaging_reads_the_same_from_a_name_without_label(name: WheelName) -> None:
    plain = WheelName.parse(name.filename.removesuffix(f"-{name.label}.whl") + ".whl" if name.label else name.filename)
    project, version, build, tags = parse_wheel_filename(plain.filename)
    assert (plain.project, plain.tags) == (project, tags)
    assert str(version) == plain.version
    assert "".join(map(str, build)) == plain.build.lstrip("0")


@given(
    st.text(st.sampled_from("aZ09-._+!\n #é²") | st.characters(), max_size=30).map("{}.whl".format)
    | st.text(max_size=12)
)
@example("demo-1.0-²-py3-none-any.whl")
@example("demo-1.0-٣-py3-none-any.whl")
@example("demo-1.0\n-py3-none-any.whl")
@example("demo-1.0-py3-none-any\n.whl")
def test_any_other_name_is_refused_and_what_is_taken_is_taken_by_packaging(filename: str) -> None:
    try:
        name = WheelName.parse(filename)
    except WheelError as error:
        assert filename in str(error)  # noqa: PT017 -- most texts are no names
        return
    assert name.filename == filename
    assert filename.isascii()
    parse_wheel_filename(filename.removesuffix(f"-{name.label}.whl") + ".whl" if name.label else filename)


@pytest.mark.parametrize(
    ("filename", "label", "build"),
    [
        ("demo-1.0-py3-none-any.whl", "", ""),
        ("demo-1.0-7-py3-none-any.whl", "", "7"),
        ("demo-1.0-py3-none-any-avx2.whl", "avx2", ""),
        ("demo-1.0-7-py3-none-any-avx2.whl", "avx2", "7"),
        ("demo-1.0-7b-py3-none-any-7.whl", "7", "7b"),
        ("demo-1.0-py3-none-any-7.whl", "7", ""),
        ("demo-1.0-cp312-abi3-manylinux_2_17_x86_64.manylinux2014_x86_64-cuda12.8_cudnn9.whl", "cuda12.8_cudnn9", ""),
        ("demo-1.0-py3-none-any-null.whl", "null", ""),
        ("demo-1.0-py3-none-any-_.whl", "_", ""),
    ],
)
def test_where_the_label_and_the_build_number_stand(filename: str, label: str, build: str) -> None:
    name = WheelName.parse(filename)
    assert (name.label, name.build, name.filename) == (label, build, filename)
    assert name.project == "demo"


@pytest.mark.parametrize(
    "label", ["AVX2", "avx2\n", "avx2 ", "", "avx-2", "avx+2", "avx²", "ävx", "٣", "avx2\0", "a/b", "a,b", "a!"]
)
@pytest.mark.parametrize("build", ["", "1-"])
def test_a_label_of_other_letters_is_refused(label: str, build: str) -> None:
    with pytest.raises(WheelError):
        WheelName.parse(f"demo-1.0-{build}py3-none-any-{label}.whl")


def test_a_refused_label_is_named() -> None:
    with pytest.raises(WheelError, match=r"has the label 'AVX2', which may have a-z, 0-9, _ and \. only"):
        WheelName.parse("demo-1.0-py3-none-any-AVX2.whl")


@pytest.mark.parametrize(
    "filename",
    [
        "demo-1.0-py3-none.whl",
        "demo-1.0-1-py3-none-any-avx2-more.whl",
        "demo-1.0-py3-py3-none-any-avx2.whl",  # a build number begins with a digit
        "demo-1.0-3py-none-any.whl",  # and a Python tag does not
        "demo-one-py3-none-any.whl",
        "demo-1.0-py3-none-any.zip",
        "demo-1.0-py3-none-any.whl.metadata",
        "demo-1.0-py3-none-any",
        "-1.0-py3-none-any.whl",
        "_demo-1.0-py3-none-any.whl",
        "de__mo-1.0-py3-none-any.whl",
        "demo-1.0-py3-none-a#b.whl",
        "demo-1.0-py3-none-a b.whl",
        'demo-1.0-py3-none-a".whl',
        "dèmo-1.0-py3-none-any.whl",
        ".whl",
        "",
    ],
)
def test_what_is_no_name_of_a_wheel(filename: str) -> None:
    with pytest.raises(WheelError, match="is not the name of a wheel"):
        WheelName.parse(filename)


def test_no_installer_without_variants_takes_a_name_with_a_label() -> None:
    for build in ("", "1-"):
        filename = f"demo-1.0-{build}py3-none-any-avx2.whl"
        assert WheelName.parse(filename).label == "avx2"
        with pytest.raises(InvalidWheelFilename):
            parse_wheel_filename(filename)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A wheel as others write them."""
    files = {"demo/_binding.so": b"binding" * 50, 'demo/a, "b".py': b"x = 1\n"}
    lines = ["Requires-Python: >=3.10", "Requires-Dist: numpy>=1.24", "Requires-Dist: tomli; python_version<'3.11'"]
    return tiny_wheels.wheel(tmp_path, "demo-1.0-cp311-cp311-linux_x86_64.whl", files, lines=lines)


def test_what_is_in_a_wheel(path: Path) -> None:
    wheel = Wheel(path)
    assert wheel.dist_info == "demo-1.0.dist-info"
    assert wheel.metadata.get_all("Requires-Dist") == ["numpy>=1.24", "tomli; python_version<'3.11'"]
    assert wheel.metadata["Requires-Python"] == ">=3.10"
    assert wheel.read("demo/_binding.so") == b"binding" * 50
    assert wheel.entries["demo/_binding.so"] == Entry(data=b"binding" * 50, executable=True)
    assert not wheel.entries["demo/__init__.py"].executable
    assert f"{wheel.dist_info}/RECORD" in wheel.files
    assert f"{wheel.dist_info}/RECORD" not in wheel.entries
    assert wheel.variant_json is None
    assert wheel.manifests == {}
    assert wheel.time == TIME
    assert wheel.defects() == []


def test_metadata_with_letters_beyond_ascii_is_text(tmp_path: Path) -> None:
    path = tiny_wheels.wheel(
        tmp_path, "demo-1.0-py3-none-any.whl", lines=["Author: Jürgen Größe", "Requires-Python: ≥3"]
    )
    assert Wheel(path).metadata["Author"] == "Jürgen Größe"
    assert type(Wheel(path).metadata["Requires-Python"]) is str


def test_metadata_that_is_no_text(tmp_path: Path) -> None:
    path = tiny_wheels.wheel(tmp_path, "demo-1.0-py3-none-any.whl", more={"METADATA": b"Name: J\xfcrgen\n\n"})
    with pytest.raises(WheelError, match="has METADATA that is not text"):
        _ = Wheel(path).metadata


def test_manifests_by_folder(tmp_path: Path) -> None:
    manifest = b"Classifier: avx2\nLibrary:libdemo.so\n\nNote: a: b\n"
    files = {"demo/classifiers/avx2/MANIFEST": manifest, "demo/MANIFEST.in": b"include x"}
    path = tiny_wheels.wheel(tmp_path, "demo-1.0-py3-none-any.whl", files, more={"MANIFEST": b"not: one"})
    assert Wheel(path).manifests == {
        "demo/classifiers/avx2": {"Classifier": "avx2", "Library": "libdemo.so", "Note": "a: b"}
    }


@pytest.mark.parametrize("text", [b"{", b"\xff", b"", b"[" * 100_000])
def test_variant_json_that_is_no_json(tmp_path: Path, text: bytes) -> None:
    path = tiny_wheels.wheel(tmp_path, "demo-1.0-py3-none-any-avx2.whl", more={"variant.json": text})
    with pytest.raises(WheelError, match=r"has a variant\.json that is not JSON"):
        _ = Wheel(path).variant_json


@pytest.mark.parametrize(
    ("infos", "count"), [((), 0), (("demo-1.0.dist-info", "other-1.0.dist-info"), 2)], ids=["none", "two"]
)
def test_a_wheel_has_one_dist_info(tmp_path: Path, infos: tuple[str, ...], count: int) -> None:
    files = {"demo.py": b"", **{f"{info}/METADATA": b"Name: demo\n" for info in infos}}
    path = pack(tmp_path / "demo-1.0-py3-none-any.whl", files)
    for ask in (lambda wheel: wheel.dist_info, lambda wheel: wheel.metadata, lambda wheel: wheel.defects()):
        with pytest.raises(WheelError, match=rf"has {count} \.dist-info directories"):
            ask(Wheel(path))


def test_a_wheel_without_record(tmp_path: Path) -> None:
    path = tmp_path / "demo-1.0-py3-none-any.whl"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("demo-1.0.dist-info/METADATA", "Name: demo\n")
    with pytest.raises(WheelError, match=r"has no demo-1\.0\.dist-info/RECORD"):
        Wheel(path).defects()


@pytest.mark.parametrize("record", [b"\xff\xfe", b'"' + b"x" * 200_000])
def test_a_record_that_cannot_be_read(tmp_path: Path, record: bytes) -> None:
    path = tiny_wheels.wheel(tmp_path, "demo-1.0-py3-none-any.whl", more={"RECORD": record})
    with pytest.raises(WheelError, match="has a RECORD that cannot be read"):
        Wheel(path).defects()


def test_every_file_is_compared_with_its_line_in_record(tmp_path: Path, path: Path) -> None:
    record = Wheel(path).read("demo-1.0.dist-info/RECORD").decode()
    lines = [line for line in record.splitlines() if "__init__" not in line]
    lines = [line.replace("sha256=", "sha256=x") if "_binding" in line else line for line in lines]
    wrong = "\n".join([*lines, "demo/gone.py,sha256=abc,3", "too,few", ""])
    files = {"demo/_binding.so": b"binding" * 50, 'demo/a, "b".py': b"x = 1\n"}
    wheel = Wheel(tiny_wheels.wheel(tmp_path / "2", path.name, files, more={"RECORD": wrong.encode()}))
    found = "\n".join(wheel.defects())
    assert "demo/gone.py is in RECORD and not in the wheel" in found
    assert "demo/__init__.py is not in RECORD" in found
    assert "demo/_binding.so does not have the hash that RECORD says" in found
    assert "a, " not in found


def test_names_that_csv_has_to_quote_and_names_that_python_takes_for_two_lines(tmp_path: Path) -> None:
    entries = {name: Entry(data=name.encode()) for name in ("a,b", 'a"b', "a\nb", "a\u2028b", "a\x85b", "ä", "a;b")}
    entries["demo-1.0.dist-info/METADATA"] = Entry(data=b"Name: demo\n")
    write_wheel(tmp_path / "demo-1.0-py3-none-any.whl", entries, "demo-1.0.dist-info", TIME)
    wheel = Wheel(tmp_path / "demo-1.0-py3-none-any.whl")
    assert wheel.defects() == []
    rows = csv.reader(io.StringIO(wheel.read("demo-1.0.dist-info/RECORD").decode(), newline=""))
    assert sorted(row[0] for row in rows) == sorted([*entries, "demo-1.0.dist-info/RECORD"])


@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_a_file_that_is_there_twice(tmp_path: Path, path: Path) -> None:
    twice = tmp_path / "twice" / path.name
    twice.parent.mkdir()
    shutil.copy(path, twice)
    with zipfile.ZipFile(twice, "a") as archive:
        archive.writestr("demo/__init__.py", b"")
    assert Wheel(twice).defects() == ["demo/__init__.py is there twice"]


@pytest.mark.parametrize("name", ["../evil.py", "/etc/passwd", "demo/../../evil.py", "C:/evil.py", "a\\..\\..\\b"])
def test_a_file_that_leads_out_of_the_wheel(tmp_path: Path, name: str) -> None:
    wheel = Wheel(tiny_wheels.wheel(tmp_path, "demo-1.0-py3-none-any.whl", {name: b""}))
    assert wheel.defects() == [f"{name} leads out of the wheel"]


def test_a_file_that_is_not_there_and_one_that_is_no_zip(tmp_path: Path) -> None:
    (tmp_path / "folder-1.0-py3-none-any.whl").mkdir()
    (tmp_path / "text-1.0-py3-none-any.whl").write_text("no zip")
    for name in ("missing", "folder", "text"):
        with pytest.raises(WheelError, match=r"cannot be read as a wheel: .+\. Build it again, or leave it out"):
            _ = Wheel(tmp_path / f"{name}-1.0-py3-none-any.whl").files


@pytest.mark.parametrize("method", [zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_a_compression_that_installers_need_not_know(tmp_path: Path, method: int) -> None:
    path = tmp_path / "demo-1.0-py3-none-any.whl"
    with zipfile.ZipFile(path, "w", method) as archive:
        archive.writestr("demo-1.0.dist-info/METADATA", "Name: demo\n")
    with pytest.raises(WheelError, match="compressed in a way that not every installer reads"):
        _ = Wheel(path).metadata


def test_encrypted_files_are_damage(path: Path) -> None:
    data = bytearray(path.read_bytes())
    central = data.rindex(b"PK\x01\x02")
    for at in (data.index(b"PK\x03\x04") + 6, data.index(b"PK\x01\x02") + 8, central + 8):
        data[at] |= 1
    path.write_bytes(bytes(data))
    with pytest.raises(WheelError, match="is damaged at"):
        _ = Wheel(path).entries


def everything(path: Path) -> None:
    """Ask a wheel all that it can be asked."""
    questions = ("files", "dist_info", "metadata_bytes", "metadata", "manifests", "variant_json", "time", "entries")
    for question in (*questions, "defects"):
        wheel = Wheel(path)
        try:
            answer = getattr(wheel, question)
            if question == "defects":
                answer()
        except WheelError as error:
            assert str(error).endswith(".")  # noqa: PT017 -- it may also be readable still


@pytest.fixture(scope="module")
def labelled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A wheel with everything that is looked at."""
    files = {"demo/x/MANIFEST": b"Classifier: avx2\n", "demo/x/lib.so": bytes(range(256))}
    more = {"variant.json": json.dumps({"variants": {"avx2": {}}}).encode()}
    return tiny_wheels.wheel(tmp_path_factory.mktemp("labelled"), "demo-1.0-py3-none-any-avx2.whl", files, more=more)


@settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_damage_anywhere_is_a_wheel_error_or_none(labelled: Path, tmp_path: Path, data: st.DataObject) -> None:
    content = bytearray(labelled.read_bytes())
    for _ in range(data.draw(st.integers(1, 3))):
        at = data.draw(st.integers(0, len(content) - 1))
        match data.draw(st.sampled_from(["flip", "cut", "remove", "insert"])):
            case "flip":
                content[at] = data.draw(st.integers(0, 255))
            case "cut":
                del content[at + 1 :]
            case "remove":
                del content[at : at + data.draw(st.integers(0, min(40, len(content) - 1)))]
            case "insert":
                content[at:at] = data.draw(st.binary(min_size=1, max_size=8))
        content = content or bytearray(b"x")
    damaged = tmp_path / labelled.name
    damaged.write_bytes(bytes(content))
    everything(damaged)


def test_each_byte_of_the_directory_of_a_wheel_turned_over(labelled: Path, tmp_path: Path) -> None:
    content = labelled.read_bytes()
    damaged = tmp_path / labelled.name
    start = content.index(b"PK\x01\x02")
    for at in [*range(30), *range(start, start + 60), *range(len(content) - 22, len(content))]:
        damaged.write_bytes(content[:at] + bytes([content[at] ^ 0xFF]) + content[at + 1 :])
        everything(damaged)


def test_a_wheel_is_written_sorted_with_the_metadata_at_the_end(tmp_path: Path) -> None:
    path = tmp_path / "demo-1.0-py3-none-any.whl"
    entries = {
        "zoo.py": Entry(data=b"z"),
        "demo-1.0.dist-info/METADATA": Entry(data=b"Name: demo\n"),
        "demo-1.0.dist-info/WHEEL": Entry(data=b"Wheel-Version: 1.0\n"),
        "lib/b.so": Entry(data=b"so", executable=True),
        "demo-1.0.dist-info.py": Entry(data=b""),
    }
    assert write_wheel(path, entries, "demo-1.0.dist-info", TIME)
    with zipfile.ZipFile(path) as archive:
        infos = archive.infolist()
        assert archive.testzip() is None
    assert [info.filename for info in infos] == [
        "demo-1.0.dist-info.py",
        "lib/b.so",
        "zoo.py",
        "demo-1.0.dist-info/METADATA",
        "demo-1.0.dist-info/WHEEL",
        "demo-1.0.dist-info/RECORD",
    ]
    assert {info.date_time for info in infos} == {TIME}
    assert {info.create_system for info in infos} == {3}
    assert {info.filename: info.external_attr >> 16 for info in infos if info.external_attr >> 16 != 0o100644} == {
        "lib/b.so": 0o100755
    }
    wheel = Wheel(path)
    assert wheel.defects() == []
    assert wheel.entries == entries
    last = wheel.read("demo-1.0.dist-info/RECORD").decode().splitlines()[-1]
    assert last == "demo-1.0.dist-info/RECORD,,"


@given(
    st.dictionaries(
        st.text(
            st.characters(codec="utf-8", exclude_categories=["Cc"], exclude_characters="/\\"), min_size=1, max_size=12
        ),
        st.builds(Entry, data=st.binary(max_size=40), executable=st.booleans()),
        max_size=5,
    ),
    st.randoms(),
)
@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_the_same_entries_give_the_same_bytes_and_come_back(
    tmp_path: Path, entries: dict[str, Entry], random: object
) -> None:
    entries = {f"demo/{name}": entry for name, entry in entries.items() if name not in {".", ".."}}
    entries["demo-1.0.dist-info/METADATA"] = Entry(data=b"Name: demo\n")
    shuffled = list(entries.items())
    random.shuffle(shuffled)  # type: ignore[attr-defined]
    first, second = tmp_path / "1" / "demo-1.0-py3-none-any.whl", tmp_path / "2" / "demo-1.0-py3-none-any.whl"
    write_wheel(first, entries, "demo-1.0.dist-info", TIME)
    write_wheel(second, dict(shuffled), "demo-1.0.dist-info", TIME)
    assert first.read_bytes() == second.read_bytes()
    assert Wheel(first).entries == entries
    assert Wheel(first).defects() == []
    assert not write_wheel(first, dict(shuffled), "demo-1.0.dist-info", TIME)
    assert write_wheel(first, entries, "demo-1.0.dist-info", (2026, 11, 24, 12, 30, 42))


def test_a_hash_as_record_spells_it() -> None:
    # An example of the wheel specification's kind: urlsafe, and without padding.
    digest = base64.urlsafe_b64encode(hashlib.sha256(b"abc").digest()).decode()
    assert record_hash(b"abc") == f"sha256={digest.rstrip('=')}"
    assert "=" not in record_hash(b"abc").removeprefix("sha256=")


def test_wheels_in_folders_and_by_name_each_once(tmp_path: Path, path: Path) -> None:
    other = tiny_wheels.wheel(tmp_path / "more", "alpha-1.0-py3-none-any.whl")
    (tmp_path / "more" / "notes.txt").touch()
    found = find_wheels([path, tmp_path, tmp_path / "more", tmp_path / "more" / ".." / path.name])
    assert [wheel.path for wheel in found] == [path, other]
    with pytest.raises(WheelError, match=r"gone is not there\. Name wheels, or directories of wheels"):
        find_wheels([tmp_path / "gone"])
    assert find_wheels([]) == []
