"""The command that adds a classifier, in the words of the installer that installed us.

Needed only for messages, so that nothing here runs while everything is as it should be.
"""

from __future__ import annotations

import os
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

    from variantkit.catalogue import Catalogue

__all__ = ["command", "installer_name", "quoted"]


def command(
    catalogue: Catalogue,
    extra: str | None = None,
    *,
    repair: bool = False,
    requirement: str = "",
    installer: str | None = None,
    environ: Mapping[str, str] | None = None,
) -> str:
    """Return the shell command that installs the distribution with that extra.

    `repair` gives the one that reinstalls the wheel of that classifier (without `extra`, the base) in the version of the
    catalogue: it mends damaged files and a mixture of versions, and touches nothing else. `requirement` is what is installed,
    or mended, in place of all that: a library of somebody else, which conda gets by pip. `installer` replaces what the
    INSTALLER file of the installed distribution says (PEP 376), `environ` replaces `os.environ`.
    """
    environ = os.environ if environ is None else environ
    name = (installer_name(catalogue) if installer is None else installer).lower()
    distribution = catalogue.distribution
    wheel = f"{distribution}-{extra}" if extra else distribution
    if name == "conda" and not requirement:
        return f"conda install --force-reinstall {wheel}={catalogue.version}" if repair else f"conda install {wheel}"
    addition = f'"{distribution}[{extra}]"' if extra else distribution
    wanted = f"{wheel}=={catalogue.version}" if repair else addition
    if requirement:
        wanted = f'"{requirement}"' if set("<>[]; ") & set(requirement) else requirement
    if name == "uv":
        return f"uv pip install{_uv_python(environ)}{' --reinstall --no-deps' if repair else ''} {wanted}"
    if name.startswith("poetry"):
        return f"poetry add {wanted}"
    if name == "pdm":
        return f"pdm add {wanted}"
    if name in ("pixi", "uv-pixi"):
        return f"pixi add --pypi {wanted}"
    return f"{_python(environ)} -m pip install {'--force-reinstall --no-deps ' if repair else ''}{wanted}"


def installer_name(catalogue: Catalogue) -> str:
    """Return what INSTALLER in the dist-info says, or an empty string where there is none."""
    package = sys.modules.get(catalogue.package)
    file = getattr(package, "__file__", None)
    if file:
        parent = os.path.dirname(os.path.dirname(os.path.abspath(file)))
        stem = catalogue.distribution.lower().replace("-", "_").replace(".", "_")
        try:
            with open(
                os.path.join(parent, f"{stem}-{catalogue.version}.dist-info", "INSTALLER"), encoding="utf-8"
            ) as found:
                return found.read().strip()
        except (OSError, ValueError):
            pass
    # An editable install keeps its dist-info elsewhere; this import takes some 50 ms.
    try:
        from importlib.metadata import distribution

        return (distribution(catalogue.distribution).read_text("INSTALLER") or "").strip()
    except Exception:  # noqa: BLE001 -- a damaged environment must not keep a message from being shown
        return ""


def _python(environ: Mapping[str, str]) -> str:
    """Return "python" where that word means this interpreter in the user's shell, otherwise its path, quoted."""
    executable = sys.executable
    if not executable or getattr(sys, "frozen", False):
        return "python"
    for folder in environ.get("PATH", "").split(os.pathsep):
        found = os.path.join(folder, "python.exe" if os.name == "nt" else "python")
        if folder and os.access(found, os.X_OK):
            # In a virtual environment every python is a link to the same file, so the folder has to be the same too.
            same = os.path.normcase(os.path.abspath(folder)) == os.path.normcase(os.path.dirname(executable))
            if same and os.path.samefile(found, executable):
                return "python"
            break
    return quoted(executable)


def _uv_python(environ: Mapping[str, str]) -> str:
    active = environ.get("VIRTUAL_ENV", "")
    if active and os.path.normcase(os.path.abspath(active)) == os.path.normcase(os.path.abspath(sys.prefix)):
        return ""
    return f" --python {quoted(sys.executable)}" if sys.executable and not getattr(sys, "frozen", False) else ""


def quoted(path: str) -> str:
    """Return a path as a word of a shell command."""
    plain = all(letter.isalnum() or letter in "/\\:._-+" for letter in path)
    return path if plain else f'"{path}"'
