"""A failed query in plain words."""

from collections.abc import Iterator
from textwrap import fill

from aps_exporter.explanations import EXPLANATIONS, Explanation
from aps_exporter.readings import QueryFailure


def trouble_lines(failure: QueryFailure) -> Iterator[str]:
    """What happened, why as a rule, and what to do."""
    explanation = EXPLANATIONS[failure.reason]
    yield ""
    yield f"The {failure.query} query failed: {explanation.happened}"
    yield f"  ({failure.reason}: {failure.detail})"
    yield from advice_lines(explanation)


def advice_lines(explanation: Explanation) -> Iterator[str]:
    """The usual causes, the most likely first."""
    yield ""
    yield "The usual causes, and what to do:"
    for advice in explanation.advice:
        # A command that is named in it must stay whole.
        yield fill(
            advice, 88, initial_indent="  * ", subsequent_indent="    ", break_on_hyphens=False
        )
