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
from collections.abc import Iterator
from typing import Final
from unicodedata import normalize
from urllib.parse import quote

GONE: Final = "…"
# So many letters and digits of a secret in a row give it away. Fewer occur by chance: six
# hexadecimal digits of a given token of 32 turn up once in 600,000 places.
_TELLING: Final = 6
_SHORTEST: Final = 4
# So many are never chance, not even in a thousand sids.
_NO_CHANCE: Final = 12

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


class Redactor:
    """Takes one credential out of text, however it is spelt or split, and what looks like others.

    Args:
        username: its user name, which is no secret by itself.
        secret: its secret.
    """

    def __init__(self, username: str, secret: str) -> None:
        self._secret = secret
        self._pieces: dict[int, set[str]] = {}
        for form in map(_squeezed, _spellings(username, secret)):
            size = min(_TELLING, len(form))
            if size >= _SHORTEST:
                found = self._pieces.setdefault(size, set())
                found.update(form[at : at + size] for at in range(len(form) - size + 1))

    def __call__(self, text: str) -> str:
        """Return text without them."""
        if self._secret:
            text = text.replace(self._secret, GONE)
        return redact(_cleared(text, self._pieces))

    def finds(self, text: str) -> bool:
        """Whether text holds so much of the credential in a row that it cannot be chance."""
        if self._secret and self._secret in text:
            return True
        stretches = _stretches(_squeezed(text), self._pieces)
        return any(end - start >= _NO_CHANCE for start, end in stretches)


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
    if text.isascii():
        return "".join(filter(str.isalnum, text.lower()))
    return "".join(normalize("NFKC", each).lower()[0] for each in text if each.isalnum())


def _cleared(text: str, pieces: dict[int, set[str]]) -> str:
    """Leave out every stretch of text whose letters and digits are those of a secret."""
    places = [at for at, each in enumerate(text) if each.isalnum()]
    for start, end in reversed(_stretches(_squeezed(text), pieces)):
        text = text[: places[start]] + GONE + text[places[end - 1] + 1 :]
    return text


def _stretches(squeezed: str, pieces: dict[int, set[str]]) -> list[list[int]]:
    """Return where the pieces of a secret stand in letters and digits: begin and end of each."""
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
    return stretches
