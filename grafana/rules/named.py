"""A label of an info metric on an alert, for its text."""

from collections.abc import Sequence
from textwrap import dedent, indent


def with_label(label: str, info: str, of: Sequence[str], expr: str) -> str:
    """The expression, with this label where the info metric has it; nothing is lost without.

    `of` has the labels by which both belong together.
    """
    bare = indent(dedent(expr).strip(), "  ")
    on = f"on ({', '.join(of)})"
    return f"(\n{bare}\n)\n* {on} group_left ({label}) {info}\nor {on} (\n{bare}\n)\n"
