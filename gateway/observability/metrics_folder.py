"""The folder in which the workers of one port count together, for `/metrics`.

The library behind `/metrics` keeps what several processes count in files of a folder. Beside them
lies one named after each worker and its process id. Whoever uses the folder holds a lock on it
(`flock`); so one without belongs to nobody any more, however its processes ended, and is removed by
the next start. systemd-tmpfiles, too, leaves those alone that are locked.
"""

import multiprocessing
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final

from gateway.errors import CommandError
from gateway.storage import file_locks

# Names the folder, for the library and for workers.
_VARIABLE: Final = "PROMETHEUS_MULTIPROC_DIR"
_PREFIX: Final = "number-gateway-metrics-workers-"


@contextmanager
def shared_folder(data_dir: Path, *, wanted: bool) -> Iterator[None]:
    """Have a folder for workers that start meanwhile; remove those that killed ones left behind.

    Raises:
        CommandError: there is no place where it can be made.
    """
    places = list(_places(data_dir))
    for place in places:
        _sweep(place)
    if not wanted:
        # One set for other programs would have the library count in files here, too.
        os.environ.pop(_VARIABLE, None)
        yield
        return
    folder, lock = _make(places)
    os.environ[_VARIABLE] = str(folder)
    try:
        yield
    finally:
        del os.environ[_VARIABLE]
        shutil.rmtree(folder, ignore_errors=True)
        os.close(lock)


@contextmanager
def joined(worker: int) -> Iterator[None]:
    """Be a worker that counts in the folder, if there is one."""
    folder = _folder()
    if folder is None:
        yield
        return
    lock = None
    while lock is None:
        # It may have been taken for rubbish by whatever clears /tmp.
        folder.mkdir(mode=0o700, exist_ok=True)
        lock = _hold(folder)
    (folder / f"worker-{worker}-{os.getpid()}").touch()
    try:
        yield
    finally:
        os.close(lock)
        supervisor = multiprocessing.parent_process()
        if supervisor is None or not supervisor.is_alive():
            # It was killed: the last worker to leave removes the folder in its place.
            _remove_if_left(folder)


def forget(pid: int) -> None:
    """Let what a worker that died said of itself count no longer; what it counted still does."""
    folder = _folder()
    if folder is None:
        return
    from gateway.observability._compat import forget_gauges  # noqa: PLC0415 - only with metrics

    forget_gauges(pid)
    for note in folder.glob(f"worker-*-{pid}"):
        note.unlink(missing_ok=True)


def members() -> dict[str, str]:
    """Return the process ids of the workers that live, by the workers' numbers."""
    folder = _folder()
    notes = sorted(folder.glob("worker-*-*")) if folder is not None else ()
    return {worker: pid for _, worker, pid in (note.name.split("-") for note in notes)}


def _folder() -> Path | None:
    folder = Path(os.environ.get(_VARIABLE, ""))
    # The variable is known beyond this program: what it names may be somebody else's.
    return folder if folder.name.startswith(_PREFIX) else None


def _places(data_dir: Path) -> Iterator[Path]:
    """Yield where the folder may be made, the best place first."""
    with suppress(FileNotFoundError):
        yield Path(tempfile.gettempdir())
    # Containers whose root is read-only have it all the same.
    yield Path("/dev/shm")  # noqa: S108 - the name in it is made as in /tmp
    yield data_dir.absolute()


def _make(places: list[Path]) -> tuple[Path, int]:
    """Return a new folder and the lock on it."""
    for place in places:
        with suppress(OSError):
            place.mkdir(mode=0o700, parents=True, exist_ok=True)
            while True:
                folder = Path(tempfile.mkdtemp(prefix=_PREFIX, dir=place))
                lock = _hold(folder)
                if lock is not None:
                    return folder, lock
    shown = ", ".join(map(str, dict.fromkeys(places)))
    raise CommandError(
        "several workers count their metrics in files, and a folder for them can be made nowhere"
        f" ({shown}): set TMPDIR or GATEWAY_DATA_DIR to a folder that can be written, or"
        " GATEWAY_METRICS=false"
    )


def _hold(folder: Path) -> int | None:
    """Lock a folder until the process ends; None when somebody has removed it just now."""
    try:
        lock = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    except FileNotFoundError:
        return None
    file_locks.lock_shared(lock)
    if folder.exists():
        return lock
    os.close(lock)
    return None


def _sweep(place: Path) -> None:
    for folder in place.glob(f"{_PREFIX}*"):
        _remove_if_left(folder)


def _remove_if_left(folder: Path) -> None:
    """Remove a folder of ours that nobody uses."""
    with suppress(OSError):  # It is in use, or has vanished.
        lock = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
        try:
            # In /tmp others may have put one with such a name.
            if os.fstat(lock).st_uid == os.geteuid() and file_locks.try_lock(lock):
                shutil.rmtree(folder, ignore_errors=True)
        finally:
            os.close(lock)
