"""The jobs of a release, and the pipelines that are generated for a project."""

from __future__ import annotations

import dataclasses
import json
import re
import shlex
import shutil
from pathlib import Path

import pytest
import yaml

from pipeline_files import Loader
from variantkit import ci, ci_github, ci_gitlab, generate
from variantkit.cli import matrix as command
from variantkit.errors import MatrixError
from variantkit.matrix import PLATFORMS, Generate, Matrix, Pipelines, read_matrix

HERE = "linux-x86_64"


@pytest.fixture(scope="module")
def matrix(root: Path) -> Matrix:
    return read_matrix(root)


@pytest.fixture(scope="module")
def wide(matrix: Matrix) -> Matrix:
    """The same with a base that is published everywhere, and avx2 in two places."""
    places = {"generic": PLATFORMS, "avx2": (HERE, "windows-x86_64")}
    rows = tuple(dataclasses.replace(row, platforms=places.get(row.name, row.platforms)) for row in matrix.classifier)
    return dataclasses.replace(matrix, classifier=rows)


def test_every_classifier_and_platform_is_one_job(wide: Matrix) -> None:
    found = ci.jobs(wide)
    wanted = {(row.name, platform) for row in wide.rows for platform in row.platforms}
    assert len(wanted) == 12
    assert sorted((job.classifier, job.platform) for job in found) == sorted(wanted)
    assert len({job.artifact for job in found}) == len({job.name for job in found}) == len(found)


def test_the_base_wheels_of_a_platform_are_one_job_for_all_abis(matrix: Matrix) -> None:
    jobs = {job.classifier: job for job in ci.jobs(matrix)}
    assert jobs["generic"].python == matrix.pipelines.python
    assert jobs["generic"].wheels == "ndkernels-*.whl"
    assert "cp310" in jobs["generic"].command[-3]
    assert jobs["avx2"].python == ()
    assert jobs["avx2"].wheels == "ndkernels_avx2-*.whl"
    assert jobs["avx2"].command == (
        *("python", "-m", "tools.build", "--builder", "cibuildwheel", "--classifiers", "avx2", "--out", "dist"),
    )


def test_only_linux_is_built_in_a_container(wide: Matrix) -> None:
    for job in ci.jobs(wide):
        assert job.image == ("manylinux_2_28" if job.platform.startswith("linux") else "")


def test_platforms_and_classifiers_choose(wide: Matrix) -> None:
    chosen = ci.jobs(wide, platforms=["windows-x86_64", HERE], classifiers=["avx2"])
    assert [job.name for job in chosen] == ["avx2 (windows-x86_64)", "avx2 (linux-x86_64)"]
    assert ci.jobs(wide, platforms=["windows-x86_64", "windows-x86_64"], classifiers=["avx2", "avx2"]) == chosen[:1]


def test_what_is_unknown_is_told_with_what_is_known(matrix: Matrix, wide: Matrix) -> None:
    with pytest.raises(MatrixError, match=r'"sparc" in classifiers.toml. Choose among: linux-x86_64\.'):
        ci.jobs(matrix, platforms=["sparc"])
    with pytest.raises(MatrixError, match=r'no classifier "avx3".*Choose one of: generic, onednn, avx2'):
        ci.jobs(matrix, classifiers=["avx3"])
    with pytest.raises(MatrixError, match=r"avx512 is not published for macos-arm64\. Choose others"):
        ci.jobs(wide, platforms=["macos-arm64"], classifiers=["avx512"])


@pytest.mark.parametrize("abi", ["3.11", "cp27", "cp312-abi", "cp311 cp312", "cp311;reboot"])
def test_an_abi_that_is_none_is_refused(matrix: Matrix, abi: str) -> None:
    strange = dataclasses.replace(matrix, pipelines=Pipelines(python=("cp311", abi)))
    with pytest.raises(MatrixError, match="is no ABI; write it as cp311, cp314t or cp312-abi3"):
        ci.jobs(strange)


def test_github_takes_the_jobs_as_its_matrix(wide: Matrix) -> None:
    text = ci_github.matrix_json(ci.jobs(wide))
    assert "\n" not in text
    rows = json.loads(text)["include"]
    assert len(rows) == len(ci.jobs(wide))
    assert {row["platform"]: row["runner"] for row in rows} == ci_github.RUNNERS
    for row in rows:
        assert all(isinstance(value, str) for value in row.values())
        assert ("--python" in row["command"]) == bool(row["python"])


def test_each_platform_has_a_runner(wide: Matrix) -> None:
    assert set(ci_github.RUNNERS) == set(ci_gitlab.TAGS) == set(PLATFORMS)


def test_shell_has_a_command_per_line_that_a_shell_takes_apart_again(wide: Matrix) -> None:
    strange = dataclasses.replace(wide, pipelines=Pipelines(command="'/opt/a b/variantkit' {}", python=("cp311",)))
    found = ci.jobs(strange)
    lines = ci.shell(found).splitlines()
    assert [tuple(shlex.split(line)) for line in lines] == [job.command for job in found]
    assert shlex.split(lines[0])[:2] == ["/opt/a b/variantkit", "build"]


def test_gitlab_has_a_job_per_row_and_joins_them_all(wide: Matrix) -> None:
    text = ci_gitlab.pipeline(wide)
    for job in ci.jobs(wide):
        assert text.count(f'\n"{job.name}":\n') == 1
        assert text.count(f'    - "{job.name}"\n') == 1
        assert f"    - {shlex.join(job.command)}\n" in text
        assert f"  extends: .{job.platform.split('-')[0]}\n" in text
    for word in ("JOBS", "NEEDED", "PROJECT", "DISTRIBUTION", "PUBLISHER"):
        assert not re.search(rf"\b{word}\b", text)


def test_a_child_pipeline_has_the_chosen_jobs_only(matrix: Matrix) -> None:
    text = ci_gitlab.child_pipeline(matrix, ci.jobs(matrix, classifiers=["avx2"]))
    assert re.findall(r'^"(.*)":', text, re.MULTILINE) == ["avx2 (linux-x86_64)"]
    assert "publish:" not in text


@pytest.fixture(scope="module")
def native(matrix: Matrix) -> Matrix:
    """The same where a runner can run avx512."""
    tested = dataclasses.replace(matrix.pipelines, native={"avx512": "ours-avx512"}, native_test="pytest -k 'a: b'")
    return dataclasses.replace(matrix, pipelines=tested)


def test_a_classifier_with_a_runner_of_its_own_has_to_run_there(native: Matrix, tmp_path: Path) -> None:
    files = ci_github.workflows(native, tmp_path)
    jobs = yaml.safe_load(files[tmp_path / "release.yml"])["jobs"]
    job = jobs["native-avx512"]
    assert job["runs-on"] == "ours-avx512"
    assert job["env"] == {"NDKERNELS_CLASSIFIER": "avx512"}
    run = [step["run"] for step in job["steps"] if "run" in step]
    assert run[0].endswith('pip install --find-links pypi "ndkernels[avx512] == $version"\n')
    assert run[1:] == ["python -c 'import ndkernels'", "pytest -k 'a: b'"]
    # Nothing is published that does not run there.
    assert jobs["publish"]["needs"] == ["join", "native-avx512"]
    assert set(jobs["pass"]["needs"]) == set(jobs) - {"pass"}
    assert "if" not in job
    assert "continue-on-error" not in job

    gitlab = yaml.load(ci_gitlab.pipeline(native), Loader)  # noqa: S506 -- a safe loader
    job = gitlab["native-avx512"]
    assert job["tags"] == ["ours-avx512"]
    assert job["variables"] == {"NDKERNELS_CLASSIFIER": "avx512"}
    assert job["script"][1:] == [
        'python -m pip install --find-links pypi "ndkernels[avx512] == $version"',
        *run[1:],
    ]
    assert gitlab["publish"]["needs"] == ["join", "native-avx512"]
    assert "allow_failure" not in job


def test_without_a_runner_there_is_no_such_job(matrix: Matrix, native: Matrix, tmp_path: Path) -> None:
    none = dataclasses.replace(matrix, pipelines=dataclasses.replace(matrix.pipelines, native={}))
    for text in (*ci_github.workflows(none, tmp_path).values(), ci_gitlab.pipeline(none)):
        assert "native" not in text.lower()
    untested = dataclasses.replace(native, pipelines=dataclasses.replace(native.pipelines, native_test=""))
    for text in (ci_github.workflows(untested, tmp_path)[tmp_path / "release.yml"], ci_gitlab.pipeline(untested)):
        assert "import ndkernels" in text
        assert "TEST" not in text
        assert "native-avx512" in text


def test_a_runner_is_for_a_classifier_that_there_is(project: Path) -> None:
    path = project / "classifiers.toml"
    path.write_text(path.read_text() + '\n[pipelines]\nnative = { avx3 = "one", avx512 = "a, b" }\n')
    with pytest.raises(MatrixError, match=r'there is no row "avx3"(.|\n)*"a, b" is no label of a runner'):
        read_matrix(project)


@pytest.fixture
def project(root: Path, tmp_path: Path) -> Path:
    """A project that has no commands of its own."""
    (tmp_path / "docs").mkdir()
    for name in ("classifiers.toml", "pyproject.toml", "docs/installing.md"):
        shutil.copy(root / name, tmp_path / name)
    path = tmp_path / "classifiers.toml"
    path.write_text(re.sub(r"(?s)\[pipelines\].*?\n\n", "", path.read_text()))
    return tmp_path


def test_a_project_without_settings_calls_the_installed_command(project: Path) -> None:
    assert read_matrix(project).pipelines == Pipelines()
    generate.write(project)
    text = (project / ".github" / "workflows" / "release.yml").read_text()
    assert 'run: variantkit build --builder cibuildwheel --classifiers "$CLASSIFIER"' in text
    assert "python -m pip install 'variantkit[release]'" in text
    assert text.count("python -m build") == 1  # the sdist of the project, and no other project
    assert "--python ABIS" not in (project / ".github" / "workflows" / "snapshot.yml").read_text()


def test_a_newer_version_of_an_action_stays(project: Path) -> None:
    generate.write(project)
    path = project / ".github" / "workflows" / "site.yml"
    written = path.read_text()
    version, commit = ci_github.actions()["actions/checkout"]
    newer, older = "uses: actions/checkout@" + "a" * 40 + " # v99.0.0", "uses: actions/checkout@" + "b" * 40 + " # v1.0"
    ours = f"uses: actions/checkout@{commit} # {version}"
    assert ours in written
    path.write_text(written.replace(ours, newer))
    assert generate.drift(project) == []
    path.write_text(written.replace(ours, older))
    assert generate.drift(project) == [path]
    generate.write(project)
    assert path.read_text() == written


def test_what_is_not_asked_for_is_not_written(matrix: Matrix, project: Path) -> None:
    assert {"github", "gitlab"} <= {field.name for field in dataclasses.fields(Generate)}
    path = project / "classifiers.toml"
    path.write_text(re.sub(r"(?m)^git(hub|lab) = .*\n", "", path.read_text()))
    generate.write(project)
    assert not (project / ".github").exists()
    assert not (project / "ci").exists()


def test_the_command_prints_jobs(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    def run(*words: str) -> str:
        assert command.main(words, prog="matrix", root=root) == 0
        return capsys.readouterr().out

    assert json.loads(run("--format", "github", "--platform", HERE))["include"][0]["runner"] == "ubuntu-24.04"
    assert run("--format", "shell", "--classifiers", "avx2,avx512").count("\n") == 2
    assert run("--format", "gitlab").endswith("\n")


@pytest.mark.parametrize("words", [["--platform", HERE], ["--format", "jenkins"], ["--format", "shell", "--check"]])
def test_the_command_refuses_what_makes_no_sense(
    root: Path, words: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit, match="2"):
        command.main(words, prog="matrix", root=root)
    assert "error: " in capsys.readouterr().err
