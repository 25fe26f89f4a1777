"""What holds for all tests: no example of a property is too slow, for machines are noisy."""

from hypothesis import settings

settings.register_profile("untimed", deadline=None)
settings.load_profile("untimed")
