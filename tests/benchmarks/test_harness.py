"""The comparison's own parts are right; what it measures is not judged here."""

import asyncio
import contextlib
import socket
from pathlib import Path
from typing import Any
from urllib.parse import quote

import orjson
import pytest
from graphql import build_schema, parse, validate

from schema import build_schema as build_gateway_schema
from tests.benchmarks import data, load
from tests.benchmarks.compare import first_difference
from tests.benchmarks.growth import growth_after_warmup
from tests.benchmarks.latency.page import Bound, Part, keep
from tests.benchmarks.load import LoadError, Measured
from tests.benchmarks.operations import NEVER_SEEN, OPERATIONS, PURCHASE, Operation
from tests.benchmarks.report import TARGETS, Results, markdown, table
from tests.benchmarks.rows import ROWS
from tests.benchmarks.servers import GATEWAY, MERCURIUS, PEERS, free_port
from tests.benchmarks.slices import Load, rendered
from tests.benchmarks.upstream import CALLS_PATH, Connection, StaticUpstream

_PEER_SCHEMA = Path(__file__).parent / "peers/schema.graphql"
_BY_NAME = {operation.name: operation for operation in OPERATIONS}


def _body(response: bytes) -> Any:
    head, _, body = response.partition(b"\r\n\r\n")
    assert f"Content-Length: {len(body)}".encode() in head.split(b"\r\n")
    return orjson.loads(body)


def _get(upstream: StaticUpstream, target: str) -> Any:
    return _body(upstream.answer("GET", target))


class TestStaticUpstream:
    def test_wraps_an_instance_in_an_envelope_and_spells_its_configuration_singular(self) -> None:
        sid = data.number_sid(77)
        answer = _get(StaticUpstream(), f"/Numbers/ActiveNumbers/{sid}")
        assert answer["meta"]["key"] == "items"
        assert [item["sid"] for item in answer["items"]] == [sid]
        assert "configuration" in answer["items"][0]
        assert "configurations" not in answer["items"][0]

    def test_lists_as_many_numbers_as_asked_with_the_configuration_spelt_plural(self) -> None:
        answer = _get(StaticUpstream(), "/Numbers/ActiveNumbers?PageSize=50")
        assert len(answer["items"]) == 50
        assert all("configurations" in item for item in answer["items"])
        assert answer["meta"]["next_page_url"] is None

    def test_gives_twenty_numbers_of_a_list_five_rate_centers(self) -> None:
        answer = _get(StaticUpstream(), "/Numbers/ActiveNumbers?PageSize=20")
        assert len(answer["items"]) == 20
        assert len({item["geography"]["rate_center"] for item in answer["items"]}) == 5

    def test_answers_other_postal_codes_with_other_numbers(self) -> None:
        upstream = StaticUpstream()
        sids: set[str] = set()
        for code in ("00000", "00001", "00511"):
            answer = _get(
                upstream, f"/Numbers/ActiveNumbers?Geography.PostalCode={code}&PageSize=50"
            )
            sids |= {item["sid"] for item in answer["items"]}
        assert len(sids) == 150

    def test_owns_under_its_sid_the_number_that_it_lists(self) -> None:
        upstream = StaticUpstream()
        listed = _get(upstream, "/Numbers/ActiveNumbers?Geography.PostalCode=00003&PageSize=50")
        for item in listed["items"][:7]:
            alone = _get(upstream, f"/Numbers/ActiveNumbers/{item['sid']}")["items"][0]
            assert alone["phone_number"] == item["phone_number"]
            assert alone["geography"] == item["geography"]

    def test_links_pages_until_all_numbers_were_listed(self) -> None:
        upstream = StaticUpstream(owned=120, base="http://upstream")
        url = "http://upstream/Numbers/ActiveNumbers?PageSize=50"
        sids = []
        while url:
            answer = _get(upstream, url.removeprefix("http://upstream"))
            sids += [item["sid"] for item in answer["items"]]
            url = answer["meta"]["next_page_url"]
        assert sids == [data.number_sid(index) for index in range(120)]

    def test_finds_numbers_in_the_rate_center_asked_for_with_core_spellings(self) -> None:
        target = (
            f"/2010-04-01/Accounts/{data.ACCOUNT}/AvailablePhoneNumbers/US/Local.json"
            "?InRateCenter=HUNTIN0003&InLata=115&PageSize=5"
        )
        found = _get(StaticUpstream(), target)["available_phone_numbers"]
        assert len(found) == 5
        assert {number["rate_center"] for number in found} == {"HUNTIN0003"}
        assert found[0]["lata"] == "115"
        assert isinstance(found[0]["latitude"], str)
        assert set(found[0]["capabilities"]) == {"voice", "SMS", "MMS", "fax"}

    def test_counts_calls_by_kind_until_told_to_forget_them(self) -> None:
        upstream = StaticUpstream()
        for _ in range(2):
            upstream.answer("GET", "/Numbers/ActiveNumbers?PageSize=1")
        upstream.answer("GET", f"/Numbers/ActiveNumbers/{data.number_sid(1)}")
        counted = {"instance": 1, "list": 2, "search": 0, "purchase": 0, "other": 0}
        assert _get(upstream, CALLS_PATH) == counted
        assert set(_body(upstream.answer("DELETE", CALLS_PATH)).values()) == {0}

    def test_sells_numbers_that_nobody_owns_when_it_is_asked_for_them(self) -> None:
        number = data.phone_number(77)
        upstream = StaticUpstream()
        found = _get(upstream, f"/Numbers/ActiveNumbers?PhoneNumber={quote(number)}&PageSize=1")
        assert found["items"] == []
        form = f"PhoneNumber={quote(number)}"
        post = f"POST /Numbers/ActiveNumbers HTTP/1.1\r\nContent-Length: {len(form)}\r\n\r\n"
        sold = asyncio.run(_over_a_socket([(post + form[:5]).encode(), form[5:].encode()], 1))
        assert [item["phone_number"] for item in _body(sold)["items"]] == [number]

    def test_answers_an_unknown_path_with_404(self) -> None:
        assert StaticUpstream().answer("GET", "/nothing").startswith(b"HTTP/1.1 404 ")

    def test_reads_requests_that_come_in_pieces_and_several_at_once(self) -> None:
        one = f"/Numbers/ActiveNumbers/{data.number_sid(1)}"
        wire = f"GET {one} HTTP/1.1\r\nHost: x\r\n\r\nGET /nothing HTTP/1.1\r\n\r\n".encode()
        received = asyncio.run(_over_a_socket([wire[:20], wire[20:70], wire[70:]], 2))
        assert received.startswith(b"HTTP/1.1 200 OK")
        assert received.count(b"HTTP/1.1 404 Not Found") == 1


async def _over_a_socket(pieces: list[bytes], answers: int) -> bytes:
    upstream = StaticUpstream()
    server = await asyncio.get_running_loop().create_server(
        lambda: Connection(upstream), "127.0.0.1", 0
    )
    async with server:
        port = server.sockets[0].getsockname()[1]
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        for piece in pieces:
            writer.write(piece)
            await writer.drain()
            await asyncio.sleep(0.01)
        received = b""
        async with asyncio.timeout(2):
            while received.count(b"HTTP/1.1 ") < answers:
                received += await reader.read(65536)
        writer.close()
        await writer.wait_closed()
    return received


class TestOperations:
    @pytest.mark.parametrize("operation", OPERATIONS, ids=lambda operation: operation.name)
    def test_are_valid_in_the_gateways_schema_and_in_that_of_its_peers(
        self, operation: Operation
    ) -> None:
        document = parse(operation.query)
        peers = build_schema(_PEER_SCHEMA.read_text())
        assert validate(peers, document) == []
        assert validate(build_gateway_schema()._schema, document) == []

    def test_buy_in_words_of_the_gateways_schema(self) -> None:
        assert validate(build_gateway_schema()._schema, parse(PURCHASE.query)) == []

    @pytest.mark.parametrize("operation", NEVER_SEEN, ids=lambda operation: operation.name)
    def test_that_were_never_seen_are_valid_and_differ_at_each_place(
        self, operation: Operation
    ) -> None:
        bodies = [operation.body({}, place) for place in range(load.SAMPLES)]
        queries = {orjson.loads(body)["query"] for body in bodies}
        assert len(queries) == load.SAMPLES
        document = parse(queries.pop())
        assert validate(build_schema(_PEER_SCHEMA.read_text()), document) == []

    @pytest.mark.parametrize("operation", OPERATIONS, ids=lambda operation: operation.name)
    def test_vary_their_variables_in_the_same_way_each_time(self, operation: Operation) -> None:
        samples = operation.samples(200)
        assert samples == operation.samples(200)
        assert len({orjson.dumps(variables) for variables in samples}) > 150

    def test_write_one_request_a_line(self, tmp_path: Path) -> None:
        small = _BY_NAME["small"]
        bodies = load.write_requests(tmp_path, small, plain=False).read_bytes().splitlines()
        paths = load.write_requests(tmp_path, small, plain=True).read_text().splitlines()
        assert len(bodies) == len(paths) == load.SAMPLES
        sid = orjson.loads(bodies[0])["variables"]["sid"]
        assert paths[0] == f"/Numbers/ActiveNumbers/{sid}"


def _measured(rate: float, *, p50: float = 10, p99: float = 20) -> Measured:
    return Measured(
        rate=rate, p50=p50, p99=p99, longest=30, requests=100, size=1000, processor=9000 / rate
    )


@pytest.fixture
def results() -> Results:
    """Three rounds of one operation; in the second, the machine was half as fast."""
    cells = {("wide", GATEWAY.name): [200, 100, 210], ("wide", MERCURIUS.name): [100, 50, 100]}
    return Results(
        rounds={cell: [_measured(rate) for rate in rates] for cell, rates in cells.items()},
        calls=dict.fromkeys(cells, 1),
        loaded_calls=dict.fromkeys(cells, 0.98),
        memory={GATEWAY.name: 101.4},
        skipped={"Somebody": "not installed"},
    )


class TestReport:
    def test_takes_ratios_round_by_round_so_that_a_slow_round_does_not_skew_them(
        self, results: Results
    ) -> None:
        assert results.ratio("wide", GATEWAY.name, MERCURIUS.name) == 2.0
        assert results.rate(("wide", GATEWAY.name)) == 200

    def test_has_no_ratio_to_a_server_that_did_not_run(self, results: Results) -> None:
        assert results.ratio("wide", GATEWAY.name, "Somebody") is None

    def test_judges_each_target_by_its_bound(self, results: Results) -> None:
        verdicts = {(target.text, target.bound): target.verdict(results) for target in TARGETS}
        assert verdicts[f"wide: x {MERCURIUS.name}", 3.0] == ("2.00", "not met")
        assert verdicts["peak memory, MiB", 90] == ("101.40", "not met")
        assert verdicts["wide: p99 ÷ p50", 3] == ("2.00", "met")
        assert verdicts["nested: p99 ÷ p50", 3] == ("-", "not measured")

    def test_writes_a_table_row_per_server_and_names_those_that_were_skipped(
        self, results: Results
    ) -> None:
        text = markdown(results, {"machine": "a test"}, "plot.svg")
        assert "- machine: a test" in text
        assert "- not run: Somebody (not installed)" in text
        assert f"| wide | {GATEWAY.name} | 200 |  | 45 | 10.0 | 20.0 | 30.0 | 1 | 0.98 |" in text
        assert (
            f"| wide | {MERCURIUS.name} | 100 | 2.00 x | 90 | 10.0 | 20.0 | 30.0 | 1 | 0.98 |"
            in text
        )
        assert "![Requests per second by row and server](plot.svg)" in text

    def test_makes_markdown_tables_that_align_figures_right(self) -> None:
        expected = "| a | b |\n| --- | ---: |\n| x | 1 |"
        assert table(("a", "b"), [("x", "1")]) == expected


class TestMeasuring:
    def test_turns_the_generators_summary_into_rates_and_milliseconds(self) -> None:
        summary = {
            "requests": 500,
            "microseconds": 2_000_000,
            "bytes": 50_000,
            "p50": 1500.0,
            "p99": 4000.0,
            "longest": 5000.0,
            "failed": 0,
        }
        assert load.read_summary(summary, "http://x") == Measured(250, 1.5, 4, 5, 500, 100)

    def test_refuses_a_run_in_which_a_request_failed(self) -> None:
        summary = {"requests": 5, "failed": 1}
        with pytest.raises(LoadError, match="1 failed of 5"):
            load.read_summary(summary, "http://x")

    @pytest.mark.parametrize(
        ("answer", "expected"),
        [
            ({"a": [1, {"b": 2.0}]}, ""),
            ({"a": [1, {"b": 3}]}, "data.a[1].b is 3, not 2"),
            ({"a": [1]}, "data.a has 1 items, not 2"),
            ({"c": 1}, "data has fields ['c'], not ['a']"),
            ({"a": None}, "data.a is None, not [1, {'b': 2}]"),
        ],
        ids=["equal", "leaf", "length", "fields", "null"],
    )
    def test_names_the_first_place_where_two_answers_differ(
        self, answer: Any, expected: str
    ) -> None:
        assert first_difference({"a": [1, {"b": 2}]}, answer) == expected

    def test_ignores_growth_of_memory_while_a_server_warms_up(self) -> None:
        assert growth_after_warmup([10, 50, 80, 80, 80, 80]) == 0
        assert growth_after_warmup([10, 50, 80, 80, 90, 90]) == 10

    def test_offers_ports_that_can_be_listened_on(self) -> None:
        with socket.socket() as listening:
            listening.bind(("127.0.0.1", free_port()))

    def test_names_every_row_once_and_asks_the_gateway_first(self) -> None:
        assert len({row.name for row in ROWS}) == len(ROWS)
        # What is written down for a purchase is measured of the plain proxy alone.
        asked = {row.peers[0].name for row in ROWS if row.name != "journal"}
        assert asked == {GATEWAY.name}

    def test_names_every_server_once(self) -> None:
        names = [peer.name for peer in PEERS]
        assert sorted(names) == sorted(set(names))


class TestSlices:
    @staticmethod
    async def slices(status: str) -> tuple[list[int], int]:
        """Return what two slices say was answered by a server in pieces, and what it counted."""
        served = 0

        async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            nonlocal served
            while head := await reader.readuntil(b"\r\n\r\n"):
                assert head.startswith(b"POST /graphql HTTP/1.1\r\n")
                assert await reader.readexactly(2) == b"{}"
                writer.write(f"HTTP/1.1 {status}\r\nContent-Len".encode())
                await writer.drain()
                await asyncio.sleep(0.001)
                writer.write(b"gth: 4\r\n\r\ndone")
                served += 1

        async def client(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError):
                await serve(reader, writer)
            writer.close()

        server = await asyncio.start_server(client, "127.0.0.1")
        load = Load(rendered([b"{}"]))
        async with server:
            await load.connect(server.sockets[0].getsockname()[1])
            try:
                answered = [await load.slice(0.05) for _ in range(2)]
            finally:
                load.close()
                await asyncio.sleep(0.01)
        return answered, served

    def test_a_slice_ends_when_all_is_answered_and_tells_how_much_that_was(self) -> None:
        answered, served = asyncio.run(self.slices("200 OK"))
        assert all(each >= load.CONNECTIONS for each in answered)
        assert sum(answered) == served

    def test_an_answer_that_is_no_success_stops_it(self) -> None:
        with pytest.raises(LoadError, match="500"):
            asyncio.run(self.slices("500 Internal Server Error"))


class TestPageOfLatency:
    def test_a_part_that_is_measured_again_leaves_the_others_as_they_were(
        self, tmp_path: Path
    ) -> None:
        pytest.importorskip("matplotlib", reason="no matplotlib: pip install --group bench")
        for name, figure in (("hedged", 1.0), ("first", 2.0), ("hedged", 3.0)):
            bound = Bound(f"p99 of {name}", figure, 2, "ms")
            curve = {"all": [(0.5, figure), (0.99, 2 * figure)]}
            keep(
                Part(name, name.title(), "How.", ("", "ms"), [("x", "1")], [bound], curve), tmp_path
            )
        page = (tmp_path / "latency.md").read_text()
        assert page.index("## First") < page.index("## Hedged")
        assert "p99 of first | ≤ 2 ms | 2 | met" in page
        assert "p99 of hedged | ≤ 2 ms | 3 | not met" in page
        assert "p99 of hedged" in (tmp_path / "latency.svg").read_text()
