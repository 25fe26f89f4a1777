"""Alerts on reading: exporter, ECU, what is believed of it, and where it is pushed."""

from typing import Final

from grafana.rules.rule import AlertingRule

READING_ALERTS: Final = (
    AlertingRule(
        "ApsExporterDown",
        "Prometheus cannot scrape the exporter.",
        "critical",
        """
        up{job=~"aps.*"} == 0
        or
        up == 0 and on (job, instance) last_over_time(aps_exporter_build_info[7d:30m])
        """,
        "The solar exporter {{ $labels.instance }} does not answer",
        """
        Prometheus has not been able to scrape aps_exporter at {{ $labels.instance }} (job
        {{ $labels.job }}) for ten minutes, so nothing is known of the roof. Look whether it runs
        (its log says why it ended) and whether this address and port are still its own. The panels
        themselves are not affected.
        """,
    ),
    AlertingRule(
        "ApsEcuUnreachable",
        "An ECU has given no valid reply for 45 minutes; the half hour at three in the night, when "
        "many ECUs are busy, is let pass.",
        "critical",
        "aps_up == 0",
        "ECU {{ $labels.target }} does not answer",
        """
        The ECU at {{ $labels.target }} has given no valid reply for 45 minutes. Its panels probably
        go on working, but nothing is known of them. `aps-exporter check` with its address says
        which of the usual causes it is; most often: no power or no WiFi, another address than
        before, another program that reads it, or its port is closed until you unplug the ECU for
        ten seconds. A second address of one ECU is told like this too: remove one of the two. The
        exporter goes on by itself as soon as it answers.
        """,
        holds_for="45m",
    ),
    AlertingRule(
        "ApsDataStale",
        "An ECU answers, but has had no new round for half an hour of daylight.",
        "warning",
        """
        aps_ecu_data_age_seconds > 1800
        and on (job, instance, ecu) ecu:aps_daylight:last7d
        unless on (job, instance, ecu) (
          aps_ecu_info * on (job, instance, target) group_left () (aps_up == 0)
        )
        """,
        "ECU {{ $labels.ecu }} answers, but has nothing new",
        """
        The newest round of ECU {{ $labels.ecu }} is {{ $value | humanizeDuration }} old, at a time
        of day at which it has had one every five minutes. Unplug the ECU for ten seconds. On a very
        dark morning, or with snow on all panels, there is nothing to mend.
        """,
        holds_for="30m",
    ),
    AlertingRule(
        "ApsClockOffset",
        "An ECU's clock was more than half a minute ahead, or more than 7 minutes behind, for a "
        "whole hour (0 to -360 s is normal).",
        "info",
        """
        min_over_time(aps_ecu_clock_offset_seconds[1h]) > 30
        or
        max_over_time(aps_ecu_clock_offset_seconds[1h]) < -420
        """,
        "The clock of ECU {{ $labels.ecu }} is off",
        """
        The rounds of ECU {{ $labels.ecu }} are stamped {{ $value | humanizeDuration }} from this
        computer's time; from 0 to -6 minutes is normal. Measurements are shifted by as much in
        InfluxDB. See whether this computer's own clock is right (NTP), whether the ECU reaches the
        internet, from where it sets its clock, and whether APS_TIMEZONE, if set, is its zone.
        """,
    ),
    AlertingRule(
        "ApsValuesRejected",
        "More than five values of an ECU were not believed within an hour, for the same reason.",
        "info",
        "increase(aps_ecu_rejected_values_total[1h]) > 5",
        "ECU {{ $labels.ecu }} says things that cannot be ({{ $labels.reason }})",
        """
        {{ $value | printf "%.0f" }} values of ECU {{ $labels.ecu }} were not believed within the
        last hour (reason: {{ $labels.reason }}); the last believed ones are shown, until they are
        too old. Now and then such a value is normal. If this goes on, restart the ECU; if it comes
        back, an inverter may be failing, or this firmware is new to us: open an issue with the
        output of `aps-exporter capture`.
        """,
        keep_firing_for="1h",
    ),
    AlertingRule(
        "ApsCounterReset",
        "A counter that never falls has fallen: the exporter has lost its state.",
        "info",
        """
        resets(aps_ecu_lifetime_energy_joules_total[1h]) > 0
        or
        resets(aps_ecu_integrated_energy_joules_total[1h]) > 0
        """,
        "The energy counters of ECU {{ $labels.ecu }} began anew",
        """
        An energy counter of ECU {{ $labels.ecu }} stands lower than before, which happens only when
        the exporter starts without what it remembered. See whether APS_STATE_DIR is a folder that
        survives a restart (in a container: a volume) and can be written; the exporter's log tells.
        Energy per day is right again from tomorrow on.
        """,
    ),
    AlertingRule(
        "ApsInfluxdbBacklog",
        "Rounds wait for InfluxDB for more than an hour.",
        "warning",
        "time() - aps_influxdb_spool_oldest_timestamp_seconds > 3600",
        "InfluxDB has not taken measurements for {{ $value | humanizeDuration }}",
        """
        The oldest measurement that waits in the exporter {{ $labels.instance }} for InfluxDB is
        {{ $value | humanizeDuration }} old. Nothing is lost: it is kept on disk and sent later. See
        whether the database runs; `aps-exporter config` tries to write and says what is wrong.
        """,
        keep_firing_for="10m",
    ),
    AlertingRule(
        "ApsInfluxdbDroppingPoints",
        "Points were lost to InfluxDB within the last hour.",
        "critical",
        "increase(aps_influxdb_points_dropped_total[1h]) > 0",
        "Measurements are lost to InfluxDB ({{ $labels.reason }})",
        """
        The exporter {{ $labels.instance }} has given up {{ $value | printf "%.0f" }} points within
        the last hour. The reason {{ $labels.reason }} means: spool_full - the database was away for
        too long, raise APS_INFLUXDB_SPOOL_MAX_MIB; disk_full - make room under APS_STATE_DIR;
        damaged - that disk is failing; rejected - the database refuses these points, which lie in
        influxdb-refused.lp.
        """,
        keep_firing_for="1h",
    ),
)
