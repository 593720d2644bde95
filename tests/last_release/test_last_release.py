"""What earlier releases kept is read: journals, stores, cursors, ids, exports and sandboxes.

The data is real (README.md). Everything runs over HTTP against a sandbox with the old data file.
"""

import base64
import csv
import io
import json
import re
import sqlite3
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, cast

import pytest
from redis import Redis

from gateway.sandbox import SandboxSettings
from tests.support.forked_command import run_forked
from tests.support.gateway_in_thread import RunningGateway, running_gateway
from tests.support.sandbox_in_thread import RunningSandbox, SandboxAccount, running_sandbox
from tests.support.streams import events, number_of
from tests.support.valkey_process import valkey_server

HERE = Path(__file__).parent
Json = dict[str, Any]
CHANGES = """subscription { phoneNumberChanged {
  id kind at accountSid numberId number
  phoneNumber { id sid phoneNumber friendlyName source }
} }"""
PLACES = ("file", "store")
# What fields of payloads and events are called since.
PAYLOAD_NAMES = {"releasedSid": "releasedId", "releasedPhoneNumber": "releasedNumber"}
OLD_ID = re.compile(r"\b(UGhvbmVOdW1iZXI6|QWNjb3VudDp)[\w-]+")
EVENT_NAMES = {"sid": "numberId", "phoneNumber": "number", "number": "phoneNumber"}


@dataclass(frozen=True)
class Kept:
    """The data of a release, and gateways of this one that have it: in a file, and in a Valkey.

    `hasty` has the Valkey, too, and does not wait for long.
    """

    folder: Path
    told: Json
    sandbox: RunningSandbox
    file: RunningGateway
    store: RunningGateway
    hasty: RunningGateway

    def account(self, role: str) -> SandboxAccount:
        return self.sandbox.accounts()[role]

    def writes(self, place: str, state: str) -> dict[str, Json]:
        """Return what was written with keys at a place, of those that are in a state, by key."""
        found = [each for each in self.told["writes"] if each["kept"] == place]
        return {each["name"]: each for each in found if each["name"].startswith(state)}

    def repeat(self, gateway: RunningGateway, write: Json) -> Json:
        """Send a write again."""
        account = self.account(write["role"])
        return gateway.execute(write["query"], write["variables"], account=account)

    def bought(self, write: Json) -> int:
        """Return how often the number of a write was bought."""
        number = write["variables"]["input"]["phoneNumber"]
        ledger = self.sandbox.ledger()
        return [(each["action"], each["phone_number"]) for each in ledger].count(("bought", number))


@pytest.fixture(scope="module", params=["b140869", "1e355b9"])
def kept(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Kept]:
    """Old data in place."""
    folder, work = HERE / request.param, tmp_path_factory.mktemp("kept")
    told = told_by_todays_names((folder / "told.json").read_text())
    restore(folder / "sandbox.sql", work / "sandbox.sqlite")
    (work / "data").mkdir()
    with closing(restore(folder / "idempotency.sql", work / "data" / "idempotency.sqlite")) as file:
        file.execute("UPDATE entries SET expires = expires + ?", (time.time() - told["at"],))
        file.commit()
    (work / "valkey").mkdir()
    with (
        running_sandbox(SandboxSettings(data=work / "sandbox.sqlite")) as sandbox,
        valkey_server(work / "valkey") as valkey,
    ):
        fill(valkey.port, json.loads((folder / "store.json").read_text()), told["at"])
        shared: Json = {"store_url": valkey.url, "purchases_per_day": 50, "poll_interval": 600}
        # A busy machine takes longer for a command than half a second.
        shared["store_timeout"] = 10.0
        with (
            running_gateway(sandbox, data_dir=work / "data") as first,
            running_gateway(sandbox, data_dir=work, cache_countries=600, **shared) as second,
            running_gateway(sandbox, data_dir=work, request_deadline=1.5, **shared) as third,
        ):
            yield Kept(folder, told, sandbox, first, second, third)


def to_the_second(moment: str) -> str:
    """Return a moment as it is written since: `2026-11-27T09:30:00Z`."""
    return f"{moment[:19]}Z"


def told_by_todays_names(text: str) -> Json:
    """Return what clients were told."""
    for before, now in PAYLOAD_NAMES.items():
        text = text.replace(before, now)
    told: Json = json.loads(OLD_ID.sub(sid_in, text))
    told["nodes"] = json.loads(text)["nodes"]
    for each in told["events"]:
        data = each["data"]["data"]
        data["phoneNumberChanged"] = {
            EVENT_NAMES.get(name, name): to_the_second(value) if name == "at" else value
            for name, value in data["phoneNumberChanged"].items()
        }
    return told


def sid_in(old_id: re.Match[str]) -> str:
    return base64.urlsafe_b64decode(old_id[0] + "==").decode().rpartition(":")[2]


def restore(dump: Path, file: Path) -> sqlite3.Connection:
    """Make a SQLite file of a dump."""
    sql = sqlite3.connect(file)
    sql.executescript(dump.read_text())
    return sql


def fill(port: int, commands: list[list[Any]], at: float) -> None:
    """Run commands; buckets that were filled up to a time `at` then are so now."""
    with closing(Redis(port=port)) as valkey, valkey.pipeline(transaction=False) as pipeline:
        for name, *arguments in commands:
            if name == "HSET":
                place = arguments.index("at") + 1
                arguments[place] = str(float(arguments[place]) + time.time() - at)
            cast("Any", pipeline).execute_command(name, *map(from_json, arguments))
        assert all(pipeline.execute())


def from_json(argument: Any) -> Any:
    return bytes.fromhex(argument["hex"]) if isinstance(argument, dict) else argument


# reads ------------------------------------------------------------------------------------------------


def now_called(variables: dict[str, Any]) -> dict[str, Any]:
    """Return variables with filters as they are called now."""
    renamed: dict[str, Any] = {}
    for name, value in variables.get("filter", {}).items():
        match name:
            case "areaCode":
                renamed["areaCodes"] = [str(code) for code in value]
            case "beta":
                renamed["lifecycle"] = "GENERALLY_AVAILABLE"
            case "voiceEnabled" | "smsEnabled":
                can = renamed.setdefault("capabilities", {})
                can[name.removesuffix("Enabled")] = {"enabled": value}
            case _:
                renamed[name] = value
    return {**variables, "filter": renamed} if "filter" in variables else variables


def test_cursors_go_on_behind_their_number(kept: Kept) -> None:
    for each in kept.told["lists"]:
        account = kept.account(each["role"])
        for taken in each["cursors"]:
            variables = {**now_called(each["variables"]), "first": 4, "after": taken["cursor"]}
            data: Any = kept.store.query(each["query"], variables, account=account)
            while "edges" not in data:
                [data] = data.values()
            found = [edge["node"] for edge in data["edges"]]
            behind = each["nodes"][taken["behind"] + 1 :][:4]
            assert found[: len(behind)] == behind, (each["role"], each["name"], taken["at"])
            again = {**variables, "after": data["pageInfo"]["endCursor"], "first": 1}
            if found:
                kept.store.query(each["query"], again, account=account)


def test_ids_are_still_those_of_their_objects(kept: Kept) -> None:
    for role in ("parent", "core-only"):
        known = [each for each in kept.told["nodes"] if each["role"] == role]
        found = kept.store.query(
            "query Q($ids: [ID!]!) { nodes(ids: $ids) {"
            " __typename id ... on PhoneNumber { sid } ... on Account { sid } } }",
            {"ids": [each["id"] for each in known]},
            account=kept.account(role),
        )
        assert [{**each, "role": role} for each in found["nodes"]] == [
            {**each, "id": each["sid"]} for each in known
        ]


def test_persisted_documents_are_known_by_their_hash(kept: Kept) -> None:
    told = kept.told["persisted"]
    extensions = {"persistedQuery": {"version": 1, "sha256Hash": told["hash"]}}
    found = kept.store.post({"variables": told["variables"], "extensions": extensions}).json()
    # Numbers were bought since, and they come last.
    assert found == told["answer"]


def test_kept_answers_do_no_harm_and_purchases_still_count(kept: Kept) -> None:
    cached, limit = kept.told["cached"], kept.told["limit"]
    assert kept.store.execute(cached["query"]) == cached["answer"]
    purchases = kept.store.query(limit["query"])["rateLimit"]["purchases"]
    # One was under way when the gateway was killed.
    before = limit["answer"]["data"]["rateLimit"]["purchases"]
    assert purchases == {**before, "remaining": before["remaining"] - 1}


def test_events_go_on_behind_one_of_an_earlier_release(kept: Kept) -> None:
    told = [each["data"]["data"]["phoneNumberChanged"] for each in kept.told["events"]]
    parent = kept.account("parent")
    last = {"last-event-id": told[0]["id"]}
    with events(kept.store, CHANGES, account=parent, headers=last) as stream:
        seen: list[Json] = []
        follows = False
        while not follows or len(seen) < len(told) - 1:
            frame = stream.frame()
            follows = follows or frame.comment == "following"
            if frame.event:
                seen.append(frame.data["data"]["phoneNumberChanged"])
        assert [{**each, "id": ""} for each in seen] == [{**each, "id": ""} for each in told[1:]]
        numbers = [number_of(each["id"]) for each in seen]
        assert numbers == sorted(set(numbers))
        # Nothing else has changed, in whatever form the state before was kept.
        mutation = "mutation M($i: ConfigurePhoneNumberInput!) { configurePhoneNumber(input: $i) {"
        names = {"configuration": {"friendlyName": "Since then"}}
        sid = kept.sandbox.numbers(parent.sid)[0]["sid"]
        kept.store.query(f"{mutation} reconciled }} }}", {"i": {"sid": sid, **names}})
        assert stream.change()["phoneNumber"]["friendlyName"] == "Since then"
    # And so do those who have an id of this release by now.
    last = {"last-event-id": seen[0]["id"]}
    with events(kept.store, CHANGES, account=parent, headers=last) as stream:
        assert stream.change() == seen[1]


@pytest.mark.parametrize("gone", ["forgotten", "ahead", "not kept"])
def test_whoever_cannot_go_on_is_told(kept: Kept, gone: str) -> None:
    ids = [int(each["id"]) for each in kept.told["events"]]
    gateway = kept.file if gone == "not kept" else kept.store
    # Without a store events lived in the process.
    last = {"forgotten": ids[0] - 5, "ahead": ids[-1] + 5, "not kept": ids[0]}[gone]
    headers = {"last-event-id": str(last)}
    with events(gateway, CHANGES, account=kept.account("parent"), headers=headers) as stream:
        [error] = stream.next().data["errors"]
        assert error["extensions"]["code"] == "EVENTS_MISSED"


# writes -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("place", PLACES)
def test_replays_are_word_for_word_the_old_outcome(kept: Kept, place: str) -> None:
    ledger = kept.sandbox.ledger()
    gateway = kept.file if place == "file" else kept.store
    writes = [each for each in kept.told["writes"] if each["kept"] == place and each["replay"]]
    assert len(writes) == 12
    for write in writes:
        told: Any = write["replay"]
        now: Any = kept.repeat(gateway, write)
        if write["name"] == "two":
            # Of plural mutations fields are told from the input on, since `b140869`.
            told, now = (outcomes_of_items(each) for each in (told, now))
        if write["name"] == "transferred":
            # It has moved out of the catalog, and is shown as the next read shows it.
            told["data"]["transferPhoneNumber"]["phoneNumber"]["source"] = "CORE"
        assert now == with_methods(told), write["name"]
    assert kept.sandbox.ledger() == ledger


def with_methods(told: Any) -> Any:
    """Return an answer with the methods that are used where none was set: they were null."""
    if isinstance(told, list):
        return [with_methods(each) for each in told]
    if not isinstance(told, dict):
        return told
    return {
        name: "POST" if value is None and name == "method" else with_methods(value)
        for name, value in told.items()
    }


def outcomes_of_items(response: Json) -> list[Json]:
    """Return the results of a plural mutation, whose fields are told from their item on."""
    results: list[Json] = response["data"]["purchasePhoneNumbers"]["results"]
    for place, each in enumerate(results):
        for error in each["userErrors"]:
            if error["field"][:2] == ["items", str(place)]:
                del error["field"][:2]
    return results


@pytest.mark.parametrize("place", PLACES)
def test_what_was_unknown_is_looked_up_and_not_done_again(kept: Kept, place: str) -> None:
    gateway = kept.file if place == "file" else kept.store
    for name, write in kept.writes(place, "unknown").items():
        done = name == "unknown: done"
        payload = kept.repeat(gateway, write)["data"]["purchasePhoneNumber"]
        assert payload["replayed"]
        assert payload["reconciled"] is done
        codes = [each["code"] for each in payload["userErrors"]]
        assert codes == ([] if done else ["OUTCOME_UNKNOWN"])
        assert kept.bought(write) == done


def test_what_was_under_way_when_the_process_died_is_never_done_twice(kept: Kept) -> None:
    """A file shows that it died."""
    writes = kept.writes("file", "under way")
    told = {
        name: kept.repeat(kept.file, write)["data"]["purchasePhoneNumber"]
        for name, write in writes.items()
    }
    done, lost = told["under way: done"], told["under way: not done"]
    assert (done["userErrors"], done["reconciled"], done["replayed"]) == ([], True, True)
    assert [each["code"] for each in lost["userErrors"]] == ["OUTCOME_UNKNOWN"]
    # What had not left is done now, once.
    unsent = told["under way: not sent"]
    assert (unsent["userErrors"], unsent["reconciled"], unsent["replayed"]) == ([], False, False)
    again = kept.repeat(kept.file, writes["under way: not sent"])["data"]["purchasePhoneNumber"]
    assert again == {**unsent, "replayed": True}
    bought = [kept.bought(write) for write in writes.values()]
    assert dict(zip(writes, bought, strict=True)) == {
        "under way: done": 1,
        "under way: not done": 0,
        "under way: not sent": 1,
    }


def test_what_may_be_under_way_on_another_machine_is_waited_for(kept: Kept) -> None:
    """A store does not show whether a process of an earlier release died."""
    writes = kept.writes("store", "under way")
    before = [kept.bought(write) for write in writes.values()]
    with ThreadPoolExecutor(len(writes)) as threads:
        told = list(threads.map(partial(kept.repeat, kept.hasty), writes.values()))
    codes = {each["errors"][0]["extensions"]["code"] for each in told}
    assert codes == {"IDEMPOTENCY_KEY_IN_USE"}
    assert [kept.bought(write) for write in writes.values()] == before


# exports ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("role", "form"), [("parent", "csv"), ("core-only", "jsonl")])
def test_an_export_that_was_broken_off_goes_on(
    kept: Kept, role: str, form: str, tmp_path: Path
) -> None:
    account = kept.account(role)
    for end in (".part", ".part.state"):
        name = f"{role}.{form}{end}"
        (tmp_path / name).write_bytes((kept.folder / name).read_bytes())
    before = (tmp_path / f"{role}.{form}.part").read_text()
    environment = {
        "TWILIO_ACCOUNT_SID": account.sid,
        "TWILIO_AUTH_TOKEN": account.auth_token,
        "GATEWAY_CATALOG_URL": kept.sandbox.url,
        "GATEWAY_CORE_URL": kept.sandbox.url,
    }
    assert run_forked(tmp_path, ["export", f"{role}.{form}"], environment, "").returncode == 0
    text = (tmp_path / f"{role}.{form}").read_text()
    assert text.startswith(before)
    lines = text.splitlines()
    if form == "csv":
        [header, *rows] = csv.reader(io.StringIO(text))
        assert lines.pop(0) == ",".join(header)
        assert {len(row) for row in rows} == {len(header)}
    owned = [each["sid"] for each in kept.sandbox.numbers(account.sid)]
    assert sorted(owned) == sorted(next(sid for sid in owned if sid in line) for line in lines)


def test_a_part_whose_fields_cannot_be_read_is_left_alone(kept: Kept, tmp_path: Path) -> None:
    (tmp_path / "parent.csv.part").write_bytes((kept.folder / "parent.csv.part").read_bytes())
    state = json.loads((kept.folder / "parent.csv.part.state").read_text())
    state["identity"][3] = "sid }"
    (tmp_path / "parent.csv.part.state").write_text(json.dumps(state))
    done = run_forked(tmp_path, ["export", "parent.csv"], {}, "")
    assert done.returncode == 1
    assert "give --restart" in done.stderr
    assert json.loads((tmp_path / "parent.csv.part.state").read_text()) == state
