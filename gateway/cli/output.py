"""Where `export` writes: a file, which gets its name when it is whole, or a stream.

Pages of a file are appended to `FILE.part`; after each, `FILE.part.state` tells the cursor and how
long the part was. An export that was broken off goes on from there, so that no number is missing or
twice. The part is locked as long as an export works on it; one without a page is removed.

Standard output, pipes and devices are written to as they are.
"""

import errno
import json
import os
import select
import shutil
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, Final, NamedTuple, Protocol

from gateway.errors import CommandError
from gateway.storage import file_locks

STANDARD_OUTPUT: Final = Path("-")
_MOST_LINKS: Final = 40
# A file that is mounted by itself cannot be replaced.
_FIXED: Final = frozenset({errno.EBUSY, errno.EXDEV})


class Identity(NamedTuple):
    """What an export is of. A part is continued only by an export of the same.

    Attributes:
        form: how it is written.
        account: whose numbers; None: one's own.
        url: who is asked; None: the upstream itself.
        fields: what is selected of a number. A part goes on with the fields that it began with,
            though another release would select more.
        raw: "raw" when formulas are left as they are; earlier releases did not say.
    """

    form: str
    account: str | None
    url: str | None
    fields: str
    raw: str | None = None


class State(NamedTuple):
    """How far an export has come.

    Attributes:
        identity: what it is of.
        cursor: of the last page that is written; None before the first.
        size: bytes of the file up to that page.
        numbers: how many are written.
    """

    identity: Identity
    cursor: str | None = None
    size: int = 0
    numbers: int = 0


class Output(Protocol):
    """Takes pages. Every method may raise CommandError; BrokenPipeError: nobody reads any more."""

    state: State
    name: str
    is_terminal: bool

    def add(self, text: str, cursor: str | None, numbers: int) -> None:
        """Write a page, and only then note that it is there."""

    def finish(self) -> None:
        """Note that all pages are there."""

    def left(self) -> str:
        """Return what is left of it if it is broken off now, as a sentence."""

    def close(self) -> None:
        """Let go of it: finished, or as it is, to go on another time."""


def open_output(out: Path, identity: Identity, *, restart: bool) -> Output:
    """Return what is to be written at a path; links are followed, and stay.

    A pipe is waited for until somebody reads from it.

    Raises:
        CommandError: it cannot be written, or another export works on it.
    """
    with _told(str(out)):
        if out == STANDARD_OUTPUT:
            return _Stream(os.dup(1), "standard output", identity)
        descriptor = _descriptor(out)
        if descriptor is not None:
            return _Stream(os.dup(descriptor), str(out), identity)
        with suppress(FileNotFoundError):
            kind = out.stat().st_mode
            if stat.S_ISDIR(kind):
                raise CommandError(f"{out} is a folder")
            if not stat.S_ISREG(kind):
                return _Stream(os.open(out, os.O_WRONLY | os.O_NOCTTY), str(out), identity)
        return _File(out, identity, restart=restart)


class _Stream:
    """What was written to it is gone: an export cannot go on where it was."""

    def __init__(self, file: int, name: str, identity: Identity) -> None:
        self.state = State(identity)
        self.name = name
        self._file = file
        self.is_terminal = os.isatty(file)

    def add(self, text: str, cursor: str | None, numbers: int) -> None:
        """See `Output`."""
        left = memoryview(text.encode())
        with _told(self.name):
            while left:
                try:
                    left = left[os.write(self._file, left) :]
                except BlockingIOError:
                    select.select([], [self._file], [])
        written = self.state.numbers + numbers
        self.state = self.state._replace(cursor=cursor, numbers=written)

    def finish(self) -> None:
        """See `Output`."""

    def left(self) -> str:
        """See `Output`."""
        return f"{self.state.numbers} numbers were written."

    def close(self) -> None:
        """See `Output`."""
        with suppress(OSError):
            os.close(self._file)


class _File:
    """A file; what has its name stays as it is until all is there."""

    is_terminal = False

    def __init__(self, out: Path, identity: Identity, *, restart: bool) -> None:
        self.name = str(out)
        # The link's target is replaced, in its own folder, and the link stays.
        self._out = Path(os.path.realpath(out)) if out.is_symlink() else out
        self._path = self._out.with_name(f"{self._out.name}.part")
        self._state_path = self._out.with_name(f"{self._out.name}.part.state")
        self._is_finished = False
        # Neither emptied nor believed before it is ours. What replaces a file that others may not
        # read is not shown to them before.
        mode = 0o600 if self._out.exists() else 0o666
        flags = os.O_RDWR | os.O_CREAT | getattr(os, "O_NOFOLLOW", 0)
        self._file: IO[bytes] = os.fdopen(os.open(self._path, flags, mode), "r+b")
        try:
            self._lock()
            self.state = (None if restart else self._kept(identity)) or State(identity)
            # What was written after the last page that is known to be whole is written again.
            self._file.truncate(self.state.size)
            self._file.seek(self.state.size)
        except BaseException:
            self._file.close()
            raise

    def add(self, text: str, cursor: str | None, numbers: int) -> None:
        """See `Output`."""
        with _told(self.name, self.left() if self.state.numbers else ""):
            self._file.write(text.encode())
            self._file.flush()
            os.fsync(self._file.fileno())
            total = self.state.numbers + numbers
            state = State(self.state.identity, cursor, self._file.tell(), total)
            fresh = self._state_path.with_suffix(".new")
            try:
                fresh.write_text(json.dumps(state._asdict()))
                fresh.replace(self._state_path)
            finally:
                fresh.unlink(missing_ok=True)
            self.state = state

    def finish(self) -> None:
        """Give the file its name, and the rights and the owner of the one that had it."""
        with _told(self.name):
            if not self._replace():
                self._overwrite()
            self._is_finished = True

    def left(self) -> str:
        """See `Output`."""
        if not self.state.numbers:
            return "Nothing is kept."
        return f"{self.state.numbers} numbers are kept: the same command goes on from there."

    def close(self) -> None:
        """See `Output`."""
        if not self._is_finished and self.state.cursor is None:
            self._remove()
        locked = os.dup(self._file.fileno())
        # What could not be written before cannot be now; it is written again another time.
        with suppress(OSError):
            self._file.close()
        # A disk that is full gets back what no page has come of.
        with suppress(OSError):
            if not self._is_finished:
                os.ftruncate(locked, self.state.size)
        os.close(locked)

    def _replace(self) -> bool:
        """Put the part in the place of the file; tell whether that can be."""
        try:
            with suppress(FileNotFoundError):
                there = self._out.stat()
                part = os.fstat(self._file.fileno())
                if (there.st_uid, there.st_gid) != (part.st_uid, part.st_gid):
                    os.fchown(self._file.fileno(), there.st_uid, there.st_gid)
                os.fchmod(self._file.fileno(), stat.S_IMODE(there.st_mode))
            self._path.replace(self._out)
        except PermissionError:
            return False
        except OSError as error:
            if error.errno not in _FIXED:
                raise
            return False
        self._state_path.unlink(missing_ok=True)
        return True

    def _overwrite(self) -> None:
        """Copy the part into the file, which cannot be replaced or would lose its owner."""
        with self._out.open("r+b") as target:
            self._file.seek(0)
            shutil.copyfileobj(self._file, target)
            target.truncate()
            target.flush()
            os.fsync(target.fileno())
        self._remove()

    def _remove(self) -> None:
        self._state_path.unlink(missing_ok=True)
        self._path.unlink(missing_ok=True)

    def _lock(self) -> None:
        """Keep others away until the file is closed."""
        is_ours = False
        if file_locks.try_lock(self._file.fileno()):
            # Who had it may have given it its name since it was opened.
            with suppress(FileNotFoundError):
                is_ours = os.path.samestat(self._path.stat(), os.fstat(self._file.fileno()))
        if not is_ours:
            raise CommandError(f"another export works on {self._path}")

    def _kept(self, identity: Identity) -> State | None:
        try:
            document = json.loads(self._state_path.read_text())
            kept = State(**document | {"identity": Identity(*document["identity"])})
        except FileNotFoundError:
            return None
        except (OSError, ValueError, TypeError, LookupError):
            raise CommandError(
                f"{self._state_path} cannot be read: give --restart to begin anew"
            ) from None
        if kept.identity._replace(fields=identity.fields) != identity:
            raise CommandError(
                f"{self._path} is a part of another export: give --restart to begin anew"
            )
        if os.fstat(self._file.fileno()).st_size < kept.size:
            raise CommandError(
                f"{self._path} is shorter than {self._state_path} says: give --restart to begin"
                " anew"
            )
        return kept


@contextmanager
def _told(name: str, left: str = "") -> Iterator[None]:
    """Say what cannot be written, why, and what is left of it, in one line."""
    try:
        yield
    except BrokenPipeError:
        raise
    except OSError as error:
        why = error.strerror or str(error)
        raise CommandError(f"{name} cannot be written: {why}{left and f'. {left}'}") from None


def _descriptor(path: Path) -> int | None:
    """Return which open file of this process a path names, as `/dev/stdout` does; None: none.

    Behind it may be a file that others write to as well, so that it must not be replaced.
    """
    ours = {"/dev/fd", f"/proc/{os.getpid()}/fd"}
    for _ in range(_MOST_LINKS):
        if path.name.isdecimal() and os.path.realpath(path.parent) in ours:
            return int(path.name)
        try:
            path = path.parent / path.readlink()
        except OSError:
            return None
    return None
