"""Alerts on inverters and channels."""

from typing import Final

from grafana.rules.named import with_label
from grafana.rules.rule import AlertingRule

_INVERTER: Final = ("job", "instance", "ecu", "inverter")
_CHANNEL: Final = (*_INVERTER, "channel")

_MODEL: Final = "{{ with $labels.model }} ({{ . }}){{ end }}"
_PANEL: Final = (
    "{{ with $labels.panel }}{{ . }}{{ else }}{{ $labels.inverter }}/{{ $labels.channel }}{{ end }}"
)

_ONE_OFFLINE: Final = """
aps_inverter_online == 0
and inverter:aps_inverter_online:max7d == 1
and on (job, instance, ecu) ecu:aps_inverter_online:avg >= 0.5
"""

_UNDER_ITS_SHARE: Final = """
channel:aps_channel_power_watts:ratio_avg30m
  / clamp_max(channel:aps_channel_power_watts:usual_ratio, 1)
  < 0.7
"""

PLANT_ALERTS: Final = (
    AlertingRule(
        "ApsInverterOffline",
        "One inverter has been offline for half an hour, while at least half of all work. "
        "One that was not heard for a week, or never, stays quiet.",
        "warning",
        with_label("model", "aps_inverter_info", _INVERTER, _ONE_OFFLINE),
        f"Inverter {{{{ $labels.inverter }}}}{_MODEL} is offline",
        f"""
        Inverter {{{{ $labels.inverter }}}}{_MODEL} of ECU {{{{ $labels.ecu }}}} has not answered
        for half an hour, while at least half of all work: its panels make nothing, or its
        radio does not get through. If it comes and goes, move the ECU nearer or away from metal. If
        it stays away in full sun, have its AC plug and breaker looked at, then the inverter. Early
        and late in the day a shaded inverter may rightly sleep longer.
        """,
        holds_for="30m",
        keep_firing_for="15m",
    ),
    AlertingRule(
        "ApsInvertersOffline",
        "All inverters, or more than half of them, have been offline for an hour of daylight.",
        "critical",
        """
        ecu:aps_inverter_online:avg < 0.5
        and on (job, instance, ecu) ecu:aps_daylight:last7d
        """,
        "Only {{ $value | humanizePercentage }} of the inverters of ECU {{ $labels.ecu }} work",
        """
        For an hour of daylight {{ $value | humanizePercentage }} of the inverters of ECU
        {{ $labels.ecu }} have been online. Look at the breaker of the solar circuit first, then
        whether there is grid at all; inverters come back some minutes after it. If they do work by
        your meter, the ECU's radio is at fault: unplug it for ten seconds. Under snow, or on a very
        dark day, there is nothing to mend.
        """,
        holds_for="1h",
        keep_firing_for="15m",
    ),
    AlertingRule(
        "ApsChannelUnderUsualShare",
        "A channel has made less than 70 % of its usual for two hours: of its share of the other "
        "channels' power, at this time of the past two weeks. Silent for the first week.",
        "warning",
        with_label("panel", "aps_channel_info", _CHANNEL, _UNDER_ITS_SHARE),
        f"Panel {_PANEL} makes {{{{ $value | humanizePercentage }}}} of what it usually does",
        f"""
        For two hours panel {_PANEL} (inverter {{{{ $labels.inverter }}}}, channel
        {{{{ $labels.channel }}}}, ECU {{{{ $labels.ecu }}}}) has made
        {{{{ $value | humanizePercentage }}}} of its usual share at this time of day, beside the
        others on the same roof. Look for leaves, dirt, snow or a new shadow on it. If there is
        none, a plug between panel and inverter may be loose: do not pull it under load.
        """,
        holds_for="2h",
        keep_firing_for="1h",
    ),
    AlertingRule(
        "ApsInverterHot",
        "An inverter is above 80 degrees Celsius.",
        "warning",
        with_label(
            "model", "aps_inverter_info", _INVERTER, "aps_inverter_temperature_celsius > 80"
        ),
        f"Inverter {{{{ $labels.inverter }}}}{_MODEL} is at {{{{ $value | humanize }}}} degrees",
        f"""
        Inverter {{{{ $labels.inverter }}}}{_MODEL} of ECU {{{{ $labels.ecu }}}} is at
        {{{{ $value | humanize }}}} degrees Celsius. Above 80 it makes less, and it ages faster. Air
        must get between it and the roof: see whether leaves or a nest are in the way. On a very hot
        afternoon this may pass by itself.
        """,
        keep_firing_for="30m",
    ),
)
