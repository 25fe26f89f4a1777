"""A simulated ECU and its plant, for the demo and the tests."""
