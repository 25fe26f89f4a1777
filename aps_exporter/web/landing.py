"""The landing page: what is known about each ECU now. All text from outside is escaped."""

from collections.abc import Iterable
from html import escape
from importlib.resources import files
from string import Template
from typing import Final

from aps_exporter import __version__
from aps_exporter.explanations import EXPLANATIONS
from aps_exporter.json_forms import kwh
from aps_exporter.panels import UNTOLD, Panels
from aps_exporter.readings import EcuStatus, InverterReading, QueryFailure, Snapshot

NOTHING: Final = "&ndash;"
_STATES: Final = {True: "online", False: "offline", None: "unknown"}
COLUMNS: Final = ("inverter", "model", "power", "channels", "temperature", "grid", "signal")

_MINUTE: Final = 60
_HOUR: Final = 3_600

Known = tuple[EcuStatus, Snapshot | None]


def landing_page(ecus: Iterable[Known], *, metrics_path: str, snapshots_path: str) -> str:
    """The page as HTML."""
    template = Template(files(__package__).joinpath("landing.html").read_text(encoding="utf-8"))
    return template.substitute(
        version=escape(__version__),
        metrics_path=escape(metrics_path),
        snapshots_path=escape(snapshots_path),
        ecus="\n".join(_ecu(status, snapshot) for status, snapshot in ecus),
    )


def _ecu(status: EcuStatus, snapshot: Snapshot | None) -> str:
    state = "up" if status.up else "down" if status.tried else "new"
    words = {"up": "answers", "down": "does not answer", "new": "asking it now"}[state]
    head = (
        f"<header><h2>{escape(_name(status, snapshot))}</h2>"
        f'<span class="state {state}">{words}</span></header>'
    )
    body = _known(snapshot) if snapshot is not None else ""
    trouble = _trouble(status.last_error) if status.last_error is not None else ""
    return f'<section class="ecu">{head}{trouble}{body}</section>'


def _name(status: EcuStatus, snapshot: Snapshot | None) -> str:
    return status.target if snapshot is None else f"{snapshot.ecu_model} {snapshot.ecu}"


def _trouble(error: QueryFailure) -> str:
    explanation = EXPLANATIONS[error.reason]
    return (
        f'<p class="trouble"><strong>{escape(explanation.happened)}</strong> '
        f"{escape(explanation.advice[0])} "
        f"<small>{escape(error.query)}: {escape(error.reason)}: {escape(error.detail)}</small></p>"
    )


def _known(snapshot: Snapshot) -> str:
    info = snapshot.info
    facts = (
        ("now", _number(info.power_watts, "W")),
        ("today", _kilowatt_hours(info.today_energy_joules, 2)),
        ("lifetime", _kilowatt_hours(snapshot.lifetime_energy_joules, 1)),
        ("inverters online", _share(info.inverters_online, info.inverters)),
        ("age of the data", _age(snapshot.data_age_seconds)),
    )
    figures = "".join(f"<div><dt>{name}</dt><dd>{value}</dd></div>" for name, value in facts)
    said = (
        ("target", snapshot.target),
        ("firmware", info.firmware),
        ("says its time zone is", info.timezone),
    )
    described = " &middot; ".join(f"{name} {escape(text)}" for name, text in said if text)
    return f'<dl>{figures}</dl>{_inverters(snapshot)}<p class="about">{described}</p>'


def _inverters(snapshot: Snapshot) -> str:
    if not snapshot.inverters:
        return ""
    signal = snapshot.signal or {}
    rows = "".join(
        _inverter(inverter, signal.get(inverter.inverter), snapshot.panels)
        for inverter in snapshot.inverters
    )
    head = "".join(f"<th>{column}</th>" for column in COLUMNS)
    return f"<table><thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table>"


def _inverter(inverter: InverterReading, signal: float | None, panels: Panels) -> str:
    channels = " + ".join(
        _named(_number(c.power_watts), panels.get((inverter.inverter, c.channel), UNTOLD).name)
        for c in inverter.channels
    )
    volts = " / ".join(_number(phase.voltage_volts) for phase in inverter.phases)
    online = bool(inverter.online)
    cells = (
        escape(inverter.inverter),
        escape(inverter.model or "never heard"),
        _number(inverter.power_watts, "W") if online else _STATES[inverter.online],
        channels if online else NOTHING,
        _number(inverter.temperature_celsius, "°C"),
        f"{volts} V, {_number(inverter.frequency_hertz, 'Hz')}" if online else NOTHING,
        NOTHING if signal is None else f"{signal:.0%}",
    )
    row = "".join(
        f'<td data-column="{column}">{cell}</td>'
        for column, cell in zip(COLUMNS, cells, strict=True)
    )
    return f"<tr{'' if online else ' class=offline'}>{row}</tr>"


def _named(shown: str, panel: str | None) -> str:
    """What a channel shows, with the name of its panel for whoever points at it."""
    return shown if panel is None else f'<abbr title="{escape(panel)}">{shown}</abbr>'


def _number(value: float | None, unit: str = "") -> str:
    if value is None:
        return NOTHING
    return f"{value:,}".replace(",", "\u202f") + (f"\u00a0{unit}" if unit else "")


def _kilowatt_hours(joules: int | None, digits: int) -> str:
    energy = kwh(joules)
    if energy is None:
        return NOTHING
    return f"{energy:,.{digits}f}".replace(",", "\u202f") + "\u00a0kWh"


def _share(part: int | None, whole: int | None) -> str:
    return f"{_number(part)} / {_number(whole)}"


def _age(seconds: int | None) -> str:
    if seconds is None:
        return NOTHING
    if seconds < _MINUTE:
        return f"{seconds}\u00a0s"
    if seconds < 2 * _HOUR:
        return f"{seconds // _MINUTE}\u00a0min"
    return f"{seconds // _HOUR}\u00a0h"
