"""Everything the loader says: warnings, the log line, why nothing could be loaded. All of it comes from a Decision."""

from __future__ import annotations

import os
import sys

from variantkit.errors import BetterVariantWarning, ClassifierFallbackWarning

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from variantkit.catalogue import Catalogue
    from variantkit.environment import Settings
    from variantkit.host import Host
    from variantkit.loader import Loaded
    from variantkit.select import Decision, Installed

__all__ = ["announce", "better_message", "cannot_open", "fallback_messages", "log_lines", "nothing_usable"]


def announce(loaded: Loaded, settings: Settings) -> None:
    """Log what was loaded; warn about classifiers that cannot be used, and about a better one that is not installed.

    A frozen application does not warn about the latter: its user has no environment to install into.
    """
    lines = log_lines(loaded)
    logging = sys.modules.get("logging")
    if logging is not None:  # nobody can have configured what nobody has imported
        logging.getLogger(loaded.catalogue.package).info("%s", lines[0])
    if settings.log and sys.stderr is not None:
        sys.stderr.write("\n".join(lines if settings.log == "debug" else lines[:1]) + "\n")
    for message in settings.ignored:
        _warn(message, RuntimeWarning, loaded.catalogue.package)
    for message in fallback_messages(loaded.catalogue, loaded.decision):
        _warn(message, ClassifierFallbackWarning, loaded.catalogue.package)
    if settings.warn and loaded.decision.better and not getattr(sys, "frozen", False):
        _warn(better_message(loaded.catalogue, loaded.decision), BetterVariantWarning, loaded.catalogue.package)


def log_lines(loaded: Loaded) -> list[str]:
    """Return the one line for the log, followed by the details."""
    catalogue, host = loaded.catalogue, loaded.host
    what = f"{catalogue.distribution} {catalogue.version}: loaded {loaded.classifier} from {loaded.path}"
    lines = [f"{what}: {loaded.decision.reason}"]
    asked = ", ".join(source.name for source in host.sources) or "none"
    lines.append(f"  host: {host.platform}, {host.brand or host.vendor or 'unknown CPU'} (sources: {asked})")
    lines += [f"  not {name}: {why}" for decision in loaded.decisions for name, why in decision.rejected]
    lines += [f"  note: {note}" for note in host.notes]
    return lines


def better_message(catalogue: Catalogue, decision: Decision) -> str:
    """Return the text of BetterVariantWarning for a decision whose `better` is not empty."""
    from variantkit.installer import command

    best = decision.better[0]
    return (
        f"{catalogue.distribution} runs with {decision.chosen}, and this machine can run {best}, which is faster. "
        f"Install it with: {command(catalogue, best)} (or set {catalogue.prefix}_WARN=0 to silence this)"
    )


def fallback_messages(catalogue: Catalogue, decision: Decision) -> list[str]:
    """Return the text of a ClassifierFallbackWarning for each installed classifier that should be loaded, but cannot."""
    if not decision.defective:
        return []
    from variantkit.installer import command

    return [
        f"{catalogue.distribution} is installed with {name}, which this machine can run, but {decision.why_not(name)}. "
        f"{decision.chosen} is loaded instead. Mend it with: {command(catalogue, name, repair=True)}"
        for name in decision.defective
    ]


def nothing_usable(
    catalogue: Catalogue,
    installed: Iterable[Installed],
    host: Host,
    decisions: Sequence[Decision],
    package_dir: str = "",
) -> str:
    """Return why nothing could be loaded, and what to do about it."""
    from variantkit.installer import command

    rejected = [pair for decision in decisions for pair in decision.rejected]
    lines = [
        f"no classifier of {catalogue.distribution} {catalogue.version} can be loaded on this {host.platform} machine:"
    ]
    lines += [f"  {name}: {why}" for name, why in rejected]
    lines += [f"  note: {note}" for note in host.notes]
    platforms = sorted({platform for row in catalogue.classifiers for platform in row.platforms})
    archive = _archive(package_dir)
    if archive:
        lines.append(_unpack(archive))
    elif host.platform not in platforms:
        built_for = ", ".join(platforms)
        lines.append(f"It is built for {built_for} only: use such a machine, or build it from source for this one.")
    elif any(catalogue.base in decision.runnable for decision in decisions):
        state = "damaged" if any(item.classifier == catalogue.base for item in installed) else "incomplete"
        lines.append(f"The base wheel is {state}: reinstall it with: {command(catalogue, repair=True)}")
    else:
        lines.append(
            "This CPU is older than every classifier: use another machine, or build it from source for this one."
        )
    return "\n".join(lines)


def cannot_open(catalogue: Catalogue, error: Exception, package_dir: str = "") -> str:
    """Return that the function that opens libraries cannot be imported, and what to do about it."""
    from variantkit.installer import command

    what = (
        f"{catalogue.opener}, which opens the libraries of {catalogue.distribution} {catalogue.version}, cannot be "
        f"imported: {error}. "
    )
    archive = _archive(package_dir)
    if archive:
        return what + _unpack(archive)
    # Python says so of a subinterpreter that is isolated, and a compiled part may say it of others.
    if "interpreter" in str(error):
        return f"{what}Import it in one interpreter of a process only, or use processes (multiprocessing) instead."
    return f"{what}Reinstall it with: {command(catalogue, repair=True)}"


def _archive(folder: str) -> str:
    """Return the file that a folder lies in, where it is one in an archive, or an empty string."""
    while folder and not os.path.exists(folder) and os.path.dirname(folder) != folder:
        folder = os.path.dirname(folder)
    return folder if os.path.isfile(folder) else ""


def _unpack(archive: str) -> str:
    return (
        f"It lies in the archive {archive}, and no system opens a library in there: unpack it, as PEX and shiv do "
        "before they start, or install it with pip."
    )


def _warn(message: str, category: type[Warning], package: str) -> None:
    """Warn at the line that imports the package: frames of the package, of this one and of the import system do not count."""
    from warnings import warn_explicit

    frame = sys._getframe(1)
    while frame.f_back is not None and _is_internal(frame.f_globals.get("__name__", ""), package):
        frame = frame.f_back
    warn_explicit(
        message,
        category,
        filename=frame.f_code.co_filename,
        lineno=frame.f_lineno,
        module=frame.f_globals.get("__name__") or "<unknown>",
        registry=frame.f_globals.setdefault("__warningregistry__", {}),
    )


def _is_internal(name: str, package: str) -> bool:
    # Until something imports `importlib`, its frozen modules go by `_frozen_importlib` and `_frozen_importlib_external`.
    return f"{name}.".startswith((f"{package}.", "variantkit.", "importlib.", "_frozen_importlib", "runpy."))
