"""Pipelines as documents, and the scripts in them."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any

import yaml

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

__all__ = ["Loader", "Script", "github_scripts", "gitlab_lines", "gitlab_scripts", "read"]


class Loader(yaml.SafeLoader):
    """Reads GitLab's `!reference` as a tuple."""


Loader.add_constructor("!reference", lambda loader, node: tuple(loader.construct_sequence(node)))


def read(path: Path) -> Any:
    """Return a YAML file as a document."""
    return yaml.load(path.read_text(encoding="utf-8"), Loader)  # noqa: S506 -- a safe loader


@dataclasses.dataclass(frozen=True)
class Script:
    """What a step runs."""

    place: str
    text: str
    env: dict[str, str]


def github_scripts(workflows: dict[str, Any]) -> Iterator[Script]:
    for file, workflow in workflows.items():
        for name, job in workflow["jobs"].items():
            for step in job.get("steps", []):
                if "run" in step:
                    yield Script(f"{file}: {name}: {step['name']}", step["run"], step.get("env", {}))


def gitlab_scripts(pipeline: Any) -> Iterator[Script]:
    for name, job in pipeline.items():
        for key in ("before_script", "script"):
            lines = [line for line in job.get(key, []) if isinstance(line, str)]
            if lines:
                yield Script(f"gitlab.yml: {name}: {key}", "\n".join(lines), job.get("variables", {}))


def gitlab_lines(pipeline: Any, reference: tuple[str, str]) -> list[str]:
    """Return the lines of a script, with those that it refers to."""
    lines: list[str] = []
    for line in pipeline[reference[0]][reference[1]]:
        lines += gitlab_lines(pipeline, line) if isinstance(line, tuple) else [line]
    return lines
