"""`number-gateway check --live`: asks the real API what the gateway takes for granted of it.

GETs alone, one after another, a known number at most. What one of them does not tell, others may.
"""

import asyncio
import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final, Literal, NamedTuple, TypeAlias

from gateway.cli.assumptions import AS_SAID, ASSUMPTIONS, Assumption, Other, Value
from gateway.cli.probes import FIRST, PROBES, Answered, Answers, Probe, Untold
from gateway.errors import CommandError
from gateway.upstream.call import Api, Credential
from gateway.upstream.client import usual_headers
from gateway.upstream.connections import (
    AnswerRefused,
    ConnectionBroke,
    target,
)
from gateway.upstream.dialling import Dialler, NotConnected
from gateway.upstream.pools import Connections
from gateway.upstream.proxies import Origin

Verdict: TypeAlias = Literal["confirmed", "contradicted", "not told"]
SWITCHES_VERSION: Final = 1
AGAIN: Final = 5
"""Probes that are asked once more in all, when the upstream says that they come too fast, or
breaks the connection."""
_TOO_FAST: Final = 429
_FIRST_REDIRECT, _FIRST_REFUSAL, _NOT_FOUND = 300, 400, 404
_LONGEST_PAUSE: Final = 5.0
_LONGEST_TEXT: Final = 200


class Told(NamedTuple):
    """What is told of an assumption.

    Attributes:
        assumption: which.
        verdict: whether it is so.
        observed: what was seen; None when it could not be told, or when that is what was seen.
        why: why it could not be told; "" if it was.
        failed: whether it might be told another time.
    """

    assumption: Assumption
    verdict: Verdict
    observed: Value = None
    why: str = ""
    failed: bool = False


class Contact(NamedTuple):
    """How the upstream is asked.

    Attributes:
        origins: where each API is.
        credential: as whom.
        patience: seconds for one answer.
        dialler: makes connections.
        body_limit: bytes of an answer.
    """

    origins: Mapping[Api, Origin]
    credential: Credential
    patience: float
    dialler: Dialler
    body_limit: int

    @property
    def announcement(self) -> str:
        """What is going to be asked, before it is."""
        routes = self.dialler.routes
        hosts = ", ".join(
            dict.fromkeys(
                each.authority + (f" {routes.way(each)}" if routes.proxy(each) else "")
                for each in self.origins.values()
            )
        )
        return (
            f"{len(PROBES)} GET requests at most to {hosts}, one after another, and {AGAIN} of them"
            " again if they come too fast. Nothing is bought or changed."
        )


async def ask_all(contact: Contact, progress: Callable[[int, Probe], object]) -> Answers:
    """Send all probes and return what was answered.

    Args:
        contact: how.
        progress: is told which probe is next.

    Raises:
        CommandError: nothing was answered, or the first answer shows that it makes no sense to
            ask on.
    """
    answers = Answers(contact.credential)
    connections = Connections(contact.dialler, body_limit=contact.body_limit)
    again = AGAIN
    try:
        for number, probe in enumerate(PROBES, 1):
            progress(number, probe)
            answer = await _ask(contact, connections, answers, probe)
            pause = _pause(answer)
            if pause is not None and again:
                again -= 1
                await asyncio.sleep(pause)
                answer = await _ask(contact, connections, answers, probe)
            answers.note(probe.name, _final(probe, answer))
            if probe is FIRST:
                _require_sense(contact.origins[probe.api], answers)
    finally:
        await connections.aclose()
    answers.require_any()
    return answers


async def _ask(
    contact: Contact, connections: Connections, answers: Answers, probe: Probe
) -> Answered | Untold:
    origin = contact.origins[probe.api]
    try:
        path, query = answers.fill(probe.path), answers.fill(probe.query)
        message = (
            f"GET {target(origin, path, query)} HTTP/1.1\r\n{usual_headers(origin)}"
            f"Authorization: {contact.credential.authorization}\r\n\r\n"
        )
        response = await connections.to(origin).send(
            message.encode("latin-1"), within=contact.patience
        )
    except Untold as untold:
        return untold
    except TimeoutError:
        return Untold(f"there was no answer within {contact.patience:g} s", failed=True)
    except NotConnected as error:
        return Untold(f"{origin.authority} could not be reached: {error}", failed=True)
    except ConnectionBroke:
        return _Broken("the connection broke", failed=True)
    except AnswerRefused as error:
        return Untold(str(error), failed=True)
    return Answered.of(*response)


class _Stranger(Untold):
    """Somebody else than the upstream has answered."""


class _Broken(Untold):
    """The connection broke, as one does that was idle for too long: another may not."""


def _pause(answer: Answered | Untold) -> float | None:
    """Return seconds after which to ask again; None: that would not help."""
    if isinstance(answer, _Broken):
        return 0.0
    if isinstance(answer, Untold) or answer.status != _TOO_FAST:
        return None
    asked = answer.headers.get("retry-after", "")
    return min(float(asked) if asked.isascii() and asked.isdecimal() else 1.0, _LONGEST_PAUSE)


def _final(probe: Probe, answer: Answered | Untold) -> Answered | Untold:
    """Return an answer, or that it says nothing of what was asked.

    What is no JSON, or leads elsewhere, is not the upstream's, but of something between, or at a
    wrong address; only that an account has no access to the catalog need not be said in JSON.
    """
    if isinstance(answer, Untold):
        return answer
    if answer.status == _TOO_FAST or answer.status >= 500:  # noqa: PLR2004
        return Untold(f"it was answered {answer}", failed=True)
    if _FIRST_REDIRECT <= answer.status < _FIRST_REFUSAL:
        return _Stranger(f"it was redirected ({answer})", failed=True)
    if not answer.body and (probe.name, answer.status) != ("catalog", _NOT_FOUND):
        return _Stranger(f"it was answered {answer}, and not in JSON", failed=True)
    return answer


def _require_sense(origin: Origin, answers: Answers) -> None:
    """See by the first answer that it makes sense to ask on.

    Raises:
        CommandError: it does not: who answers is not the upstream, or refuses the credentials.
    """
    try:
        answer = answers[FIRST.name]
    except _Stranger as stranger:
        raise CommandError(
            f"{origin.authority} does not answer as the upstream does: {stranger}. Is core_url"
            " right? Nothing else was asked"
        ) from None
    except Untold:
        return
    if answer.refused and answer.code is None:
        raise CommandError(
            f"{origin.authority} does not answer as the upstream does: it was answered {answer}"
            " without an error code. Is core_url right? Nothing else was asked"
        )
    if answer.refused:
        raise CommandError(
            f"the upstream refuses the credentials ({answer}): nothing else was asked"
        )


def judge(answers: Answers, expected: Mapping[str, Value]) -> list[Told]:
    """Return what is told of each assumption.

    Args:
        answers: to the probes.
        expected: what is expected where it is not the switch's default, by switch.
    """
    return [_judged(each, answers, expected) for each in ASSUMPTIONS]


def _judged(each: Assumption, answers: Answers, expected: Mapping[str, Value]) -> Told:
    if each.switch is not None and each.switch in expected:
        each = each._replace(expected=expected[each.switch])
    try:
        observed = each.observe(answers)
    except Untold as untold:
        return Told(each, "not told", why=str(untold), failed=untold.failed)
    if isinstance(observed, str):
        kept = type(observed)(answers.credential.redact(observed)[:_LONGEST_TEXT])
        observed = kept if isinstance(observed, Other) else str(kept)
    same = observed == each.expected and type(observed) is type(each.expected)
    return Told(each, "confirmed" if same else "contradicted", observed)


def switches(told: Sequence[Told], expected: Mapping[str, Value]) -> dict[str, Value]:
    """Return the switches with which a sandbox does as the account showed."""
    seen = {
        each.assumption.switch: each.observed
        for each in told
        if each.assumption.switch and each.verdict == "contradicted"
        if not isinstance(each.observed, Other)
    }
    usual = {each.switch: each.expected for each in ASSUMPTIONS}
    return {name: it for name, it in {**expected, **seen}.items() if it != usual[name]}


def switches_file(told: Sequence[Told], chosen: Mapping[str, Value]) -> str:
    """Return the file that `sandbox --switches` takes."""
    words = {each.assumption.switch: each.assumption.words for each in told}
    lines = [
        "# What number-gateway check --live saw to be otherwise than a sandbox does by itself.",
        f"version = {SWITCHES_VERSION}",
        "",
        "[switches]",
    ]
    for name, value in chosen.items():
        # TOML has no null: there, that is the default.
        if value is not None:
            lines += [f"# not so: {words[name]}", f"{name} = {json.dumps(value)}"]
    return "\n".join(lines) + "\n"


def report(told: Sequence[Told], write: Callable[[str], object]) -> None:
    """Print for people what was found."""
    probes = {each.name: each for each in PROBES}
    for each in told:
        assumption = each.assumption
        write(f"{each.verdict:<12} {assumption.id}: {assumption.words}")
        if each.verdict == "contradicted":
            so = assumption.expected == AS_SAID
            expected = "" if so else f"expected {_text(assumption.expected)}, "
            write(f"{'':<12} {expected}seen: {_text(each.observed)}")
            if assumption.probe is not None:
                write(f"{'':<12} by {probes[assumption.probe]}")
            switch = assumption.switch
            held = switch and not isinstance(each.observed, Other)
            write(f"{'':<12} {assumption.stated}; {f'switch {switch}' if held else 'no switch'}")
        elif each.why:
            write(f"{'':<12} {each.why}")
    counts = [
        f"{sum(each.verdict == verdict for each in told)} {words}"
        for verdict, words in (
            ("confirmed", "confirmed"),
            ("contradicted", "contradicted"),
            ("not told", "could not be told"),
        )
    ]
    write(f"{', '.join(counts)}.")


def _text(value: Value) -> str:
    return str(value) if isinstance(value, Other) else json.dumps(value, ensure_ascii=False)


def document(told: Sequence[Told], chosen: Mapping[str, Value]) -> dict[str, Any]:
    """Return for machines what was found."""
    probes = {each.name: str(each) for each in PROBES}
    return {
        "assumptions": [
            {
                "id": each.assumption.id,
                "assumption": each.assumption.words,
                "stated": each.assumption.stated,
                "request": probes.get(each.assumption.probe or ""),
                "verdict": each.verdict.replace(" ", "_"),
                "expected": each.assumption.expected,
                "observed": each.observed,
                "why": each.why or None,
                "switch": each.assumption.switch,
            }
            for each in told
        ],
        "switches": dict(chosen),
    }
