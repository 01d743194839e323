"""Repairing wheels: what auditwheel is told, what is written, and what is not done twice."""

from __future__ import annotations

import hashlib
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import Any

import pytest

from tiny_wheels import TIME, base_wheel, classifier_wheel, matrix, pack, row, wheel
from variantkit import repair
from variantkit.cli import repair as command
from variantkit.errors import BuildError, WheelError
from variantkit.repair import Repairer, auditwheel_options, row_of
from variantkit.wheel import Wheel

MARKED = {"gcc": ("-Wl,-z,x86-64-v3",)}
MATRIX = matrix(row("avx2", 20, link_flags=MARKED), row("plain", 10))


@pytest.fixture
def repairer(tmp_path: Path) -> Repairer:
    return Repairer(MATRIX, tmp_path / "out", tmp_path / "work")


@pytest.mark.parametrize(
    "flags",
    [
        ("-Wl,-z,x86-64-v3",),
        ("-Wl,-z,x86-64-v2",),
        ("-Wl,-z,x86-64-baseline",),
        ("LINKER:-z,x86-64-v4",),
        ("-Wl,--gc-sections", "-Wl,-z,now,-z,x86-64-v4,-z,relro"),
        ("-Wl,-z", "-Wl,x86-64-v3"),
        ("-z", "x86-64-v3"),
        ("-z x86-64-v3",),
        ("SHELL:-z x86-64-v3",),
        ("-Xlinker", "-z", "-Xlinker", "x86-64-v3"),
        ("-Wl,-zx86-64-v3",),
    ],
)
def test_the_check_of_levels_is_off_for_a_row_that_marks_its_library(flags: tuple[str, ...]) -> None:
    assert auditwheel_options(row("a", 1, link_flags={"gcc": (), "clang": flags})) == ("--disable-isa-ext-check",)


@pytest.mark.parametrize(
    "flags",
    [
        (),
        ("-march=x86-64-v3",),
        ("-Wl,-z,now",),
        ("-Wl,-rpath,/x86-64-v3",),
        ("-lz", "x86-64-v3"),
        ("-Wl,-z,x86-64-v3x",),
    ],
)
def test_and_for_no_other(flags: tuple[str, ...]) -> None:
    assert auditwheel_options(row("a", 1, link_flags={"gcc": flags})) == ()


def test_the_row_of_a_wheel(tmp_path: Path) -> None:
    names = {
        "demo-1.0-py3-none-any.whl": "generic",
        "Demo-1.0-py3-none-any.whl": "generic",
        "demo_avx2-1.0-py3-none-any.whl": "avx2",
        "demo_avx3-1.0-py3-none-any.whl": None,
        "other_avx2-1.0-py3-none-any.whl": None,
    }
    for name, expected in names.items():
        found = row_of(MATRIX, Wheel(tmp_path / name))
        assert (found.name if found else None) == expected


def test_a_wheel_is_written_as_every_other(tmp_path: Path, repairer: Repairer) -> None:
    source = wheel(tmp_path / "built", "helper-0.5-py3-none-any.whl", {"zoo.py": b"z", "a.so": b"so"})
    before = source.read_bytes()
    path, known = repairer.repair(Wheel(source))
    assert (path, known) == (tmp_path / "out" / source.name, False)
    assert source.read_bytes() == before
    repaired = Wheel(path)
    assert repaired.defects() == []
    assert repaired.entries == Wheel(source).entries
    assert repaired.time == TIME
    assert repaired.files == (
        *sorted(repaired.entries, key=lambda name: (".dist-info/" in name, name)),
        repaired.files[-1],
    )
    assert repaired.files[-1].endswith("RECORD")


def test_what_was_repaired_is_not_repaired_again(tmp_path: Path, repairer: Repairer) -> None:
    built = tmp_path / "built"
    source = wheel(built, "helper-0.5-py3-none-any.whl")
    first, _ = repairer.repair(Wheel(source))
    written = first.stat().st_mtime_ns, first.read_bytes()
    assert repairer.repair(Wheel(source)) == (first, True)
    assert (first.stat().st_mtime_ns, first.read_bytes()) == written
    first.write_bytes(b"spoilt")
    assert repairer.repair(Wheel(source)) == (first, False)
    assert first.read_bytes() == written[1]
    first.unlink()
    assert repairer.repair(Wheel(source)) == (first, False)
    wheel(built, "helper-0.5-py3-none-any.whl", {"new.py": b""})
    assert repairer.repair(Wheel(source)) == (first, False)
    assert "new.py" in Wheel(first).files


def test_the_same_wheel_gives_the_same_bytes_whatever_the_order_in_it(tmp_path: Path) -> None:
    source = wheel(tmp_path / "1", "helper-0.5-py3-none-any.whl", {"a.py": b"a", "b.py": b"b"})
    members = {name: Wheel(source).read(name) for name in reversed(Wheel(source).files)}
    other = pack(tmp_path / "2" / source.name, members)
    assert other.read_bytes() != source.read_bytes()
    made = [
        Repairer(MATRIX, tmp_path / f"out{n}", tmp_path / f"work{n}").repair(Wheel(each))[0]
        for n, each in enumerate((source, other))
    ]
    assert made[0].read_bytes() == made[1].read_bytes()


def test_a_wheel_in_its_own_place(tmp_path: Path) -> None:
    source = wheel(tmp_path, "helper-0.5-py3-none-any.whl")
    repairer = Repairer(MATRIX, tmp_path, tmp_path / "work")
    assert repairer.repair(Wheel(source)) == (source, False)
    once = source.read_bytes()
    repairer.repair(Wheel(source))
    assert source.read_bytes() == once


def test_a_damaged_wheel_is_not_made_right(tmp_path: Path, repairer: Repairer) -> None:
    source = wheel(tmp_path, "helper-0.5-py3-none-any.whl")
    with zipfile.ZipFile(source, "a") as archive:
        archive.writestr("more.py", b"")
    with pytest.raises(WheelError, match=r"is damaged: more\.py is not in RECORD\. Build it again"):
        repairer.repair(Wheel(source))
    assert not (tmp_path / "out").exists()


def test_a_variant_is_repaired_before_it_is_one(tmp_path: Path, repairer: Repairer) -> None:
    source = wheel(tmp_path, "demo-1.0-cp311-cp311-linux_x86_64-avx2.whl")
    with pytest.raises(WheelError, match=r"has a label\. Repair the wheels that it is assembled from"):
        repairer.repair(Wheel(source))


class FakeAuditwheel:
    """Does what auditwheel does, and remembers how it was called."""

    def __init__(self) -> None:
        self.commands: list[list[str]] = []
        self.environs: list[dict[str, str]] = []

    def __call__(self, words: list[Any], log: Path, env: dict[str, str]) -> None:
        self.commands.append([str(word) for word in words])
        self.environs.append(env)
        source, target = Path(words[-1]), Path(words[words.index("--wheel-dir") + 1])
        files = {name: Wheel(source).read(name) for name in Wheel(source).files if not name.endswith("/RECORD")}
        # It rewrites libraries that it brings others for, adds those, and takes the time of today.
        files = {name: data + b" patched" if name.endswith(".so") else data for name, data in files.items()}
        target.mkdir()
        pack(target / source.name.replace("linux_", "manylinux_2_17_"), files, (2030, 1, 1, 0, 0, 0))


@pytest.fixture
def auditwheel(monkeypatch: pytest.MonkeyPatch) -> FakeAuditwheel:
    monkeypatch.setattr(sys, "platform", "linux")
    fake = FakeAuditwheel()
    monkeypatch.setattr(repair, "run_logged", fake)
    return fake


def test_a_wheel_for_linux_goes_through_auditwheel(
    tmp_path: Path, repairer: Repairer, auditwheel: FakeAuditwheel
) -> None:
    source = classifier_wheel(tmp_path / "built", MATRIX, "avx2", platform="linux_x86_64")
    path, known = repairer.repair(Wheel(source))
    assert (path.name, known) == ("demo_avx2-1.0-py3-none-manylinux_2_17_x86_64.whl", False)
    repaired = Wheel(path)
    assert repaired.defects() == []
    assert repaired.time == TIME, "the time of the sources, and not that of the repair"
    content = repaired.read("demo_avx2/libdemo_avx2.so")
    assert content.endswith(b" patched")
    manifest = repaired.manifests["demo_avx2"]
    assert (manifest["Size"], manifest["SHA256"]) == (str(len(content)), hashlib.sha256(content).hexdigest())
    assert {key: manifest[key] for key in manifest if key not in {"Size", "SHA256"}} == {
        key: value for key, value in Wheel(source).manifests["demo_avx2"].items() if key not in {"Size", "SHA256"}
    }
    assert repairer.repair(Wheel(source)) == (path, True)
    assert len(auditwheel.commands) == 1
    # Its temporary files lie where the next repair, and nobody else, would find them.
    assert Path(auditwheel.environs[0]["TMPDIR"]).is_relative_to(repairer.work)
    assert list((repairer.work / "repairing").iterdir()) == []


def test_the_option_is_given_for_marked_rows_and_for_no_others(
    tmp_path: Path, repairer: Repairer, auditwheel: FakeAuditwheel
) -> None:
    for name in ("avx2", "plain"):
        repairer.repair(Wheel(classifier_wheel(tmp_path, MATRIX, name, platform="linux_x86_64")))
    repairer.repair(Wheel(base_wheel(tmp_path, MATRIX, tags="cp311-cp311-linux_x86_64")))
    repairer.repair(Wheel(wheel(tmp_path, "other-1.0-py3-none-linux_x86_64.whl")))
    given = {Path(words[-1]).name.split("-")[0]: "--disable-isa-ext-check" in words for words in auditwheel.commands}
    assert given == {"demo_avx2": True, "demo_plain": False, "demo": False, "other": False}


def test_another_matrix_is_another_repair(tmp_path: Path, repairer: Repairer, auditwheel: FakeAuditwheel) -> None:
    source = Wheel(classifier_wheel(tmp_path, MATRIX, "avx2", platform="linux_x86_64"))
    repairer.repair(source)
    repairer.matrix = matrix(row("avx2", 20))
    assert repairer.repair(source)[1] is False
    assert len(auditwheel.commands) == 2


def test_where_auditwheel_fails_nothing_is_written(
    tmp_path: Path, repairer: Repairer, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(words: list[Any], log: Path, env: dict[str, str]) -> None:
        msg = "python failed with status 1:\nNo module named auditwheel"
        raise BuildError(msg)

    monkeypatch.setattr(sys, "platform", "linux")
    monkeypatch.setattr(repair, "run_logged", fails)
    source = classifier_wheel(tmp_path, MATRIX, "avx2", platform="linux_x86_64")
    with pytest.raises(
        BuildError, match=r"(?s)cannot be repaired: .*No module named auditwheel.*pip install 'variantkit\[release\]'"
    ):
        repairer.repair(Wheel(source))
    assert not (tmp_path / "out").exists()
    assert list((repairer.work / "repairing").iterdir()) == []


@pytest.mark.skipif(sys.platform != "linux", reason="auditwheel repairs wheels for Linux")
def test_the_real_auditwheel_takes_a_marked_library_of_a_marked_row_only(
    tmp_path: Path, repairer: Repairer, compiler: str
) -> None:
    source = tmp_path / "one.c"
    source.write_text("int one(void) { return 1; }\n")
    shared = tmp_path / "one.so"
    subprocess.run([compiler, "-shared", "-fPIC", "-Wl,-z,x86-64-v3", source, "-o", shared], check=True)
    made = {}
    for name in ("avx2", "plain"):
        files = {f"demo_{name}/libdemo_{name}.so": shared.read_bytes()}
        made[name] = Wheel(classifier_wheel(tmp_path, MATRIX, name, platform="linux_x86_64", files=files))
    path, _ = repairer.repair(made["avx2"])
    assert Wheel(path).name.platform.startswith("manylinux")
    assert Wheel(path).defects() == []
    first = path.read_bytes()
    shutil.rmtree(repairer.out)
    assert repairer.repair(made["avx2"]) == (path, False)
    assert path.read_bytes() == first
    with pytest.raises(BuildError, match=r"(?s)cannot be repaired.*ISA"):
        repairer.repair(made["plain"])


def test_the_command_names_what_it_has_written(
    tmp_path: Path, root: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    project = tmp_path / "saxpy"
    shutil.copytree(root / "tests" / "projects" / "saxpy", project, ignore=shutil.ignore_patterns("build", "dist"))
    wheel(project / "built", "helper-0.5-py3-none-any.whl")
    monkeypatch.chdir(project)
    for note in ("helper-0.5-py3-none-any.whl", "unchanged"):
        assert command.main(["built", "--out", "dist"], prog="variantkit repair") == 0
        captured = capsys.readouterr()
        assert captured.out == "dist/helper-0.5-py3-none-any.whl\n"
        assert captured.err.startswith("[1/1] repair helper py3")
        assert captured.err.endswith(f"{note}\n")
    (project / "empty").mkdir()
    with pytest.raises(SystemExit) as caught:
        command.main(["empty", "--out", "dist"], prog="variantkit repair")
    assert caught.value.code == 2
    assert "there are no wheels to repair; build them first" in capsys.readouterr().err
