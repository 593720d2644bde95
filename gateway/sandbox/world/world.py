"""The state that all endpoints share: numbers, accounts, switches."""

from dataclasses import dataclass

from gateway.sandbox.options import SandboxSettings
from gateway.sandbox.switches import Switches
from gateway.sandbox.world.number_store import Store
from gateway.sandbox.world.population import Population


@dataclass(slots=True)
class World:
    """The state of one sandbox. `switches` may be replaced while it runs."""

    settings: SandboxSettings
    store: Store
    population: Population
    switches: Switches
