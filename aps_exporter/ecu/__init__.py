"""The ECU's local protocol on TCP 8899. Only `client` does I/O."""
