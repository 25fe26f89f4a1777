"""From the environment to the configuration, every fault in one message."""

import difflib
import os
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from environs import Env

from aps_exporter.beliefs import LEAST_PERIODS_BEFORE_STALE
from aps_exporter.config.values import Config, InfluxdbConfig
from aps_exporter.config.variables import STALE_AFTER, VARIABLES, Variable
from aps_exporter.errors import ConfigError

PREFIX: Final = "APS_"

_MASK: Final = "********"
_INFLUXDB: Final = "influxdb."

_READ_BY: Final = {
    "v1": ("APS_INFLUXDB_DATABASE", "APS_INFLUXDB_USERNAME", "APS_INFLUXDB_PASSWORD"),
    "v2": ("APS_INFLUXDB_TOKEN", "APS_INFLUXDB_ORG", "APS_INFLUXDB_BUCKET"),
}
"""What only one of the two ways to write to InfluxDB reads."""


@dataclass(frozen=True, slots=True)
class Loaded:
    """What the environment gave.

    Attributes:
        values: parsed values by variable; None where there is none.
        shown: values as text by variable, secrets masked.
        faults: one line for each bad value.
        warnings: one line for each APS_ variable that does nothing, or not what it says.
    """

    values: Mapping[str, Any]
    shown: Mapping[str, str]
    faults: tuple[str, ...]
    warnings: tuple[str, ...]

    def config(self) -> Config:
        """The configuration.

        Raises:
            ConfigError: with every fault.
        """
        if self.faults:
            raise ConfigError(*self.faults)
        fields = {v.field: self.values[v.name] for v in VARIABLES if v.field is not None}
        influxdb = {
            field.removeprefix(_INFLUXDB): fields.pop(field)
            for field in [*fields]
            if field.startswith(_INFLUXDB)
        }
        fields["targets"] = fields["targets"] or ()
        fields["influxdb"] = InfluxdbConfig(**influxdb) if influxdb["url"] else None
        return Config(**fields)


def load(
    overrides: Mapping[str, str | None],
    *,
    defaults: Mapping[str, str] | None = None,
    targets_required: bool = True,
) -> Loaded:
    """Read flags, the environment and a `.env` in the working directory, in this order.

    `overrides` has values by variable name, from flags and arguments; None counts as not given.
    `defaults` are a command's own, by variable name.
    """
    _forget_empty_variables()
    env = Env(eager=False)
    faults: list[str] = []
    dotenv = Path(".env")
    try:
        text_of_dotenv = dotenv.read_text(encoding="utf-8") if dotenv.is_file() else ""
        if text_of_dotenv:
            env.read_env(dotenv, recurse=False)
    except (OSError, UnicodeDecodeError) as error:
        text_of_dotenv = ""
        faults.append(f"{dotenv}: expected readable UTF-8 text: {error}")
    warnings = _unknown_names(text_of_dotenv)
    values: dict[str, object] = {}
    shown: dict[str, str] = {}
    for variable in VARIABLES:
        values[variable.name] = None
        override = overrides.get(variable.name)
        source = variable.name if override is None else (variable.flag or "HOST")
        try:
            text = override if override is not None else _text(env, variable, defaults or {})
        except ConfigError as error:
            faults += error.faults
            continue
        if text is not None:
            shown[variable.name] = _MASK if variable.secret else text
            try:
                values[variable.name] = variable.parse(text)
            except ValueError:
                said = _MASK if variable.hide_when_bad else shown[variable.name]
                shown[variable.name] = said
                faults.append(f"{source}={said}: expected {variable.accepts}")
            except ConfigError as error:
                faults += [f"{source}={shown[variable.name]}: {fault}" for fault in error.faults]
    warnings += _short_staleness(values)
    faults += _influxdb_faults(shown)
    warnings += _influxdb_warnings(shown)
    if targets_required and "APS_ECU_HOSTS" not in shown:
        hosts = VARIABLES[0]
        faults.append(f"{hosts.name}: not set, and no HOST given: expected {hosts.accepts}")
    return Loaded(values, shown, tuple(faults), tuple(warnings))


def _forget_empty_variables() -> None:
    """An empty variable counts as unset, so it must not hide the one in `.env` either."""
    for name in _known_names():
        if not os.environ.get(name, "x").strip():
            del os.environ[name]


def _known_names() -> set[str]:
    files = {variable.file_name for variable in VARIABLES if variable.file_name is not None}
    return {variable.name for variable in VARIABLES} | files


def _short_staleness(values: Mapping[str, object]) -> list[str]:
    stale_after, refresh = values["APS_STALE_AFTER"], values["APS_REFRESH"]
    if not isinstance(stale_after, float) or not isinstance(refresh, float):
        return []
    least = LEAST_PERIODS_BEFORE_STALE * refresh
    if stale_after >= least or stale_after == STALE_AFTER:
        return []
    return [f"APS_STALE_AFTER={stale_after:g}: less than three rounds; {least:g} holds"]


def _influxdb_faults(shown: Mapping[str, str]) -> Iterator[str]:
    """What the way to write to InfluxDB still needs."""
    if "APS_INFLUXDB_URL" not in shown or shown["APS_INFLUXDB_API"].lower() != "v1":
        return
    if "APS_INFLUXDB_DATABASE" not in shown:
        yield "APS_INFLUXDB_DATABASE: not set: expected the database to write to, as API is v1"
    if ("APS_INFLUXDB_USERNAME" in shown) != ("APS_INFLUXDB_PASSWORD" in shown):
        yield "APS_INFLUXDB_USERNAME and APS_INFLUXDB_PASSWORD: expected both or none of them"


def _influxdb_warnings(shown: Mapping[str, str]) -> Iterator[str]:
    """What is set for InfluxDB, but not read; and what is most likely missing."""
    api = shown["APS_INFLUXDB_API"].lower()
    is_on = "APS_INFLUXDB_URL" in shown
    for read_by, names in _READ_BY.items():
        for name in names:
            if name in shown and not is_on:
                yield f"{name}: does nothing without APS_INFLUXDB_URL"
            elif name in shown and read_by != api:
                yield f"{name}: does nothing, as APS_INFLUXDB_API is {api}, not {read_by}"
    if is_on and api == "v2" and "APS_INFLUXDB_BUCKET" not in shown:
        yield "APS_INFLUXDB_BUCKET: not set: InfluxDB wants one (VictoriaMetrics does not)"


def _text(env: Env, variable: Variable, defaults: Mapping[str, str]) -> str | None:
    """The value of a variable or its default; an empty value counts as unset.

    Raises:
        ConfigError: the file that a secret should be in cannot be read, or is not alone.
    """
    text = (env.str(variable.name, default=None) or "").strip()
    file = variable.file_name and (env.str(variable.file_name, default=None) or "").strip()
    if not file:
        return text or defaults.get(variable.name, variable.default)
    if text:
        raise ConfigError(f"{variable.name} and {variable.file_name}: expected one of them")
    try:
        text = Path(file).read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        why = error.strerror if isinstance(error, OSError) else "it is no UTF-8 text"
        raise ConfigError(
            f"{variable.file_name}={file}: expected a readable file with the secret: {why}"
        ) from error
    if not text:
        raise ConfigError(f"{variable.file_name}={file}: expected a secret in it; it is empty")
    return text


def _unknown_names(dotenv: str) -> list[str]:
    """A line for each APS_ name that nothing reads, with the name that was perhaps meant."""
    known = _known_names()
    names = {name for name in os.environ if name.startswith(PREFIX)}
    names |= {*re.findall(rf"^\s*(?:export\s+)?({PREFIX}\w+)\s*=", dotenv, re.MULTILINE)}
    warnings = []
    for name in sorted(names - known):
        meant = difflib.get_close_matches(name, known, n=1)
        hint = f"; did you mean {meant[0]}?" if meant else ""
        warnings.append(f"{name}: no such variable, it does nothing{hint}")
    return warnings
