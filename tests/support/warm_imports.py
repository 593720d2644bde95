"""What the process that commands are forks of has done before the first of them.

Each fork would do it anew, and it depends on no setting: imports, and the schema.
"""

import gc

import gateway.app
import gateway.cli.main
import gateway.server.serve
from schema import build_core_schema

gateway.cli.main.parser()
build_core_schema()
# What the collector does not look at stays in the memory that all forks share.
gc.freeze()
