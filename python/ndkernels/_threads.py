"""The number of threads that the kernels use."""

from __future__ import annotations

from ndkernels import _binding

__all__ = ["get_num_threads", "set_num_threads"]


def get_num_threads() -> int:
    """Return how many threads a computation may use.

    The default is the first number of the environment variable OMP_NUM_THREADS as it was when `ndkernels` was imported,
    otherwise the number of physical cores in the affinity mask of this process: two hardware threads of a core share its
    vector units. Warns with RuntimeWarning, once, where the variable has a value that is not allowed.
    """
    return _binding.get_num_threads()


def set_num_threads(count: int, /) -> None:
    """Let every computation of this process, from whatever thread it is called, use up to `count` threads.

    No thread is started before a computation needs it. Raises TypeError when `count` is not an integer and ValueError when
    it is not in 1 to 1024.
    """
    _binding.set_num_threads(count)
