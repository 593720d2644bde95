"""What `export` does with a file that is there, with links, pipes and devices, and when it must end."""

import base64
import os
import resource
import signal
import stat
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from gateway.cli.main import main, parser
from gateway.cli.output import STANDARD_OUTPUT
from tests.support.gateway_in_thread import RunningGateway
from tests.support.gateway_process import start
from tests.support.sandbox_in_thread import RunningSandbox, SandboxAccount
from tests.support.waiting import PATIENCE

ROWS = 4  # three numbers, and what the columns are

Export = Callable[..., int]


@pytest.fixture
def account(sandbox: RunningSandbox) -> SandboxAccount:
    return sandbox.create_account(owned=ROWS - 1)


def options(gateway: RunningGateway, account: SandboxAccount) -> list[str]:
    """Return the options with which a command asks a gateway that runs."""
    user = base64.b64encode(":".join(account.auth).encode()).decode()
    return ["--url", f"{gateway.url}/graphql", "--header", f"Authorization: Basic {user}"]


@pytest.fixture
def export(
    gateway: RunningGateway,
    account: SandboxAccount,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> Export:
    """Exports the account's numbers to a path in a folder of its own; returns the exit code."""
    monkeypatch.chdir(tmp_path)
    return lambda out, *more: main(["export", str(out), *more, *options(gateway, account)])


def lines(path: Path | str) -> int:
    return len(Path(path).read_text().splitlines())


def names(folder: Path) -> list[str]:
    return sorted(each.name for each in folder.iterdir())


# Files --------------------------------------------------------------------------------------------


def test_a_link_stays_and_its_target_is_replaced_or_made(export: Export, tmp_path: Path) -> None:
    (tmp_path / "far").mkdir()
    (tmp_path / "far" / "old.csv").write_text("old")
    for link, target in (("old.csv", "far/old.csv"), ("new.csv", "far/new.csv")):
        (tmp_path / link).symlink_to(target)
        (tmp_path / f"two-{link}").symlink_to(link)
        assert export(f"two-{link}") == 0
        assert (tmp_path / f"two-{link}").readlink() == Path(link)
        assert (tmp_path / link).readlink() == Path(target)
        assert not (tmp_path / target).is_symlink()
        assert lines(tmp_path / target) == ROWS
    assert names(tmp_path / "far") == ["new.csv", "old.csv"]
    assert names(tmp_path) == ["far", "new.csv", "old.csv", "two-new.csv", "two-old.csv"]


@pytest.mark.parametrize(
    ("out", "why"),
    [
        ("loop.csv", "loop.csv cannot be written: Too many levels of symbolic links"),
        ("missing/n.csv", "missing/n.csv cannot be written: No such file or directory"),
        ("into-missing.csv", "into-missing.csv cannot be written: No such file or directory"),
        ("to-folder.csv", "to-folder.csv is a folder"),
        ("file/n.csv", "file/n.csv cannot be written: Not a directory"),
        (f"{'n' * 300}.csv", "cannot be written: File name too long"),
        ("part-is-link.csv", "cannot be written: Too many levels of symbolic links"),
        ("part-is-pipe.csv", "part-is-pipe.csv cannot be written: File or stream is not seekable"),
    ],
)
def test_what_cannot_be_written_is_said_in_one_line_and_nothing_is_left(
    export: Export, tmp_path: Path, capfd: pytest.CaptureFixture[str], out: str, why: str
) -> None:
    (tmp_path / "loop.csv").symlink_to("loop.csv")
    (tmp_path / "into-missing.csv").symlink_to("missing/n.csv")
    (tmp_path / "to-folder.csv").symlink_to(".")
    (tmp_path / "file").write_text("a file")
    (tmp_path / "part-is-link.csv.part").symlink_to("file")
    os.mkfifo(tmp_path / "part-is-pipe.csv.part")
    before = names(tmp_path)
    assert export(out) == 1
    said = capfd.readouterr().err
    assert why in said
    assert said.count("\n") == 1
    assert names(tmp_path) == before
    assert (tmp_path / "file").read_text() == "a file"


def test_a_file_keeps_its_rights_and_its_owner_and_a_new_one_gets_those_of_the_umask(
    export: Export, tmp_path: Path
) -> None:
    (tmp_path / "old.csv").write_text("old")
    (tmp_path / "old.csv").chmod(0o640)
    owner = (os.getuid(), os.getgid()) if os.getuid() else (12_345, 23_456)
    os.chown(tmp_path / "old.csv", *owner)
    before = os.umask(0o027)
    try:
        assert export("old.csv") == export("new.csv") == 0
    finally:
        os.umask(before)
    old, new = (tmp_path / "old.csv").stat(), (tmp_path / "new.csv").stat()
    assert (stat.S_IMODE(old.st_mode), old.st_uid, old.st_gid) == (0o640, *owner)
    assert stat.S_IMODE(new.st_mode) == 0o640
    assert lines(tmp_path / "old.csv") == ROWS


def test_another_name_of_the_file_keeps_what_it_had(export: Export, tmp_path: Path) -> None:
    (tmp_path / "n.csv").write_text("old")
    (tmp_path / "backup.csv").hardlink_to(tmp_path / "n.csv")
    assert export("n.csv") == 0
    assert lines(tmp_path / "n.csv") == ROWS
    assert (tmp_path / "backup.csv").read_text() == "old"


@pytest.fixture
def mounted(tmp_path: Path) -> Iterator[Path]:
    """A file that is mounted by itself, as containers do it: it cannot be replaced."""
    outside, inside = tmp_path / "outside.csv", tmp_path / "n.csv"
    outside.write_text("old and longer than what is written" * 1_000)
    inside.touch()
    mount = ["mount", "--bind", str(outside), str(inside)]
    if subprocess.run(mount, check=False, capture_output=True).returncode:  # noqa: S603
        pytest.skip("mounting needs rights that this process has not")
    yield outside
    subprocess.run(["umount", str(inside)], check=True)  # noqa: S603, S607


def test_a_file_that_cannot_be_replaced_is_overwritten(
    export: Export, mounted: Path, tmp_path: Path
) -> None:
    assert export("n.csv") == 0
    assert lines(mounted) == ROWS
    assert names(tmp_path) == ["n.csv", "outside.csv"]


# Pipes and devices --------------------------------------------------------------------------------


def test_a_pipe_is_written_to(export: Export, tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.jsonl")
    read: list[str] = []
    reader = threading.Thread(
        target=lambda: read.extend((tmp_path / "pipe.jsonl").read_text().splitlines())
    )
    reader.start()
    assert export("pipe.jsonl") == 0
    reader.join(20)
    assert len(read) == ROWS - 1
    assert stat.S_ISFIFO((tmp_path / "pipe.jsonl").stat().st_mode)
    assert names(tmp_path) == ["pipe.jsonl"]


@pytest.mark.parametrize(
    ("device", "code", "linked"), [("null", 0, False), ("full", 1, False), ("full", 1, True)]
)
def test_a_device_is_written_to_and_stays_one(
    export: Export,
    tmp_path: Path,
    capfd: pytest.CaptureFixture[str],
    device: str,
    code: int,
    linked: bool,
) -> None:
    path = Path("/dev", device)
    if linked:
        (tmp_path / "n.csv").symlink_to(path)
    assert export("n.csv" if linked else path, "--format", "csv") == code
    said = capfd.readouterr().err
    assert said.count("\n") == 1
    assert ("cannot be written: No space left on device" in said) == bool(code)
    assert stat.S_ISCHR(path.stat().st_mode)
    assert names(tmp_path) == (["n.csv"] if linked else [])


@pytest.mark.parametrize("out", ["-", "/dev/fd/1", "linked.csv"])
def test_standard_output_is_added_to_whatever_it_is(
    export: Export, tmp_path: Path, capfd: pytest.CaptureFixture[str], out: str
) -> None:
    """Also a file that the shell has opened, and to which others write, too."""
    (tmp_path / "linked.csv").symlink_to("/dev/stdout")
    os.write(1, b"before\n")
    assert export(out, *(() if out == "-" else ("--format", "csv"))) == 0
    told = capfd.readouterr()
    assert told.out.startswith("before\nphoneNumber,")
    assert len(told.out.splitlines()) == ROWS + 1
    assert told.err.startswith("3 numbers in ")
    assert names(tmp_path) == ["linked.csv"]


# Processes ----------------------------------------------------------------------------------------


def test_a_reader_who_has_seen_enough_ends_it_without_a_word(
    gateway: RunningGateway, account: SandboxAccount, tmp_path: Path
) -> None:
    read, write = os.pipe()
    os.close(read)
    process = start(tmp_path, "export", "-", *options(gateway, account), stdout=write)
    os.close(write)
    _, said = process.communicate(timeout=PATIENCE)
    assert (said, process.returncode) == ("", 141)


def test_a_file_can_be_named_like_standard_output() -> None:
    parsed = [parser().parse_args(["export", each]).out for each in ("-", "./-", "kept.csv")]
    assert parsed[0] == STANDARD_OUTPUT
    assert parsed[1] == Path.cwd() / "-"
    assert parsed[2] == Path("kept.csv")


@pytest.mark.parametrize("command", ["schema", "--help", "--version"])
def test_a_command_whose_output_cannot_be_written_says_so_in_one_line(
    tmp_path: Path, command: str
) -> None:
    with Path("/dev/full").open("w") as full:
        process = start(tmp_path, command, stdout=full)
        _, said = process.communicate(timeout=PATIENCE)
    assert said == "number-gateway: standard output cannot be written: No space left on device\n"
    assert process.returncode == 1


@pytest.mark.parametrize("ending", [signal.SIGTERM, signal.SIGINT])
def test_an_export_that_is_told_to_end_leaves_the_old_file_and_no_other(
    gateway: RunningGateway,
    sandbox: RunningSandbox,
    account: SandboxAccount,
    tmp_path: Path,
    ending: signal.Signals,
) -> None:
    (tmp_path / "n.csv").write_text("old")
    sandbox.set_faults([{"kind": "latency", "latency_ms": 5_000, "account": account.sid}])
    process = start(tmp_path, "export", "n.csv", *options(gateway, account))
    end = time.monotonic() + PATIENCE
    while not any(each["account"] == account.sid for each in sandbox.requests()):
        assert time.monotonic() < end
        time.sleep(0.05)
    process.send_signal(ending)
    _, said = process.communicate(timeout=PATIENCE)
    assert said == "number-gateway: interrupted. Nothing is kept.\n"
    assert process.returncode == 128 + ending
    assert names(tmp_path) == ["n.csv"]
    assert (tmp_path / "n.csv").read_text() == "old"


@pytest.mark.parametrize(
    ("owned", "share", "left"),
    [
        (3, 0.5, ""),
        (1_200, 0.9, ". 1000 numbers are kept: the same command goes on from there."),
    ],
)
def test_a_disk_that_is_full_leaves_the_old_file_and_no_more_than_whole_pages(
    gateway: RunningGateway,
    sandbox: RunningSandbox,
    tmp_path: Path,
    owned: int,
    share: float,
    left: str,
) -> None:
    """As far as a process can tell, a file that may not grow is on a full disk."""
    account = sandbox.create_account(owned=owned)
    assert main(["export", str(tmp_path / "n.csv"), *options(gateway, account)]) == 0
    room = int((tmp_path / "n.csv").stat().st_size * share)
    (tmp_path / "n.csv").write_text("old")
    process = start(
        tmp_path,
        "export",
        "n.csv",
        *options(gateway, account),
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (room, room)),
    )
    _, said = process.communicate(timeout=PATIENCE)
    # On a busy machine, how far it is comes before.
    last = said.splitlines()[-1]
    assert last == f"number-gateway: n.csv cannot be written: File too large{left}"
    assert process.returncode == 1
    assert (tmp_path / "n.csv").read_text() == "old"
    if not left:
        assert names(tmp_path) == ["n.csv"]
        return
    assert names(tmp_path) == ["n.csv", "n.csv.part", "n.csv.part.state"]
    assert lines(tmp_path / "n.csv.part") == 1_001
    assert main(["export", str(tmp_path / "n.csv"), *options(gateway, account)]) == 0
    assert lines(tmp_path / "n.csv") == owned + 1
