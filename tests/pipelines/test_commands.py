"""No pipeline calls a command, an option, a session or a job that does not exist."""

from __future__ import annotations

import functools
import json
import re
import shlex
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from packaging.requirements import Requirement
from packaging.version import Version

from variantkit import generate
from variantkit.matrix import read_matrix, read_pyproject

ROOT = Path(__file__).resolve().parents[2]

# What is called in pipelines as `python -m NAME`, ours and others'.
_CALL = re.compile(r"python -m ((?:tools\.\w+|build|twine(?: upload)|pypi_attestations(?: sign)))((?: [^\n|;&)]*)?)")


@functools.cache
def help_of(module: str) -> str:
    done = subprocess.run(
        [sys.executable, "-m", *module.split(), "--help"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, f"python -m {module} --help:\n{done.stderr}"
    return done.stdout


def calls(text: str) -> list[tuple[str, list[str]]]:
    found = []
    for module, rest in _CALL.findall(text):
        options = re.findall(r"(?<=[ +])--[a-z-]+", rest)
        found.append((module, options))
    return found


def test_every_command_and_option_exists(scripts: list[Any]) -> None:
    called = {(script.place, module, option) for script in scripts for module, options in calls(script.text)
              for option in options or [""]}  # fmt: skip
    steps = ("assemble", "audit", "build", "check", "index", "release", "repair")
    assert {f"tools.{step}" for step in steps} <= {module for _, module, _ in called}
    unknown = {
        (place, module, option)
        for place, module, option in called
        if not re.search(rf"(?<![\w-]){re.escape(option)}(?![\w-])", help_of(module))
    }
    assert unknown == set()


def test_the_build_job_runs_what_the_matrix_prints(workflows: dict[str, Any]) -> None:
    """The script of the job, with a row's values in its environment, is the row's command."""
    job = workflows["release.yml"]["jobs"]["build"]
    (step,) = [step for step in job["steps"] if step.get("name") == "build"]
    text = subprocess.run(
        [sys.executable, "-m", "tools.matrix", "--format", "github"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    for row in json.loads(text)["include"]:
        env = {"CLASSIFIER": row["classifier"], "ABIS": row["python"]}
        assert {name for name in step["env"] if not name.startswith("CIBW_")} == set(env)
        shown = subprocess.run(
            ["bash", "-ec", 'python() { printf "%s\\n" python "$@"; }\n' + step["run"]],
            env=env, capture_output=True, text=True, check=True,
        )  # fmt: skip
        assert shown.stdout.splitlines() == shlex.split(row["command"])
        machine = row["platform"].partition("-")[2].upper()
        assert step["env"][f"CIBW_MANYLINUX_{machine}_IMAGE"] == row["image"]
    used = set(re.findall(r"matrix\.(\w+)", json.dumps(job)))
    assert used <= set(row)


def test_the_commands_for_a_shell_build_each_classifier_once(root: Path) -> None:
    text = subprocess.run(
        [sys.executable, "-m", "tools.matrix", "--format", "shell"],
        cwd=root,
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    built = []
    for line in text.splitlines():
        words = shlex.split(line)
        assert words[:3] == ["python", "-m", "tools.build"]
        built += words[words.index("--classifiers") + 1].split(",")
        assert all(option in help_of("tools.build") for option in words if option.startswith("--"))
    published = [row.name for row in read_matrix(root).rows for _ in row.platforms]
    assert sorted(built) == sorted(published)


def test_nothing_has_drifted(root: Path) -> None:
    assert generate.drift(root) == [], "run: python -m tools.matrix --write"
    wanted = read_matrix(root).generate
    assert {root / wanted.gitlab, *(root / wanted.github).glob("release.yml")} <= set(generate.render(root))


def test_the_sessions_are_those_of_nox(root: Path, workflows: dict[str, Any]) -> None:
    sessions = re.findall(r"(?m)^@nox\.session\ndef (\w+)", (root / "noxfile.py").read_text())
    called = workflows["ci.yml"]["jobs"]["session"]["strategy"]["matrix"]["session"]
    assert set(called) <= set(sessions)
    # What .ci/run runs, but for the images that only a machine without PyPA's needs.
    ours = re.findall(r"nox --session (.*)", (root / ".ci" / "run").read_text())
    wanted = {"lint", "test", *(name for line in ours for name in line.split())}
    assert set(called) == wanted - {"container"}


def test_artifacts_that_are_downloaded_were_uploaded(workflows: dict[str, Any]) -> None:
    for name, workflow in workflows.items():
        steps = [step for job in workflow["jobs"].values() for step in job.get("steps", [])]
        up = {step["with"]["name"] for step in steps if step.get("uses", "").startswith("actions/upload-artifact@")}
        down = {
            step["with"].get("name", "wheels-sources")
            for step in steps
            if step.get("uses", "").startswith("actions/download-artifact@")
        }
        assert down <= up, name


def test_gitlab_jobs_need_jobs_that_exist(gitlab: Any) -> None:
    for name, job in gitlab.items():
        for need in job.get("needs", []):
            assert (need if isinstance(need, str) else need["job"]) in gitlab, name
        extended = job.get("extends", [])
        assert set([extended] if isinstance(extended, str) else extended) <= set(gitlab), name


def group(name: str) -> list[Requirement]:
    """Return a dependency group, with those that it includes."""
    found: list[Requirement] = []
    for item in read_pyproject(ROOT)["dependency-groups"][name]:
        found += group(item["include-group"]) if isinstance(item, dict) else [Requirement(item)]
    return found


def pins(path: Path) -> dict[str, Version]:
    return {name: Version(version) for name, version in re.findall(r"(?m)^([a-z0-9-]+)==([^ ]+)", path.read_text())}


@pytest.mark.parametrize("name", ["requirements.txt", "publish.txt"])
def test_what_a_release_installs_is_pinned_by_hash(root: Path, name: str) -> None:
    path = root / "ci" / name
    lines = path.read_text().splitlines()
    wanted = group("release")
    if name == "publish.txt":
        wanted = [Requirement(line) for line in (root / "ci" / "publish.in").read_text().splitlines() if line[0] != "#"]
    pinned = pins(path)
    for requirement in wanted:
        # Release jobs run on one version of Python.
        if requirement.marker is None or requirement.marker.evaluate(
            {"python_version": "3.13", "sys_platform": "linux"}
        ):
            assert requirement.name in pinned, f"{requirement} is not in ci/{name}; its first lines say how to write it"
            assert pinned[requirement.name] in requirement.specifier, str(requirement)
    for number, line in enumerate(lines):
        if "==" in line and not line.startswith("#"):
            assert lines[number + 1].startswith("    --hash=sha256:"), line
