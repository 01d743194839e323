"""Measuring a row: all libraries take turns, sample by sample, so that what drifts drifts for all of them."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import statistics
import subprocess
import sys
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any

from tools import ROOT

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tools.bench.cases import Case

__all__ = ["Measured", "Worker", "measure", "workers"]

PEERS = ("numpy", "torch", "onnxruntime")


@dataclass(frozen=True, kw_only=True)
class Measured:
    """What one row gave: median seconds per call of each library, and our ratios to the best peer."""

    name: str
    family: str
    target: float | None
    flops: float
    bytes: float
    seconds: dict[str, float]
    ratios: dict[str, float]  # of each classifier to the best peer; empty where there is none
    best: str | None  # the peer with the smallest median
    spread: dict[str, float] = field(default_factory=dict)  # (largest - smallest) / median of the samples

    def as_json(self) -> dict[str, Any]:
        """Return plain data."""
        return asdict(self)


class Worker:
    """A process that holds one library, and is stopped while it has nothing to do: threads of idle pools spin."""

    def __init__(self, name: str, library: str, threads: int, environ: dict[str, str]) -> None:
        self.name = name
        # Each library chooses its code itself.
        free = {key: value for key, value in os.environ.items() if key not in {"OPENBLAS_CORETYPE", "MKL_CBWR"}}
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tools.bench.worker", library, str(threads)],
            cwd=ROOT, env={**free, **environ}, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
        )  # fmt: skip
        self.versions: dict[str, str] = self._answer()["versions"]
        self._process.send_signal(signal.SIGSTOP)

    def ask(self, **request: Any) -> dict[str, Any]:
        """Send a request and wait for its answer."""
        assert self._process.stdin is not None  # noqa: S101 -- for the type checker
        self._process.send_signal(signal.SIGCONT)
        self._process.stdin.write(json.dumps(request) + "\n")
        self._process.stdin.flush()
        answer = self._answer()
        self._process.send_signal(signal.SIGSTOP)
        return answer

    def _answer(self) -> dict[str, Any]:
        assert self._process.stdout is not None  # noqa: S101 -- for the type checker
        line = self._process.stdout.readline()
        if not line:
            status = self._process.wait()
            message = f"{self.name}: ended with status {status}; what it wrote stands above"
            raise RuntimeError(message)
        answer: dict[str, Any] = json.loads(line)
        return answer

    def close(self) -> None:
        """End the process."""
        with contextlib.suppress(OSError):
            self._process.kill()
        self._process.wait()


@contextlib.contextmanager
def workers(classifiers: list[str], threads: int, peers: tuple[str, ...]) -> Iterator[list[Worker]]:
    """Start a process for each classifier and each peer, and end them all."""
    count = str(threads)
    environ = {"OMP_NUM_THREADS": count, "OPENBLAS_NUM_THREADS": count, "MKL_NUM_THREADS": count, "NDKERNELS_WARN": "0"}
    started: list[Worker] = []
    try:
        # One by one: those that have started are ended where the next one fails.
        for name, library in (*((name, "ndkernels") for name in classifiers), *((peer, peer) for peer in peers)):
            classifier, _, helper = name.partition("+")
            forced = {"NDKERNELS_CLASSIFIER": classifier} if library == "ndkernels" else {}
            if helper:
                forced["NDKERNELS_HELPERS"] = helper
            started.append(Worker(name, library, threads, {**environ, **forced}))
        yield started
    finally:
        for worker in started:
            worker.close()


def measure(case: Case, running: list[Worker], rounds: int) -> Measured:
    """Measure one row."""
    request = {"do": "prepare", "kind": case.kind, "parameters": case.parameters}
    able = [worker for worker in running if "missing" not in worker.ask(**request)]
    samples: dict[str, list[float]] = {worker.name: [] for worker in able}
    for turn in range(rounds):
        # Every other round backwards, so that nobody always follows the same one.
        for worker in able if turn % 2 == 0 else reversed(able):
            samples[worker.name].append(worker.ask(do="sample")["seconds"])
    seconds = {name: statistics.median(each) for name, each in samples.items()}
    peers = {name: each for name, each in seconds.items() if name in PEERS}
    best = min(peers, key=peers.__getitem__, default=None)
    # Round by round: both have seen the same moment.
    ratios = {
        name: statistics.median(theirs / ours for ours, theirs in zip(samples[name], samples[best], strict=True))
        for name in seconds
        if best is not None and name not in PEERS
    }
    return Measured(
        name=case.name,
        family=case.family,
        target=case.target,
        flops=case.flops,
        bytes=case.bytes,
        seconds=seconds,
        ratios=ratios,
        best=best,
        spread={name: (max(each) - min(each)) / seconds[name] for name, each in samples.items()},
    )
