"""`number-gateway settings`: what is in force, and where each value came from."""

import argparse
import json
import sys
from pathlib import Path

from gateway.cli.parser import Commands
from gateway.server.leaving import held


def add(commands: Commands) -> None:
    """Declare the command."""
    parser = commands.add_parser(
        "settings",
        help="print the settings in force, and where each came from",
        description="Print every setting: its value (secrets hidden) and where it came from: the"
        " environment, .env, the TOML file, or its default.",
    )
    parser.add_argument("--config", type=Path, metavar="FILE", help="TOML file with settings")
    forms = parser.add_mutually_exclusive_group()
    forms.add_argument("--json", action="store_true", help="print JSON")
    forms.add_argument(
        "--reference", action="store_true", help="print what can be set, as a page of Markdown"
    )
    parser.set_defaults(run=_run)


def _run(options: argparse.Namespace) -> int:
    with held():
        from gateway.settings import loading  # noqa: PLC0415 - a command imports only what it needs

    if options.reference:
        sys.stdout.write(loading.reference())
        return 0
    given = {"config": options.config} if options.config else {}
    settings = list(loading.effective(loading.load(given), given))
    if options.json:
        rows = [each._asdict() for each in settings]
        sys.stdout.write(json.dumps(rows, indent=2, ensure_ascii=False) + "\n")
        return 0
    names = max(len(each.name) for each in settings)
    origins = max(len(each.origin) for each in settings)
    for each in settings:
        sys.stdout.write(f"{each.name:<{names}}  {each.origin:<{origins}}  {each.value}\n")
    return 0
