"""The command `variantkit`: one module per subcommand, imported when it is asked for."""

from __future__ import annotations

import contextlib
import importlib
import os
import sys
from typing import TYPE_CHECKING

from variantkit.errors import BuildError, VariantkitError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

__all__ = ["imports", "main", "run"]

_COMMANDS = {
    "detect": "report what this machine can run and which classifier to install",
    "doctor": "find out why a package does not work, or not as fast as it could",
    "matrix": "check classifiers.toml and write what is generated from it",
    "build": "build the wheels of a project",
    "repair": "make built wheels fit to be published",
    "assemble": "make variant wheels (PEP 825) from base and classifier wheels",
    "check": "find what is wrong with a release before anybody else does",
    "audit": "prove that no native file needs more of a machine than its label promises",
    "index": "publish wheels in a static package index",
    "release": "all of that: build, repair, assemble, check and publish",
    "lock": "add variant wheels to a pylock.toml",
}

_FAILED = 1
# The caller's mistake, as wrong arguments are for argparse.
_WRONG_INPUT = 2
_INTERRUPTED = 130


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a subcommand and return its exit status."""
    words = list(sys.argv[1:] if arguments is None else arguments)
    if not words or words[0] in {"-h", "--help"}:
        print(
            "usage: variantkit COMMAND [ARGUMENTS]\n\nBuild one native tree into classifier-tagged wheels, and load the best one.\n"
        )
        for name, text in _COMMANDS.items():
            print(f"  {name:<8} {text}")
        print("\n`variantkit COMMAND --help` tells more.")
        return 0 if words else _WRONG_INPUT
    if words[0] == "--version":
        from importlib.metadata import PackageNotFoundError, version

        try:
            print("variantkit", version("variantkit"))
        except PackageNotFoundError:
            print("variantkit, not installed")
        return 0
    if words[0] not in _COMMANDS:
        print(f"variantkit: {words[0]!r} is not a command; known are: {', '.join(_COMMANDS)}.", file=sys.stderr)
        return _WRONG_INPUT
    extra = "build" if words[0] in {"build", "detect", "doctor", "matrix"} else "release"
    with imports(f"variantkit {words[0]}", f'python -m pip install "variantkit[{extra}]"'):
        module = importlib.import_module(f".{words[0]}", __name__)
    return run(lambda: module.main(words[1:], prog=f"variantkit {words[0]}"))


@contextlib.contextmanager
def imports(command: str, cure: str) -> Iterator[None]:
    """End the process with what installs a package that the block imports, where that is missing."""
    try:
        yield
    except ModuleNotFoundError as error:
        if (error.name or "").startswith("variantkit"):
            raise
        print(f"{command} needs {error.name}, which is not installed: {cure}", file=sys.stderr)
        raise SystemExit(_FAILED) from None


def run(command: Callable[[], int]) -> int:
    """Call `command`; turn this package's errors and an interrupt into a line on stderr and an exit status."""
    try:
        status = command()
        if sys.stdout is not None:
            sys.stdout.flush()
    except VariantkitError as error:
        from variantkit.printable import printable

        # Some list several things, and all of them may have names in them that came from elsewhere.
        print("error:", "\n".join(map(printable, str(error).split("\n"))), file=sys.stderr)
        return _FAILED if isinstance(error, BuildError) else _WRONG_INPUT
    except BrokenPipeError:
        # Whoever read the output has enough of it; Python would complain once more when it flushes.
        _write_no_more()
        return _FAILED
    except OSError as error:
        if not _is_about_output(error):
            raise
        _write_no_more()
        print(
            f"error: the output cannot be written: {error.strerror}. Make room for it, or send it elsewhere.",
            file=sys.stderr,
        )
        return _WRONG_INPUT
    except KeyboardInterrupt:
        print("interrupted; nothing is left half-done, and what was finished is kept", file=sys.stderr)
        return _INTERRUPTED
    return status


def _write_no_more() -> None:
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _is_about_output(error: OSError) -> bool:
    """Return whether it was stdout that could not be written: a full disk, mostly."""
    try:
        sys.stdout.flush()
    except OSError:
        return True
    # More than fits into the buffer is not kept for another try; and what is opened by its name has it in the error.
    import errno

    return error.filename is None and error.errno in {errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO}
