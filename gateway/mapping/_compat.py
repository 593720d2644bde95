"""The parts of Strawberry that it does not document, as far as this room needs them.

`tests/install/test_private_parts.py` asserts each of them.
"""

from strawberry.utils.str_converters import to_camel_case

__all__ = ["to_camel_case"]
