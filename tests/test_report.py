"""The report of `detect`, on recorded machines and with made-up installations."""

from __future__ import annotations

import json
from pathlib import Path

import jsonschema
import pytest

from hosts import CATALOGUE
from variantkit import hostfile, report
from variantkit.cli import detect, main, run
from variantkit.errors import PackageNotFoundError, UnknownClassifierError

HOSTS = Path(__file__).parent / "data" / "hosts"


@pytest.fixture(scope="module")
def catalogue_file(root: Path) -> Path:
    return root / "python" / "ndkernels" / "_catalogue.py"


@pytest.fixture
def package(tmp_path: Path) -> report.Package:
    """A package with its base library and avx2, as files that no linker would open."""
    folder = tmp_path / "site" / "gizmo"
    for name, place in (("generic", folder / "classifiers" / "generic"), ("avx2", folder.parent / "gizmo_avx2")):
        place.mkdir(parents=True)
        (place / f"lib{name}.so").write_bytes(b"library")
        (place / "MANIFEST").write_text(
            f"Manifest-Version: 1\nDistribution: gizmo-kit\nClassifier: {name}\nVersion: {CATALOGUE.version}\nABI: 1.0\n"
            f"Library: lib{name}.so\nSize: 7\nSHA256: {'0' * 64}\n"
        )
    return report.Package(CATALOGUE, str(folder))


def on(package: report.Package, host: str) -> dict[str, object]:
    return report.gather(package, hostfile.read(HOSTS / f"{host}.toml").detect(all_sources=True))


@pytest.mark.parametrize("path", sorted(HOSTS.glob("*.toml")), ids=lambda path: path.stem)
def test_every_recorded_machine_gives_a_report_that_fits_the_schema(
    package: report.Package, root: Path, path: Path
) -> None:
    schema = json.loads((root / "python" / "variantkit" / "detect.schema.json").read_text())
    data = report.gather(package, hostfile.read(path).detect(all_sources=True))
    jsonschema.validate(json.loads(json.dumps(data)), schema, cls=jsonschema.Draft202012Validator)
    text = report.render(data)
    assert data["distribution"] in text
    for row in data["classifiers"]:
        assert row["name"] in text
        assert report.why_not(data, row["name"])


def test_the_best_is_installed(package: report.Package) -> None:
    data = on(package, "haswell")
    assert (data["loaded"]["classifier"], data["recommended"], data["better"], data["command"]) == (
        "avx2",
        "avx2",
        False,
        None,
    )
    assert "the best classifier for this machine is installed" in report.render(data)


def test_a_better_one_could_be_installed(package: report.Package) -> None:
    data = on(package, "sapphirerapids")
    assert (data["loaded"]["classifier"], data["recommended"], data["better"]) == ("avx2", "avx512", True)
    assert data["command"].endswith('"gizmo-kit[avx512]"')
    assert data["command"] in report.render(data)


def test_why_not_lists_what_each_source_says(package: report.Package) -> None:
    text = report.why_not(on(package, "knights-landing"), "avx512")
    assert "avx512bw" in text
    assert "kernel: no" in text


def test_why_not_an_unknown_classifier(package: report.Package) -> None:
    with pytest.raises(UnknownClassifierError, match="Choose one of: generic, avx2, avx512"):
        report.why_not(on(package, "haswell"), "avx9")


def test_disagreeing_sources_are_shown(package: report.Package) -> None:
    text = report.render(on(package, "masked-avx"))
    assert "they disagree, and only what all have is used" in text
    assert "avx2 (yes: cpuid; no: kernel)" in text


def test_a_forced_classifier_is_reported(package: report.Package, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GIZMO_CLASSIFIER", "generic")
    data = on(package, "haswell")
    assert (data["forced"], data["loaded"]["classifier"], data["better"]) == ("generic", "generic", False)
    assert report.why_not(data, "generic").startswith("generic is the one that is loaded")
    assert report.why_not(data, "avx2").startswith("avx2 is not loaded: GIZMO_CLASSIFIER asks for generic")
    assert "forced by the environment" in report.render(data)


def test_a_forced_classifier_that_cannot_run_is_reported(
    package: report.Package, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GIZMO_CLASSIFIER", "avx512")
    data = on(package, "haswell")
    assert (data["loaded"], data["better"], data["command"]) == (None, False, None)
    assert "cannot run here" in data["reason"]
    assert not any(row["chosen"] for row in data["classifiers"])
    monkeypatch.setattr(report, "locate", lambda *arguments: package)
    assert run(lambda: detect.main(["gizmo", "--host", str(HOSTS / "haswell.toml")], prog="detect")) == 1


def test_a_library_that_cannot_be_opened_is_not_promised(
    package: report.Package, monkeypatch: pytest.MonkeyPatch
) -> None:
    haswell = hostfile.read(HOSTS / "haswell.toml").detect()
    monkeypatch.setattr("variantkit.host.detect", lambda *arguments, **settings: haswell)

    def opener(path: str) -> str:
        if "avx2" in path:
            msg = "cut off"
            raise OSError(msg)
        return path

    monkeypatch.setattr(report.Package, "opener", lambda self: opener)
    data = report.gather(package)
    assert (data["loaded"]["classifier"], data["recommended"], data["better"]) == ("generic", "avx2", True)
    assert "--force-reinstall" in data["command"]
    assert "cut off" in report.render(data)


def test_status_1_where_nothing_can_run(catalogue_file: Path) -> None:
    assert command(catalogue_file, "--host", str(HOSTS / "macos-m1.toml")) == 1


def test_no_such_package() -> None:
    with pytest.raises(PackageNotFoundError, match="Install it with this Python"):
        report.locate("no_such_package_here")


def command(catalogue_file: Path, *arguments: str) -> int:
    return run(lambda: detect.main(arguments, prog="detect", package="no_such_package_here", catalogue=catalogue_file))


def test_status_10_when_nothing_is_installed(catalogue_file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert command(catalogue_file, "--host", str(HOSTS / "zen3.toml"), "--json") == 10
    data = json.loads(capsys.readouterr().out)
    assert (data["recommended"], data["loaded"], data["recorded"]) == ("avx2", None, True)


@pytest.mark.parametrize("arguments", [["--bad"], ["--host"], ["--json", "--why-not", "avx2"]])
def test_status_2_on_bad_arguments(
    catalogue_file: Path, arguments: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as caught:
        command(catalogue_file, *arguments)
    assert caught.value.code == 2
    assert "usage:" in capsys.readouterr().err


def test_status_2_on_a_bad_host_file(catalogue_file: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert command(catalogue_file, "--host", str(tmp_path / "none.toml")) == 2
    assert "cannot be read" in capsys.readouterr().err
    (tmp_path / "bad.toml").write_text("system = 5\n")
    assert command(catalogue_file, "--host", str(tmp_path / "bad.toml")) == 2
    assert "bad.toml" in capsys.readouterr().err


def test_status_2_on_an_unknown_classifier(catalogue_file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert command(catalogue_file, "--why-not", "avx9") == 2
    assert "Choose one of" in capsys.readouterr().err


def test_the_command_lists_its_subcommands(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--help"]) == 0
    out = capsys.readouterr().out
    assert all(name in out for name in ("detect", "matrix", "build", "index"))
    assert main(["nothing"]) == 2
