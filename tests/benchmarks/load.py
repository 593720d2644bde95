"""Load from wrk: one run against one server, and what it measured."""

import json
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from tests.benchmarks import data
from tests.benchmarks.operations import Operation

CONNECTIONS: Final = 32
SAMPLES: Final = 2000
AUTHORIZATION: Final = data.basic(data.ACCOUNT)
_SCRIPT: Final = Path(__file__).with_name("load.lua")


class LoadError(Exception):
    """The generator is missing, or the server under load did not answer as it should."""


@dataclass(frozen=True)
class Measured:
    """One run: requests per second, latencies in milliseconds, answers, bytes per answer.

    `processor` is what the server used for one request, in microseconds; 0 when nobody looked.
    """

    rate: float
    p50: float
    p99: float
    longest: float
    requests: int
    size: float
    processor: float = 0


def generator() -> str:
    """Return the path of wrk.

    Raises:
        LoadError: it is not installed.
    """
    path = shutil.which("wrk")
    if path is None:
        message = "wrk is not installed (Debian and Ubuntu: apt-get install -y wrk)"
        raise LoadError(message)
    return path


def write_requests(folder: Path, operation: Operation, *, plain: bool) -> Path:
    """Write the requests of an operation, one a line, and return the file.

    `plain` writes paths for a plain proxy in place of GraphQL bodies.
    """
    file = folder / f"{operation.name}-{'plain' if plain else 'graphql'}.txt"
    samples = operation.samples(SAMPLES)
    if plain and operation.plain_path is not None:
        lines = [operation.plain_path(variables).encode() for variables in samples]
    else:
        lines = [operation.body(variables, place) for place, variables in enumerate(samples)]
    file.write_bytes(b"\n".join(lines) + b"\n")
    return file


def run(
    url: str,
    requests: Path,
    seconds: float,
    *,
    cpu: int,
    place: int = 0,
    connections: int = CONNECTIONS,
) -> Measured:
    """Put load on `url` for `seconds`, from core `cpu`.

    Raises:
        LoadError: wrk failed, or one answer had a status other than 2xx.
    """
    command = ["taskset", "-c", str(cpu), generator(), "-t1", f"-c{connections}"]
    command += [f"-d{max(1, round(seconds))}s", "--timeout", "30s", "-s", str(_SCRIPT), url]
    command += ["--", str(requests), AUTHORIZATION, str(place)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        message = f"wrk failed on {url}: {done.stdout}{done.stderr}"
        raise LoadError(message)
    return read_summary(json.loads(done.stdout.strip().rsplit("\n", 1)[-1]), url)


def read_summary(summary: dict[str, Any], url: str) -> Measured:
    """Turn the JSON line of `load.lua` into what was measured.

    Raises:
        LoadError: see `run`.
    """
    if summary["failed"]:
        message = f"{url}: {summary['failed']} failed of {summary['requests']} requests"
        raise LoadError(message)
    return Measured(
        rate=summary["requests"] / summary["microseconds"] * 1e6,
        p50=summary["p50"] / 1000,
        p99=summary["p99"] / 1000,
        longest=summary["longest"] / 1000,
        requests=summary["requests"],
        size=summary["bytes"] / max(1, summary["requests"]),
    )
