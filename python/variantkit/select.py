"""Choose a classifier: a pure function from catalogue, installed classifiers, host and policy to a decision.

The choice is the first in rank order whose required features are a subset of the host's. There are no scores.
"""

from __future__ import annotations

from variantkit._record import Record
from variantkit.errors import (
    ClassifierNotInstalledError,
    ClassifierNotRunnableError,
    NoUsableClassifierError,
    UnknownClassifierError,
    VersionMismatchError,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

    from variantkit.catalogue import Catalogue, Classifier
    from variantkit.host import Host

__all__ = ["Decision", "Installed", "Policy", "select", "select_devices"]


class Installed(Record):
    """A classifier that was found on this machine; `defect` is the reason why its library cannot be used, or empty."""

    classifier: str
    version: str
    abi: str
    path: str
    size: int
    sha256: str = ""
    origin: str = "wheel"
    defect: str = ""


class Policy(Record):
    """What the user asks for: a forced classifier, and which kind of device goes first."""

    forced: str | None = None
    cpu_priority: int = 0
    gpu_priority: int = 100

    def priority(self, device: str) -> int:
        """Return the priority of a kind of device; the highest goes first."""
        return self.cpu_priority if device == "cpu" else self.gpu_priority


class Decision(Record):
    """What was chosen for one kind of device, and everything that is to be said about it.

    `rejected` has (name, why) for every other classifier of the kind. `missing` has the features that each classifier
    lacks here, none for those that run. `runnable` are those that this machine can run, installed or not, the highest
    rank first; `recommended` is the first of them that is installed, or not only for those who ask for it. `defective` are those that are ranked higher than the chosen one and
    installed, but cannot be used; `better` those that are ranked higher and not installed, and than every defective
    one too: what is installed and only has to be mended is better than what comes after it.
    """

    chosen: str | None
    reason: str
    device: str = "cpu"
    forced: bool = False
    rejected: tuple[tuple[str, str], ...] = ()
    missing: dict[str, tuple[str, ...]]
    runnable: tuple[str, ...] = ()
    recommended: str | None = None
    better: tuple[str, ...] = ()
    defective: tuple[str, ...] = ()

    def why_not(self, name: str) -> str:
        """Return why that classifier was not chosen; empty for the chosen one."""
        return dict(self.rejected).get(name, "")


def select_devices(
    catalogue: Catalogue, installed: Iterable[Installed], host: Host, policy: Policy | None = None
) -> tuple[Decision, ...]:
    """Return one decision per kind of device in the catalogue, the one with the highest priority first.

    Raises as `select` does. A forced classifier leaves only the kind of device it is for.
    """
    policy = policy or Policy()
    installed = tuple(installed)
    devices = sorted(
        {classifier.device for classifier in catalogue.classifiers}, key=lambda kind: (-policy.priority(kind), kind)
    )
    if policy.forced:
        forced = catalogue.get(policy.forced)
        devices = [forced.device] if forced else devices[:1]
    return tuple(select(catalogue, installed, host, policy, device=device) for device in devices)


def select(
    catalogue: Catalogue,
    installed: Iterable[Installed],
    host: Host,
    policy: Policy | None = None,
    *,
    device: str = "cpu",
) -> Decision:
    """Decide for one kind of device.

    Raises, for a forced classifier only, UnknownClassifierError, ClassifierNotRunnableError,
    ClassifierNotInstalledError, VersionMismatchError, or NoUsableClassifierError when its library is damaged.
    """
    policy = policy or Policy()
    found = {item.classifier: item for item in installed}
    if policy.forced:
        _check_forced(catalogue, found, host, policy.forced)
    rows = [row for row in catalogue.classifiers if row.device == device]
    rows.sort(key=lambda row: (-row.rank, row.name))
    obstacles = {row.name: _obstacle(row, host) for row in rows}
    runnable = tuple(row.name for row in rows if not obstacles[row.name])
    usable = [name for name in runnable if name in found and not _defect(catalogue, found[name])]
    if policy.forced:
        usable = [name for name in usable if name == policy.forced]
    chosen = usable[0] if usable else None
    above = () if policy.forced else runnable[: runnable.index(chosen)] if chosen else runnable
    rejected = []
    for row in rows:
        if row.name != chosen:
            why = obstacles[row.name] or _why_unused(catalogue, row, found.get(row.name), chosen, policy)
            rejected.append((row.name, why))
    defective = tuple(name for name in above if name in found)
    # Nobody is told to install what is only for those who ask for it.
    offered = tuple(row.name for row in rows if row.name in found or not row.on_request)
    better = tuple(name for name in (above[: above.index(defective[0])] if defective else above) if name in offered)
    idle = tuple(row.name for row in rows if row.name in found and obstacles[row.name])
    return Decision(
        chosen=chosen,
        reason=_reason(catalogue, chosen, runnable, better, defective, idle, policy),
        device=device,
        forced=bool(policy.forced),
        rejected=tuple(rejected),
        missing={row.name: host.missing(row.features) for row in rows},
        runnable=runnable,
        recommended=next((name for name in runnable if name in offered), None),
        better=better,
        defective=defective,
    )


def _obstacle(row: Classifier, host: Host) -> str:
    """Return why the classifier cannot run on the host, or an empty string."""
    if host.platform not in row.platforms:
        return f"it is built for {', '.join(row.platforms) or 'no platform'}, and this is {host.platform}"
    if row.device not in host.devices:
        return f"this machine has no usable {row.device} device"
    missing = host.missing(row.features)
    if missing:
        return f"this machine lacks {', '.join(missing)}"
    return ""


def _defect(catalogue: Catalogue, item: Installed) -> str:
    if item.defect:
        return item.defect
    if item.version != catalogue.version:
        return f"version mismatch: it is {item.version}, and {catalogue.distribution} is {catalogue.version}"
    return ""


def _why_unused(
    catalogue: Catalogue, row: Classifier, item: Installed | None, chosen: str | None, policy: Policy
) -> str:
    if item is None:
        return f"it is not installed{', and only for those who ask for it' if row.on_request else ''}"
    defect = _defect(catalogue, item)
    if defect:
        return defect
    if policy.forced:
        return f"{catalogue.prefix}_CLASSIFIER asks for {chosen}"
    return f"{chosen} is ranked higher"


def _reason(
    catalogue: Catalogue,
    chosen: str | None,
    runnable: tuple[str, ...],
    better: tuple[str, ...],
    defective: tuple[str, ...],
    idle: tuple[str, ...],
    policy: Policy,
) -> str:
    if chosen is None:
        if not runnable:
            return "no classifier can run on this machine."
        return f"no usable library is installed; {', '.join(runnable)} could run on this machine."
    if policy.forced:
        return f"{catalogue.prefix}_CLASSIFIER asks for {chosen}, and this machine can run it."
    # An environment that was copied to a weaker machine says here that it falls back.
    unfit = f" Installed, but not for this machine: {', '.join(idle)}." if idle else ""
    if not better and not defective:
        return f"{chosen} is the best classifier that this machine can run.{unfit}"
    other = [f"{', '.join(better)} could be installed"] if better else []
    other += [f"{', '.join(defective)} cannot be used as installed"] if defective else []
    return f"{chosen} is the best usable classifier among those installed; {' and '.join(other)}.{unfit}"


def _check_forced(catalogue: Catalogue, found: dict[str, Installed], host: Host, name: str) -> None:
    variable = f"{catalogue.prefix}_CLASSIFIER={name}"
    row = catalogue.get(name)
    if row is None:
        known = ", ".join(catalogue.names)
        msg = f"{variable}: {catalogue.distribution} has no such classifier; choose from {known}, or unset it"
        raise UnknownClassifierError(msg)
    obstacle = _obstacle(row, host)
    if obstacle:
        runs = [other.name for other in catalogue.classifiers if not _obstacle(other, host)]
        cure = f"choose from {', '.join(runs)}, or unset it" if runs else "unset it"
        msg = f"{variable}: {name} cannot run here, because {obstacle}; {cure}"
        raise ClassifierNotRunnableError(msg)
    item = found.get(name)
    if item is None:
        have = ", ".join(sorted(found)) or "none"
        msg = f"{variable}: {name} is not installed (installed: {have}); {_cure(catalogue, name)}"
        raise ClassifierNotInstalledError(msg)
    defect = _defect(catalogue, item)
    if defect:
        mismatch = not item.defect
        msg = f"{variable}: {name} cannot be used: {defect}; {_cure(catalogue, name, repair=True)}"
        raise (VersionMismatchError if mismatch else NoUsableClassifierError)(msg)


def _cure(catalogue: Catalogue, name: str, *, repair: bool = False) -> str:
    from variantkit.installer import command

    extra = None if name == catalogue.base else name
    return f"{'mend' if repair else 'install'} it with: {command(catalogue, extra, repair=repair)}"
