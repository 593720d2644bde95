"""Applies a fault to an answer."""

from collections.abc import Callable

import orjson

from gateway.sandbox.http.api_call import ApiCall
from gateway.sandbox.http.faults import Fault
from gateway.sandbox.http.formats import error_response
from gateway.sandbox.http.raw_answers import Answer
from gateway.sandbox.http.refusals import ApiError
from gateway.sandbox.switches import Switches

_BROKEN_OFF = b'{"items": [{"phone_number": "+1'
_OTHER_SHAPE = b'[{"unexpected": true}]'
_PAGE = b"<html><head><title>502 Bad Gateway</title></head><body>502 Bad Gateway</body></html>"
_STRAY = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n"
_CODES = {401: 20003, 403: 20008, 404: 20404, 405: 20004, 429: 20429, 503: 20503}


def spoil(fault: Fault, call: ApiCall, real: Answer | None, switches: Switches) -> Answer | None:
    """The answer to send, or None when the connection is to be reset.

    Args:
        fault: What happens.
        call: The request.
        real: Its proper answer, when it was processed.
        switches: For the bodies of errors.
    """
    if fault.kind in {"reset", "lost-answer"}:
        return None
    if fault.kind in {"429", "status"}:
        return _error(fault, call, switches)
    if real is not None and fault.kind in _OF_REAL:
        return _OF_REAL[fault.kind](fault, real)
    answer = Answer(fault.status, [], _BROKEN_OFF if fault.kind in _OF_REAL else _OTHER_SHAPE)
    answer.header("content-type", "application/json")
    if fault.kind == "html":
        answer.header("content-type", "text/html; charset=utf-8")
        answer.body = _PAGE
    elif fault.kind == "redirect":
        answer.header("location", fault.location or f"{call.base_url}/elsewhere")
    return _with_body(fault, answer)


def _error(fault: Fault, call: ApiCall, switches: Switches) -> Answer:
    error = ApiError(_CODES.get(fault.status, 20500), status=fault.status)
    response = error_response(error, switches, xml=call.xml)
    answer = Answer(fault.status, list(response.raw_headers), bytes(response.body))
    if fault.retry_after is not None:
        answer.header("retry-after", str(fault.retry_after))
    return _with_body(fault, answer)


def _with_body(fault: Fault, answer: Answer) -> Answer:
    """The answer with the fault's own body, if it has one."""
    if fault.body is not None:
        text = isinstance(fault.body, str)
        answer.body = fault.body.encode() if text else orjson.dumps(fault.body)
    return answer


def stray_bytes(fault: Fault) -> bytes:
    """What follows the answer on its connection."""
    return _with_body(fault, Answer(200, [], _STRAY)).body


def _broken_off(fault: Fault, answer: Answer) -> Answer:
    answer.body = answer.body[: max(1, len(answer.body) // 2)]
    return _with_body(fault, answer)


def _with_null_items(_: Fault, answer: Answer) -> Answer:
    """A null before every element of every list at the top of a JSON body."""
    try:
        document = orjson.loads(answer.body)
    except orjson.JSONDecodeError:
        return answer
    for key, value in document.items():
        if isinstance(value, list):
            document[key] = [element for item in value for element in (None, item)]
    answer.body = orjson.dumps(document)
    return answer


_OF_REAL: dict[str, Callable[[Fault, Answer], Answer]] = {
    "latency": lambda _, answer: answer,
    "held": lambda _, answer: answer,
    "slow-body": lambda _, answer: answer,
    "truncate": _with_body,
    "malformed": _broken_off,
    "null-items": _with_null_items,
    "stray-bytes": lambda _, answer: answer,
}
