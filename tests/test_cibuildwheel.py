"""Wheels through cibuildwheel, without containers: what it is told, and what is done around it."""

from __future__ import annotations

import io
import os
import shlex
import shutil
import subprocess
import sys
import tarfile
from pathlib import Path
from typing import Any

import pytest

from variantkit import cibuildwheel
from variantkit.cibuildwheel import ContainerBuilder, choose_container_interpreters
from variantkit.cli import build as command
from variantkit.container_engine import Engine, find_engine
from variantkit.container_settings import container_settings
from variantkit.errors import BuildError, InterpreterNotFoundError
from variantkit.matrix import read_matrix
from variantkit.progress import Progress

IDENTIFIERS = [
    f"cp{tag}-manylinux_x86_64" for tag in ("310", "311", "312", "313", "314", "314t", "315", "315t")
]  # fmt: skip


def settings(root: Path, row: str = "avx2", environ: dict[str, str] | None = None, **more: Any) -> dict[str, str]:
    given: dict[str, Any] = {
        "backend": {"classifier": row},
        "requires": ["nanobind>=3.1", "tomli>=2; python_version < '3.11'"],
        "machine": "x86_64",
        "image": "",
        "engine": "podman",
        "labels": {"variantkit.project": "p"},
        "caches": {"ccache": Path("/c c"), "uv": Path("/u")},
        "environ": environ or {},
    }
    return container_settings(read_matrix(root).row(row), **{**given, **more})


@pytest.mark.parametrize(("row", "marked"), [("generic", False), ("avx2", True), ("avx512", True)])
def test_the_isa_check_is_off_for_marked_rows_and_only_for_these(root: Path, row: str, marked: bool) -> None:
    repair = settings(root, row)["CIBW_REPAIR_WHEEL_COMMAND"]
    assert ("--disable-isa-ext-check" in repair.split()) is marked
    assert repair.startswith("auditwheel repair ")
    assert repair.endswith(" --wheel-dir {dest_dir} {wheel}")


def test_a_wheel_that_is_not_published_is_not_repaired(root: Path) -> None:
    assert settings(root, "generic", repair=False)["CIBW_REPAIR_WHEEL_COMMAND"] == ""


def test_a_wheel_is_built_as_on_the_machine(root: Path) -> None:
    found = settings(root)
    assert shlex.split(found["CIBW_CONFIG_SETTINGS"]) == ["classifier=avx2", "build-dir={project}/build/cmake"]
    assert found["CIBW_BUILD_FRONTEND"] == "build[uv]; args: --no-isolation"
    assert shlex.split(found["CIBW_BEFORE_BUILD"])[-2:] == ["nanobind>=3.1", "tomli>=2; python_version < '3.11'"]
    assert found["CIBW_TEST_SKIP"] == "*"
    assert "CIBW_TEST_SKIP" not in settings(root, "generic", backend={})


def test_the_image_is_pypas_unless_another_one_is_named(root: Path) -> None:
    name = "CIBW_MANYLINUX_X86_64_IMAGE"
    assert settings(root)[name] == "manylinux_2_28"
    assert settings(root, environ={name: "mine"})[name] == "mine"
    assert settings(root, environ={name: "mine"}, image="other")[name] == "other"
    assert settings(root, machine="aarch64", image="other")["CIBW_MANYLINUX_AARCH64_IMAGE"] == "other"


def test_the_containers_get_caches_and_labels_and_not_the_whole_machine(root: Path) -> None:
    words = shlex.split(settings(root, engine="docker; create_args: --memory=4g")["CIBW_CONTAINER_ENGINE"])
    assert words[:3] == ["docker;", "create_args:", "--memory=4g;"]
    assert words[words.index("disable_host_mount:") + 1] == "true;"
    assert words[-3:] == [
        "--label=variantkit.project=p", "--volume=/c c:/variantkit/ccache", "--volume=/u:/variantkit/uv"
    ]  # fmt: skip
    kept = settings(root, engine="docker; disable-host-mount: false")["CIBW_CONTAINER_ENGINE"]
    assert kept.count("host") == 1


def test_settings_of_the_compiler_cache_go_along_and_paths_of_this_machine_stay(root: Path) -> None:
    environ = {"CCACHE_REMOTE_STORAGE": "redis://cache", "CCACHE_DIR": "/mine", "CCACHE_LOGFILE": "/log", "CXX": "g++"}
    found = settings(root, environ=environ | {"CIBW_ENVIRONMENT_PASS": "CXX", "CIBW_ENVIRONMENT": "A='b c'"})
    assert found["CIBW_ENVIRONMENT_PASS"].split() == ["CCACHE_REMOTE_STORAGE", "CXX"]
    assert "CCACHE_DIR=/variantkit/ccache" in shlex.split(found["CIBW_ENVIRONMENT"])
    assert "CCACHE_COMPILERCHECK=content" in shlex.split(found["CIBW_ENVIRONMENT"])
    assert shlex.split(found["CIBW_ENVIRONMENT"])[-1] == "A=b c"
    own = settings(root, environ={"CCACHE_COMPILERCHECK": "mtime"})
    assert "COMPILERCHECK" not in own["CIBW_ENVIRONMENT"]
    assert own["CIBW_ENVIRONMENT_PASS"].split() == ["CCACHE_COMPILERCHECK"]


def test_folders_where_packages_are_found_are_mounted(root: Path, tmp_path: Path) -> None:
    found = settings(root, environ={"UV_FIND_LINKS": f"{tmp_path},https://example.org/wheels"})
    assert f"--volume={tmp_path}:/variantkit/find-links/0:ro" in shlex.split(found["CIBW_CONTAINER_ENGINE"])
    places = "UV_FIND_LINKS=/variantkit/find-links/0,https://example.org/wheels"
    assert places in shlex.split(found["CIBW_ENVIRONMENT"])


@pytest.fixture
def identifiers(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cibuildwheel, "_identifiers", lambda _: IDENTIFIERS)
    monkeypatch.setattr(cibuildwheel, "_version", lambda: "4.3")


@pytest.mark.usefixtures("identifiers")
def test_one_python_in_the_container_stands_for_each_base_wheel(root: Path) -> None:
    assert [each.tag for each in choose_container_interpreters(root)] == ["cp310", "cp311", "cp312"]
    chosen = choose_container_interpreters(root, ["3.13", "cp314t"])
    assert [str(each.executable) for each in chosen] == [
        "/opt/python/cp312-cp312/bin/python",
        "/opt/python/cp314-cp314t/bin/python",
    ]
    assert [each.free_threaded for each in chosen] == [False, True]
    assert len(choose_container_interpreters(root / "tests" / "projects" / "saxpy")) == 1


@pytest.mark.usefixtures("identifiers")
@pytest.mark.parametrize("tag", ["cp312", "cp313t", "cp27"])
def test_a_python_that_cibuildwheel_does_not_have_is_an_error_that_names_the_others(root: Path, tag: str) -> None:
    with pytest.raises(InterpreterNotFoundError, match=rf"nothing for {tag} here .*cp312-abi3.*--builder local"):
        choose_container_interpreters(root, [tag])


def program(folder: Path, name: str, text: str) -> None:
    folder.mkdir(exist_ok=True)
    (folder / name).write_text(f"#!/bin/sh\n{text}\n")
    (folder / name).chmod(0o755)


def test_the_engine_is_the_named_one_or_the_first_that_answers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(BuildError, match=r"neither docker nor podman.*--builder local"):
        find_engine({})
    with pytest.raises(BuildError, match="says podman, which is not installed"):
        find_engine({"CIBW_CONTAINER_ENGINE": "podman; create_args: --x"})
    program(tmp_path, "docker", "exit 1")  # the command without its daemon
    program(tmp_path, "podman", "exit 0")
    assert find_engine({}).name == "podman"
    assert find_engine({"CIBW_CONTAINER_ENGINE": "docker; create_args: --x"}).name == "docker"
    program(tmp_path, "docker", "exit 0")
    assert find_engine({}).name == "docker"


def test_containers_of_this_process_and_of_dead_ones_are_removed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ended = subprocess.Popen(["true"])
    ended.wait()
    owners = {"mine": os.getpid(), "dead": ended.pid, "living": os.getppid()}
    cases = " ".join(f"{name}) echo {owner};;" for name, owner in owners.items())
    program(
        tmp_path / "bin", "podman",
        f"""case $1 in
        ps) echo {" ".join(owners)}; echo "$@" >> {tmp_path}/asked;;
        inspect) case $4 in {cases} esac;;
        rm) echo "$4" >> {tmp_path}/removed;;
        esac""",
    )  # fmt: skip
    monkeypatch.setenv("PATH", str(tmp_path / "bin"), prepend=os.pathsep)
    engine = Engine(setting="podman; create_args: --x")
    engine.remove(tmp_path)
    assert (tmp_path / "removed").read_text().split() == ["mine", "dead"]
    label = engine.labels(tmp_path)["variantkit.project"]
    assert f"label=variantkit.project={label}" in (tmp_path / "asked").read_text()
    assert engine.labels(tmp_path / "other")["variantkit.project"] != label


FAKE = """
import os, pathlib, sys, tarfile
out, sdist = pathlib.Path(sys.argv[sys.argv.index("--output-dir") + 1]), sys.argv[-1]
with pathlib.Path({record!r}).open("a") as record:
    print(sys.argv[sys.argv.index("--only") + 1], os.environ["CIBW_CONFIG_SETTINGS"], file=record)
if "fail" in os.environ.get("CIBW_BEFORE_ALL", ""):
    sys.exit("this is how it failed")
out.mkdir()
name = "x-1-py3-none-manylinux_2_28_x86_64.whl"
prebuilt = [each for each in tarfile.open(sdist).getnames() if ".variantkit" in each]
(out / name).write_text(str(prebuilt))
"""


@pytest.fixture
def builder(root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ContainerBuilder:
    """A builder of the second customer's project, with something in the place of cibuildwheel and of the engine."""
    project = tmp_path / "saxpy"
    shutil.copytree(root / "tests" / "projects" / "saxpy", project)
    record = tmp_path / "record"
    record.touch()
    monkeypatch.setattr(cibuildwheel, "_cibuildwheel", lambda: [sys.executable, "-c", FAKE.format(record=str(record))])
    monkeypatch.setattr(cibuildwheel, "_version", lambda: "4.3")
    monkeypatch.setenv("PATH", str(tmp_path / "bin"), prepend=os.pathsep)
    program(tmp_path / "bin", "podman", "exit 0")
    monkeypatch.setenv("CIBW_CONTAINER_ENGINE", "podman")
    # What comes out here is no wheel.
    monkeypatch.setattr("variantkit.audit.audit", lambda *_, **__: True)
    sdist = io.BytesIO()
    with tarfile.open(fileobj=sdist, mode="w:gz") as archive:
        archive.add(project / "pyproject.toml", "saxpy-1.2.3/pyproject.toml")
    made = ContainerBuilder(root=project, out=project / "dist", progress=Progress(1, io.StringIO()))
    made.__dict__["_sdist"] = sdist.getvalue()
    return made


def build(builder: ContainerBuilder, classifier: str = "fast-v2", **more: str) -> bool:
    """Build a classifier's wheel; say whether it was there already."""
    interpreter = cibuildwheel._interpreter("cp311-manylinux_x86_64")
    given = {"classifier": classifier, **more}
    return builder._wheel("saxpy", builder.root, interpreter, builder.out, settings=given)[1]


def test_what_has_not_changed_is_not_built_again(
    builder: ContainerBuilder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert [build(builder), build(builder)] == [False, True]
    assert (tmp_path / "record").read_text().splitlines() == [
        "cp311-manylinux_x86_64 classifier=fast-v2 'build-dir={project}/build/cmake'"
    ]
    monkeypatch.setenv("CCACHE_REMOTE_STORAGE", "redis://cache")  # makes it faster, and changes nothing
    monkeypatch.setenv("CIBW_CONTAINER_ENGINE", "podman; create_args: --memory=4g")
    del builder.__dict__["_engine"]
    assert build(builder)
    monkeypatch.setenv("CIBW_BEFORE_ALL", "yum install ccache")
    assert not build(builder)
    monkeypatch.setenv("CIBW_MANYLINUX_X86_64_IMAGE", "another")
    assert not build(builder)
    (builder.root / "saxpy.cpp").write_text("// another\n")
    assert not build(builder)


def test_a_failed_build_shows_its_end_and_leaves_nothing_half(
    builder: ContainerBuilder, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CIBW_BEFORE_ALL", "fail")
    with pytest.raises(BuildError, match=r"this is how it failed\nThe whole output is in .*container-saxpy\.log"):
        build(builder)
    assert not builder.out.exists()
    assert list((builder.work / "wheels" / "container-saxpy").iterdir()) == []


def test_the_base_wheel_takes_the_library_along(builder: ContainerBuilder, tmp_path: Path) -> None:
    library = builder.work / "stage" / "sse2" / "libsaxpy_sse2.so"
    library.parent.mkdir(parents=True)
    library.write_bytes(b"library")
    setting = "cmake.define.VARIANTKIT_PREBUILT_DIR"
    interpreter = cibuildwheel._interpreter("cp311-manylinux_x86_64")
    wheel, _ = builder._wheel(
        "base", builder.root, interpreter, builder.out, settings={setting: str(library.parent.parent)}
    )
    assert "saxpy-1.2.3/.variantkit/prebuilt/sse2/libsaxpy_sse2.so" in wheel.read_text()
    assert f"{setting}={{project}}/.variantkit/prebuilt" in (tmp_path / "record").read_text()


def test_the_image_is_for_containers(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        command.main(["--image", "x"], prog="build", root=root)
    assert "--image is for --builder cibuildwheel" in capsys.readouterr().err
