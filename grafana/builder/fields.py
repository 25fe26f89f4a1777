"""How numbers are shown: unit, limits, colours, texts, and what is different for some of them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

Json = dict[str, Any]

PALETTE: Final = "palette-classic"
BY_THRESHOLDS: Final = "thresholds"


@dataclass(frozen=True, slots=True)
class Threshold:
    """This colour from this value on; from the least value on for None."""

    start: float | None
    color: str

    def to_json(self) -> Json:
        return {"color": self.color, "value": self.start}


@dataclass(frozen=True, slots=True)
class ValueText:
    """What is shown for one value, or (None) where there is none, and its colour."""

    value: float | None
    text: str
    color: str


BLANK: Final = ValueText(None, "", "transparent")
"""An empty cell without a colour: a scale of colours gives it that of its least."""


@dataclass(frozen=True, slots=True)
class Override:
    """Other properties for the fields that a matcher finds; see `by_name` and its like.

    A property is named as Grafana does: `unit`, `custom.lineStyle`.
    """

    matcher: Json
    properties: Mapping[str, Any]

    def to_json(self) -> Json:
        properties = [{"id": name, "value": value} for name, value in self.properties.items()]
        return {"matcher": self.matcher, "properties": properties}


def by_name(name: str, properties: Mapping[str, Any]) -> Override:
    """For the field of this displayed name."""
    return Override({"id": "byName", "options": name}, properties)


def by_regexp(pattern: str, properties: Mapping[str, Any]) -> Override:
    """For fields whose displayed name fits this regular expression."""
    return Override({"id": "byRegexp", "options": f"/{pattern}/"}, properties)


def by_query(ref_id: str, properties: Mapping[str, Any]) -> Override:
    """For all that the target with this letter found."""
    return Override({"id": "byFrameRefID", "options": ref_id}, properties)


@dataclass(frozen=True, slots=True, kw_only=True)
class Fields:
    """How a panel shows its numbers.

    `color` is a mode of Grafana's (`thresholds`, `palette-classic`, `continuous-...`) or, with
    `fixed_color`, "fixed". `absent` is what stands where nothing was found.
    """

    unit: str
    decimals: int | None = None
    least: float | None = None
    most: float | None = None
    color: str = PALETTE
    fixed_color: str | None = None
    thresholds: tuple[Threshold, ...] = (Threshold(None, "green"),)
    texts: tuple[ValueText, ...] = ()
    absent: str | None = None
    overrides: tuple[Override, ...] = ()

    def to_json(self, custom: Json) -> Json:
        """Grafana's fieldConfig; `custom` is what the kind of panel adds to each field."""
        defaults: Json = {
            "unit": self.unit,
            "decimals": self.decimals,
            "min": self.least,
            "max": self.most,
            "noValue": self.absent,
            "color": self._color(),
            "thresholds": {
                "mode": "absolute",
                "steps": [threshold.to_json() for threshold in self.thresholds],
            },
            "mappings": mappings(self.texts),
            "custom": custom or None,
        }
        return {
            "defaults": without_nulls(defaults),
            "overrides": [override.to_json() for override in self.overrides],
        }

    def _color(self) -> Json:
        if self.fixed_color is None:
            return {"mode": self.color}
        return {"mode": "fixed", "fixedColor": self.fixed_color}


def mappings(texts: Sequence[ValueText]) -> list[Json]:
    """Grafana's property `mappings`: these texts instead of their values."""
    shown = [
        (text.value, {"text": text.text, "color": text.color, "index": index})
        for index, text in enumerate(texts)
    ]
    values = {f"{value:g}": result for value, result in shown if value is not None}
    absent = [
        {"type": "special", "options": {"match": "null", "result": result}}
        for value, result in shown
        if value is None
    ]
    return [{"type": "value", "options": values}, *absent] if values else absent


def without_nulls(properties: Json) -> Json:
    """The properties that say something: Grafana's own defaults hold for the others."""
    return {name: value for name, value in properties.items() if value is not None}
