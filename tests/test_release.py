"""A whole release with a builder that has built before: what is finished, checked and published."""

from __future__ import annotations

import dataclasses
import datetime
import io
import shutil
from pathlib import Path
from typing import Any

import pytest

import check_release
from index_reader import IndexReader
from variantkit import release as module
from variantkit.audit import AuditFinding, AuditResult
from variantkit.errors import AuditError, CheckError, MatrixError, WheelError
from variantkit.index import Repository
from variantkit.matrix import read_matrix, read_pyproject
from variantkit.progress import Progress
from variantkit.release import Releaser, snapshot_source
from variantkit.wheel import WheelName


@pytest.fixture(scope="module")
def made(root: Path, tmp_path_factory: pytest.TempPathFactory) -> check_release.Release:
    """A tiny release that is right in every way."""
    return check_release.make_release(tmp_path_factory.mktemp("made"), root / "tests" / "projects" / "saxpy")


class FakeBuilder:
    """Gives out what was built before."""

    def __init__(self, root: Path, built: Path, work: Path) -> None:
        self.root, self.built, self.work = root, built, work
        self.matrix = read_matrix(root)
        self.progress = Progress(0, io.StringIO())
        self.asked: list[str] = []

    def count(self, classifiers: list[str], interpreters: list[Any]) -> int:
        return len(classifiers) + len(interpreters)

    def tool(self, interpreters: list[Any]) -> Any:
        return interpreters[0]

    def build(self, classifiers: list[str], interpreters: list[Any]) -> list[Path]:
        self.asked = classifiers
        names = [f"saxpy-{name}" for name in classifiers]
        found = []
        for path in sorted(self.built.glob("saxpy*.whl")):
            name = WheelName.parse(path.name)
            if not name.label and (name.project == "saxpy" or name.project in names):
                found.append(path)
        return found

    def pure_wheel(self, project: Path, interpreter: Any) -> Path:
        return next(self.built.glob("helper-*.whl"))

    def sdist(self, project: Path, interpreter: Any) -> Path:
        return next(self.built.glob("saxpy-*.tar.gz"))


def audited(*findings: AuditFinding) -> AuditResult:
    """The outcome of an audit; what lies in these wheels is no machine code, and the audit has tests of its own."""
    return AuditResult(
        findings=findings, rules=("VA101",), files=3, instructions=1000, seconds=0.0, unaudited=(), notes=(), needs=()
    )


@pytest.fixture
def releaser(made: check_release.Release, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Releaser:
    project, built = tmp_path / "project", tmp_path / "built"
    shutil.copytree(made.root, project)
    shutil.copytree(made.dist, built)
    real = module.check

    def without_tools(*arguments: Any, ignore: tuple[str, ...] = (), **more: Any) -> Any:
        # Those rules run tools that take seconds, and have tests of their own.
        return real(*arguments, ignore=(*ignore, "VK6"), **more)

    monkeypatch.setattr(module, "check", without_tools)
    monkeypatch.setattr("variantkit.audit.audit", lambda *_, **__: audited())
    builder: Any = FakeBuilder(project, built, tmp_path / "work")
    return Releaser(builder=builder, interpreters=["cp311"], dist=tmp_path / "dist")  # type: ignore[list-item]


ALL = ("avx2", "fast-v2")


def test_what_is_built_is_finished_checked_and_published(releaser: Releaser, tmp_path: Path) -> None:
    repository = Repository(tmp_path / "index")
    published = releaser.release(ALL, repository)
    assert releaser.builder.asked == ["avx2", "fast-v2", "sse2"], "the base is always there"  # type: ignore[attr-defined]
    files = {path.name for path in releaser.dist.iterdir()}
    labels = {WheelName.parse(name).label for name in files if name.endswith(".whl")}
    assert labels == {"", "avx2", "fast_v2", "null"}
    assert "saxpy-1.2.3-variants.json" in files
    assert set(published.added) == files
    assert set(IndexReader(tmp_path / "index").look()) == {"saxpy", "saxpy-avx2", "saxpy-fast-v2"}
    assert "fast-v2" in (tmp_path / "index" / "index.html").read_text()


def test_each_step_is_counted_and_says_how_it_went(releaser: Releaser, tmp_path: Path) -> None:
    releaser.release(ALL, Repository(tmp_path / "index"))
    stream = releaser.progress._stream
    assert isinstance(stream, io.StringIO)
    lines = stream.getvalue().splitlines()
    assert [line.split("]")[1].split()[0] for line in lines] == [
        "classifiers.toml",
        "repair",
        "assemble",
        "audit",
        "check",
        "publish",
    ]
    # 3 classifiers, an interpreter and an sdist are built, by a builder that says nothing here.
    assert lines[0].startswith("[ 1/11] ")
    assert lines[0].endswith("3 classifiers")
    assert lines[-1].endswith("new, 0 unchanged")


def test_code_above_its_label_keeps_all_of_it_back(
    releaser: Releaser, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[Path] = []
    wrong = AuditFinding(
        file=tmp_path / "x.whl", member="libx.so", rule="VA101", message="vpaddd needs avx2. Mend.", level="error"
    )

    def audit(paths: list[Path], **_: Any) -> AuditResult:
        asked.extend(paths)
        return audited(wrong) if len(asked) == 1 else audited()

    monkeypatch.setattr("variantkit.audit.audit", audit)
    repository = Repository(tmp_path / "index")
    with pytest.raises(AuditError, match=r"must not be published:(.|\n)*vpaddd needs avx2"):
        releaser.release(ALL, repository)
    assert not repository.simple.exists()
    releaser.release(ALL, repository)
    assert asked == [releaser.dist] * 2
    # What was found clean is not decoded again; another matrix is another promise.
    releaser.release(ALL, repository)
    assert len(asked) == 2
    project = dataclasses.replace(releaser.matrix.project, package="other")
    releaser.matrix = dataclasses.replace(releaser.matrix, project=project)
    releaser.audit()
    assert len(asked) == 3


def test_again_nothing_is_done(releaser: Releaser, tmp_path: Path) -> None:
    releaser.release(ALL, Repository(tmp_path / "index"))
    before = {path: path.stat().st_mtime_ns for path in releaser.dist.iterdir()}
    published = releaser.release(ALL, Repository(tmp_path / "index"))
    assert (published.added, published.removed) == ((), ())
    assert {path: path.stat().st_mtime_ns for path in releaser.dist.iterdir()} == before
    assert len(list((tmp_path / "index" / ".pages").iterdir())) == 1


def test_what_another_release_has_left_is_no_part_of_this_one(releaser: Releaser, tmp_path: Path) -> None:
    releaser.dist.mkdir()
    (releaser.dist / "saxpy-1.2.2-py3-none-any.whl").write_bytes(b"old")
    (releaser.dist / "folder").mkdir()
    releaser.release(ALL, Repository(tmp_path / "index"))
    assert not (releaser.dist / "saxpy-1.2.2-py3-none-any.whl").exists()
    assert (releaser.dist / "folder").is_dir()


def test_a_project_of_the_same_tree_belongs_to_it(releaser: Releaser, tmp_path: Path) -> None:
    both = dataclasses.replace(releaser, also=[releaser.root])
    both.make(ALL)
    assert "helper-0.5-py3-none-any.whl" in {path.name for path in releaser.dist.iterdir()}


def test_a_finding_keeps_all_of_it_back(releaser: Releaser, tmp_path: Path) -> None:
    # A classifier that is published has no wheel.
    with pytest.raises(CheckError, match=r"(?s)This must not be published:\n.*VK30[35].*`variantkit check` tells more"):
        releaser.release(("fast-v2",), Repository(tmp_path / "index"))
    assert not (tmp_path / "index").exists()
    # Where it was left out on purpose, it is no finding.
    published = releaser.release(("fast-v2",), Repository(tmp_path / "index"), partial=True)
    assert "saxpy_fast_v2-1.2.3-py3-none-manylinux_2_17_x86_64.whl" in published.added


def test_a_drifted_file_stops_it_before_anything_is_built(releaser: Releaser, tmp_path: Path) -> None:
    (releaser.root / "classifiers.cmake").write_text("# by hand\n")
    with pytest.raises(
        MatrixError, match=r"classifiers\.cmake has drifted from classifiers\.toml\. Run: variantkit matrix --write"
    ):
        releaser.release(ALL, Repository(tmp_path / "index"))
    assert not releaser.dist.exists()
    assert "failed" in releaser.progress._stream.getvalue()  # type: ignore[attr-defined]


def test_a_damaged_wheel_stops_it(releaser: Releaser, tmp_path: Path) -> None:
    path = next((tmp_path / "built").glob("saxpy_avx2-*.whl"))
    path.write_bytes(path.read_bytes()[:200])
    with pytest.raises(WheelError, match=r"saxpy_avx2.* cannot be read as a wheel"):
        releaser.release(ALL, Repository(tmp_path / "index"))
    assert not (tmp_path / "index").exists()


DAY = datetime.date(2026, 11, 24)


def test_snapshots_of_a_day_are_counted_in_the_index(releaser: Releaser, tmp_path: Path) -> None:
    root, target = releaser.root, tmp_path / "snapshot"
    repository = Repository(tmp_path / "snapshots")
    before = {path: path.read_bytes() for path in root.rglob("*") if path.is_file()}
    assert snapshot_source(root, target, repository, day=DAY) == "1.2.4.dev2026112401"
    assert read_pyproject(target)["project"]["version"] == "1.2.4.dev2026112401"
    # Nothing was published, so the number is free.
    assert snapshot_source(root, target, repository, day=DAY) == "1.2.4.dev2026112401"
    name = WheelName(distribution="saxpy", version="1.2.4.dev2026112401", python="py3", abi="none", platform="any")
    repository.publish([check_release.write(tmp_path, name, {"saxpy.py": b""}, [])])
    assert snapshot_source(root, target, repository, day=DAY) == "1.2.4.dev2026112402"
    assert snapshot_source(root, target, repository, day=DAY + datetime.timedelta(1)) == "1.2.4.dev2026112501"
    assert {path: path.read_bytes() for path in root.rglob("*") if path.is_file()} == before
    today = datetime.datetime.now(datetime.timezone.utc).date()
    assert snapshot_source(root, target, repository) in {
        f"1.2.4.dev{each:%Y%m%d}0{number}" for each in (today, today + datetime.timedelta(1)) for number in (1, 2)
    }
