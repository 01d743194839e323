"""Writing files so that a reader sees the old or the new one, never a half; and saying so where there is no room."""

from __future__ import annotations

import contextlib
import errno
import os
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from variantkit.errors import StorageError

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["remove_partial", "storage", "write_atomically"]

_PARTIAL = ".partial"

_FULL = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})
_REFUSED = frozenset(
    {
        errno.EACCES,
        errno.EEXIST,
        errno.EIO,
        errno.EISDIR,
        errno.ENAMETOOLONG,
        errno.ENOENT,
        errno.ENOTDIR,
        errno.EPERM,
        errno.EROFS,
    }
)


@contextlib.contextmanager
def storage(place: Path, *, read_too: bool = False) -> Iterator[None]:
    """Turn an `OSError` that says that nothing can be written into a `StorageError` about `place`, with what to do.

    Where something is `read_too`, in other places, only a full disk is taken for that.
    """
    try:
        yield
    except StorageError:
        raise
    except OSError as error:
        if error.errno in _FULL:
            advice = "Make room there, or choose another place, and run this again; what was finished is kept."
        elif error.errno in _REFUSED and not read_too:
            advice = "Choose a place where files can be written."
        else:
            raise
        msg = f"{place} cannot be written: {error.strerror}. {advice}"
        raise StorageError(msg) from error


def write_atomically(path: Path, content: str | bytes) -> bool:
    """Write `content` beside `path` and rename it there; say whether anything changed.

    A file that already has this content is left alone, with its time stamp, so that nothing is rebuilt for it. Raises
    `StorageError` where there is no room, or where nothing may be written; the old file is still there then.
    """
    data = content.encode() if isinstance(content, str) else content
    with storage(path):
        with contextlib.suppress(FileNotFoundError):
            if path.read_bytes() == data:
                return False
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.", suffix=_PARTIAL)
        try:
            with os.fdopen(handle, "wb") as file:
                file.write(data)
            # mkstemp gives 0600; what is written here is meant to be read by others.
            umask = os.umask(0)
            os.umask(umask)
            Path(name).chmod(0o666 & ~umask)
            Path(name).replace(path)
        except BaseException:
            with contextlib.suppress(FileNotFoundError):
                Path(name).unlink()
            raise
    return True


def remove_partial(folder: Path) -> None:
    """Remove what a killed writer has left in `folder` and below it, where no other writes at the same time."""
    for directory, _, files in os.walk(folder):
        for name in files:
            if name.startswith(".") and name.endswith(_PARTIAL):
                Path(directory, name).unlink(missing_ok=True)
