"""Takes secrets out of text that others wrote: the upstream, proxies before it, libraries.

Whoever answers a call has seen its Authorization header and may repeat it in any spelling. So
a known secret is looked for in all of them, whole or in part, and whatever else looks like
a credential goes, too. Text must be redacted before it is cut: the rest of a secret that was cut
in two is not recognised.
"""

import base64
import html
import json
import re
from collections.abc import Callable, Iterator
from typing import Final
from unicodedata import normalize
from urllib.parse import quote

GONE: Final = "…"
# So many letters and digits of a secret in a row give it away. Fewer occur by chance: six
# hexadecimal digits of a given token of 32 turn up once in 600,000 places.
_TELLING: Final = 6
_SHORTEST: Final = 4

_LOOKS_SECRET: Final = re.compile(
    r"""
      # Schemes of HTTP authentication, and what follows them.
      \b (?: basic | bearer | digest ) (?: [\s:=+"'] | %20 )+ (?P<token> [\w.~+/=%-]{8,} )
      # JSON Web Tokens begin with `{"` in Base64.
    | \b eyJ [\w-]+ \. [\w-]+ (?: \. [\w-]* )?
      # Auth tokens and API key secrets: 32 letters and digits of which some are digits. A sid has
      # two letters before its 32.
    | (?<! [^\W_] ) (?= [a-z]* [0-9] ) [0-9a-z]{32} (?! [^\W_] )
      # User name and password in a URL.
    | (?<= :// ) [^\s/@]+ (?= @ )
      # Values of what calls itself secret.
    | \b (?: pass (?: word | wd | phrase ) | secret | api [_-]? key | [a-z]+ [ _-] token | cookie )
      (?P<value> ["']? \s* [:=] \s* ["']? [^\s"',;&]+ )
    """,
    re.VERBOSE | re.IGNORECASE | re.ASCII,
)


def redact(text: str) -> str:
    """Return text without what looks like a credential of any kind."""
    return _LOOKS_SECRET.sub(_without, text)


def redactor(username: str, secret: str) -> Callable[[str], str]:
    """Return a function that also takes one credential out, however it is spelt or split."""
    pieces: dict[int, set[str]] = {}
    for form in map(_squeezed, _spellings(username, secret)):
        size = min(_TELLING, len(form))
        if size >= _SHORTEST:
            found = pieces.setdefault(size, set())
            found.update(form[at : at + size] for at in range(len(form) - size + 1))

    def redact_all(text: str) -> str:
        if secret:
            text = text.replace(secret, GONE)
        return redact(_cleared(text, pieces))

    return redact_all


def _without(found: re.Match[str]) -> str:
    """Keep the name of a secret, and leave its value out."""
    for group in ("token", "value"):
        if found[group] is not None:
            kept = found[0][: found.start(group) - found.start()]
            return kept + (GONE if group == "token" else f": {GONE}")
    return GONE


def _spellings(username: str, secret: str) -> Iterator[str]:
    """Yield the ways in which a secret may be written; only their letters and digits count."""
    pair = f"{username}:{secret}"
    basic = "Basic " + base64.b64encode(pair.encode()).decode()
    for text in (secret, pair, basic):
        yield from _in_base64(text.encode())
    for text in (secret, basic):
        codes = [ord(each) for each in text]
        yield text
        yield quote(text, safe="")  # Letters may be escaped as well: see the next.
        yield text.encode().hex()
        yield html.escape(text)
        yield json.dumps(text)
        yield "".join(f"u{code:04x}" for code in codes)
        yield "".join(f"x{code:02x}" for code in codes)
        yield "".join(f"25{code:02x}" for code in codes)
        yield "".join(f"{code:03o}" for code in codes)
        yield "".join(map(str, codes))


def _in_base64(content: bytes) -> Iterator[str]:
    """Yield the Base64 of bytes within others: it depends on how many came before."""
    for before in range(3):
        encoded = base64.b64encode(bytes(before) + content + bytes(2)).decode()
        # The characters at both ends depend on the neighbours as well.
        whole = 8 * (before + len(content)) // 6
        yield encoded[-(-8 * before // 6) : whole]


def _squeezed(text: str) -> str:
    """Return the letters and digits of a text, one for each, whatever their case and width."""
    return "".join(normalize("NFKC", each).lower()[0] for each in text if each.isalnum())


def _cleared(text: str, pieces: dict[int, set[str]]) -> str:
    """Leave out every stretch of text whose letters and digits are those of a secret."""
    places = [at for at, each in enumerate(text) if each.isalnum()]
    squeezed = _squeezed(text)
    stretches: list[list[int]] = []
    found = sorted(
        (at, at + size)
        for size, known in pieces.items()
        for at in range(len(squeezed) - size + 1)
        if squeezed[at : at + size] in known
    )
    for start, end in found:
        if stretches and start <= stretches[-1][1]:
            stretches[-1][1] = max(end, stretches[-1][1])
        else:
            stretches.append([start, end])
    for start, end in reversed(stretches):
        text = text[: places[start]] + GONE + text[places[end - 1] + 1 :]
    return text
