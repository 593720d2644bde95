"""Where settings stand: the command line, the environment, `.env`, a TOML file.

The earlier of these wins. Environment variables are the names in capitals after `GATEWAY_`; the
credentials also answer to the names that Twilio's own tools use. Unknown names are found in the
file, and in variables that begin with `GATEWAY_`: a misspelt setting must not be a silent one.
"""

import os
from collections.abc import Iterator, Mapping
from dataclasses import Field, fields
from pathlib import Path
from typing import Any, Final, NamedTuple

from gateway.settings.fields import PREFIX, rule_of, variables_of
from gateway.settings.model import USUAL_FILE, Settings

# Of the folder in which the gateway is started. What else is in it is for other programs.
DOTENV: Final = Path(".env")


class Found(NamedTuple):
    """A value as it stands somewhere.

    Attributes:
        value: as it stands there.
        name: the setting's name there.
        origin: where that is, in words for operators.
    """

    value: object
    name: str
    origin: str


class Sources(NamedTuple):
    """All that is set.

    Attributes:
        found: what the settings are to be, by name, as far as somebody has said so.
        unknown: names of which no setting is called so.
    """

    found: Mapping[str, Found]
    unknown: tuple[str, ...]


def look(given: Mapping[str, object], dotenv: Path | None) -> Sources:
    """Return what is set.

    Args:
        given: what the command line says, by the names of the settings.
        dotenv: a file with variables, which need not be there; None for none.

    Raises:
        OSError: a file cannot be read.
        ValueError: a file is not text, or not TOML.
    """
    lines = _lines(dotenv)
    found = {
        **dict(_in_variables(lines, ".env")),
        **dict(_in_variables(os.environ, "environment")),
        **dict(_in_table(given, "command line")),
    }
    config = found.get("config")
    file = settings_file(config and config.value)
    table = _table(file)
    known = {each for field in fields(Settings) for each in variables_of(field)}
    present = [*os.environ, *(name for name, value in lines.items() if value != "")]
    ours = {each.upper() for each in present if each.upper().startswith(PREFIX)}
    names = {each.lower() for field in fields(Settings) for each in _names_in_table(field)}
    unknown = (
        *sorted(each for each in {**table, **given} if each.lower() not in names),
        *sorted(ours - known),
    )
    in_file = dict(_in_table(table, str(file)))
    in_file.pop("config", None)  # Which file is read was settled before.
    return Sources({**in_file, **found}, unknown)


def settings_file(named: object) -> Path | None:
    """Return the TOML file to read: the one that is named, else the usual one if it is there.

    Raises:
        FileNotFoundError: a file was named, but is not there.
    """
    if not named:
        return USUAL_FILE if USUAL_FILE.is_file() else None
    file = Path(str(named))
    if not file.is_file():
        raise FileNotFoundError(f"there is no settings file {str(named)!r}")
    return file


def _lines(dotenv: Path | None) -> Mapping[str, str | None]:
    if dotenv is None or not dotenv.is_file():
        return {}
    from dotenv import dotenv_values  # noqa: PLC0415 - most have no such file

    return dotenv_values(dotenv, encoding="utf-8")


def _table(file: Path | None) -> dict[str, Any]:
    if file is None:
        return {}
    import tomllib  # noqa: PLC0415 - most have no such file

    try:
        return tomllib.loads(file.read_text("utf-8"))
    except UnicodeDecodeError:
        raise
    except ValueError as error:
        raise ValueError(f"{file}: {error}") from None


def _in_variables(variables: Mapping[str, str | None], where: str) -> Iterator[tuple[str, Found]]:
    # Of a name in capitals and in small letters, which sort last, other programs take the latter.
    values = {name.upper(): value for name, value in sorted(variables.items()) if value}
    for field in fields(Settings):
        for name in variables_of(field):
            if name in values:
                yield field.name, Found(values[name], name, f"{where} {name}")
                break


def _in_table(table: Mapping[str, object], where: str) -> Iterator[tuple[str, Found]]:
    values = {name.lower(): value for name, value in table.items()}
    for field in fields(Settings):
        for name in _names_in_table(field):
            if name.lower() in values:
                yield field.name, Found(values[name.lower()], name, where)
                break


def _names_in_table(field: "Field[Any]") -> Iterator[str]:
    """Yield what a setting is called in a table, in any case of letters, the strongest first."""
    yield from rule_of(field).variables
    yield field.name
