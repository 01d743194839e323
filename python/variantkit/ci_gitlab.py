"""The GitLab pipeline of a project: a job per row of the matrix, and what joins and publishes them.

It is `workflows/gitlab.yml`, written as a project would that has no commands of its own, with what differs put in.
"""

from __future__ import annotations

import json
import shlex
from importlib import resources
from typing import TYPE_CHECKING

from variantkit.ci import jobs
from variantkit.ci_github import filled

if TYPE_CHECKING:
    from collections.abc import Sequence

    from variantkit.ci import Job
    from variantkit.matrix import Matrix

__all__ = ["TAGS", "child_pipeline", "pipeline"]

# https://docs.gitlab.com/ci/runners/hosted_runners/; where GitLab has none, the platform's name is the tag of your own.
TAGS = {
    "linux-x86_64": "saas-linux-medium-amd64",
    "linux-aarch64": "saas-linux-medium-arm64",
    "macos-x86_64": "macos-x86_64",
    "macos-arm64": "saas-macos-medium-m1",
    "windows-x86_64": "saas-windows-medium-amd64",
    "windows-arm64": "windows-arm64",
}

_JOBS = "\nJOBS\n"


def pipeline(matrix: Matrix) -> str:
    """Return the whole pipeline."""
    found = jobs(matrix)
    before, after = _template(matrix)
    after = after.replace("- NEEDED\n", "\n    ".join(f"- {json.dumps(job.name)}" for job in found) + "\n")
    return before + _jobs(found) + after


def child_pipeline(matrix: Matrix, found: Sequence[Job]) -> str:
    """Return a pipeline of the given jobs, and nothing that joins them."""
    return _template(matrix)[0] + _jobs(found)


def _template(matrix: Matrix) -> tuple[str, str]:
    """Return what comes before the jobs and what after."""
    text = (resources.files(__package__) / "workflows" / "gitlab.yml").read_text(encoding="utf-8")
    text = text.replace("PUBLISHER", shlex.join(matrix.pipelines.publisher))
    before, _, after = filled(matrix, text).partition(_JOBS)
    return before, after


def _jobs(found: Sequence[Job]) -> str:
    lines = []
    for job in found:
        lines += [
            "",
            f"{json.dumps(job.name)}:",
            f"  extends: .{job.platform.partition('-')[0]}",
            f"  tags: [{TAGS[job.platform]}]",
            "  needs: [plan]",
            "  script:",
            f"    - {shlex.join(job.command)}",
            "  artifacts:",
            f"    paths: [{json.dumps('dist/' + job.wheels)}]",
            "    expire_in: 1 week",
        ]
    return "\n".join([*lines, ""])
