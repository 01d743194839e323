"""What the doctor looks at: child processes that end in every way, files, cgroups, hypervisors; and its commands."""

from __future__ import annotations

import base64
import hashlib
import json
import os
import signal
import sys
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from hosts import CATALOGUE, Tree
from variantkit import cli
from variantkit.cli import customer
from variantkit.cli.doctor import HEALTHY, ILL
from variantkit.doctor import files, indexes, machine, processes
from variantkit.doctor.child import openmp_runtimes
from variantkit.report import locate

if TYPE_CHECKING:
    from collections.abc import Callable

# This machine, and a package that is not installed by an installer.
IGNORED = "busy,fewer-cpus,hidden-features,no-avx,better-classifier,source-missing,threads-setting,too-many-threads"

TEST = """
import os, signal, sys, time
from variantkit.selftest import SelfTest
def self_test(library):
    print("words on stdout")
    checks = [("first", lambda: ""), ("second", lambda: {check})]
    return SelfTest(checks=checks, threads=1)
"""


def gizmo(folder: Path, monkeypatch: pytest.MonkeyPatch, check: str = "''") -> Tree:
    """Return an importable package with a library that opens, and a self-test of two checks."""
    tree = Tree(folder, CATALOGUE.replace(self_test="gizmo._selftest:self_test"))
    digest = hashlib.sha256(b"library").hexdigest()
    tree.install("generic", SHA256=digest)
    (tree.package / "_selftest.py").write_text(TEST.format(check=check))
    monkeypatch.syspath_prepend(folder)
    return tree


@pytest.fixture
def tree(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Tree:
    return gizmo(tmp_path, monkeypatch)


def doctor(*words: str) -> int:
    try:
        return cli.main(["doctor", *words])
    except SystemExit as ended:
        return int(ended.code or 0)


def examined(capsys: pytest.CaptureFixture[str], *words: str) -> tuple[int, dict[str, Any], dict[str, str]]:
    """Return the status, the report, and the messages by finding."""
    status = doctor("gizmo", "--json", "--ignore", IGNORED, *words)
    captured = capsys.readouterr()
    assert "Traceback" not in captured.err
    report = json.loads(captured.out)
    return status, report, {each["rule"]: each["message"] for each in report["findings"]}


def test_healthy(tree: Tree, capsys: pytest.CaptureFixture[str]) -> None:
    assert doctor("gizmo", "--ignore", IGNORED) == HEALTHY
    out = capsys.readouterr().out
    assert out.startswith("gizmo-kit 1.2.0\n")
    assert out.endswith("healthy\n")
    assert "self-test    generic      passed (2 checks, " in out
    assert f"loaded       generic from {tree.package}" in out
    assert "gizmo" not in sys.modules


@pytest.mark.parametrize(
    ("check", "rule", "words"),
    [
        ("os.kill(os.getpid(), signal.SIGILL)", "self-test-crashed", ["died by SIGILL", "in 'second'"]),
        ("os.kill(os.getpid(), signal.SIGSEGV)", "self-test-crashed", ["died by SIGSEGV", "in 'second'"]),
        ("os.abort()", "self-test-crashed", ["died by SIGABRT", "in 'second'"]),
        ("os._exit(3)", "self-test-failed", ["ended with status 3 in 'second'"]),
        ("sys.exit(0)", "self-test-failed", ["SystemExit: 0"]),
        ("1 / 0", "self-test-failed", ["second: ZeroDivisionError: division by zero"]),
        ("'it is off by one'", "self-test-failed", ["second: it is off by one"]),
        ("time.sleep(60)", "self-test-timeout", ["no answer in 'second' in 2 seconds"]),
    ],
)
def test_a_self_test_that_goes_wrong(
    check: str, rule: str, words: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    gizmo(tmp_path, monkeypatch, check)
    status, _, found = examined(capsys, "--limit", "2" if "sleep" in check else "60")
    assert status == ILL
    assert set(found) == {rule}
    for word in words:
        assert word in found[rule]


def test_a_package_that_does_not_survive_its_import(tree: Tree, capsys: pytest.CaptureFixture[str]) -> None:
    (tree.package / "__init__.py").write_text("import os, signal\nos.kill(os.getpid(), signal.SIGBUS)\n")
    status, _, found = examined(capsys)
    assert status == ILL
    assert "it died by SIGBUS" in found["self-test-crashed"]
    (tree.package / "__init__.py").write_text("import nothing_of_that_name\n")
    status, _, found = examined(capsys)
    assert status == ILL
    assert "ModuleNotFoundError: No module named 'nothing_of_that_name'" in found["import-failed"]


def test_a_library_that_is_not_the_published_one_is_not_started(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    tree = gizmo(tmp_path, monkeypatch, "os.kill(os.getpid(), signal.SIGILL)")
    (tree.package / "classifiers" / "generic" / "libgizmo_generic.so").write_bytes(b"liBrary")
    status, report, found = examined(capsys)
    assert status == ILL
    assert "its SHA-256 is" in found["library-damaged"]
    assert report["self_tests"][0]["outcome"] == "not run"
    assert "self-test-crashed" not in found


def recorded(tree: Tree, name: str, folder: Path) -> None:
    """Write a .dist-info with a RECORD of what is in a folder now."""
    info = tree.root / f"{name.replace('-', '_')}-1.2.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.2.0\n")
    found = [info / "METADATA", *sorted(folder.rglob("*"))]
    rows = [row(tree.root, file) for file in found if file.is_file() and file.suffix != ".pyc"]
    (info / "RECORD").write_text("\n".join([*rows, f"{info.name}/RECORD,,"]) + "\n")


def row(root: Path, file: Path) -> str:
    digest = base64.urlsafe_b64encode(hashlib.sha256(file.read_bytes()).digest()).rstrip(b"=").decode()
    return f"{file.relative_to(root).as_posix()},sha256={digest},{file.stat().st_size}"


def planted(tree: Tree, name: str) -> Path:
    """Replace a library together with its MANIFEST; opening the package with it leaves a file behind."""
    data = b"LIBRARY"
    tree.install(name, data=data, SHA256=hashlib.sha256(data).hexdigest())
    mark = tree.root / "opened"
    (tree.package / "__init__.py").write_text(
        "import pathlib\nfrom variantkit.loader import load\n\n"
        "def opened(path):\n"
        f"    if pathlib.Path(path).read_bytes() == {data!r}: pathlib.Path({str(mark)!r}).touch()\n"
        "    return 0\n\n"
        "LOADED = load(__name__, open_library=opened)\n"
    )
    return mark


def test_a_library_that_was_replaced_with_its_manifest_is_not_started(
    tree: Tree, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The MANIFEST describes it, and RECORD says that both are others: neither self-test nor import may open it."""
    generic = tree.catalogue.classifiers[0].replace(features=frozenset())
    always = tree.catalogue.classifiers[1].replace(features=frozenset())
    assert (generic.name, always.name) == ("generic", "avx2")
    catalogue = tree.catalogue.replace(classifiers=(generic, always))
    (tree.package / "_catalogue.py").write_text(
        f"from variantkit.catalogue import Catalogue, Classifier\n\nCATALOGUE = {catalogue!r}\n"
    )
    tree.install("avx2", SHA256=hashlib.sha256(b"library").hexdigest())
    recorded(tree, "gizmo-kit-avx2", tree.root / "gizmo_avx2")
    assert examined(capsys)[1]["import"]["classifier"] == "avx2"
    mark = planted(tree, "avx2")
    status, report, found = examined(capsys)
    assert status == ILL
    assert set(found) == {"library-damaged"}
    assert "its library and its MANIFEST were overwritten after it was installed" in found["library-damaged"]
    assert report["findings"][0]["mend"].endswith("--force-reinstall --no-deps gizmo-kit-avx2==1.2.0")
    outcomes = {run["classifier"]: run["outcome"] for run in report["self_tests"]}
    assert outcomes == {"generic": "passed", "avx2": "not run"}
    assert (report["import"]["classifier"], report["import"]["held_back"]) == ("generic", "avx2")
    monkeypatch.setenv("GIZMO_CLASSIFIER", "avx2")
    status, report, found = examined(capsys)
    assert (status, set(found)) == (ILL, {"library-damaged"})
    assert (report["import"]["outcome"], report["import"]["held_back"]) == ("not run", "avx2")
    assert not mark.exists()


def test_the_only_library_was_replaced(tree: Tree, capsys: pytest.CaptureFixture[str]) -> None:
    planted(tree, "generic")
    tree.install("generic", SHA256=hashlib.sha256(b"library").hexdigest())
    recorded(tree, "gizmo-kit", tree.package)
    mark = planted(tree, "generic")
    status, report, found = examined(capsys)
    assert (status, set(found)) == (ILL, {"library-damaged"})
    assert report["import"]["outcome"] == "not run"
    assert not mark.exists()


def test_a_classifier_that_cannot_run_here_is_not_started(tree: Tree, capsys: pytest.CaptureFixture[str]) -> None:
    row = tree.catalogue.classifiers[-1]
    impossible = row.replace(features=row.features | {"amx_fp16", "sve2"})
    text = f"from variantkit.catalogue import Catalogue, Classifier\n\nCATALOGUE = {tree.catalogue.replace(classifiers=(*tree.catalogue.classifiers[:-1], impossible))!r}\n"
    (tree.package / "_catalogue.py").write_text(text)
    tree.install(row.name, SHA256=hashlib.sha256(b"library").hexdigest())
    status, report, _ = examined(capsys)
    assert status == HEALTHY
    runs = {run["classifier"]: run for run in report["self_tests"]}
    assert runs[row.name]["outcome"] == "not run"
    assert "sve2" in runs[row.name]["why"]


def test_two_openmp_runtimes_are_named(tree: Tree, capsys: pytest.CaptureFixture[str], compiler: str) -> None:
    import subprocess

    for name in ("libgomp-1.so", "libiomp5.so"):
        subprocess.run([compiler, "-shared", "-o", str(tree.root / name), "-x", "c", os.devnull], check=True)
    loads = f"import ctypes\nfor name in ('libgomp-1.so', 'libiomp5.so'):\n    ctypes.CDLL({str(tree.root)!r} + '/' + name)\n"
    (tree.root / "other_package.py").write_text(loads)
    assert examined(capsys)[2] == {}
    status, _, found = examined(capsys, "--with", "other_package", "--with", "not_there")
    assert status == ILL
    assert f"{tree.root}/libgomp-1.so and {tree.root}/libiomp5.so" in found["openmp-twice"]
    assert "not_there could not be imported" in found["unchecked"]


def test_a_forced_classifier_that_is_not_there(
    tree: Tree, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GIZMO_CLASSIFIER", "avx9")
    status, _, found = examined(capsys)
    assert status == ILL
    assert found == {"setting": "GIZMO_CLASSIFIER=avx9: gizmo-kit has no such classifier."}


def test_the_command_for_a_catalogue_that_cannot_be_read(
    tree: Tree, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """It has the version and the installer, and the file that it was installed from."""
    recorded(tree, "gizmo-kit", tree.package)
    info = tree.root / "gizmo_kit-1.2.0.dist-info"
    (info / "entry_points.txt").write_text("[variantkit]\ngizmo = gizmo._catalogue:CATALOGUE\n")
    (tree.package / "_catalogue.py").unlink()
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
    for name in ("PIP_FIND_LINKS", "PIP_INDEX_URL", "PIP_EXTRA_INDEX_URL"):
        monkeypatch.delenv(name, raising=False)
    (finding,) = examined(capsys)[1]["findings"]
    assert finding["mend"].endswith(" -m pip install --force-reinstall --no-deps gizmo-kit==1.2.0")
    assert finding["hint"] == "add the --index-url or --find-links that it was installed with"
    (info / "INSTALLER").write_text("uv\n")
    assert examined(capsys)[1]["findings"][0]["mend"].startswith("uv pip install ")
    (info / "direct_url.json").write_text(json.dumps({"url": tree.root.as_uri(), "dir_info": {}}))
    (finding,) = examined(capsys)[1]["findings"]
    assert finding["mend"].endswith(f" --reinstall --no-deps {tree.root}")
    assert finding["hint"] == ""


@pytest.mark.parametrize("content", ["CATALOGUE =", "raise SystemError('x')", "x = 1", "import nothing_here", "\0"])
def test_a_catalogue_that_cannot_be_read(tree: Tree, content: str, capsys: pytest.CaptureFixture[str]) -> None:
    (tree.package / "_catalogue.py").write_text(content)
    status, _, found = examined(capsys)
    assert status == ILL
    assert "its catalogue cannot be read" in found["package-damaged"]
    assert doctor("gizmo") == ILL
    captured = capsys.readouterr()
    assert "mend: " in captured.out
    assert captured.err == ""


def test_a_package_in_an_archive(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    Tree(tmp_path / "site")
    archive = tmp_path / "gizmo.pyz"
    with zipfile.ZipFile(archive, "w") as file:
        for path in (tmp_path / "site" / "gizmo").iterdir():
            file.write(path, f"gizmo/{path.name}")
    monkeypatch.syspath_prepend(archive)
    status, _, found = examined(capsys)
    assert status == ILL
    assert f"gizmo lies in an archive, {archive}, " in found["nothing-usable"]


@pytest.mark.parametrize(
    ("words", "advice"),
    [
        (["no_such_package"], "There is no package 'no_such_package' here that variantkit loads."),
        (["gizmo", "--ignore", "nothing"], "'nothing' is no finding; there are duplicate, package-damaged,"),
        (["gizmo", "--limit", "0"], "a number of seconds between 0 and 86400"),
        (["gizmo", "--with", "a b"], "'a b' is not the name of a module"),
        (["gizmo", "more"], "unrecognized arguments: more"),
    ],
)
def test_wrong_use(words: list[str], advice: str, tree: Tree, capsys: pytest.CaptureFixture[str]) -> None:
    assert doctor(*words) == 2
    captured = capsys.readouterr()
    assert advice in captured.err
    assert captured.out == ""


def test_the_script_of_a_package(
    tree: Tree, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "argv", ["/env/bin/gizmo", "doctor", "--ignore", IGNORED])
    assert customer.main() == HEALTHY
    assert capsys.readouterr().out.startswith("gizmo-kit 1.2.0\n")
    assert customer.main(["cure"]) == 2
    assert "gizmo: 'cure' is not a command; known are: doctor, detect." in capsys.readouterr().err
    assert customer.main([]) == 2
    assert customer.main(["--help"]) == 0
    assert "gizmo COMMAND --help" in capsys.readouterr().out


def test_the_script_of_a_package_where_the_doctor_is_damaged(
    tree: Tree, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delitem(sys.modules, "variantkit.cli.doctor")
    monkeypatch.setitem(sys.modules, "variantkit.doctor", None)
    assert customer.main(["doctor"], package="gizmo") == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("gizmo doctor needs variantkit, which is damaged (")
    assert "-m pip install --force-reinstall --no-deps variantkit" in line
    assert tree.package.exists()


def test_how_a_process_ended() -> None:
    done = b'{"check": "a"}\n{"done": true}\n'
    assert processes.ending(0, done, b"", 1.0).outcome == "passed"
    assert processes.ending(-signal.SIGSEGV, done, b"", 1.0).why.endswith("when the process ended")
    assert processes.ending(-99, b"", b"", 1.0).why == "it died by signal 99"
    assert processes.ending(0xC000001D, b"", b"", 1.0).why == "it died by STATUS_ILLEGAL_INSTRUCTION"
    assert processes.ending(0xC00000AA, b"", b"", 1.0).why == "it died by the exception 0xC00000AA"
    # A line that was cut off, and words of another program.
    assert processes.ending(0, b'{"done": true}\n{"che', b"", 1.0).outcome == "passed"
    nothing = processes.ending(127, b"hello\n[1]\n", b"first\nlast words\n", 1.0)
    assert (nothing.outcome, nothing.why) == ("failed", "it ended with status 127: last words")


def test_a_python_that_cannot_be_started(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "executable", "/nothing/python")
    ended = processes.start(["cpuid", "gizmo"], limit=5, environ={})
    assert ended.outcome == "not run"
    assert "/nothing/python could not be started" in ended.why


def test_openmp_runtimes_of_a_process() -> None:
    maps = (
        "7f00-7f01 r-xp 00000000 08:01 123   /usr/lib/libgomp.so.1.0.0\n"
        "7f01-7f02 r--p 00001000 08:01 123   /usr/lib/libgomp.so.1.0.0\n"
        "7f02-7f03 r-xp 00000000 08:01 124   /a folder/scikit_learn.libs/libomp-a1.so\n"
        "7f03-7f04 rw-p 00000000 00:00 0 \n"
        "7f04-7f05 r-xp 00000000 08:01 125   /usr/lib/libc.so.6\n"
    )
    assert openmp_runtimes(maps) == ["/a folder/scikit_learn.libs/libomp-a1.so", "/usr/lib/libgomp.so.1.0.0"]


def cgroups(root: Path, own: str, **contents: str) -> Path:
    (root / "proc" / "self").mkdir(parents=True)
    (root / "proc" / "self" / "cgroup").write_text(own)
    for name, content in contents.items():
        file = (
            root
            / "sys"
            / "fs"
            / "cgroup"
            / name.replace("__", "/").replace("_max", ".max").replace("cpu_cfs", "cpu.cfs")
        )
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(content)
    return root


@pytest.mark.parametrize(
    ("own", "contents", "quota"),
    [
        ("0::/\n", {"cpu_max": "150000 100000\n"}, 1.5),
        ("0::/\n", {"cpu_max": "max 100000\n"}, None),
        ("0::/\n", {}, None),
        # The least of the groups counts, and those above are looked at.
        ("0::/a/b\n", {"a__cpu_max": "200000 100000", "a__b__cpu_max": "400000 100000"}, 2.0),
        # A container's own group is mounted as the root.
        ("0::/docker/0123\n", {"cpu_max": "50000 100000"}, 0.5),
        ("4:cpu,cpuacct:/x\n0::/\n", {"cpu,cpuacct__x__cpu_cfs_quota_us": "300000", "cpu,cpuacct__x__cpu_cfs_period_us": "100000"}, 3.0),
        ("4:cpu:/\n", {"cpu__cpu_cfs_quota_us": "-1", "cpu__cpu_cfs_period_us": "100000"}, None),
        ("nonsense\n4:cpuset:/\n", {"cpu_max": "1 1"}, None),
        ("0::/../..\n", {"cpu_max": "x y z"}, None),
    ],
)  # fmt: skip
def test_the_quota_of_cgroups(own: str, contents: dict[str, str], quota: float | None, tmp_path: Path) -> None:
    assert machine.quota(cgroups(tmp_path, own, **contents)) == quota


@pytest.mark.parametrize(
    ("vendor", "product", "signature", "name"),
    [
        ("QEMU", "Standard PC (i440FX + PIIX, 1996)", "KVMKVMKVM", "KVM"),
        ("innotek GmbH", "VirtualBox", "KVMKVMKVM", "VirtualBox"),
        ("VMware, Inc.", "VMware Virtual Platform", "VMwareVMware", "VMware"),
        ("Microsoft Corporation", "Virtual Machine", "Microsoft Hv", "Hyper-V"),
        ("Microsoft Corporation", "Surface Laptop", "", ""),
        ("Amazon EC2", "m5.large", "KVMKVMKVM", "a cloud"),
        ("", "", "TCGTCGTCGTCG", "QEMU"),
        ("", "", "XenVMMXenVMM", "Xen"),
        ("", "", "something", ""),
        ("", "", "", ""),
    ],
)
def test_the_name_of_the_hypervisor(vendor: str, product: str, signature: str, name: str, tmp_path: Path) -> None:
    folder = tmp_path / "sys" / "class" / "dmi" / "id"
    folder.mkdir(parents=True)
    (folder / "sys_vendor").write_text(vendor + "\n")
    (folder / "product_name").write_text(product + "\n")
    raw = signature.encode().ljust(12, b"\0")
    words = [int.from_bytes(raw[start : start + 4], "little") for start in (0, 4, 8)]
    leaves = {(0x40000000, 0): (1, words[0], words[1], words[2])} if signature else {}
    assert machine.hypervisor(leaves, tmp_path) == name


def test_this_interpreter() -> None:
    found = machine.interpreter()
    assert found.tag.startswith(f"cp3{sys.version_info[1]}")
    assert found.executable == sys.executable
    assert not found.frozen
    assert not found.subinterpreter
    assert found.platform_tag
    cpus = machine.cpus()
    assert 1 <= cpus.allowed <= cpus.present


def distribution(site: Path, name: str, version: str = "1.2.0", **contents: bytes) -> Path:
    """Install files by hand, as an installer does; return the .dist-info."""
    info = site / f"{name}-{version}.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text(
        f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\nRequires-Dist: numpy>=1\n"
    )
    (info / "WHEEL").write_text("Wheel-Version: 1.0\nTag: cp311-cp311-linux_x86_64\nTag: cp311-abi3-linux_x86_64\n")
    record = [row(site, info / "METADATA")]
    for file, content in contents.items():
        path = site / name / f"{file}.py"
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(content)
        digest = base64.urlsafe_b64encode(hashlib.sha256(content).digest()).rstrip(b"=").decode()
        record.append(f"{name}/{file}.py,sha256={digest},{len(content)}")
    record += [f"{name}/__pycache__/a.cpython-311.pyc,,", f"{info.name}/RECORD,,", "../../bin/gizmo,sha256=x,7"]
    (info / "RECORD").write_text("\n".join(record) + "\n")
    return info


def test_files_are_compared_with_record(tmp_path: Path) -> None:
    info = distribution(tmp_path, "gizmo", a=b"one", b=b"two", c=b"three")
    (found,) = files.distributions(["gizmo", "absent"], [str(tmp_path)])
    assert (found.name, found.version, found.damage, found.recorded) == ("gizmo", "1.2.0", (), True)
    assert found.tags == ("cp311-cp311-linux_x86_64", "cp311-abi3-linux_x86_64")
    assert found.requires == ("numpy>=1",)
    (tmp_path / "gizmo" / "a.py").write_bytes(b"ONE")
    (tmp_path / "gizmo" / "b.py").write_bytes(b"longer")
    (tmp_path / "gizmo" / "c.py").unlink()
    (found,) = files.distributions(["gizmo"], [str(tmp_path)])
    assert tuple(map(str, found.damage)) == (
        "gizmo/a.py has other bytes than RECORD says",
        "gizmo/b.py has 6 bytes, where RECORD says 3",
        "gizmo/c.py is missing",
    )
    (info / "METADATA").unlink()
    (found,) = files.distributions(["gizmo"], [str(tmp_path)])
    assert (found.name, found.version) == ("gizmo", "1.2.0")
    assert [str(each) for each in found.damage if "METADATA" in each.file] == [
        "gizmo-1.2.0.dist-info/METADATA is missing"
    ]
    (info / "RECORD").unlink()
    (found,) = files.distributions(["gizmo"], [str(tmp_path)])
    assert not found.recorded


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (lambda record: record + b"\xff\n", "is not UTF-8 text"),
        (lambda record: b"\xff" + record, "is not UTF-8 text"),
        (lambda record: b"", "is empty"),
        (lambda record: b"\n\n", "is empty"),
        (
            lambda record: b"".join(record.splitlines(keepends=True)[1:]),
            "does not list gizmo-1.2.0.dist-info/METADATA",
        ),
        # A disk that was full.
        (lambda record: record[: record.index(b"gizmo/b.py") + 20], "does not list gizmo/b.py, gizmo/c.py"),
        (lambda record: record.replace(b"gizmo/c.py", b"gizmo/c.txt"), "does not list gizmo/c.py"),
        (None, "is not a file"),
    ],
)
def test_a_record_that_is_broken_is_damage_and_hides_no_other(
    content: Callable[[bytes], bytes] | None, why: str, tmp_path: Path
) -> None:
    info = distribution(tmp_path, "gizmo", a=b"one", b=b"two", c=b"three")
    record = info / "RECORD"
    (found,) = files.distributions(["gizmo"], [str(tmp_path)], "gizmo")
    assert found.damage == ()
    data = record.read_bytes()
    record.unlink()
    os.mkfifo(record) if content is None else record.write_bytes(content(data))
    (tmp_path / "gizmo" / "a.py").unlink()
    (found,) = files.distributions(["gizmo"], [str(tmp_path)], "gizmo")
    first, *others = map(str, found.damage)
    assert first == f"gizmo-1.2.0.dist-info/RECORD {why}"
    # What it still says is compared, too.
    if content is not None and b"gizmo/a.py" in record.read_bytes():
        assert others[0] == "gizmo/a.py is missing"
    assert found.recorded


@pytest.mark.parametrize("file", ["METADATA", "WHEEL", "INSTALLER", "direct_url.json"])
def test_any_bytes_and_any_kind_of_file_in_a_dist_info(file: str, tmp_path: Path) -> None:
    info = distribution(tmp_path, "gizmo", a=b"one")
    (tmp_path / "gizmo" / "a.py").write_bytes(b"ONE")
    for make in (lambda path: path.write_bytes(b"\xff"), os.mkfifo, Path.mkdir, lambda path: path.write_bytes(b"")):
        (info / file).unlink(missing_ok=True)
        make(info / file)
        (found,) = files.distributions(["gizmo"], [str(tmp_path)], "gizmo")
        assert (found.name, found.version) == ("gizmo", "1.2.0")
        told = [str(each) for each in found.damage]
        assert "gizmo/a.py has other bytes than RECORD says" in told
        assert len(told) == (2 if file == "METADATA" else 1)
        if (info / file).is_dir():
            (info / file).rmdir()


def test_a_broken_record_is_a_finding_of_its_distribution(tree: Tree, capsys: pytest.CaptureFixture[str]) -> None:
    recorded(tree, "gizmo-kit", tree.package)
    tree.install("avx2", SHA256=hashlib.sha256(b"library").hexdigest())
    recorded(tree, "gizmo-kit-avx2", tree.root / "gizmo_avx2")
    (record,) = tree.root.glob("gizmo_kit_avx2-*.dist-info/RECORD")
    record.write_bytes(record.read_bytes() + b"\xff")
    status, report, _ = examined(capsys)
    (finding,) = report["findings"]
    assert (status, finding["rule"]) == (ILL, "package-damaged")
    assert finding["message"].endswith("dist-info/RECORD is not UTF-8 text.")
    assert finding["mend"].endswith("--force-reinstall --no-deps gizmo-kit-avx2==1.2.0")
    (tree.package / "_selftest.py").write_text(TEST.format(check="''") + "# x\n")
    assert [each["rule"] for each in examined(capsys)[1]["findings"]] == ["package-damaged", "package-damaged"]


def test_what_is_installed_twice_is_found_once_per_place(tmp_path: Path) -> None:
    one, two = tmp_path / "one", tmp_path / "two"
    distribution(one, "gizmo")
    distribution(two, "gizmo", "1.1.0")
    (tmp_path / "link").symlink_to(one)
    found = files.distributions(["gizmo"], [str(one), str(tmp_path / "link"), str(two)])
    assert [item.version for item in found] == ["1.2.0", "1.1.0"]


def test_folders_of_packages_and_classifiers(tmp_path: Path) -> None:
    first, second = Tree(tmp_path / "first"), Tree(tmp_path / "second")
    first.install("generic", "avx2")
    second.install("avx2")
    # A variant wheel beside a classifier wheel.
    first.install("avx2", folder=first.package / "classifiers" / "avx2")
    path = [str(first.root), str(second.root), str(tmp_path / "gone"), "\0"]
    assert files.package_folders("gizmo", str(first.package), path) == (str(first.package), str(second.package))
    found = dict(files.classifier_folders(CATALOGUE, str(first.package), path))
    assert found["generic"] == (str(first.package / "classifiers" / "generic"),)
    assert found["avx2"] == (
        str(first.package / "classifiers" / "avx2"), str(first.root / "gizmo_avx2"), str(second.root / "gizmo_avx2"),
    )  # fmt: skip


def test_locating_runs_no_code_of_the_package(tree: Tree) -> None:
    (tree.package / "__init__.py").write_text("raise SystemExit('imported')\n")
    assert locate("gizmo").folder == str(tree.package)


@pytest.mark.parametrize(
    ("installer", "environ", "expected"),
    [
        ("pip", {}, ""),
        ("pip", {"PIP_INDEX_URL": "https://index.example/simple"}, "index"),
        ("pip", {"PIP_FIND_LINKS": "/wheels"}, "folder"),
        ("pip", {"PIP_FIND_LINKS": " "}, ""),
        ("pip", {"PIP_FIND_LINKS": "/wheels", "PIP_EXTRA_INDEX_URL": "https://index.example/simple"}, "index"),
        ("pip", {"PIP_FIND_LINKS": "/w", "PIP_INDEX_URL": "https://i.example", "PIP_NO_INDEX": "1"}, "folder"),
        ("pip", {"UV_INDEX": "https://index.example/simple"}, ""),
        ("uv", {"UV_INDEX": "https://index.example/simple"}, "index"),
        ("uv", {"PIP_INDEX_URL": "https://index.example/simple"}, ""),
    ],
)
def test_an_index_in_the_environment(installer: str, environ: dict[str, str], expected: str, tmp_path: Path) -> None:
    assert indexes.configured(installer, environ, root=str(tmp_path), prefix=str(tmp_path)) == expected


@pytest.mark.parametrize(
    ("installer", "file", "content", "expected"),
    [
        ("pip", "etc/pip.conf", "[global]\nindex-url = https://index.example/simple\n", "index"),
        ("pip", "etc/xdg/pip/pip.conf", "[install]\nfind-links:\n  /wheels\n", "folder"),
        ("pip", "home/.config/pip/pip.conf", "[global]\nextra_index_url=https://index.example\n", "index"),
        ("pip", "home/.pip/pip.conf", "[global]\n# index-url = https://index.example\ntimeout = 3\n", ""),
        ("pip", "env/pip.conf", "[global]\nno-index = true\nfind-links = /wheels\n", "folder"),
        ("pip", "env/pip.conf", "[global]\nno-index = true\n", ""),
        ("pip", "etc/uv/uv.toml", "[[index]]\nurl = 'https://index.example'\n", ""),
        ("uv", "etc/uv/uv.toml", "[[index]]\nurl = 'https://index.example'\n", "index"),
        ("uv", "home/.config/uv/uv.toml", "find-links = ['/wheels']\n", "folder"),
        ("uv", "etc/pip.conf", "[global]\nindex-url = https://index.example\n", ""),
    ],
)
def test_an_index_in_a_file_of_settings(installer: str, file: str, content: str, expected: str, tmp_path: Path) -> None:
    (tmp_path / file).parent.mkdir(parents=True)
    (tmp_path / file).write_text(content)
    environ = {"HOME": str(tmp_path / "home")}
    places = {"root": str(tmp_path), "prefix": str(tmp_path / "env")}
    assert indexes.configured(installer, environ, **places) == expected
    # pip reads none of them then.
    nothing = {**environ, "PIP_CONFIG_FILE": os.devnull}
    assert indexes.configured("pip", nothing, **places) == ""
    if file.endswith("pip.conf"):
        named = {"PIP_CONFIG_FILE": str(tmp_path / file)}
        assert indexes.configured("pip", named, root="/none", prefix="/none") == (
            "index" if installer == "uv" else expected
        )


def test_where_a_distribution_was_installed_from(tmp_path: Path) -> None:
    info = distribution(tmp_path, "gizmo")
    wheel = tmp_path / "a wheel.whl"
    wheel.touch()
    commit = "0123456789abcdef0123456789abcdef01234567"
    address = "https://forge.example/gizmo"
    for data, direct, editable in (
        ({"url": wheel.as_uri(), "archive_info": {}}, str(wheel), False),
        ({"url": (tmp_path / "gone.whl").as_uri(), "archive_info": {}}, "", False),
        ({"url": f"{address}.whl", "archive_info": {}}, f"{address}.whl", False),
        ({"url": tmp_path.as_uri(), "dir_info": {"editable": True}}, str(tmp_path), True),
        ({"url": tmp_path.as_uri(), "dir_info": {}, "subdirectory": "gizmo-1.2.0.dist-info"}, str(info), False),
        (
            {"url": address, "vcs_info": {"vcs": "git", "commit_id": commit}, "subdirectory": "python"},
            f"git+{address}@{commit}#subdirectory=python",
            False,
        ),
        ({"url": address, "vcs_info": {}}, "", False),
        ({}, "", False),
        ([], "", False),
    ):
        (info / "direct_url.json").write_text(json.dumps(data))
        (found,) = files.distributions(["gizmo"], [str(tmp_path)])
        assert (found.direct, found.editable) == (direct, editable)
    (info / "direct_url.json").write_text("{")
    assert files.distributions(["gizmo"], [str(tmp_path)])[0].direct == ""
