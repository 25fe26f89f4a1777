"""`--label NAME=VALUE`: labels to be added to every series of a file."""

from collections.abc import Collection, Sequence

from aps_exporter.errors import ConfigError
from aps_exporter.sinks.openmetrics import SampleHistory


def labels_of(pairs: Sequence[str], own: Collection[str]) -> dict[str, str]:
    """Labels by their names; `own` are those that the series have anyway.

    Raises:
        ConfigError: one of them is at fault.
    """
    labels: dict[str, str] = {}
    for pair in pairs:
        name, _, value = pair.partition("=")
        if not value:
            raise ConfigError(f"--label={pair}: expected NAME=VALUE, such as job=aps")
        if name in labels:
            raise ConfigError(f"--label={pair}: {name} has a value already; give each name once")
        if name in own:
            raise ConfigError(
                f"--label={pair}: the exporter's own metrics have a label {name}; leave it out"
            )
        labels[name] = value
    try:
        SampleHistory(labels)
    except ValueError as error:
        raise ConfigError(f"--label: {error}") from error
    return labels
