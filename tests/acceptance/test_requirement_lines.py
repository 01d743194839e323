"""The ready-made lines, given to the real tools, while a stranger has taken our names on the public index.

pixi and conda cannot be had from PyPI as programs, so that theirs are only read by a parser (tests/test_requirement_lines.py).
"""

from __future__ import annotations

import contextlib
import dataclasses
import json
import os
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from environments import Environment, clean_environ, uv
from hosts import catalogue
from tiny_index import serve, variant_document, wheel, write_pages
from variantkit.catalogue import Classifier
from variantkit.requirement_lines import conflicts, lines

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

RELEASE, SNAPSHOT = "1.2.0", "1.2.1.dev2026112401"
MODULES = ["gizmo_kit", "gizmo_kit_avx2", "variantkit", "plain_lib"]
OURS = {"gizmo_kit": "ours", "gizmo_kit_avx2": "ours", "variantkit": "ours", "plain_lib": "public"}

# The versions that the documentation speaks of. This PDM does not work with the newest hishel, which it allows.
POETRY, PDM, HATCH, PIP = "poetry==2.5.1", "pdm==2.29.4 hishel==1.4.0", "hatch==1.18.2", "pip==26.3"

# As users have them after `hatch new`, but without a build backend that would have to be on the public index.
BACKEND = """
import pathlib, zipfile
def build_wheel(folder, config_settings=None, metadata_directory=None):
    name = "app-0.0-py3-none-any.whl"
    with zipfile.ZipFile(pathlib.Path(folder, name), "w") as archive:
        archive.writestr("app-0.0.dist-info/METADATA", METADATA)
        archive.writestr("app-0.0.dist-info/WHEEL", "Wheel-Version: 1.0\\nRoot-Is-Purelib: true\\nTag: py3-none-any\\n")
        archive.writestr("app-0.0.dist-info/RECORD", "")
    return name
build_editable = build_wheel
"""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Indexes:
    """Addresses: `ours` has our packages, `public` what they depend on and a stranger's, `all` ours and what they need."""

    ours: str
    public: str
    all: str


def publish(folder: Path, version: str, *, origin: str = "ours") -> None:
    """Put one release into a folder."""
    extras = {name: [f"gizmo-kit-avx2=={version}"] for name in ("avx2", "all")}
    needs = [f"variantkit=={version}", "plain-lib"]
    wheel(folder, "gizmo-kit", version, requires=needs, extras=extras, origin=origin)
    wheel(folder, "gizmo-kit-avx2", version, requires=[f"gizmo-kit=={version}"], origin=origin)
    wheel(folder, "variantkit", version, requires=["plain-lib"], origin=origin)


@pytest.fixture(scope="module")
def indexes(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Indexes]:
    folder = tmp_path_factory.mktemp("indexes")
    ours, public, everything = (folder / name for name in ("ours", "public", "all"))
    for version in (RELEASE, SNAPSHOT):
        publish(ours, version)
        publish(everything, version)
    # Of the same version, of one that `~=` allows, and of one that is higher than all.
    for version in (RELEASE, SNAPSHOT, "1.2.9", "9.0"):
        publish(public, version, origin="a stranger")
    for index in (ours, everything):
        # Every x86-64 machine is of level v1.
        properties = {"baseline": {"x86_64": {"level": ["v1"]}}, "null": {}}
        for label, each in properties.items():
            wheel(index, "gizmo-kit", RELEASE, requires=["plain-lib"], label=label, variants=each)
        (index / f"gizmo_kit-{RELEASE}-variants.json").write_text(json.dumps(variant_document(properties)))
    for index in (public, everything):
        wheel(index, "plain-lib", origin="public")
        wheel(index, "plain-lib", "1.1rc1", origin="public")
        for version in ("12", "13"):
            wheel(index, "gpu-redist", version)
    extras = {"cuda-12": ["gpu-redist==12"], "cuda-13": ["gpu-redist==13"]}
    wheel(public, "gizmo-gpu", RELEASE, extras=extras)
    for index in (ours, public, everything):
        write_pages(index)
    with contextlib.ExitStack() as stack:
        yield Indexes(
            *(), **{path.name: f"{stack.enter_context(serve(path))}/simple/" for path in (ours, public, everything)}
        )


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home directory for all tools, so that no configuration of this machine is read, and caches are shared."""
    return tmp_path_factory.mktemp("home")


@pytest.fixture
def environ(home: Path, indexes: Indexes) -> dict[str, str]:
    """An environment in which the public index is the default one of every tool."""
    ours = ("PIP_", "UV_", "POETRY_", "PDM_", "HATCH_", "XDG_")
    kept = {key: value for key, value in clean_environ().items() if not key.startswith(ours)}
    return {
        **kept,
        "HOME": str(home),
        "NO_PROXY": "127.0.0.1",
        "PIP_CONFIG_FILE": os.devnull,
        "PIP_INDEX_URL": indexes.public,
        "PIP_DISABLE_PIP_VERSION_CHECK": "1",
        "UV_DEFAULT_INDEX": indexes.public,
        "UV_CACHE_DIR": str(home / "uv"),
        "POETRY_VIRTUALENVS_IN_PROJECT": "true",
        "PDM_PYPI_URL": indexes.public,
        "PDM_CHECK_UPDATE": "0",
        "HATCH_ENV_TYPE_VIRTUAL_UV_PATH": uv(),
    }


@pytest.fixture(scope="module")
def program(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], str]:
    """Give the path of a program that PyPI has, in an environment of its own."""
    made: dict[str, Path] = {}

    def path(requirement: str) -> str:
        name = requirement.partition("=")[0]
        if requirement not in made:
            made[requirement] = tmp_path_factory.mktemp(name) / "env"
            environment = Environment(made[requirement])
            subprocess.run([uv(), "venv", "--quiet", str(environment.folder)], check=True)
            environment.uv_install("--quiet", *requirement.split())
        return str(made[requirement] / "bin" / name)

    return path


@pytest.fixture(scope="module")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An environment with pip and uv, to be copied."""
    folder = tmp_path_factory.mktemp("prepared") / "env"
    subprocess.run([uv(), "venv", "--quiet", str(folder)], check=True)
    Environment(folder).uv_install("--quiet", PIP, "uv==0.13.9")
    return folder


@pytest.fixture
def fresh(prepared: Path, tmp_path: Path) -> Environment:
    return Environment.copy(prepared, tmp_path / "fresh")


def text(tool: str, index: str | None, version: str = RELEASE, *, variants: bool = False) -> str:
    return lines(tool, distribution="gizmo-kit", version=version, extra="avx2", index=index, variants=variants)


def project(folder: Path, snippet: str, more: str = "") -> Path:
    """Make the project that somebody has who then pastes the snippet."""
    head = '[project]\nname = "app"\nversion = "0.0"\nrequires-python = ">=3.10"\n'
    folder.mkdir()
    assert snippet.count("[project]\n") == 1
    (folder / "pyproject.toml").write_text(snippet.replace("[project]\n", head) + "\n" + more, encoding="utf-8")
    return folder


def run(
    words: list[str], folder: Path, environ: dict[str, str], *, check: bool = True
) -> subprocess.CompletedProcess[str]:
    done = subprocess.run(words, cwd=folder, env=environ, capture_output=True, text=True, check=False, timeout=300)
    assert not check or done.returncode == 0, f"{words} gave {done.returncode}:\n{done.stdout}\n{done.stderr}"
    return done


def shell(snippet: str, fresh: Environment, environ: dict[str, str]) -> None:
    """Run lines that are for a shell, in an environment that is active."""
    path = f"{fresh.folder / 'bin'}{os.pathsep}{environ['PATH']}"
    run(["sh", "-e", "-c", snippet], fresh.folder, {**environ, "PATH": path, "VIRTUAL_ENV": str(fresh.folder)})


PRINT = f"""
import importlib, json
found = {{}}
for name in {MODULES}:
    try:
        module = importlib.import_module(name)
    except ModuleNotFoundError:
        continue
    found[name] = (module.ORIGIN, module.VERSION, module.LABEL)
print(json.dumps(found))
"""


def installed(python: Path | str, environ: dict[str, str]) -> dict[str, list[str | None]]:
    """Return by module from whom it is, its version and its label."""
    printed: dict[str, list[str | None]] = json.loads(
        run([str(python), "-c", PRINT], Path(python).parent, environ).stdout
    )
    return printed


def origins(python: Path | str, environ: dict[str, str]) -> dict[str, str | None]:
    return {name: facts[0] for name, facts in installed(python, environ).items()}


def versions(python: Path | str, environ: dict[str, str]) -> dict[str, str | None]:
    return {name: facts[1] for name, facts in installed(python, environ).items()}


ALL = {"gizmo_kit": RELEASE, "gizmo_kit_avx2": RELEASE, "variantkit": RELEASE, "plain_lib": "1.0"}


@pytest.mark.parametrize("version", [RELEASE, SNAPSHOT])
def test_pip(fresh: Environment, environ: dict[str, str], indexes: Indexes, version: str) -> None:
    shell(text("pip", indexes.ours, version), fresh, environ)
    assert origins(fresh.python, environ) == OURS
    assert versions(fresh.python, environ)["gizmo_kit_avx2"] == version
    run([str(fresh.python), "-m", "pip", "check"], fresh.folder, environ)


def test_pip_without_an_index_of_ours(fresh: Environment, environ: dict[str, str], indexes: Indexes) -> None:
    shell(text("pip", None), fresh, {**environ, "PIP_INDEX_URL": indexes.all})
    assert versions(fresh.python, environ) == ALL


def test_pip_again_updates(fresh: Environment, environ: dict[str, str], indexes: Indexes, tmp_path: Path) -> None:
    shell(text("pip", indexes.ours), fresh, environ)
    publish(tmp_path / "newer", "1.3.0")
    with serve(write_pages(tmp_path / "newer").parent) as address:
        shell(text("pip", f"{address}/simple/"), fresh, environ)
    assert origins(fresh.python, environ) == OURS
    assert versions(fresh.python, environ) == {**dict.fromkeys(OURS, "1.3.0"), "plain_lib": "1.0"}


def test_pip_adds_a_classifier_to_an_older_base(
    fresh: Environment, environ: dict[str, str], indexes: Indexes, tmp_path: Path
) -> None:
    publish(tmp_path / "older", "1.0.0")
    with serve(write_pages(tmp_path / "older").parent) as address:
        base = lines("pip", distribution="gizmo-kit", version="1.0.0", extra=None, index=f"{address}/simple/")
        shell(base, fresh, environ)
    assert versions(fresh.python, environ)["gizmo_kit"] == "1.0.0"
    shell(text("pip", indexes.ours), fresh, environ)
    assert origins(fresh.python, environ) == OURS
    assert versions(fresh.python, environ) == ALL


def test_pips_extra_index_lets_a_stranger_in(fresh: Environment, environ: dict[str, str], indexes: Indexes) -> None:
    """What the lines avoid, and a proof that the stranger of these tests would be taken."""
    words = [str(fresh.python), "-m", "pip", "install", "--extra-index-url", indexes.ours, "gizmo-kit[avx2]"]
    run(words, fresh.folder, environ)
    assert origins(fresh.python, environ)["gizmo_kit"] == "a stranger"


@pytest.mark.parametrize("version", [RELEASE, SNAPSHOT])
def test_uv_project(tmp_path: Path, environ: dict[str, str], indexes: Indexes, version: str) -> None:
    folder = project(tmp_path / "app", text("uv", indexes.ours, version))
    run([uv(), "sync"], folder, environ)
    python = folder / ".venv" / "bin" / "python"
    assert origins(python, environ) == OURS
    assert versions(python, environ) == {**dict.fromkeys(OURS, version), "plain_lib": "1.0"}


def test_uv_project_without_an_index_of_ours(tmp_path: Path, environ: dict[str, str], indexes: Indexes) -> None:
    folder = project(tmp_path / "app", text("uv", None))
    run([uv(), "sync"], folder, {**environ, "UV_DEFAULT_INDEX": indexes.all})
    assert versions(folder / ".venv" / "bin" / "python", environ) == ALL


def test_uvs_explicit_index_does_not_reach_what_an_extra_requires(
    tmp_path: Path, environ: dict[str, str], indexes: Indexes
) -> None:
    """Why the lines for uv are others than those for Poetry."""
    source = '{ index = "gizmo-kit" }'
    names = ("gizmo-kit", "gizmo-kit-avx2", "variantkit")
    sources = "explicit = true\n\n[tool.uv.sources]\n" + "".join(f"{name} = {source}\n" for name in names)
    folder = project(tmp_path / "app", text("uv", indexes.ours), sources)
    run([uv(), "sync"], folder, environ)
    found = origins(folder / ".venv" / "bin" / "python", environ)
    assert (found["gizmo_kit"], found["gizmo_kit_avx2"]) == ("ours", "a stranger")


@pytest.mark.parametrize("explicit", [True, False])
def test_uv_with_variants(fresh: Environment, environ: dict[str, str], indexes: Indexes, *, explicit: bool) -> None:
    environ = environ if explicit else {**environ, "UV_DEFAULT_INDEX": indexes.all}
    shell(text("uv", indexes.ours if explicit else None, variants=True), fresh, environ)
    assert installed(fresh.python, environ) == {
        "gizmo_kit": ["ours", RELEASE, "baseline"],
        "plain_lib": ["public", "1.0", None],
    }


def test_uv_locks_extras_that_exclude_each_other(tmp_path: Path, environ: dict[str, str], indexes: Indexes) -> None:
    rows = [
        Classifier(name=name, summary="", rank=rank, device="cuda", platforms=(), level="x86-64", features=frozenset())
        for rank, name in ((100, "cuda-12"), (110, "cuda-13"))
    ]
    snippet = conflicts(catalogue(*rows).replace(distribution="gizmo-gpu"))
    table = "[project]\ndependencies = []\n\n"
    folder = project(tmp_path / "app", table + snippet)
    run([uv(), "sync", "--extra", "cuda-13"], folder, environ)
    listed = run([uv(), "pip", "list", "--format", "json"], folder, {**environ, "VIRTUAL_ENV": str(folder / ".venv")})
    assert {each["name"]: each["version"] for each in json.loads(listed.stdout)} == {
        "gizmo-gpu": RELEASE,
        "gpu-redist": "13",
    }
    without = project(tmp_path / "without", table + snippet.partition("\n[tool.uv]")[0])
    failed = run([uv(), "lock"], without, environ, check=False)
    assert failed.returncode != 0
    assert "No solution found" in failed.stderr


@pytest.mark.parametrize("version", [RELEASE, SNAPSHOT])
def test_poetry(
    tmp_path: Path, environ: dict[str, str], indexes: Indexes, program: Callable[[str], str], version: str
) -> None:
    # Poetry's default index is built in; one that is the primary source takes its place.
    public = f'[[tool.poetry.source]]\nname = "public"\nurl = "{indexes.public}"\npriority = "primary"\n'
    more = f"\n{public}\n[tool.poetry]\npackage-mode = false\n"
    folder = project(tmp_path / "app", text("poetry", indexes.ours, version), more)
    run([program(POETRY), "install", "--no-interaction"], folder, environ)
    python = folder / ".venv" / "bin" / "python"
    assert origins(python, environ) == OURS
    assert versions(python, environ) == {**dict.fromkeys(OURS, version), "plain_lib": "1.0"}


@pytest.mark.parametrize("version", [RELEASE, SNAPSHOT])
def test_pdm(
    tmp_path: Path, environ: dict[str, str], indexes: Indexes, program: Callable[[str], str], version: str
) -> None:
    more = "\n[tool.pdm]\ndistribution = false\n"
    folder = project(tmp_path / "app", text("pdm", indexes.ours, version), more)
    run([program(PDM), "install"], folder, environ)
    python = folder / ".venv" / "bin" / "python"
    assert origins(python, environ) == OURS
    assert versions(python, environ) == {**dict.fromkeys(OURS, version), "plain_lib": "1.0"}


@pytest.mark.parametrize("version", [RELEASE, SNAPSHOT])
def test_hatch(
    tmp_path: Path, environ: dict[str, str], indexes: Indexes, program: Callable[[str], str], version: str
) -> None:
    snippet = text("hatch", indexes.ours, version)
    more = '\n[build-system]\nrequires = []\nbuild-backend = "backend"\nbackend-path = ["."]\n'
    folder = project(tmp_path / "app", snippet, more)
    metadata = f"Metadata-Version: 2.1\nName: app\nVersion: 0.0\nRequires-Dist: {snippet.split(chr(34))[1]}\n"
    (folder / "backend.py").write_text(f"METADATA = {metadata!r}\n{BACKEND}", encoding="utf-8")
    (folder / "report.py").write_text(PRINT, encoding="utf-8")
    data = {"HATCH_DATA_DIR": str(tmp_path / "data")}
    printed = run([program(HATCH), "run", "python", "report.py"], folder, {**environ, **data}).stdout
    found = json.loads(printed.strip().splitlines()[-1])
    assert {name: facts[0] for name, facts in found.items()} == OURS
    assert found["gizmo_kit"][1] == version


def test_requirements_with_uv(fresh: Environment, environ: dict[str, str], indexes: Indexes, tmp_path: Path) -> None:
    file = tmp_path / "requirements.txt"
    file.write_text(text("requirements", indexes.ours) + "\n", encoding="utf-8")
    shell(f'uv pip install -r "{file}"', fresh, environ)
    assert origins(fresh.python, environ) == OURS
    assert versions(fresh.python, environ) == ALL


def test_requirements_with_hashes_keep_pip_to_the_files(
    fresh: Environment, environ: dict[str, str], indexes: Indexes, tmp_path: Path
) -> None:
    wanted, written = tmp_path / "requirements.in", tmp_path / "requirements.txt"
    wanted.write_text(text("requirements", indexes.ours) + "\n", encoding="utf-8")
    shell(f'uv pip compile --quiet --generate-hashes --emit-index-url "{wanted}" -o "{written}"', fresh, environ)
    shell(f'python -m pip install --require-hashes -r "{written}"', fresh, environ)
    assert origins(fresh.python, environ) == OURS
    assert versions(fresh.python, environ) == ALL


def test_requirements_without_an_index_of_ours(
    fresh: Environment, environ: dict[str, str], indexes: Indexes, tmp_path: Path
) -> None:
    (tmp_path / "requirements.txt").write_text(text("requirements", None) + "\n", encoding="utf-8")
    command = f'python -m pip install -r "{tmp_path / "requirements.txt"}"'
    shell(command, fresh, {**environ, "PIP_INDEX_URL": indexes.all})
    assert versions(fresh.python, environ) == ALL


@pytest.mark.parametrize("explicit", [True, False])
def test_docker(fresh: Environment, environ: dict[str, str], indexes: Indexes, *, explicit: bool) -> None:
    """The command of the RUN line; no image is built."""
    snippet = text("docker", indexes.ours if explicit else None)
    environ = environ if explicit else {**environ, "PIP_INDEX_URL": indexes.all}
    comment, _, command = snippet.partition("\n")
    assert comment.startswith("# Dockerfile")
    shell(command.removeprefix("RUN "), fresh, environ)
    assert origins(fresh.python, environ) == OURS
    assert versions(fresh.python, environ) == ALL
