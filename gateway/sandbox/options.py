"""Settings of a sandbox."""

import tomllib
from dataclasses import dataclass, field
from pathlib import Path

from gateway.sandbox.switches import Switches

DEFAULT_SEED = 2010
MOST_NUMBERS = 1_000_000
SWITCHES_VERSION = 1
"""Version of the files that `read_switches` reads."""


class SandboxError(Exception):
    """The sandbox cannot start: the message says why and names the file or setting."""


@dataclass(frozen=True, slots=True)
class SandboxSettings:
    """How a sandbox is made. Equal settings give equal accounts, tokens, numbers and order."""

    data: Path | None = None
    """SQLite file that keeps the state; in memory when None. An existing file is used as it is."""

    seed: int = DEFAULT_SEED
    """Seed of everything generated."""

    numbers: int = 100_000
    """Available numbers to generate; a few more come out, since every country and type has some."""

    switches: Switches = field(default_factory=Switches)
    """Behaviours that are not documented."""

    journal_size: int = 20_000
    """Requests that `/_sandbox/requests` remembers."""

    def __post_init__(self) -> None:
        if not 0 <= self.numbers <= MOST_NUMBERS:
            message = f"numbers must be between 0 and {MOST_NUMBERS}, not {self.numbers}"
            raise SandboxError(message)


def read_switches(path: Path) -> Switches:
    """Returns the defaults with what a file says otherwise: TOML, `version = 1`, and `[switches]`.

    Raises:
        SandboxError: It cannot be read, is of another form or version, or a switch is unknown or
            does not take its value.
    """
    try:
        document = tomllib.loads(path.read_text("utf-8"))
    except OSError as error:
        message = f"{path} cannot be read: {error.strerror}"
        raise SandboxError(message) from None
    except ValueError as error:
        message = f"{path} is not a file of switches: {error}"
        raise SandboxError(message) from None
    version, chosen = document.pop("version", None), document.pop("switches", {})
    if version != SWITCHES_VERSION or type(version) is not int:
        said = "says no version" if version is None else f"is of version {version!r}"
        message = f"{path} {said}; this sandbox reads version = {SWITCHES_VERSION}"
        raise SandboxError(message)
    if document or not isinstance(chosen, dict):
        message = f"{path} must have nothing but version and a table [switches]"
        raise SandboxError(message)
    try:
        return Switches().updated(chosen)
    except ValueError as error:
        message = f"{path}: {error}"
        raise SandboxError(message) from None
