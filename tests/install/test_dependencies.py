"""Dependencies: pinned with hashes, and none with a known vulnerability."""

import json
import re
import subprocess
import sys
import tomllib
from importlib.util import find_spec
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from tests.support.paths import ROOT

LOCK = ROOT / "requirements.lock"
_PIN = re.compile(r"^([a-z0-9-]+)==(\S+?)(?: ; .*)? \\$", re.MULTILINE)


def _pins() -> dict[str, str]:
    return dict(_PIN.findall(LOCK.read_text(encoding="utf-8")))


def _wanted() -> list[Requirement]:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    wanted = (*project["dependencies"], *project["optional-dependencies"]["traces"])
    return [Requirement(each) for each in wanted]


@pytest.mark.parametrize("wanted", _wanted(), ids=lambda wanted: wanted.name)
def test_each_dependency_is_pinned_within_its_bounds(wanted: Requirement) -> None:
    assert wanted.specifier.contains(_pins()[canonicalize_name(wanted.name)])


def test_every_pin_has_hashes_and_no_place_to_fetch_it_from() -> None:
    text = LOCK.read_text(encoding="utf-8")
    blocks = re.split(r"^(?=\S)", text, flags=re.MULTILINE)
    pinned = [block for block in blocks if "==" in block]
    assert len(pinned) == len(_pins()) > len(_wanted())
    for block in pinned:
        assert re.search(r"--hash=sha256:[0-9a-f]{64}", block), block[:80]
    assert not re.search(r"https?:|file:|--index|--find|--trusted|/[a-z]", text)


def test_the_lock_is_what_the_dependencies_resolve_to(tmp_path: Path) -> None:
    fresh = tmp_path / "requirements.lock"
    fresh.write_bytes(LOCK.read_bytes())
    done = subprocess.run(  # noqa: S603 - our own script
        [str(ROOT / "tools" / "lock.sh"), str(fresh)], check=False, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    # A release may have got more files since, so hashes are not compared.
    pins = re.compile(r"^(\S+==.*) \\$", re.MULTILINE)
    assert pins.findall(fresh.read_text()) == pins.findall(LOCK.read_text()), "run `make lock`"


@pytest.mark.parametrize("processor", ["x86_64", "aarch64"])
@pytest.mark.parametrize("python", ["3.11.0", "3.11.3", "3.12.0", "3.13.0", "3.14.0"])
def test_the_lock_has_wheels_of_all_that_a_python_needs(
    python: str, processor: str, tmp_path: Path
) -> None:
    done = subprocess.run(  # noqa: S603 - from the group `dev`
        [
            *(sys.executable, "-m", "uv", "pip", "install", "--no-config", "--dry-run"),
            *("--no-python-downloads", "--target", str(tmp_path), "--only-binary", ":all:"),
            *("--python-version", python, "--python-platform", f"{processor}-manylinux_2_28"),
            *("--require-hashes", "--requirement", str(LOCK)),
        ],
        check=False,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    # What redis needs on Pythons whose own timeouts have a fault.
    assert (" + async-timeout==" in done.stderr) == (python == "3.11.0")


def test_the_image_has_what_is_locked() -> None:
    text = (ROOT / "Containerfile").read_text(encoding="utf-8")
    installs = re.findall(r"pip install (.*?)(?: \\|$)", text, re.MULTILINE)
    assert len(installs) == 2
    for install in installs:
        assert "--require-hashes --requirement" in install or "--no-deps" in install


def test_no_dependency_has_a_known_vulnerability() -> None:
    if find_spec("pip_audit") is None:
        pytest.skip("pip-audit is not installed: pip install --group dev")
    audit = subprocess.run(  # noqa: S603 - our own interpreter
        [
            *(sys.executable, "-m", "pip_audit", "--requirement", str(LOCK)),
            *("--require-hashes", "--disable-pip", "--progress-spinner", "off"),
            *("--format", "json"),
        ],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    try:
        found = json.loads(audit.stdout)["dependencies"]
    except ValueError:
        pytest.skip("pip-audit cannot reach the database of vulnerabilities from here")
    known = {each["name"]: each["vulns"] for each in found if each.get("vulns")}
    assert known == {}
    unknown = [each["name"] for each in found if "skip_reason" in each]
    if unknown:
        pytest.skip(f"the database of vulnerabilities says nothing of {len(unknown)} packages here")
