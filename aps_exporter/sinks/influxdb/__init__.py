"""The InfluxDB sink: points, a durable spool, and a sender that loses nothing."""
