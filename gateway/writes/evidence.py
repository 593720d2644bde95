"""PURE: compares the settings that a number shows with those that a write meant to make.

A setting that was given a value should show it. One that was cleared shows what the upstream falls
back to: nothing, or the number itself as its name. That something else is shown proves
neither that the write was done nor that it was not: the upstream may spell a value in its own way,
and somebody else may have changed it since.
"""

import re
from collections.abc import Mapping
from typing import Any

from gateway.mapping import filters
from gateway.mapping.records import View

_UNSET = (None, "", False)
# What the upstream takes and does nothing with: that it shows something else means nothing.
_WITHOUT_EFFECT = frozenset({"voice.emergencyStatus"})


def differing(number: View, settings: Mapping[str, Any]) -> list[str]:
    """Return the paths of the settings that a number does not show as they were to be made."""
    return [
        path
        for path, value in settings.items()
        if path not in _WITHOUT_EFFECT and not _shows(number, path, value)
    ]


def _shows(number: View, path: str, value: object) -> bool:
    seen = _shown(number, path)
    if value not in {None, ""}:
        return bool(seen == value)
    return seen in _UNSET or (path == "friendlyName" and _names_itself(number, seen))


def _shown(number: View, path: str) -> Any:  # noqa: ANN401 - of whatever type the setting is
    seen: Any = number.regulatory if path.startswith("regulatory.") else number.configuration
    for step in path.removeprefix("regulatory.").split("."):
        seen = getattr(seen, filters.to_field(step), None)
    return seen


def _names_itself(number: View, name: str) -> bool:
    """Whether a friendly name is the number in some spelling: `(415) 555-0100`."""
    digits = re.sub(r"[^0-9]", "", name)
    return bool(digits) and number.phone_number.endswith(digits)
