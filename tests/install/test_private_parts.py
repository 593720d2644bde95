"""Parts of dependencies that they do not document: each is as the modules `_compat.py` take it.

Upgrading a dependency begins with its pin in pyproject.toml. What fails here then says in one line
which part is no longer as it was, and which module has to follow.
"""

import ast
import asyncio
import dis
import importlib
import inspect
import re
import sys
from collections.abc import Callable, Iterator
from functools import cache
from importlib.metadata import version
from types import FunctionType
from typing import Any, NamedTuple, cast

import orjson
import pytest
import strawberry
import uvicorn
from graphql import (
    FieldNode,
    GraphQLError,
    GraphQLSyntaxError,
    build_schema,
    graphql_sync,
    parse,
    validate,
)
from packaging.specifiers import SpecifierSet
from prometheus_client import CollectorRegistry, Counter, Histogram
from redis.asyncio.sentinel import MasterNotFoundError, Sentinel
from redis.exceptions import AuthenticationError
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

import schema._compat as schema_parts
from gateway.documents import _compat as documents
from gateway.execution import _compat as execution
from gateway.execution.projecting_executor import FastExecutor
from gateway.mapping import _compat as mapping
from gateway.observability import _compat as observability
from gateway.server import _compat as server
from gateway.server import _websocket_compat as sockets
from gateway.storage import _compat as storage
from gateway.transport import _compat as transport
from schema import build_core_schema
from schema import build_schema as build_strawberry_schema
from tests.install.test_dependencies import _wanted as wanted
from tests.test_architecture import MODULES

SCHEMA = build_core_schema()
EXECUTOR = execution.StrawberryGraphQLCoreExecutionContext
LOOSE = build_schema("type Query { number(digits: Int, digit: Boolean): Int }")


@cache
def attributes(kind: type) -> frozenset[str]:
    """Return the attributes that objects of a class have: also those that its methods set."""
    found = set(dir(kind))
    for each in kind.__mro__:
        found |= set(inspect.get_annotations(each))
        for method in vars(each).values():
            if isinstance(method, FunctionType):
                found |= {
                    step.argval
                    for step in dis.get_instructions(method)
                    if step.opname == "STORE_ATTR"
                }
    return frozenset(found)


def has(kind: type, *names: str) -> Callable[[], bool]:
    """Return a check that objects of a class have attributes."""
    return lambda: attributes(kind) >= set(names)


def takes(function: Callable[..., object], *names: str) -> Callable[[], bool]:
    """Return a check that a function begins with these parameters, and demands no other."""

    def check() -> bool:
        parameters = list(inspect.signature(function).parameters.values())
        own, others = parameters[: len(names)], parameters[len(names) :]
        return [each.name for each in own] == list(names) and all(
            each.default is not each.empty or each.kind in {each.VAR_KEYWORD, each.VAR_POSITIONAL}
            for each in others
        )

    return check


def knows(function: Callable[..., object], *names: str) -> Callable[[], bool]:
    """Return a check that a function has these parameters, wherever."""
    return lambda: set(names) <= set(inspect.signature(function).parameters)


class Part(NamedTuple):
    """A part of a dependency, the module that uses it, and whether it is as it was."""

    package: str
    what: str
    used_in: str
    holds: Callable[[], bool]


def _is_cycle(cycle: Any) -> bool:
    return transport.cycle_of(cycle.receive, cycle.send) is cycle


def _errors(text: str) -> list[GraphQLError]:
    return validate(LOOSE, parse(text))


def _too_many_tokens() -> bool:
    try:
        parse("{ a b c d }", max_tokens=3)
    except GraphQLSyntaxError as error:
        return documents.has_too_many_tokens(error)
    return False


def _aborted() -> bool:
    text = "{ " + " ".join(f"a: number(digits: {each})" for each in range(400)) + " }"
    rules = (documents.MergingOnABudget,)
    return any(map(documents.is_aborted, validate(LOOSE, parse(text), rules, max_errors=5)))


def _scalar_refused() -> bool:
    document = parse('{ phoneNumbers(filter: { phoneNumber: "1" }) { nodes { sid } } }')
    return any(documents.SCALAR_REFUSED.search(each.message) for each in validate(SCHEMA, document))


def _shown_value() -> bool:
    result = graphql_sync(
        build_schema("type Query { a(in: In): Int } input In { b: Int! }"),
        "query ($in: In) { a(in: $in) }",
        variable_values={"in": {"c": 1}},
    )
    return any(documents.SHOWN_VALUE.search(each.message) for each in result.errors or ())


def _digits() -> bool:
    try:
        int("1" * 5000)
    except ValueError as error:
        return documents.name_digits(str(error)) == "this number has too many digits."
    return False


def _of_an_argument() -> bool:
    text = "query ($digits: Int!) { number(digits: $digits) }"
    strict = build_schema("type Query { number(digits: Int!): Int }")
    node: Any = parse(text).definitions[0]
    field = node.selection_set.selections[0]
    assert isinstance(field, FieldNode)
    definition = cast("Any", strict.query_type).fields["number"]
    try:
        execution.get_argument_values(definition, field, execution.VariableValues({}, {}))
    except GraphQLError as error:
        return execution.is_of_an_argument(error)
    return False


def _too_deep() -> bool:
    try:
        orjson.loads("[" * 1100 + "]" * 1100)
    except orjson.JSONDecodeError as error:
        return transport.is_too_deep(error)
    return False


def _password_refused() -> bool:
    class Refusing:
        async def sentinel_masters(self, **_: object) -> object:
            raise AuthenticationError("invalid password")

    async def ask() -> bool:
        sentinels = Sentinel([])  # type: ignore[no-untyped-call] # the library's own gap
        sentinels.sentinels = [cast("Any", Refusing())]
        try:
            await sentinels.discover_master("numbers")
        except MasterNotFoundError as error:
            return storage.is_password_refused(error)
        return False

    return asyncio.run(ask())


def _attribute_resolvers() -> bool:
    kind: Any = SCHEMA.type_map["PhoneNumber"]
    marks = {execution.is_attribute(field.resolve) for field in kind.fields.values()}
    return marks == {True, False}


def _inputs() -> bool:
    kind: Any = execution.definition_of(SCHEMA.type_map["AvailablePhoneNumberFilter"])
    known = execution.input_definition_of(kind.origin)
    return bool(known.fields and known.fields[0].python_name)


def _metrics() -> bool:
    registry = CollectorRegistry()
    bulk = observability.BulkHistogram("a", "a", buckets=(1, 2), registry=registry)
    bulk.observe_all([0.5, 1.5, 1.5, 3])
    usual = Histogram("b", "b", buckets=(1, 2), registry=registry)
    for each in (0.5, 1.5, 1.5, 3):
        usual.observe(each)
    first, second = registry.collect()
    values = [
        [
            (each.name[1:], each.labels, each.value)
            for each in metric.samples
            if "created" not in each.name
        ]
        for metric in (first, second)
    ]
    return values[0] == values[1]


def _samples() -> bool:
    registry = CollectorRegistry()
    Counter("a", "a", registry=registry)
    metric: Any = next(iter(registry.collect()))
    changed = [each._replace(labels={"worker": "1"}) for each in metric.samples]
    metric.samples = changed
    return isinstance(metric, observability.Metric) and metric.name == "a"


CORE, STRAWBERRY, PROMETHEUS = "graphql-core", "strawberry-graphql", "prometheus-client"
EXECUTES, PROJECTS = "gateway/execution/executors.py", "gateway/execution/plain_fields.py"
COMPILES, READS = "gateway/execution/compiled_queries.py", "gateway/execution/compiled_arguments.py"
COLLECTS = "gateway/execution/collecting.py"
INPUTS = "gateway/execution/compiled_inputs.py"
DOCUMENTS, HTTP = "gateway/documents/documents.py", "gateway/server/http_limits.py"
SOCKETS, METRICS = "gateway/server/websocket_limits.py", "gateway/observability/metrics.py"
SERVES, FAST = "gateway/server/uvicorn_server.py", "gateway/execution/projecting_executor.py"


def same_parameters(name: str) -> Callable[[], bool]:
    """Return a check that our override of a method of the executor takes what that takes."""
    return lambda: (
        list(inspect.signature(getattr(FastExecutor, name)).parameters)
        == list(inspect.signature(getattr(EXECUTOR, name)).parameters)
    )


PARTS = (
    # graphql-core -------------------------------------------------------------------------------
    Part(CORE, "Executor", EXECUTES, has(
        execution.Executor, "build", "build_per_event_executor", "execute_operation",
        "collect_subfields", "schema", "operation", "fragments", "fragment_definitions",
        "variable_values", "context_value", "collected_errors",
    )),
    Part(CORE, "Executor.build()", EXECUTES, knows(
        EXECUTOR.build, "schema", "document", "context_value", "raw_variable_values",
        "operation_name", "hide_suggestions",
    )),
    Part(CORE, "Executor._relevant_sub_fields", EXECUTES,
         has(execution.Executor, "_relevant_sub_fields")),
    Part(CORE, "Executor.async_helpers", EXECUTES, has(EXECUTOR, "async_helpers")),
    Part(CORE, "Executor.collect_subfields()", PROJECTS,
         takes(EXECUTOR.collect_subfields, "self", "return_type", "field_details_list")),
    *(
        Part(CORE, f"Executor.{name}()", FAST, same_parameters(name))
        for name in ("complete_object_value", "complete_list_value", "execute_fields")
    ),
    Part(CORE, "ExperimentalIncrementalExecutionResults", "gateway/execution/incremental.py",
         has(execution.ExperimentalIncrementalExecutionResults,
             "initial_result", "subsequent_results")),
    Part(CORE, "FieldDetails", PROJECTS,
         has(execution.FieldDetails, "node", "fragment_variable_values")),
    Part(CORE, "FieldDetails()", COLLECTS,
         takes(execution.FieldDetails, "node", "defer_usage")),
    Part(CORE, "FragmentDetails", COLLECTS, takes(execution.FragmentDetails, "definition")),
    Part(CORE, "CollectedFields", COLLECTS, takes(
        execution.CollectedFields, "grouped_field_set", "new_defer_usages",
        "forbidden_directive_instances",
    )),
    Part(CORE, "collect_fields()", COLLECTS, takes(
        execution.collect_fields, "schema", "fragments", "variable_values", "runtime_type",
        "operation",
    )),
    Part(CORE, "collect_subfields()", COLLECTS, takes(
        execution.collect_subfields, "schema", "fragments", "variable_values", "operation",
        "return_type", "field_details_list",
    )),
    Part(CORE, "VariableValues", READS, takes(execution.VariableValues, "sources", "coerced")),
    Part(CORE, "coerce_default_value()", INPUTS, takes(execution.coerce_default_value, "input_value")),
    Part(CORE, "get_argument_values()", READS,
         takes(execution.get_argument_values, "type_def", "node", "variable_values")),
    Part(CORE, "get_directive_values()", EXECUTES,
         takes(execution.get_directive_values, "directive_def", "node", "variable_values")),
    Part(CORE, "Path", FAST, has(execution.Path, "prev", "key", "as_list")),
    Part(CORE, "AwaitableOrValue", FAST, lambda: execution.AwaitableOrValue is not None),
    Part(CORE, "the words for a bad argument", "gateway/execution/execute.py", _of_an_argument),
    Part(CORE, "the words for too many tokens", DOCUMENTS, _too_many_tokens),
    Part(CORE, "the words for a spent budget, and the budget of the rule about merging", DOCUMENTS,
         _aborted),
    Part(CORE, "the words for a suggestion", DOCUMENTS,
         lambda: any(documents.SUGGESTION.search(each.message) for each in _errors("{ numbr }"))),
    Part(CORE, "the words around a scalar's", "gateway/documents/error_wording.py",
         _scalar_refused),
    Part(CORE, "the words before a value", "gateway/documents/error_wording.py", _shown_value),
    Part("Python", "the words for too many digits", DOCUMENTS, _digits),
    # Strawberry ---------------------------------------------------------------------------------
    Part(STRAWBERRY, "Schema._schema", "schema/__init__.py",
         lambda: build_strawberry_schema()._schema.query_type is not None),
    Part(STRAWBERRY, "StrawberryGraphQLCoreExecutionContext", EXECUTES, lambda: (
        issubclass(EXECUTOR, execution.Executor) and "operation_extensions" in attributes(EXECUTOR)
    )),
    Part(STRAWBERRY, "GraphQLCoreConverter", READS,
         lambda: isinstance(execution.definition_of(SCHEMA).schema_converter,
                            execution.GraphQLCoreConverter)),
    Part(STRAWBERRY, "GraphQLCoreConverter.config, .scalar_registry", READS,
         has(execution.GraphQLCoreConverter, "config", "scalar_registry")),
    Part(STRAWBERRY, "the definition and directives of a field", "schema/directives.py", lambda: (
        schema_parts.directives_of(cast("Any", SCHEMA.query_type).fields["phoneNumbers"])
        != ()
    )),
    Part(STRAWBERRY, "the resolver in the definition of a field", "schema/selections.py", lambda: (
        schema_parts.has_resolver(cast("Any", SCHEMA.query_type).fields["phoneNumbers"])
        and not schema_parts.has_resolver(cast("Any", SCHEMA.type_map["Node"]).fields["id"])
    )),
    Part(STRAWBERRY, "Info._raw_info", "schema/info.py", has(strawberry.Info, "_raw_info")),
    Part(STRAWBERRY, "the mark of resolvers that read an attribute", PROJECTS,
         _attribute_resolvers),
    Part(STRAWBERRY, "__strawberry_definition__ of inputs", READS, _inputs),
    Part(STRAWBERRY, "StrawberryField", COMPILES, has(
        execution.StrawberryField, "base_resolver", "arguments", "extensions", "is_async",
        "python_name", "directives", "type",
    )),
    Part(STRAWBERRY, "StrawberryResolver", COMPILES, has(
        importlib.import_module("strawberry.types.fields.resolver").StrawberryResolver,
        "self_parameter", "info_parameter", "root_parameter", "parent_parameter", "wrapped_func",
    )),
    Part(STRAWBERRY, "StrawberryArgument", READS,
         has(execution.StrawberryArgument, "python_name", "type")),
    Part(STRAWBERRY, "StrawberryOptional", READS, has(execution.StrawberryOptional, "of_type")),
    Part(STRAWBERRY, "StrawberryMaybe", INPUTS,
         lambda: issubclass(execution.StrawberryMaybe, execution.StrawberryOptional)),
    Part(STRAWBERRY, "LazyType", READS, has(execution.LazyType, "resolve_type")),
    Part(STRAWBERRY, "convert_argument()", READS,
         takes(execution.convert_argument, "value", "type_", "scalar_registry", "config")),
    Part(STRAWBERRY, "convert_arguments()", EXECUTES,
         takes(execution.convert_arguments, "value", "arguments", "scalar_registry", "config")),
    Part(STRAWBERRY, "to_camel_case()", "gateway/mapping/filters.py",
         lambda: mapping.to_camel_case("fallback_url") == "fallbackUrl"),
    Part(STRAWBERRY, "OneOf", "schema/__init__.py",
         lambda: any(isinstance(each, schema_parts.OneOf)
                     for each in schema_parts.directives_of(build_core_schema().type_map["Near"]))),
    Part(STRAWBERRY, "ScalarDefinition", "schema/scalars.py",
         has(schema_parts.ScalarDefinition, "name")),
    Part(STRAWBERRY, "EnumValueDefinition", "schema/enums.py",
         has(schema_parts.EnumValueDefinition, "value")),
    # uvicorn, websockets --------------------------------------------------------------------------
    Part("uvicorn", "HttpToolsProtocol._start_asgi_task()", "gateway/server/_compat.py",
         takes(HttpToolsProtocol._start_asgi_task, "self", "cycle", "app")),
    Part("uvicorn", "HttpToolsProtocol._get_upgrade()", "gateway/server/_compat.py",
         takes(HttpToolsProtocol._get_upgrade, "self")),
    Part("uvicorn", "HttpToolsProtocol._unsupported_upgrade_warning()", "gateway/server/_compat.py",
         takes(HttpToolsProtocol._unsupported_upgrade_warning, "self")),
    Part("uvicorn", "HttpToolsProtocol.send_400_response()", HTTP,
         takes(HttpToolsProtocol.send_400_response, "self", "msg")),
    Part("uvicorn", "RequestResponseCycle", HTTP, has(
        server.RequestResponseCycle, "send", "scope", "keep_alive", "waiting_for_100_continue",
        "chunked_encoding", "expected_content_length", "response_started", "response_complete",
        "disconnected", "message_event", "body", "more_body", "receive", "on_response",
    )),
    Part("uvicorn", "RequestResponseCycle()", "gateway/server/_compat.py", takes(
        server.RequestResponseCycle, "scope", "transport", "flow", "logger", "access_logger",
        "access_log", "default_headers", "message_event", "expect_100_continue", "keep_alive",
        "on_response",
    )),
    Part("uvicorn", "RequestResponseCycle, on which `receive` and `send` work",
         "gateway/transport/_compat.py", lambda: _is_cycle(object.__new__(importlib.import_module(
             "uvicorn.protocols.http.httptools_impl").RequestResponseCycle))),
    Part("uvicorn", "RequestResponseCycle and what it has", "gateway/transport/asgi.py", has(
        server.RequestResponseCycle, "transport", "flow", "message_event", "default_headers",
        "body", "more_body", "keep_alive", "access_log", "disconnected",
        "waiting_for_100_continue", "response_started", "response_complete", "on_response",
    )),
    Part("uvicorn", "FlowControl.read_paused, write_paused", "gateway/transport/asgi.py", has(
        importlib.import_module("uvicorn.protocols.http.flow_control").FlowControl,
        "read_paused", "write_paused",
    )),
    Part("uvicorn", "ServerState.default_headers, tasks", "gateway/server/lean_http.py",
         has(uvicorn.server.ServerState, "default_headers", "tasks")),
    Part("uvicorn", "FlowControl", HTTP, has(
        importlib.import_module("uvicorn.protocols.http.flow_control").FlowControl,
        "pause_reading", "write_paused", "drain",
    )),
    Part("uvicorn", "get_remote_addr()", HTTP, takes(server.get_remote_addr, "transport")),
    Part("uvicorn", "ClientDisconnected", SOCKETS,
         lambda: issubclass(sockets.ClientDisconnected, OSError)),
    Part("uvicorn", "Server._captured_signals", SERVES,
         has(uvicorn.Server, "_captured_signals")),
    Part("uvicorn", "Server", SERVES, has(
        uvicorn.Server, "handle_exit", "shutdown", "servers", "server_state", "force_exit",
        "config", "should_exit", "started",
    )),
    Part("uvicorn", "ASGISendEvent, ASGI3Application", SOCKETS,
         lambda: server.ASGISendEvent is not None),
    Part("uvicorn", "WebSocketsSansIOProtocol", SOCKETS,
         lambda: "ServerProtocol" in {
             each.argval for each in dis.get_instructions(sockets.WebSocketsSansIOProtocol.__init__)
         }),
    Part("websockets", "ServerProtocol()", SOCKETS,
         knows(sockets.ServerProtocol, "extensions", "max_size", "logger")),
    Part("websockets", "ServerProtocol", SOCKETS, has(
        sockets.ServerProtocol, "available_extensions", "handshake_exc", "data_to_send", "fail",
        "send_close",
    )),
    Part("websockets", "ServerProtocol.reject()", SOCKETS,
         takes(sockets.ServerProtocol.reject, "self", "status", "text")),
    Part("websockets", "Request", SOCKETS, has(sockets.Request, "path", "headers")),
    Part("websockets", "Response", SOCKETS,
         takes(sockets.Response, "status_code", "reason_phrase", "headers", "body")),
    Part("uvicorn", "WebSocketsSansIOProtocol.run_asgi() and what it has", SOCKETS, has(
        sockets.WebSocketsSansIOProtocol, "run_asgi", "app", "scope", "receive", "send", "queue",
        "request", "response", "app_state", "frames", "curr_msg_data_type", "close_timer", "writable",
        "pending_ping_payload", "stop_keepalive", "keepalive_timeout", "send_receive_event_to_app",
    )),
    Part("websockets", "StreamReader.buffer", SOCKETS,
         lambda: sockets.ServerProtocol().reader.buffer == b""),
    Part("websockets", "Opcode.PONG", SOCKETS,
         lambda: sockets.Opcode.PONG is sockets.Frame(sockets.Opcode.PONG, b"").opcode),
    Part("websockets", "apply_mask()", SOCKETS,
         lambda: sockets.apply_mask(b"abcde", b" \0\0\0") == b"AbcdE"),
    Part("websockets", "Frame", SOCKETS, has(sockets.Frame, "opcode", "data")),
    Part("websockets", "CloseCode", SOCKETS, lambda: (
        (sockets.CloseCode.POLICY_VIOLATION, sockets.CloseCode.SERVICE_RESTART) == (1008, 1012)
    )),
    Part("websockets", "Headers", SOCKETS, lambda: sockets.Headers([("a", "b")])["a"] == "b"),
    # prometheus-client ------------------------------------------------------------------------------
    Part(PROMETHEUS, "Histogram._upper_bounds, ._buckets, ._sum", METRICS, _metrics),
    Part(PROMETHEUS, "Metric", METRICS, _samples),
    Part(PROMETHEUS, "Collector", METRICS, has(observability.Collector, "collect")),
    Part(PROMETHEUS, "MultiProcessCollector", METRICS,
         takes(observability.MultiProcessCollector, "registry")),
    Part(PROMETHEUS, "mark_process_dead()", "gateway/observability/metrics_folder.py",
         takes(observability.mark_process_dead, "pid")),
    # Others ---------------------------------------------------------------------------------------
    Part("orjson", "the words for what is nested too deeply", "gateway/transport/negotiation.py",
         _too_deep),
    Part("redis", "the words of MasterNotFoundError for sentinels that refuse the password",
         "gateway/storage/store_connections.py", _password_refused),
    Part("redis", "parse_url()", "gateway/storage/store_connections.py", lambda: (
        storage.parse_url("redis://me@db:1/2")
        == {"username": "me", "host": "db", "port": 1, "db": 2}
    )),
)  # fmt: skip


@pytest.mark.parametrize("part", PARTS, ids=lambda each: f"{each.package}: {each.what}")
def test_a_private_part_is_as_we_use_it(part: Part) -> None:
    try:
        holds, why = part.holds(), ""
    except Exception as error:  # noqa: BLE001 - whatever it is, the part is not as it was
        holds, why = False, f" ({type(error).__name__}: {error})"
    which = part.package if part.package == "Python" else f"{part.package} {version(part.package)}"
    if not holds:
        pytest.fail(
            f"{which}: changed, but in use in {part.used_in}: {part.what}{why}", pytrace=False
        )


def _bases(module: str) -> Iterator[tuple[str, type, type]]:
    """Yield the classes of a module that extend a dependency's, each with that one."""
    loaded = importlib.import_module(module)
    for name, kind in vars(loaded).items():
        if isinstance(kind, type) and kind.__module__ == module:
            theirs = (each for each in kind.__mro__ if not each.__module__.startswith("gateway."))
            base = next(theirs)
            if base.__module__.partition(".")[0] in {
                "uvicorn",
                "websockets",
                "graphql",
                "strawberry",
            }:
                yield name, kind, base


@pytest.mark.parametrize(
    "module",
    [
        *("gateway.server.http_limits", "gateway.server.lean_http"),
        "gateway.server.websocket_limits",
        *("gateway.server.uvicorn_server", "gateway.execution.projecting_executor"),
    ],
)
def test_what_a_class_of_ours_takes_for_inherited_is_there(module: str) -> None:
    path = MODULES[module]
    tree = ast.parse(path.read_text())
    extended = {name: (kind, base) for name, kind, base in _bases(module)}
    assert extended
    for node in ast.walk(tree):
        if not isinstance(node, ast.ClassDef) or node.name not in extended:
            continue
        kind, base = extended[node.name]
        for each in ast.walk(node):
            if not isinstance(each, ast.Attribute):
                continue
            is_self = isinstance(each.value, ast.Name) and each.value.id == "self"
            is_super = ast.unparse(each.value) == "super()"
            known = attributes(kind) if is_self else attributes(base)
            if (is_self or is_super) and each.attr not in known:
                package = base.__module__.partition(".")[0]
                where = path.relative_to(path.parent.parent.parent)
                line = f"{package}: {base.__name__} has no {each.attr}, which {where} uses"
                pytest.fail(line, pytrace=False)


def test_every_part_that_a_module_takes_is_asserted() -> None:
    said = " ".join(each.what for each in PARTS)
    for name, path in MODULES.items():
        if not name.endswith("_compat"):
            continue
        for node in ast.parse(path.read_text()).body:
            module = (node.module or "") if isinstance(node, ast.ImportFrom) else ""
            if "." in module and module.partition(".")[0] not in sys.stdlib_module_names:
                for alias in node.names if isinstance(node, ast.ImportFrom) else ():
                    assert re.search(rf"\b{alias.name}\b", said), f"{name}: {alias.name}"


# What may come with a release of each, as the number of its pin that must stay.
NARROW = {
    "graphql-core": 3,
    "strawberry-graphql": 2,
    "uvicorn": 2,
    "websockets": 2,
    "prometheus-client": 2,
}


@pytest.mark.parametrize(("package", "digits"), NARROW.items())
def test_who_is_used_below_its_surface_is_pinned_narrowly(package: str, digits: int) -> None:
    pin: SpecifierSet = next(each.specifier for each in wanted() if each.name == package)
    now = [int(each) for each in version(package).split(".")[:digits]]
    following = ".".join(map(str, [*now[:-1], now[-1] + 1]))
    assert pin.contains(version(package))
    assert not pin.contains(following)
