"""What is remembered of one ECU beyond the life of the process, and its form as JSON."""

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final

from cattrs import BaseValidationError, transform_error
from cattrs.preconf.json import JsonConverter, make_converter

from aps_exporter.energy import EnergyMemory
from aps_exporter.plausibility import LifetimeMemory
from aps_exporter.readings import LocalTime
from aps_exporter.round_time import RoundTimesMemory
from aps_exporter.schedule import ScheduleMemory

VERSION: Final = 1

_FAULTS_TOLD: Final = 3


@dataclass(frozen=True, slots=True)
class EcuMemory:
    """What is remembered of one ECU.

    Attributes:
        last_seen: by inverter serial, the newest round in which it was online, in UTC.
    """

    lifetime: LifetimeMemory = field(default_factory=LifetimeMemory)
    energy: EnergyMemory = field(default_factory=EnergyMemory)
    last_seen: Mapping[str, datetime] = field(default_factory=dict)
    round_times: RoundTimesMemory = field(default_factory=RoundTimesMemory)
    schedule: ScheduleMemory | None = None


def memories_to_json(memories: Mapping[str, EcuMemory]) -> str:
    """Memories by ECU id, as one versioned JSON object."""
    ecus = _CONVERTER.unstructure(memories, Mapping[str, EcuMemory])
    return json.dumps({"version": VERSION, "ecus": ecus})


def memories_from_json(text: str) -> dict[str, EcuMemory]:
    """Memories by ECU id.

    Raises:
        ValueError: this is no such text, or of another version; says what was expected.
    """
    try:
        form = json.loads(text)
    except RecursionError as error:
        raise ValueError("expected JSON, got brackets without end") from error
    is_of_this_version = isinstance(form, dict) and form.get("version") == VERSION
    if not is_of_this_version or not isinstance(form.get("ecus"), dict):
        raise ValueError(f"expected a JSON object of version {VERSION} with ECUs by their id")
    try:
        return _CONVERTER.structure(form["ecus"], dict[str, EcuMemory])
    except BaseValidationError as error:
        raise ValueError("; ".join(transform_error(error)[:_FAULTS_TOLD])) from error


def _utc_from_json(text: Any, _: object) -> datetime:
    moment = datetime.fromisoformat(text)
    if moment.tzinfo is None:
        raise ValueError(f"expected a time with its zone, got {text!r}")
    return moment


def _local_time_from_json(text: Any, _: object) -> LocalTime:
    moment = datetime.fromisoformat(text)
    if moment.tzinfo is not None:
        raise ValueError(f"expected a time without a zone, got {text!r}")
    return LocalTime(moment)


def _number_from_json(number: Any, _: object) -> float:
    is_number = isinstance(number, int | float) and not isinstance(number, bool)
    if not is_number or not math.isfinite(number):
        raise ValueError(f"expected a number, got {number!r}")
    return float(number)


def _flag_from_json(flag: Any, _: object) -> bool:
    if not isinstance(flag, bool):
        raise TypeError(f"expected true or false, got {flag!r}")
    return flag


def _converter() -> JsonConverter:
    converter = make_converter(forbid_extra_keys=True)
    converter.register_structure_hook(datetime, _utc_from_json)
    converter.register_structure_hook(LocalTime, _local_time_from_json)
    converter.register_structure_hook(float, _number_from_json)
    converter.register_structure_hook(bool, _flag_from_json)
    converter.register_structure_hook(int, lambda number, _: int(_number_from_json(number, int)))
    return converter


_CONVERTER: Final = _converter()
