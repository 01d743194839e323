"""What a release must keep to so that nobody else can make one."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from variantkit.ci_github import actions

_USES = re.compile(r"uses: (.*)")
_PINNED = re.compile(r"([\w.-]+/[\w./-]+)@([0-9a-f]{40}) # (v\d+(\.\d+)+)")


def uses(root: Path) -> list[str]:
    found = []
    for path in sorted((root / ".github" / "workflows").iterdir()):
        found += _USES.findall(path.read_text())
    return found


def test_every_action_is_a_commit_with_its_version(root: Path) -> None:
    found = [each for each in uses(root) if not each.startswith("$/")]
    assert len(found) > 20
    assert [each for each in found if not _PINNED.fullmatch(each)] == []


def test_all_workflows_pin_an_action_alike_and_at_least_as_the_table(root: Path) -> None:
    pins: dict[str, set[tuple[str, str]]] = {}
    for each in uses(root):
        if match := _PINNED.fullmatch(each):
            pins.setdefault(match[1], set()).add((match[3], match[2]))
    assert {name: found for name, found in pins.items() if len(found) > 1} == {}
    table = actions()
    assert pins.keys() == table.keys()
    for name, ((version, commit),) in pins.items():
        if version == table[name][0]:
            assert commit == table[name][1]
        else:
            assert _number(version) > _number(table[name][0])


def _number(version: str) -> tuple[int, ...]:
    return tuple(map(int, version.lstrip("v").split(".")))


def test_tokens_can_be_had_only_where_they_are_needed(workflows: dict[str, Any]) -> None:
    granted = {
        f"{file}: {name}"
        for file, workflow in workflows.items()
        for name, job in workflow["jobs"].items()
        if job["permissions"].get("id-token")
    }
    # Deploying pages needs one too; a job that calls a workflow must grant what that grants.
    assert granted == {"release.yml: publish", "release.yml: site", "site.yml: deploy", "snapshot.yml: site"}
    for file, workflow in workflows.items():
        assert workflow["permissions"] == {}, file


def test_the_job_with_the_token_runs_nothing_of_ours(workflows: dict[str, Any]) -> None:
    job = workflows["release.yml"]["jobs"]["publish"]
    assert job["environment"] == "pypi"
    assert all("run" not in step and "checkout" not in step["uses"] for step in job["steps"])
    assert "github.ref_type == 'tag'" in job["if"]


def test_nothing_that_is_written_by_others_is_pasted_into_a_script(
    workflows: dict[str, Any], scripts: list[Any]
) -> None:
    assert [script.place for script in scripts if "${{" in script.text] == []
    assert len(scripts) > 20


def test_checkouts_leave_no_credentials(workflows: dict[str, Any]) -> None:
    steps = [
        step
        for workflow in workflows.values()
        for job in workflow["jobs"].values()
        for step in job.get("steps", [])
        if step.get("uses", "").startswith("actions/checkout@")
    ]
    assert len(steps) > 5
    assert all(step["with"]["persist-credentials"] is False for step in steps)


def test_a_release_uses_no_cache(workflows: dict[str, Any]) -> None:
    text = str([workflows[name] for name in ("release.yml", "snapshot.yml", "site.yml")])
    assert "actions/cache" not in text
    assert "CCACHE" not in text


def test_the_last_job_waits_for_all_others(workflows: dict[str, Any]) -> None:
    for name in ("ci.yml", "release.yml", "snapshot.yml"):
        jobs = workflows[name]["jobs"]
        assert set(jobs["pass"]["needs"]) == set(jobs) - {"pass"}, name


def test_gitlab_gives_tokens_to_the_publishing_job_only(gitlab: Any) -> None:
    assert [name for name, job in gitlab.items() if "id_tokens" in job] == ["publish"]
    publish = gitlab["publish"]
    assert publish["environment"] == "pypi"
    assert publish["rules"] == [{"if": "$CI_COMMIT_TAG =~ /^v/"}]
    assert set(publish["id_tokens"]) == {"PYPI_ID_TOKEN", "SIGSTORE_ID_TOKEN"}
