"""GitHub workflows: the matrix of a release, and the workflows that build, join and publish it.

The workflows are the files in `workflows/`, written as a project would that has no commands of its own. What differs in a
project is put in: its commands, what it installs, and commits for the actions (`actions.toml`).
"""

from __future__ import annotations

import json
import re
import shlex
import sys
from importlib import resources
from typing import TYPE_CHECKING, Any

from variantkit.ci import LINUX_IMAGE, command_line

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from variantkit.ci import Job
    from variantkit.matrix import Matrix

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

__all__ = ["RUNNERS", "actions", "filled", "matrix_json", "workflows"]

# https://docs.github.com/en/actions/reference/runners/github-hosted-runners
RUNNERS = {
    "linux-x86_64": "ubuntu-24.04",
    "linux-aarch64": "ubuntu-24.04-arm",
    "macos-x86_64": "macos-15-intel",
    "macos-arm64": "macos-15",
    "windows-x86_64": "windows-2025",
    "windows-arm64": "windows-11-arm",
}

_WORKFLOWS = ("release.yml", "site.yml", "snapshot.yml")

_USES = re.compile(r"uses: (\w[\w.-]*/[\w./-]+)@([0-9a-f]{40}) # (v[\d.]+)")
_UNPINNED = re.compile(r"uses: (\w[\w.-]*/[\w./-]+)$", re.MULTILINE)
_COMMAND = re.compile(r"(?<=[ (])(?<!-m )variantkit (assemble|audit|build|check|index|matrix|release|repair)(?= )")
_INSTALL = 'python -m pip install "variantkit[release]"'
_NATIVE = re.compile(r"^NATIVE (\S+)\n", re.MULTILINE)
_TEST = re.compile(r".*- name: test\n.*\bTEST\n|.*- TEST\n")
_PROJECT = re.compile(r"^.*\bPROJECT\b.*\n", re.MULTILINE)


def matrix_json(found: Sequence[Job]) -> str:
    """Return the jobs as what `strategy.matrix` takes, on one line."""
    include = [
        {
            "name": job.name,
            "classifier": job.classifier,
            "platform": job.platform,
            "runner": RUNNERS[job.platform],
            "image": job.image,
            "python": ",".join(job.python),
            "command": shlex.join(job.command),
            "wheels": job.wheels,
            "artifact": job.artifact,
        }
        for job in found
    ]
    return json.dumps({"include": include})


def workflows(matrix: Matrix, folder: Path) -> dict[Path, str]:
    """Return the workflows of a project, by path; a newer version of an action that one in `folder` has is kept."""
    files = {}
    for name in _WORKFLOWS:
        path = folder / name
        present = path.read_text(encoding="utf-8") if path.exists() else ""
        text = filled(matrix, (resources.files(__package__) / "workflows" / name).read_text(encoding="utf-8"))
        files[path] = _UNPINNED.sub(_pinning(present), text)
    return files


def actions() -> dict[str, tuple[str, str]]:
    """Return version and commit of each known action, by name."""
    text = (resources.files(__package__) / "actions.toml").read_text(encoding="utf-8")
    return {name: (each["version"], each["commit"]) for name, each in tomllib.loads(text)["actions"].items()}


def filled(matrix: Matrix, text: str) -> str:
    """Return a template with the commands of the project in it, and one line for each of its pure Python projects."""
    settings = matrix.pipelines
    for each in _PROJECT.findall(text):
        text = text.replace(each, "".join(each.replace("PROJECT", shlex.quote(name)) for name in settings.projects))
    text = _with_native(matrix, text)
    text = text.replace(_INSTALL, shlex.join(["python", "-m", "pip", "install", *settings.install]))
    text = text.replace(" --python ABIS", f" --python {','.join(settings.python)}" if settings.python else "")
    text = text.replace("DISTRIBUTION", matrix.project.distribution.replace("-", "_"))
    text = text.replace("MANYLINUX_IMAGE", LINUX_IMAGE)
    return _COMMAND.sub(lambda found: shlex.join(command_line(matrix, found[1])), text)


def _with_native(matrix: Matrix, text: str) -> str:
    """Put a job for each classifier that has a runner of its own in the place for them; what is published waits for all."""
    place = _NATIVE.search(text)
    if place is None:
        return text
    job = (resources.files(__package__) / "workflows" / place[1]).read_text(encoding="utf-8")
    if not matrix.pipelines.native_test:
        job = _TEST.sub("", job)
    names = [f"native-{name}" for name in matrix.pipelines.native]
    text = text.replace("needs: [join]\n", f"needs: [{', '.join(['join', *names])}]\n")
    text = text.replace("join, publish, store", ", ".join(["join", *names, "publish, store"]))
    jobs = ""
    for name, runner in matrix.pipelines.native.items():
        words = {
            "CLASSIFIER": name,
            "RUNNER": runner,
            "ENVIRONMENT_CLASSIFIER": f"{matrix.project.environment}_CLASSIFIER",
            "PACKAGE": matrix.project.package,
            # A YAML string in double quotes is one of JSON.
            "TEST": json.dumps(matrix.pipelines.native_test),
        }
        jobs += _replaced(job, words)
    return text.replace(place[0], jobs)


def _replaced(text: str, words: Mapping[str, str]) -> str:
    return re.sub(rf"\b({'|'.join(words)})\b", lambda found: words[found[0]], text)


def _pinning(present: str) -> Any:
    """Return what pins the action of a match; `present` is the workflow as it is now."""
    pins = actions()
    for name, commit, version in _USES.findall(present):
        if name in pins and _number(version) > _number(pins[name][0]):
            pins[name] = (version, commit)

    def pin(found: re.Match[str]) -> str:
        version, commit = pins[found[1]]
        return f"uses: {found[1]}@{commit} # {version}"

    return pin


def _number(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in version.lstrip("v").split("."))
