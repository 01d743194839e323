"""The ready-made lines of every tool, read by that tool's own rules where there is a parser for them."""

from __future__ import annotations

import itertools
import os
import re
import shlex
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet

from hosts import CATALOGUE, HOSTS, catalogue
from variantkit import report
from variantkit.catalogue import Classifier
from variantkit.cli.detect import BETTER, NOTHING, main
from variantkit.errors import ToolError
from variantkit.requirement_lines import TOOLS, conflicts, exclusions, lines
from variantkit.requirement_page import refresh

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

ADDRESS = "https://wheels.example.org/simple/"


def text(tool: str, **changes: Any) -> str:
    wanted = {"distribution": "gizmo-kit", "version": "1.2.0", "extra": "avx2", **changes}
    return lines(tool, **wanted)


def table(tool: str, **changes: Any) -> dict[str, Any]:
    return tomllib.loads(text(tool, **changes))


def commands(tool: str, **changes: Any) -> list[list[str]]:
    """Return the words of each command, as a POSIX shell takes them."""
    joined = text(tool, **changes).replace("\\\n", " ")
    return [shlex.split(line) for line in joined.splitlines() if not line.startswith("#")]


def requirements(tool: str, **changes: Any) -> list[Requirement]:
    """Return what the tool is asked for, wherever it stands."""
    if tool in {"uv", "poetry", "pdm", "hatch"}:
        return [Requirement(each) for each in table(tool, **changes)["project"]["dependencies"]]
    if tool == "pixi":
        return [
            Requirement(f"{name}[{','.join(facts.get('extras', []))}]{facts['version']}")
            for name, facts in table(tool, **changes)["pypi-dependencies"].items()
        ]
    if tool == "conda":
        inside = next(each for each in yaml.safe_load(text(tool, **changes))["dependencies"] if isinstance(each, dict))
        return [Requirement(each) for each in inside["pip"] if not each.startswith("-")]
    if tool == "requirements":
        rows = [line for line in text(tool, **changes).splitlines() if not line.startswith(("#", "-"))]
        return [Requirement(each) for each in rows]
    return [Requirement(commands(tool, **changes)[-1][-1])]


@pytest.mark.parametrize("tool", TOOLS)
def test_the_first_line_says_where_it_goes(tool: str) -> None:
    first = text(tool).splitlines()[0]
    place = {
        **dict.fromkeys(["uv", "poetry", "pdm", "hatch"], "pyproject.toml"),
        "pip": "shell",
        "pixi": "pixi.toml",
        "conda": "environment.yml",
        "docker": "Dockerfile",
        "requirements": "requirements.txt",
    }[tool]
    assert re.fullmatch(rf"# {re.escape(place)}([:,] .+)?", first)


@pytest.mark.parametrize(
    ("tool", "specifier"),
    [
        ("pip", ""),
        ("uv", "~=1.2.0"),
        ("poetry", "~=1.2.0"),
        ("pdm", "~=1.2.0"),
        ("hatch", "~=1.2.0"),
        ("pixi", "~=1.2.0"),
        ("conda", "==1.2.0"),
        ("docker", "==1.2.0"),
        ("requirements", "==1.2.0"),
    ],
)
def test_each_tool_is_asked_as_its_users_expect(tool: str, specifier: str) -> None:
    assert set(TOOLS) == {"pip", "uv", "poetry", "pdm", "hatch", "pixi", "conda", "docker", "requirements"}
    for extra in ("avx2", None):
        (found,) = requirements(tool, extra=extra)
        assert found.name == "gizmo-kit"
        assert found.specifier == SpecifierSet(specifier)
        assert found.extras == ({"all"} if tool == "docker" else {"avx2"} if extra else set())


@pytest.mark.parametrize("version", ["1.2.1.dev2026112401", "2.0rc1", "1.2.0+local"])
@pytest.mark.parametrize("tool", TOOLS)
def test_a_version_that_is_passed_over_is_named(tool: str, version: str) -> None:
    for found in requirements(tool, version=version):
        assert found.specifier == SpecifierSet(f"=={version}")
        assert found.specifier.contains(version)


@pytest.mark.parametrize(
    ("version", "allowed", "refused"),
    [
        ("1", "1.9", "2.0"),
        ("1.2", "1.9", "2.0"),
        ("1.2.3", "1.2.9", "1.3"),
        ("1.2.post1", "1.9", "2.0"),
        ("1.post1", "1.post1", "1.1"),
        ("1!2.3", "1!2.9", "1!3.0"),
    ],
)
def test_a_project_takes_repairs_and_no_surprises(version: str, allowed: str, refused: str) -> None:
    (found,) = requirements("uv", version=version)
    assert found.specifier.contains(version)
    assert found.specifier.contains(allowed)
    assert not found.specifier.contains(refused)


@pytest.mark.parametrize(
    "placeholder", [ADDRESS, "ADDRESS_OF_THIS_PAGE/simple/", "{{ index }}", "<b>&amp;", "\ue001", "$X %20"]
)
@pytest.mark.parametrize("tool", TOOLS)
def test_any_address_is_passed_through(tool: str, placeholder: str) -> None:
    with_address = text(tool, index=placeholder)
    assert with_address.count(placeholder) == 1
    assert with_address.replace(placeholder, ADDRESS) == text(tool, index=ADDRESS)
    assert placeholder not in text(tool)


def test_pip_takes_from_the_index_what_is_published_there_and_nothing_else() -> None:
    first, second = commands("pip", index=ADDRESS)
    assert first[:4] == ["python", "-m", "pip", "install"]
    assert first[4:-4] == ["--upgrade", "--no-deps", "--index-url", ADDRESS]
    assert first[-4:] == ["gizmo-kit", "gizmo-kit-avx2", "variantkit", "&&"]
    # This one must not say --upgrade: it would look for a newer one elsewhere.
    assert second == ["python", "-m", "pip", "install", "gizmo-kit[avx2]"]
    assert "--pre" in commands("pip", index=ADDRESS, version="1.3.dev1")[0]
    assert commands("pip") == [["python", "-m", "pip", "install", "gizmo-kit[avx2]"]]


def test_uv_asks_the_index_first_and_for_everything() -> None:
    (index,) = table("uv", index=ADDRESS)["tool"]["uv"]["index"]
    # Neither `explicit`, which does not reach what an extra requires, nor `default`, which would replace the other one.
    assert index == {"name": "gizmo-kit", "url": ADDRESS}
    assert "tool" not in table("uv")


def test_uv_with_variants_needs_no_extra() -> None:
    (command,) = commands("uv", variants=True, index=ADDRESS)
    assert command == [
        "uv", "pip", "install", "--preview-features", "wheel-variants", "--index", ADDRESS, "gizmo-kit",
    ]  # fmt: skip
    (command,) = commands("uv", variants=True, version="1.3.dev1")
    assert command[-2:] == ["wheel-variants", "gizmo-kit==1.3.dev1"]


def test_poetry_requires_all_that_has_a_source() -> None:
    found = table("poetry", index=ADDRESS)
    names = {Requirement(each).name for each in found["project"]["dependencies"]}
    assert found["tool"]["poetry"]["dependencies"] == {name: {"source": "gizmo-kit"} for name in names}
    assert names == {"gizmo-kit", "gizmo-kit-avx2", "variantkit"}
    assert found["tool"]["poetry"]["source"] == [{"name": "gizmo-kit", "url": ADDRESS, "priority": "explicit"}]


def test_pdm_looks_for_the_names_nowhere_else() -> None:
    (source,) = table("pdm", index=ADDRESS)["tool"]["pdm"]["source"]
    assert source == {
        "name": "gizmo-kit",
        "url": ADDRESS,
        "include_packages": ["gizmo-kit", "gizmo-kit-*", "variantkit"],
    }


def test_hatch_has_uv_install() -> None:
    environment = table("hatch", index=ADDRESS)["tool"]["hatch"]["envs"]["default"]
    assert environment == {"installer": "uv", "env-vars": {"UV_INDEX": ADDRESS}}


def test_pixi_has_the_strategy_of_uv() -> None:
    assert table("pixi", index=ADDRESS)["pypi-options"] == {
        "extra-index-urls": [ADDRESS],
        "index-strategy": "first-index",
    }
    assert table("pixi", version="1.3.dev1")["pypi-options"] == {"prerelease-mode": "allow"}
    assert "pypi-options" not in table("pixi")


def test_an_image_gets_all_classifiers_whatever_its_builder_is() -> None:
    assert text("docker", extra="avx2") == text("docker", extra=None)
    assert commands("docker") == [["RUN", "python", "-m", "pip", "install", "--no-cache-dir", "gizmo-kit[all]==1.2.0"]]
    with_index = text("docker", index=ADDRESS)
    assert f'--index "{ADDRESS}" "gizmo-kit[all]==1.2.0"' in with_index
    assert all(line.endswith("\\") for line in with_index.splitlines()[1:-1])


@pytest.mark.parametrize("tool", ["requirements", "conda"])
def test_where_pip_cannot_be_told_a_comment_says_what_helps(tool: str) -> None:
    assert "--generate-hashes" in text(tool, index=ADDRESS)
    assert "#" not in "".join(text(tool).splitlines()[1:])


def test_companions_are_what_else_is_published_there() -> None:
    assert commands("pip", index=ADDRESS, companions=())[0][-3:] == ["gizmo-kit", "gizmo-kit-avx2", "&&"]
    source = table("pdm", index=ADDRESS, companions=("loader", "more"))["tool"]["pdm"]["source"][0]
    assert source["include_packages"][2:] == ["loader", "more"]


def test_an_unknown_tool_is_an_error_that_names_the_known_ones() -> None:
    with pytest.raises(ToolError, match=r"no lines for 'nix'.*" + ", ".join(TOOLS)):
        text("nix")
    for tool in set(TOOLS) - {"uv"}:
        with pytest.raises(ToolError, match=f"{tool} does not choose among variant wheels"):
            text(tool, variants=True)


def made_up(name: str, device: str, rank: int) -> Classifier:
    return Classifier(
        name=name,
        summary="",
        rank=rank,
        device=device,
        platforms=("linux-x86_64",),
        level="x86-64",
        features=frozenset(),
    )


GPUS = catalogue(
    made_up("cuda-12", "cuda", 100),
    made_up("cuda-12-cudnn", "cuda", 110),
    made_up("cuda-13", "cuda", 120),
    made_up("cuda-13-cudnn", "cuda", 130),
    made_up("rocm-7", "rocm", 50),
)


def test_extras_of_a_cpu_add_up() -> None:
    assert exclusions(CATALOGUE) == []
    assert conflicts(CATALOGUE) == ""


def test_two_versions_of_a_device_exclude_each_other() -> None:
    assert set(exclusions(GPUS)) == set(itertools.product(["cuda-12", "cuda-12-cudnn"], ["cuda-13", "cuda-13-cudnn"]))
    found = tomllib.loads(conflicts(GPUS))
    pairs = [{each["extra"] for each in pair} for pair in found["tool"]["uv"]["conflicts"]]
    assert sorted(map(sorted, pairs)) == sorted(map(sorted, exclusions(GPUS)))
    extras = found["project"]["optional-dependencies"]
    assert extras.keys() == {"cuda-12", "cuda-12-cudnn", "cuda-13", "cuda-13-cudnn"}
    assert all(Requirement(each).extras == {name} for name, (each,) in extras.items())


@pytest.fixture
def detect(root: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Any:
    """Run `detect` about this repository's package on a recorded machine; give its status, stdout and stderr."""
    monkeypatch.chdir(root)
    # Whether it is installed where the tests run is no part of them.
    locate = report.locate
    monkeypatch.setattr(report, "locate", lambda _, fallback: locate("not_installed", fallback))

    def run(*arguments: str, machine: str = "haswell") -> tuple[int, str, str]:
        words = [*arguments, "--host", str(HOSTS / f"{machine}.toml")]
        file = root / "python" / "ndkernels" / "_catalogue.py"
        try:
            status = main(words, prog="detect", package="ndkernels", catalogue=file)
        except SystemExit as stopped:
            status = int(str(stopped.code))
        return status, *capsys.readouterr()

    return run


@pytest.mark.parametrize("tool", TOOLS)
def test_the_command_prints_the_lines_and_nothing_else(detect: Any, root: Path, tool: str) -> None:
    version = tomllib.loads((root / "pyproject.toml").read_text())["project"]["version"]
    expected = lines(tool, distribution="ndkernels", version=version, extra="avx2", index=ADDRESS, companions=())
    assert detect("--for", tool, "--index", ADDRESS, "--companions", "") == (0, expected + "\n", "")


def test_the_status_is_about_the_lines_and_not_about_what_is_installed(detect: Any) -> None:
    assert detect()[0] == BETTER
    assert detect("--for", "requirements")[0] == 0
    status, out, err = detect("--for", "requirements", machine="macos-m1")
    assert (status, out) == (NOTHING, "")
    assert "No classifier of ndkernels runs on this machine" in err
    assert detect("--for", "pip", machine="k10") == (0, '# shell\npython -m pip install "ndkernels"\n', "")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--for", "nix"], "invalid choice: 'nix'.*requirements"),
        (["--index", ADDRESS], "--index goes with --for"),
        (["--companions", "x"], "--companions goes with --for"),
        (["--variants"], "--variants goes with --for"),
        (["--for", "pip", "--variants"], "--variants goes with --for uv"),
        (["--for", "pip", "--json"], "not allowed with argument"),
        (["--for", "pip", "--index", 'https://x/"; rm -rf ~'], "an address has no blanks"),
        (["--for", "pip", "--index", "https://x/$(id)"], "an address has no blanks"),
    ],
)
def test_wrong_arguments_are_said_to_be_wrong(detect: Any, arguments: list[str], message: str) -> None:
    status, out, err = detect(*arguments)
    assert (status, out) == (2, "")
    assert re.search(message, err, re.DOTALL)


def test_conflicting_extras_are_printed_for_uv_only(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BACKEND_PRIORITY_CPU", "1000")  # no GPU can be recorded; its device would go first
    file = tmp_path / "_catalogue.py"
    file.write_text(f"from variantkit.catalogue import Catalogue, Classifier\nCATALOGUE = {GPUS!r}\n", encoding="utf-8")
    words = ["--host", str(HOSTS / "haswell.toml"), "--for"]
    assert main([*words, "uv"], prog="detect", package="gizmo", catalogue=file) == 0
    printed = tomllib.loads(capsys.readouterr().out)
    assert "cuda-13" in printed["project"]["optional-dependencies"]
    (wanted,) = map(Requirement, printed["project"]["dependencies"])
    # What excludes another extra is an extra of the project, and not required always.
    assert wanted.extras <= {"avx2"}
    assert main([*words, "pdm"], prog="detect", package="gizmo", catalogue=file) == 0
    assert "conflicts" not in capsys.readouterr().out


def test_the_page_on_installing_shows_what_is_printed(root: Path) -> None:
    page = (root / "docs" / "installing.md").read_text(encoding="utf-8")
    version = tomllib.loads((root / "pyproject.toml").read_text())["project"]["version"]
    assert page == refresh(page, distribution="ndkernels", version=version, extra="avx2")
    shown = re.findall(r"<!-- lines: (\w+)", page)
    assert set(shown) == set(TOOLS)
    assert page.count("index=") >= len(TOOLS)


def test_a_page_is_brought_up_to_date() -> None:
    page = "a\n<!-- lines: pip extra=none -->\n```sh\nold\n\nold\n```\nb\n```sh\nkept\n```\n"
    fresh = refresh(page, distribution="gizmo-kit", version="1.2.0", extra="avx2")
    assert fresh == page.replace("old\n\nold", text("pip", extra=None))
    assert refresh(fresh, distribution="gizmo-kit", version="1.2.0", extra="avx2") == fresh
    assert "gizmo-kit[avx512]" in refresh(
        page.replace("none", "avx512"), distribution="gizmo-kit", version="1", extra=""
    )
    with pytest.raises(ToolError, match="unknown key 'colour'"):
        refresh(page.replace("extra", "colour"), distribution="gizmo-kit", version="1", extra="")


def test_every_tool_on_the_page_is_run(root: Path) -> None:
    """The tools that are not tried are named on the page, as programs that a package index does not have."""
    acceptance = (root / "tests" / "acceptance" / "test_requirement_lines.py").read_text(encoding="utf-8")
    page = (root / "docs" / "installing.md").read_text(encoding="utf-8")
    untried = {tool for tool in TOOLS if f'"{tool}"' not in acceptance}
    assert untried == {"pixi", "conda"}
    assert "pixi and conda are the two that the tests do not run" in " ".join(page.split())


def test_the_tool_is_a_command(root: Path) -> None:
    words = [sys.executable, "-m", "tools.detect", "--for", "pip", "--host", str(HOSTS / "haswell.toml")]
    printed = subprocess.run(words, cwd=root, env=dict(os.environ), capture_output=True, text=True, check=True).stdout
    assert printed == '# shell\npython -m pip install "ndkernels[avx2]"\n'
