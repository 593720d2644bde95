"""Valkey servers that are more than one: a primary and its replica behind a sentinel; a cluster."""

import socket
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from redis import Redis

from tests.support.valkey_process import ValkeyServer, valkey_server
from tests.support.waiting import until

SERVICE = "numbers"


@dataclass(frozen=True)
class Watched:
    """A primary and its replica, and the sentinel that watches them."""

    primary: ValkeyServer
    replica: ValkeyServer
    sentinel: ValkeyServer
    password: str

    @property
    def url(self) -> str:
        """The URL of the store; the first sentinel that it names is not there."""
        return (
            f"redis+sentinel://:{self.password}@127.0.0.1:1,127.0.0.1:{self.sentinel.port}"
            f"/{SERVICE}/0?sentinel_password=of-{self.password}"
        )

    def fail_over(self) -> None:
        """Let the replica become the primary, and the primary its replica."""
        with Redis(port=self.sentinel.port, password=f"of-{self.password}") as asked:
            commands: Any = asked
            commands.execute_command("SENTINEL FAILOVER", SERVICE)
            until(lambda: self.names() == self.replica.port)

    def names(self) -> int:
        """Return the port of the primary that the sentinel names."""
        with Redis(port=self.sentinel.port, password=f"of-{self.password}") as asked:
            commands: Any = asked
            return int(commands.sentinel_get_master_addr_by_name(SERVICE)[1])


@contextmanager
def watched_servers(folder: Path, *, password: str, down_after: float = 1.0) -> Iterator[Watched]:
    """Run a primary, a replica that has caught up, and a sentinel that knows both.

    Args:
        folder: for their files.
        password: of the servers; the sentinel's begins with `of-`.
        down_after: seconds of silence after which the sentinel fails over.
    """
    for name in ("primary", "replica", "sentinel"):
        (folder / name).mkdir()
    own = ["--masterauth", password, "--repl-diskless-sync-delay", "0"]
    with ExitStack() as stack:

        def start(name: str, *options: str) -> ValkeyServer:
            return stack.enter_context(
                valkey_server(folder / name, password=password, options=[*own, *options])
            )

        primary = start("primary")
        replica = start("replica", "--replicaof", f"127.0.0.1 {primary.port}")
        with Redis(port=primary.port, password=password) as asked:
            commands: Any = asked
            until(
                lambda: (commands.info("replication").get("slave0") or {}).get("state") == "online"
            )
        file = folder / "sentinel" / "sentinel.conf"
        file.write_text(
            f"requirepass of-{password}\n"
            f"sentinel monitor {SERVICE} 127.0.0.1 {primary.port} 1\n"
            f"sentinel auth-pass {SERVICE} {password}\n"
            f"sentinel down-after-milliseconds {SERVICE} {round(down_after * 1000)}\n"
            f"sentinel failover-timeout {SERVICE} 2000\n"
        )
        sentinel = ValkeyServer(folder / "sentinel", password=f"of-{password}")
        sentinel.start_sentinel(file)
        stack.callback(sentinel.kill)
        yield Watched(primary, replica, sentinel, password)


@contextmanager
def cluster(folder: Path, *, size: int = 3, password: str = "") -> Iterator[list[ValkeyServer]]:
    """Run a cluster of primaries without replicas, each with its part of the slots."""
    with ExitStack() as stack:
        servers, buses = [], []
        for number in range(size):
            (folder / str(number)).mkdir()
            with socket.create_server(("127.0.0.1", 0)) as free:
                buses.append(free.getsockname()[1])
            options = ["--cluster-enabled", "yes", "--cluster-port", str(buses[-1])]
            servers.append(
                stack.enter_context(
                    valkey_server(folder / str(number), password=password, options=options)
                )
            )
        asked: list[Any] = [
            stack.enter_context(Redis(port=each.port, password=password or None))
            for each in servers
        ]
        edges = [16384 * number // size for number in range(size + 1)]
        for number, commands in enumerate(asked):
            commands.execute_command("CLUSTER ADDSLOTSRANGE", edges[number], edges[number + 1] - 1)
            commands.execute_command("CLUSTER SET-CONFIG-EPOCH", number + 1)
        for commands in asked[1:]:
            commands.execute_command("CLUSTER MEET", "127.0.0.1", servers[0].port, buses[0])
        until(lambda: all(_is_whole(each, size) for each in asked))
        yield servers


def _is_whole(commands: Any, size: int) -> bool:
    said = commands.execute_command("CLUSTER INFO")
    return (said["cluster_state"], said["cluster_known_nodes"]) == ("ok", str(size))
