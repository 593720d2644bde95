"""Settings of a sandbox."""

from dataclasses import dataclass, field
from pathlib import Path

from gateway.sandbox.switches import Switches

DEFAULT_SEED = 2010
MOST_NUMBERS = 1_000_000


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
