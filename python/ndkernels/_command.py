"""The command `ndkernels`, which is also `python -m ndkernels COMMAND`: what it does is variantkit's.

It is what people ask when nothing works; so it says what to do where variantkit itself is what is missing.
"""

from __future__ import annotations

import sys

__all__ = ["main"]

_WRONG_INPUT = 2


def main(*, prog: str = "ndkernels") -> int:
    """Run the command that `sys.argv` names and return its exit status."""
    try:
        from variantkit.cli.customer import main as run
    except ImportError as error:
        if (error.name or "").partition(".")[0] != "variantkit":
            raise
        print(_missing(prog, error), file=sys.stderr)
        return _WRONG_INPUT
    return run(package="ndkernels", prog=prog)


def _missing(prog: str, error: ImportError) -> str:
    """Return one line that says what is missing, and the command that installs it."""
    from importlib import metadata

    def text(name: str, file: str) -> str:
        try:
            return metadata.distribution(name).read_text(file) or ""
        except metadata.PackageNotFoundError:
            return ""

    # The version is that which this package needs, by its own metadata.
    needed = [
        line.partition(": ")[2] for line in text("ndkernels", "METADATA").splitlines() if "Requires-Dist: " in line
    ]
    wanted = next((line.replace(" ", "") for line in needed if line.startswith("variantkit")), "variantkit")
    # An installer takes for installed what has a .dist-info.
    lost = bool(text("variantkit", "METADATA")) or error.name != "variantkit"
    python = f'"{sys.executable}"' if " " in sys.executable else sys.executable or "python"
    if text("ndkernels", "INSTALLER").strip() == "uv":
        command = f"uv pip install --python {python}{' --reinstall --no-deps' if lost else ''} {wanted}"
    else:
        command = f"{python} -m pip install{' --force-reinstall --no-deps' if lost else ''} {wanted}"
    what = f"which is damaged ({error})" if error.name != "variantkit" else "which is not installed"
    return f"{prog} needs variantkit, {what}: {command}"
