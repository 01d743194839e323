"""The scripts of the pipelines do what they should, run here on a tiny release, with stand-ins for `gh` and `curl`."""

from __future__ import annotations

import datetime
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from check_release import VERSION, Release, make_release
from pipeline_files import gitlab_lines, read
from variantkit import generate
from variantkit.index import Repository
from variantkit.wheel import WheelName

if TYPE_CHECKING:
    from collections.abc import Callable

GH = """\
#!{python}
# Releases are folders; what is asked of them is answered with files that lie there.
import json, os, shutil, sys
from pathlib import Path
store = Path(os.environ["GH_STORE"])
words = sys.argv[1:]
value = lambda name: words[words.index(name) + 1]
if words[:2] == ["release", "list"]:
    releases = json.loads((store / "releases.json").read_text())
    for each in releases:
        print("\\t".join(each[key] for key in value("--json").split(",")))
elif words[:2] == ["release", "download"]:
    shutil.copytree(store / words[2], value("--dir"), dirs_exist_ok=True)
elif words[:2] == ["release", "view"]:
    if not (store / words[2]).exists():
        sys.exit("release not found")
    print("2026-11-0" + words[2][-1] + "T12:00:00Z")
else:
    with (store / "done").open("a") as file:
        print(*words[:3], file=file)
"""

CURL = """\
#!{python}
# A package registry is a folder.
import json, os, sys
from pathlib import Path
from urllib.parse import parse_qs
store = Path(os.environ["STORE"])
address = sys.argv[-1]
if "--upload-file" in sys.argv:
    path = store / address.partition("/packages/generic/")[2]
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(Path(sys.argv[sys.argv.index("--upload-file") + 1]).read_bytes())
elif "?" in address:
    # A name is found by a part of it, as GitLab does.
    asked = {{name: value for name, (value,) in parse_qs(address.partition("?")[2]).items()}}
    found = sorted(store.glob("*" + asked["package_name"] + "*/*"), reverse=asked["sort"] == "desc")
    size = min(int(asked["per_page"]), 100)
    start = (int(asked.get("page", 1)) - 1) * size
    print(json.dumps([{{"name": path.parent.name, "version": path.name}} for path in found[start : start + size]]))
else:
    sys.stdout.buffer.write((store / address.partition("/packages/generic/")[2]).read_bytes())
"""


@pytest.fixture(scope="module")
def release(root: Path, tmp_path_factory: pytest.TempPathFactory) -> Release:
    """A tiny release whose project has its pipelines generated."""
    made = make_release(tmp_path_factory.mktemp("release"), root / "tests" / "projects" / "saxpy")
    path = made.root / "classifiers.toml"
    path.write_text(
        path.read_text().replace(
            "[generate]\n",
            '[pipelines]\ncommand = "python -m variantkit {}"\n\n'
            '[generate]\ngithub = ".github/workflows"\ngitlab = "gitlab.yml"\n',
        )
    )
    generate.write(made.root)
    git = ["git", "-C", made.root, "-c", "user.name=Ada", "-c", "user.email=ada@example.org"]
    for words in (
        ["init", "-q"],
        ["add", "."],
        ["commit", "-q", "-m", "All"],
        ["tag", "v1.2.3"],
        ["tag", "snapshot-1.2.4"],
    ):
        subprocess.run([*git, *words], check=True)
    return made


@pytest.fixture
def checkout(release: Release, tmp_path: Path) -> Path:
    target = tmp_path / "checkout"
    shutil.copytree(release.root, target)
    return target


def steps(checkout: Path, file: str, job: str) -> dict[str, str]:
    """Return the scripts of a job of the tiny project's workflow, by name."""
    found = read(checkout / ".github" / "workflows" / file)["jobs"][job]["steps"]
    return {step["name"]: step["run"] for step in found if "run" in step}


def command(folder: Path, name: str, text: str) -> Path:
    folder.mkdir(exist_ok=True)
    (folder / name).write_text(text.format(python=sys.executable))
    (folder / name).chmod(0o755)
    return folder


def is_plain(path: Path) -> bool:
    return path.suffix != ".whl" or not WheelName.parse(path.name).label


def test_the_tag_must_be_the_version(checkout: Path, bash: Callable[..., str]) -> None:
    script = steps(checkout, "release.yml", "plan")["the tag is the version"]
    pyproject = checkout / "pyproject.toml"
    version = pyproject.read_text().partition('version = "')[2].partition('"')[0]
    bash(script, checkout, GITHUB_REF_NAME=f"v{version}")
    with pytest.raises(AssertionError, match=f"The tag v9 is not that of version {version}"):
        bash(script, checkout, GITHUB_REF_NAME="v9")


def test_the_plan_is_an_output(checkout: Path, tmp_path: Path, bash: Callable[..., str]) -> None:
    output = tmp_path / "output"
    scripts = steps(checkout, "release.yml", "plan")
    bash(scripts["nothing that is generated has drifted"], checkout)
    bash(scripts["jobs"], checkout, GITHUB_OUTPUT=str(output))
    name, _, value = output.read_text().partition("=")
    assert name == "matrix"
    assert len(json.loads(value)["include"]) == 3


def test_jobs_are_joined(release: Release, checkout: Path, bash: Callable[..., str]) -> None:
    """Wheels and sdists of the jobs become a release, an index, and what goes to PyPI; none of it is a variant there."""
    built = checkout / "built"
    built.mkdir()
    for path in release.dist.iterdir():
        if path.suffix in {".whl", ".gz"} and is_plain(path):
            shutil.copy(path, built)
    scripts = steps(checkout, "release.yml", "join")
    bash(scripts["assemble"], checkout)
    bash(scripts["check"].replace(" --sarif", " --ignore VK6 --sarif"), checkout)
    assert json.loads((checkout / "check.sarif").read_text())["version"] == "2.1.0"
    bash(scripts["index"].replace("check index", "check index --ignore VK6"), checkout)
    joined = {path.name for path in (checkout / "dist").iterdir()}
    assert joined >= {path.name for path in release.dist.iterdir()}
    assert {path.name for path in (checkout / "pypi").iterdir()} == {path.name for path in built.iterdir()}
    assert all(is_plain(path) for path in (checkout / "pypi").iterdir())
    site = checkout / "site"
    assert {path.name for path in site.iterdir()} >= {"files", "simple", "index.html"}
    assert not any(path.is_symlink() for path in site.rglob("*"))


@pytest.fixture
def store(release: Release, tmp_path: Path) -> Path:
    """What GitHub knows: a release and a snapshot."""
    store = tmp_path / "store"
    for tag in ("v1.2.3", "snapshot-1.2.4"):
        shutil.copytree(release.dist, store / tag)
    return store


def published(site: Path) -> dict[str, Any]:
    document: dict[str, Any] = json.loads((site / "simple" / "saxpy" / "index.json").read_text())
    return document


def test_the_site_is_made_from_the_releases(
    checkout: Path, store: Path, tmp_path: Path, bash: Callable[..., str]
) -> None:
    names = [
        {"tagName": "nightly", "name": "nightly"},
        {"tagName": "v1.2.3", "name": "yanked: wrong results"},
        {"tagName": "snapshot-1.2.4", "name": "snapshot"},
    ]
    (store / "releases.json").write_text(json.dumps(names))
    # The matrix of today is another one; each release is published with its own.
    matrix = checkout / "classifiers.toml"
    matrix.write_text(matrix.read_text().replace('name = "avx2"', 'name = "avx3"'))
    commands = command(tmp_path / "bin", "gh", GH)
    bash(steps(checkout, "site.yml", "build")["index"], checkout, commands=commands, GH_STORE=str(store))
    for site, day in ((checkout / "site", 3), (checkout / "site" / "snapshots", 4)):
        files = published(site)["files"]
        assert {file["filename"] for file in files} >= {path.name for path in store.glob("v1.2.3/saxpy-*.whl")}
        # The same however often the site is made, or `exclude-newer` and lock files would break.
        assert {file["upload-time"] for file in files} == {f"2026-11-0{day}T12:00:00Z"}
        wheels = [file for file in files if file["filename"].endswith(".whl")]
        assert all(file.get("yanked") == ("wrong results" if day == 3 else None) for file in wheels)
        assert all((site / "simple" / "saxpy" / file["url"]).resolve().exists() for file in wheels)


def test_a_snapshot_knows_the_others_of_its_day(
    checkout: Path, store: Path, tmp_path: Path, bash: Callable[..., str]
) -> None:
    today = datetime.datetime.now(datetime.timezone.utc)
    tags = [f"snapshot-1.2.4.dev{today - datetime.timedelta(days):%Y%m%d}01" for days in (0, 1)]
    for tag in tags:
        subprocess.run(["git", "-C", checkout, "tag", tag], check=True)
    shutil.copytree(store / "v1.2.3", store / tags[0])
    (store / "releases.json").write_text(json.dumps([{"tagName": tag} for tag in [*tags, "v1.2.3"]]))
    commands = command(tmp_path / "bin", "gh", GH)
    script = steps(checkout, "snapshot.yml", "build")["other snapshots of this day"]
    bash(script, checkout, commands=commands, GH_STORE=str(store))
    assert [path.name for path in (checkout / "before").iterdir()] == [tags[0]]
    assert published(checkout / "build" / "snapshots")["files"]


def test_a_snapshot_is_stored_and_old_ones_go(
    checkout: Path, store: Path, tmp_path: Path, bash: Callable[..., str]
) -> None:
    releases = [{"tagName": tag} for tag in ["v1.2.3", *(f"snapshot-{number}" for number in range(33, 0, -1))]]
    (store / "releases.json").write_text(json.dumps(releases))
    shutil.copytree(store / "v1.2.3", checkout / "dist")
    commands = command(tmp_path / "bin", "gh", GH)
    for script in steps(checkout, "snapshot.yml", "store").values():
        bash(script, checkout, commands=commands, GH_STORE=str(store), GITHUB_SHA="abc")
    assert (store / "done").read_text().splitlines() == [
        f"release create snapshot-{VERSION}",
        f"release upload snapshot-{VERSION}",
        f"release edit snapshot-{VERSION}",
        *(f"release delete snapshot-{number}" for number in (3, 2, 1)),
    ]


@pytest.mark.parametrize("file", ["release.yml", "snapshot.yml"])
def test_storing_that_broke_off_is_finished(
    checkout: Path, store: Path, tmp_path: Path, bash: Callable[..., str], file: str
) -> None:
    """A draft is there already; no second one is made."""
    tag = f"{'v' if file == 'release.yml' else 'snapshot-'}{VERSION}"
    (store / tag).mkdir(exist_ok=True)
    shutil.copytree(store / "v1.2.3", checkout / "dist")
    commands = command(tmp_path / "bin", "gh", GH)
    script = steps(checkout, file, "store")["store"]
    bash(script, checkout, commands=commands, GH_STORE=str(store), GITHUB_SHA="abc", GITHUB_REF_NAME=tag)
    assert (store / "done").read_text().splitlines() == [f"release upload {tag}", f"release edit {tag}"]


def test_a_site_without_releases_is_a_site(checkout: Path, tmp_path: Path, bash: Callable[..., str]) -> None:
    (tmp_path / "releases.json").write_text("[]")
    commands = command(tmp_path / "bin", "gh", GH)
    bash(steps(checkout, "site.yml", "build")["index"], checkout, commands=commands, GH_STORE=str(tmp_path))
    assert (checkout / "site" / "index.html").exists()
    assert (checkout / "site" / "snapshots" / "index.html").exists()


def test_what_gitlab_stores_becomes_its_pages(
    release: Release, checkout: Path, tmp_path: Path, bash: Callable[..., str]
) -> None:
    pipeline = read(checkout / "gitlab.yml")
    commands = command(tmp_path / "bin", "curl", CURL)
    env = {"STORE": str(tmp_path / "registry"), "CI_JOB_TOKEN": "token", "CI_PROJECT_ID": "1", "CI_API_V4_URL": "api"}
    shutil.copytree(release.dist, checkout / "dist")
    store = "\n".join(gitlab_lines(pipeline, ("store", "script")))
    bash(store, checkout, commands=commands, **env)
    bash(store, checkout, commands=commands, PACKAGE="snapshot", **env)
    kinds = {path.relative_to(tmp_path / "registry").as_posix() for path in (tmp_path / "registry").glob("*/*/*")}
    assert kinds == {f"release/{VERSION}/release.tar", f"snapshot/{VERSION}/release.tar"}
    lines = gitlab_lines(pipeline, ("pages", "script"))
    bash("\n".join(lines), checkout, commands=commands, **env)
    for folder in ("public", "public/snapshots"):
        files = published(checkout / folder)["files"]
        assert {file["filename"] for file in files} >= {path.name for path in release.dist.glob("saxpy-*.whl")}
    assert not any(path.is_symlink() for path in (checkout / "public").rglob("*"))
    assert Repository(checkout / "releases").projects().keys() == Repository(checkout / "snapshots").projects().keys()


@pytest.mark.parametrize("number", ["", "30"])
def test_gitlab_is_asked_for_all_pages(checkout: Path, tmp_path: Path, bash: Callable[..., str], number: str) -> None:
    """Also where a page is full, and without packages whose names are only similar."""
    registry = tmp_path / "registry"
    versions = [f"1.0.{count}" for count in range(100, 300)]
    for name in [*(f"release/{version}" for version in versions), "prerelease/2.0.0", "release-notes/3.0.0"]:
        (registry / name).mkdir(parents=True)
    commands = command(tmp_path / "bin", "curl", CURL)
    env = {"STORE": str(registry), "CI_JOB_TOKEN": "token", "CI_PROJECT_ID": "1", "CI_API_V4_URL": "api"}
    script = "\n".join(gitlab_lines(read(checkout / "gitlab.yml"), (".fetch", "script")))
    # What is listed, not what is published of it.
    listing = script.partition("while read")[0] + "}"
    bash(f"{listing}\nfetch release {number}", checkout, commands=commands, **env)
    assert (checkout / "release.versions").read_text().splitlines() == versions[-int(number or 200) :]


@pytest.mark.parametrize("file", ["release.yml", "snapshot.yml"])
def test_the_last_job_fails_with_any_other(checkout: Path, file: str) -> None:
    script = steps(checkout, file, "pass")["all jobs have passed"]

    def status(**results: str) -> int:
        needs = json.dumps({name: {"result": result, "outputs": {}} for name, result in results.items()})
        return subprocess.run([sys.executable, "-c", script], env={"NEEDS": needs}, check=False).returncode

    assert status(build="success", store="success") == 0
    # Publishing is left out where a release was only tried.
    assert status(build="success", store="skipped") == (0 if file == "release.yml" else 1)
    for bad in ("failure", "cancelled"):
        assert status(build="success", store=bad) == 1


def test_a_broken_command_ends_a_script(checkout: Path, tmp_path: Path, bash: Callable[..., str]) -> None:
    """In a pipeline, in a loop and in a function, as the scripts have them."""
    commands = command(tmp_path / "bin", "gh", "#!{python}\nimport sys\nsys.exit('no connection')\n")
    for file, job, name in (("site.yml", "build", "index"), ("snapshot.yml", "build", "other snapshots of this day")):
        with pytest.raises(AssertionError, match="no connection"):
            bash(steps(checkout, file, job)[name], checkout, commands=commands, GH_STORE=os.devnull)
