"""Twilio's OpenAPI descriptions of the number resources, as a check of requests and answers.

The files are not part of this repository; where they lie beside the checkout they are used.
"""

import json
import re
from dataclasses import dataclass
from typing import Any

from openapi_schema_validator import OAS30Validator

from tests.sandbox.official import Exchange
from tests.support.paths import ROOT

_BESIDE = ROOT.parent / "shared" / "upstream"
# Settings whose unset value is "" in the description's own examples, against its schemas.
_EMPTY_WHEN_UNSET = ("sms_application_sid", "voice_application_sid")
# Declared as numbers, written as text in all its examples and in recorded answers.
_NUMBERS_AS_TEXT = ("latitude", "longitude")


@dataclass(frozen=True, slots=True)
class Operation:
    """One method of one path."""

    path: re.Pattern[str]
    method: str
    document: dict[str, Any]


class Description:
    """The description, ready to check exchanges."""

    def __init__(self, document: dict[str, Any]) -> None:
        self._components = document["components"]
        self.operations = [
            Operation(
                re.compile(re.sub(r"\\{(\w+)\\}", r"([^/]+)", re.escape(path)) + "$"),
                method.upper(),
                operation,
            )
            # Literal paths come before those with a parameter in the same place.
            for path, methods in sorted(document["paths"].items(), key=_specificity)
            for method, operation in methods.items()
            if method in {"get", "post", "delete"}
        ]

    def check(self, exchange: Exchange) -> None:
        """Fails when a request or its answer departs from the description."""
        operation = self._operation(exchange)
        if operation is None:
            assert "PhoneNumbers" not in exchange.path, f"{exchange.path} is not described"
            return
        if exchange.status < 400:
            self._check_query(exchange, operation)
            self._check_form(exchange, operation)
            self._check_answer(exchange, operation)

    def _operation(self, exchange: Exchange) -> dict[str, Any] | None:
        for operation in self.operations:
            if operation.method == exchange.method and operation.path.match(exchange.path):
                return operation.document
        return None

    def _check_query(self, exchange: Exchange, operation: dict[str, Any]) -> None:
        known = {
            parameter["name"]: parameter["schema"]
            for parameter in operation.get("parameters", ())
            if parameter["in"] == "query"
        }
        for name, value in exchange.query.items():
            assert name in known, f"{exchange.path} does not describe {name}"
            self._validate(_typed(value, known[name]), known[name])

    def _check_form(self, exchange: Exchange, operation: dict[str, Any]) -> None:
        if not exchange.form:
            return
        content = operation["requestBody"]["content"]
        schema = content["application/x-www-form-urlencoded"]["schema"]
        for name, value in exchange.form.items():
            assert name in schema["properties"], f"{exchange.path} does not describe {name}"
            self._validate(_typed(value, schema["properties"][name]), schema["properties"][name])

    def _check_answer(self, exchange: Exchange, operation: dict[str, Any]) -> None:
        described = operation["responses"]
        assert str(exchange.status) in described, f"{exchange.status} of {exchange.path}"
        content = described[str(exchange.status)].get("content")
        if content is None:
            assert exchange.body == ""
            return
        schema = content["application/json"]["schema"]
        body = _as_declared(json.loads(exchange.body))
        self._validate(body, schema)
        self._check_keys(body, schema)

    def _check_keys(self, body: Any, schema: dict[str, Any]) -> None:
        """Every key is described; an element of a list has all of them."""
        schema = self._resolve(schema)
        if isinstance(body, list):
            for element in body:
                self._check_keys(element, schema["items"])
                described = self._resolve(schema["items"]).get("properties", {})
                optional = {"type"}  # newer than most of the description's examples
                assert set(described) - set(element) <= optional
        elif isinstance(body, dict) and "properties" in schema:
            for key, value in body.items():
                if key not in {"SMS", "MMS"}:
                    assert key in schema["properties"], f"{key} is not described"
                    self._check_keys(value, schema["properties"][key])

    def _resolve(self, schema: dict[str, Any]) -> dict[str, Any]:
        reference = schema.get("$ref")
        if reference is None:
            return schema
        found: dict[str, Any] = self._components["schemas"][reference.rsplit("/", 1)[1]]
        return found

    def _validate(self, value: Any, schema: dict[str, Any]) -> None:
        whole = {**schema, "components": self._components}
        errors = [error.message for error in OAS30Validator(whole).iter_errors(value)]
        assert not errors, errors


def find_description(name: str = "2010_numbers") -> Description | None:
    """The description of that name beside this checkout, or None."""
    file = _BESIDE / f"openapi_{name}.json"
    return Description(json.loads(file.read_text(encoding="utf-8"))) if file.is_file() else None


def _specificity(entry: tuple[str, Any]) -> tuple[int, str]:
    return entry[0].count("{"), entry[0]


def _typed(value: str, schema: dict[str, Any]) -> Any:
    """A parameter's text as the JSON type its schema declares."""
    if schema.get("type") == "integer":
        return int(value)
    if schema.get("type") == "boolean":
        return {"true": True, "false": False}[value]
    return value


def _as_declared(value: Any) -> Any:
    """The body without the differences between the description's schemas and its examples."""
    if isinstance(value, list):
        return [_as_declared(element) for element in value]
    if not isinstance(value, dict):
        return value
    changed = {key: _as_declared(child) for key, child in value.items()}
    for key in _EMPTY_WHEN_UNSET:
        if changed.get(key) == "":
            changed[key] = None
    for key in _NUMBERS_AS_TEXT:
        if isinstance(changed.get(key), str):
            changed[key] = float(changed[key])
    return changed
