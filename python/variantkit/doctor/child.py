"""What the doctor does in a process of its own, because it may crash, or hang: the package's own compiled code.

`python -m variantkit.doctor.child cpuid|import|selftest PACKAGE …` writes a JSON object per line to stdout; what the package
prints goes to stderr.
"""

from __future__ import annotations

import json
import os
import sys
import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Any

from variantkit import loader, report

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

__all__ = ["main", "openmp_runtimes"]

_OPENMP = ("libgomp", "libiomp5", "libomp", "vcomp")


def main(arguments: Sequence[str]) -> int:
    """Do what the first argument says; an exception becomes a message, whatever it is."""
    mode, package, *more = arguments
    send = _sender()
    _no_core_file()
    try:
        if mode == "cpuid":
            _cpuid(package, send)
        elif mode == "import":
            _import(package, more, send)
        else:
            _self_test(package, more[0], send)
    except BaseException as error:  # noqa: BLE001 -- SystemExit of the package's code is told, too
        send(error=_words(error))
        return 1
    return 0


def _sender() -> Callable[..., None]:
    # The package, and what it imports, may print; its words are for stderr then.
    channel = os.dup(1)
    os.dup2(2, 1)

    def send(**message: Any) -> None:
        os.write(channel, (json.dumps(message) + "\n").encode())

    return send


def _no_core_file() -> None:
    try:
        import resource

        resource.setrlimit(resource.RLIMIT_CORE, (0, resource.getrlimit(resource.RLIMIT_CORE)[1]))
    except (ImportError, OSError, ValueError):  # no such limits on this system, or nothing may be set
        pass


def _cpuid(package: str, send: Callable[..., None]) -> None:
    reading = report.locate(package).cpuid()
    if reading is None:
        send(leaves=[], xcr0=None)
        return
    leaves, xcr0 = reading()
    send(leaves=[[*key, *registers] for key, registers in leaves.items()], xcr0=xcr0)


def _import(package: str, modules: Sequence[str], send: Callable[..., None]) -> None:
    warnings.simplefilter("ignore")
    for name in modules:
        if problem := _import_problem(name):
            send(module=name, problem=problem)
    __import__(package)
    loaded = loader.load(package)
    send(classifier=loaded.classifier, path=loaded.path)
    try:
        maps = Path("/proc/self/maps").read_text(encoding="utf-8", errors="replace")
        send(openmp=openmp_runtimes(maps))
    except OSError as error:
        send(unmapped=error.strerror or str(error))
    gil = getattr(sys, "_is_gil_enabled", None)
    send(gil=True if gil is None else gil())
    send(done=True)


def _import_problem(name: str) -> str:
    try:
        __import__(name)
    except BaseException as error:  # noqa: BLE001 -- whatever it is, the package is still to be looked at
        return _words(error)
    return ""


def openmp_runtimes(maps: str) -> list[str]:
    """Return the files of OpenMP runtimes in the text of /proc/self/maps."""
    paths = [fields[5] for line in maps.splitlines() if len(fields := line.split(None, 5)) == 6]
    return sorted({path for path in paths if Path(path).name.startswith(_OPENMP)})


def _self_test(package: str, classifier: str, send: Callable[..., None]) -> None:
    warnings.simplefilter("ignore")
    catalogue = report.locate(package).catalogue
    os.environ[f"{catalogue.prefix}_CLASSIFIER"] = classifier
    for variable in catalogue.variables:  # they may ask for something else than this library
        os.environ.pop(variable.name, None)
    send(check="load")
    __import__(package)
    loaded = loader.load(package)
    if loaded.classifier != classifier:
        send(error=f"{loaded.classifier} was loaded instead")
        return
    count = threads = 0
    if catalogue.self_test:
        module, _, function = catalogue.self_test.partition(":")
        test = getattr(__import__(module, fromlist=[function]), function)(loaded.library)
        threads = test.threads
        for name, check in test.checks:
            send(check=name)
            try:
                problem = check()
            except Exception as error:  # noqa: BLE001 -- what a check raises is what is wrong
                problem = _words(error)
            count += 1
            if problem:
                send(failed=name, problem=problem)
    send(done=True, checks=count, threads=threads)


def _words(error: BaseException) -> str:
    text = " ".join(str(error).split())
    return f"{type(error).__name__}: {text}" if text else type(error).__name__


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
