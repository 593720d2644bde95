"""What every endpoint works on."""

from dataclasses import dataclass

from gateway.sandbox.population import Population
from gateway.sandbox.settings import SandboxSettings
from gateway.sandbox.store import Store
from gateway.sandbox.switches import Switches


@dataclass(slots=True)
class World:
    """The state of one sandbox. `switches` may be replaced while it runs."""

    settings: SandboxSettings
    store: Store
    population: Population
    switches: Switches
