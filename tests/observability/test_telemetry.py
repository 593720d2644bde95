"""What operators see: metrics, logs, traces, health; from a gateway that runs."""

import http.server
import re
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from resource import RLIMIT_FSIZE, prlimit
from typing import Any

import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from prometheus_client import CollectorRegistry, generate_latest
from starlette.applications import Starlette
from starlette.datastructures import Headers
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from gateway.observability._compat import BulkHistogram
from tests.support import loopback
from tests.support.gateway_in_thread import RunningGateway, running_gateway
from tests.support.gateway_process import before, served
from tests.support.sandbox_in_thread import RunningSandbox, running_app
from tests.support.valkey_process import valkey_server
from tests.support.waiting import PATIENCE, until

PAGE = "query Page($n: Int!) { phoneNumbers(first: $n) { nodes { sid } } }"
BOTH = """query Both($sid: ID!) {
  a: phoneNumber(sid: $sid) { sid }
  b: phoneNumber(sid: $sid) { friendlyName }
}"""


def metrics(gateway: RunningGateway) -> dict[str, float]:
    """Return every sample by its name with labels."""
    answer = gateway.http.get(f"{gateway.url}/metrics")
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "text/plain; version=0.0.4; charset=utf-8"
    lines = [line for line in answer.text.splitlines() if not line.startswith("#")]
    return {name: float(value) for name, value in (line.rsplit(" ", 1) for line in lines)}


def test_requests_are_counted_by_operation_and_outcome(sandbox: RunningSandbox) -> None:
    with running_gateway(sandbox, metrics=True) as gateway:
        for _ in range(3):
            gateway.query(PAGE, {"n": 2})
        gateway.error("query Wrong { nothing }")
        gateway.error(PAGE, {"n": 0})
        gateway.http.post(f"{gateway.url}/graphql", json={"query": PAGE})
        gateway.post({"query": 1})
        counted = metrics(gateway)
    by = "gateway_operations_total"
    assert counted[f'{by}{{kind="query",operation="Page",outcome="ok"}}'] == 3
    assert counted[f'{by}{{kind="query",operation="Page",outcome="BAD_USER_INPUT"}}'] == 1
    wrong = f'{by}{{kind="query",operation="Wrong",outcome="GRAPHQL_VALIDATION_FAILED"}}'
    assert counted[wrong] == 1
    assert counted[f'{by}{{kind="",operation="",outcome="HTTP_401"}}'] == 1
    assert counted[f'{by}{{kind="",operation="",outcome="HTTP_400"}}'] == 1
    assert counted['gateway_operation_seconds_count{kind="query",operation="Page"}'] == 4


def test_many_times_are_counted_at_once_as_they_would_be_one_by_one() -> None:
    times = [0.0, 0.001, 0.0011, 0.049, 0.05, 0.3, 14.9, 15, 16, 1e9]
    pages = []
    for at_once in (True, False):
        registry = CollectorRegistry()
        histogram = BulkHistogram("seconds", "Time.", registry=registry)
        if at_once:
            histogram.observe_all(times)
        else:
            for each in times:
                histogram.observe(each)
        lines = generate_latest(registry).decode().splitlines()
        pages.append([line for line in lines if "_created" not in line])
    assert pages[0] == pages[1]
    assert 'seconds_bucket{le="+Inf"} 10.0' in pages[0]


def test_upstream_calls_are_counted_by_route_and_status_and_saved_ones_too(
    sandbox: RunningSandbox,
) -> None:
    with running_gateway(sandbox, metrics=True, cache_countries=60) as gateway:
        for _ in range(3):
            gateway.query("{ countries { code } }")
        (number,) = gateway.query(PAGE, {"n": 1})["phoneNumbers"]["nodes"]
        gateway.query(BOTH, number)
        sandbox.set_faults([{"kind": "status", "status": 503, "count": 1}])
        gateway.query(BOTH, number)
        counted = metrics(gateway)
    calls = {
        key: value
        for key, value in counted.items()
        if key.startswith("gateway_upstream_calls_total")
    }
    sent = sandbox.requests()
    assert sum(calls.values()) == len(sent)
    for request in sent:
        assert any(f'status="{request["status"]}"' in key for key in calls)
    assert sum(value for key, value in calls.items() if 'status="503"' in key) == 1
    assert all(re.search(r'route="/[^"]*"', key) for key in calls)
    assert not any(re.search(r"(AC|PN)[0-9a-f]{32}", key) for key in counted)
    assert counted['gateway_upstream_saved_calls_total{how="coalesced"}'] == 2
    assert counted['gateway_upstream_saved_calls_total{how="cached"}'] == 2


def test_breakers_and_limiters_are_shown_as_they_are(sandbox: RunningSandbox) -> None:
    with running_gateway(sandbox, metrics=True, attempts=1, breaker_failures=2) as gateway:
        gateway.query(PAGE, {"n": 1})
        before = metrics(gateway)
        sandbox.set_faults([{"kind": "status", "status": 500, "count": None}])
        for _ in range(3):
            gateway.execute(PAGE, {"n": 1})
        after = metrics(gateway)
    family = "catalog"
    assert before[f'gateway_upstream_breakers{{family="{family}",state="closed"}}'] == 1
    assert after[f'gateway_upstream_breakers{{family="{family}",state="closed"}}'] == 0
    assert after[f'gateway_upstream_breakers{{family="{family}",state="open"}}'] == 1
    assert after["gateway_upstream_running"] == after["gateway_upstream_waiting"] == 0
    assert after["gateway_upstream_slots"] >= 50


def test_a_worker_tells_what_it_is_like_though_only_another_is_asked(
    sandbox: RunningSandbox,
) -> None:
    with running_gateway(sandbox, metrics=True) as gateway:
        gateway.query(PAGE, {"n": 1})
        assert gateway.parts is not None
        told = gateway.parts.observation.metrics
        assert told is not None
        told.refresh()
        page = told.page()
    assert b'\ngateway_upstream_breakers{family="catalog",state="closed"} 1.0\n' in page
    assert b"\ngateway_subscriptions 0.0\n" in page


def test_names_that_clients_invent_cannot_fill_the_memory(sandbox: RunningSandbox) -> None:
    with running_gateway(sandbox, metrics=True, metrics_operations=3) as gateway:
        for n in range(10):
            gateway.error(f"query Name{n} {{ nothing }}")
        counted = metrics(gateway)
    names = set(re.findall(r'operation="(\w+)"', "\n".join(counted)))
    assert names == {"Name0", "Name1", "Name2", "other"}
    other = 'kind="query",operation="other",outcome="GRAPHQL_VALIDATION_FAILED"'
    assert counted[f"gateway_operations_total{{{other}}}"] == 7


def test_metrics_are_off_unless_asked_for(gateway: RunningGateway) -> None:
    assert gateway.http.get(f"{gateway.url}/metrics").status_code == 404


def test_a_process_that_answers_is_alive(gateway: RunningGateway) -> None:
    answer = gateway.http.get(f"{gateway.url}/healthz")
    assert answer.status_code == 200
    assert answer.json()["status"] == "ok"
    assert answer.headers["cache-control"] == "no-store"


def test_it_is_ready_until_the_upstream_is_left_alone_and_again_after(
    sandbox: RunningSandbox,
) -> None:
    settings: dict[str, Any] = {"attempts": 1, "breaker_failures": 2, "breaker_pause": 2.0}
    with running_gateway(sandbox, **settings) as gateway:
        ready = f"{gateway.url}/readyz"
        assert gateway.http.get(ready).json() == {
            "ready": True,
            "checks": dict.fromkeys(["process", "settings", "store", "records", "upstream"], "ok"),
        }
        sandbox.set_faults([{"kind": "status", "status": 500, "count": None}])
        for _ in range(2):
            gateway.execute(PAGE, {"n": 1})
        answer = gateway.http.get(ready)
        assert answer.status_code == 503
        assert answer.json()["checks"]["upstream"] == "unavailable"
        sandbox.clear_faults()
        deadline = time.monotonic() + PATIENCE
        while gateway.http.get(ready).status_code != 200:
            assert time.monotonic() < deadline
            time.sleep(0.1)
        assert gateway.query(PAGE, {"n": 1})


def test_records_that_cannot_be_kept_are_told_at_the_start_and_by_readiness(
    sandbox: RunningSandbox, tmp_path: Path
) -> None:
    (tmp_path / "file").touch()
    with served(folder=tmp_path, **before(sandbox), GATEWAY_DATA_DIR="file/below") as (url, _):
        answer = loopback.get(f"{url}/readyz")
    assert (answer.status_code, answer.json()["checks"]["records"]) == (503, "unavailable")
    at_start, when_asked = (tmp_path / "log").read_text().splitlines()
    assert "records_unusable" in at_start
    assert "file is not a folder" in at_start
    assert "storage_failed" in when_asked


def _records(url: str) -> str:
    answer = loopback.get(f"{url}/readyz")
    state = answer.json()["checks"]["records"]
    assert answer.status_code == (200 if state == "ok" else 503)
    assert "data" not in state
    return str(state)


def test_readiness_tells_of_a_full_disk_and_of_a_folder_that_vanished(
    sandbox: RunningSandbox, tmp_path: Path
) -> None:
    variables = before(sandbox) | {"GATEWAY_DATA_DIR": "data", "GATEWAY_METRICS": "true"}
    with served(folder=tmp_path, **variables) as (url, process):
        assert _records(url) == "ok"
        limits = prlimit(process.pid, RLIMIT_FSIZE)
        # The log of this process is a file, too.
        full = (tmp_path / "log").stat().st_size + 20_000
        prlimit(process.pid, RLIMIT_FSIZE, (full, limits[1]))
        # It tries to write every two seconds at most, however many ask.
        until(lambda: _records(url) == "unavailable")
        assert [_records(url) for _ in range(3)] == ["unavailable"] * 3
        prlimit(process.pid, RLIMIT_FSIZE, limits)
        until(lambda: _records(url) == "ok")
        (tmp_path / "data").rename(tmp_path / "elsewhere")
        assert [_records(url) for _ in range(3)] == ["unavailable"] * 3
        assert not (tmp_path / "data").exists()
        (tmp_path / "elsewhere").rename(tmp_path / "data")
        assert _records(url) == "ok"
        counted = loopback.get(f"{url}/metrics").text
    [not_ready] = re.findall(r'gateway_not_ready_total{check="records"} (\S+)', counted)
    assert float(not_ready) >= 7
    for cause in ("full", "missing"):
        assert f'gateway_storage_failures_total{{cause="{cause}"}}' in counted
    log = (tmp_path / "log").read_text().splitlines()
    told = [line for line in log if "storage_failed" in line]
    assert len(told) == sum("storage_works_again" in line for line in log) == 2
    assert "vanished" in told[1]


@pytest.mark.parametrize(("degraded", "status"), [(False, 503), (True, 200)])
def test_readiness_tells_of_a_lost_store_and_the_operator_decides_what_it_means(
    sandbox: RunningSandbox, tmp_path: Path, degraded: bool, status: int
) -> None:
    with (
        valkey_server(tmp_path) as server,
        running_gateway(sandbox, store_url=server.url, ready_when_degraded=degraded) as gateway,
    ):
        assert gateway.http.get(f"{gateway.url}/readyz").json()["checks"]["store"] == "ok"
        server.kill()
        answer = gateway.http.get(f"{gateway.url}/readyz")
        assert answer.status_code == status
        assert answer.json()["checks"]["store"] == "unavailable"
        assert gateway.http.get(f"{gateway.url}/healthz").status_code == 200
        server.start()
        assert gateway.http.get(f"{gateway.url}/readyz").status_code == 200


class Collector:
    """An OpenTelemetry collector: keeps the spans that are sent to it."""

    def __init__(self) -> None:
        self.spans: list[Any] = []
        self.resources: list[Any] = []

    @contextmanager
    def running(self) -> Iterator[str]:
        """Serve, and give the URL."""
        collector = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["content-length"]))
                sent = ExportTraceServiceRequest.FromString(_unpacked(body))
                for resource in sent.resource_spans:
                    collector.resources.append(resource.resource)
                    for scope in resource.scope_spans:
                        collector.spans.extend(scope.spans)
                self.send_response(200)
                self.end_headers()

            def log_message(self, *_: object) -> None:
                pass

        with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
            thread = threading.Thread(target=server.serve_forever, daemon=True)
            thread.start()
            try:
                yield f"http://127.0.0.1:{server.server_port}"
            finally:
                server.shutdown()
                thread.join()


def _unpacked(body: bytes) -> bytes:
    import gzip  # noqa: PLC0415

    return gzip.decompress(body) if body.startswith(b"\x1f\x8b") else body


def _attributes(span: Any) -> dict[str, Any]:
    return {
        each.key: getattr(each.value, each.value.WhichOneof("value")) for each in span.attributes
    }


@contextmanager
def collecting(monkeypatch: pytest.MonkeyPatch) -> Iterator[Collector]:
    """Run a collector to which gateways send their traces."""
    collector = Collector()
    with collector.running() as url:
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", url)
        yield collector


def test_a_trace_has_one_span_for_the_request_and_one_for_each_upstream_call(
    sandbox: RunningSandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    caller = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
    with (
        collecting(monkeypatch) as collector,
        recording(sandbox) as (proxy, headers),
        running_gateway(sandbox, traces=True, catalog_url=proxy, core_url=proxy) as gateway,
    ):
        numbers = gateway.query(PAGE, {"n": 3})["phoneNumbers"]["nodes"]
        headers.clear()
        declared = ", ".join(f"$s{n}: ID!" for n in range(3))
        fields = " ".join(f"n{n}: phoneNumber(sid: $s{n}) {{ sid }}" for n in range(3))
        query = f"query Three({declared}) {{ {fields} countries {{ code }} }}"
        variables = {f"s{n}": each["sid"] for n, each in enumerate(numbers)}
        gateway.query(query, variables, headers={"traceparent": caller})
    spans = [each for each in collector.spans if each.trace_id.hex() == caller.split("-")[1]]
    (server,) = [each for each in spans if each.parent_span_id.hex() == caller.split("-")[2]]
    calls = [each for each in spans if each is not server]
    assert server.name == "query Three"
    assert _attributes(server)["gateway.outcome"] == "ok"
    assert len(calls) == len(headers) > 1
    assert {each.parent_span_id for each in calls} == {server.span_id}
    assert all(_attributes(each)["http.response.status_code"] == 200 for each in calls)
    # The upstream is told which span called it.
    told = {each["traceparent"].split("-")[2] for each in headers}
    assert told == {each.span_id.hex() for each in calls}
    assert _attributes(collector.resources[0])["service.name"] == "number-gateway"
    text = str(collector.spans)
    assert gateway.account.auth_token not in text


def test_a_failed_call_is_an_error_in_its_span(
    sandbox: RunningSandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    with (
        collecting(monkeypatch) as collector,
        running_gateway(sandbox, traces=True, traces_ratio=1, attempts=2) as gateway,
    ):
        sandbox.set_faults([{"kind": "status", "status": 500, "count": None}])
        gateway.error(PAGE, {"n": 3})
    roots = [each for each in collector.spans if not each.parent_span_id]
    assert [each.status.code for each in roots] == [2]
    calls = [each for each in collector.spans if each.parent_span_id]
    # Two attempts at each API: which one has the account is not known yet.
    assert [_attributes(each)["http.response.status_code"] for each in calls] == [500] * 4
    assert [each.status.code for each in calls] == [2] * 4
    assert not any("gateway.hedge" in _attributes(each) for each in calls)


def test_a_read_that_was_sent_twice_has_two_spans_and_neither_is_an_error(
    sandbox: RunningSandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    search = '{ availablePhoneNumbers(country: "US", first: 1) { nodes { phoneNumber } } }'
    hedging: dict[str, Any] = {"hedge_after": 0.05, "hedge_share": 1.0}
    with (
        collecting(monkeypatch) as collector,
        running_gateway(sandbox, traces=True, traces_ratio=1, **hedging) as gateway,
    ):
        gateway.query(PAGE, {"n": 3})
        sandbox.set_faults([{"kind": "held", "path": "*AvailablePhoneNumbers*"}])
        gateway.query(search)
    calls = [each for each in collector.spans if "AvailablePhoneNumbers" in each.name]
    calls.sort(key=lambda each: each.start_time_unix_nano)
    first, second = map(_attributes, calls)
    assert (first["gateway.hedge"], first["gateway.overtaken"]) == (False, True)
    assert (second["gateway.hedge"], second["gateway.overtaken"]) == (True, False)
    assert second["http.response.status_code"] == 200
    assert [each.status.code for each in calls] == [0, 0]


@contextmanager
def traced(
    sandbox: RunningSandbox, monkeypatch: pytest.MonkeyPatch, ratio: float
) -> Iterator[tuple[RunningGateway, list[Headers], Collector]]:
    """Run a gateway that keeps a share of traces; all are sent when it has ended."""
    with (
        collecting(monkeypatch) as collector,
        recording(sandbox) as (proxy, headers),
        running_gateway(
            sandbox, traces=True, traces_ratio=ratio, catalog_url=proxy, core_url=proxy
        ) as gateway,
    ):
        yield gateway, headers, collector


def test_a_trace_that_its_caller_does_not_keep_is_passed_on_as_it_came(
    sandbox: RunningSandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    trace = "0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331"
    brought = {"traceparent": f"00-{trace}-00", "tracestate": "a=b"}
    with traced(sandbox, monkeypatch, 1) as (gateway, headers, collector):
        gateway.query(PAGE, {"n": 1}, headers=brought)
        assert {name: headers[0][name] for name in brought} == brought
    assert collector.spans == []


def test_of_traces_that_begin_here_a_share_is_kept_and_of_others_what_callers_keep(
    sandbox: RunningSandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    caller = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
    with traced(sandbox, monkeypatch, 0) as (gateway, headers, collector):
        gateway.query(PAGE, {"n": 1})
        assert "traceparent" not in headers[0]
        gateway.query(PAGE, {"n": 1}, headers={"traceparent": caller})
    assert {each.trace_id.hex() for each in collector.spans} == {caller.split("-")[1]}
    assert len(collector.spans) == 2


def test_nothing_about_traces_is_sent_upstream_without_them(sandbox: RunningSandbox) -> None:
    with (
        recording(sandbox) as (proxy, headers),
        running_gateway(sandbox, catalog_url=proxy, core_url=proxy) as gateway,
    ):
        gateway.query(PAGE, {"n": 1})
    assert headers
    assert not any("traceparent" in each for each in headers)


@contextmanager
def recording(sandbox: RunningSandbox) -> Iterator[tuple[str, list[Headers]]]:
    """Stand in front of the sandbox, and keep the headers of each request."""
    seen: list[Headers] = []

    async def forward(request: Request) -> Response:
        seen.append(request.headers)
        async with loopback.AsyncClient(base_url=sandbox.url) as client:
            answer = await client.request(
                request.method,
                str(request.url.replace(scheme="", netloc="")),
                headers={"authorization": request.headers["authorization"]},
                content=await request.body(),
            )
        return Response(answer.content, answer.status_code, media_type="application/json")

    with running_app(Starlette(routes=[Route("/{path:path}", forward)])) as url:
        yield url, seen


def test_subscriptions_in_force_are_counted(sandbox: RunningSandbox) -> None:
    follow = {"query": "subscription S { phoneNumberChanged { kind } }"}
    with running_gateway(sandbox, metrics=True, keep_alive=0.5) as gateway:
        assert metrics(gateway)["gateway_subscriptions"] == 0
        with gateway.http.stream(
            "POST",
            f"{gateway.url}/graphql",
            json=follow,
            auth=gateway.account.auth,
            headers={"accept": "text/event-stream"},
        ) as answer:
            signs_of_life = answer.iter_raw()
            assert next(signs_of_life)
            assert next(signs_of_life)
            text = loopback.get(f"{gateway.url}/metrics").text
            assert "\ngateway_subscriptions 1.0\n" in text
