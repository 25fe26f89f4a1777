"""Which target reads which ECU: an ECU answers on several addresses, but is asked on one."""

from collections.abc import Callable

from aps_exporter.errors import DuplicateEcuError


class EcuClaims:
    """Gives each ECU to the first target that finds it."""

    def __init__(self) -> None:
        self._target_of: dict[str, str] = {}
        self._waiting: dict[str, list[Callable[[], None]]] = {}

    def claim(self, ecu: str, target: str) -> None:
        """This target has found this ECU.

        Raises:
            DuplicateEcuError: another target was first.
        """
        holder = self._target_of.setdefault(ecu, target)
        if holder != target:
            raise DuplicateEcuError(ecu, holder)

    def when_released(self, ecu: str, call: Callable[[], None]) -> None:
        """Call this once when the holder finds another ECU: two ECUs may swap addresses."""
        self._waiting.setdefault(ecu, []).append(call)

    def release(self, ecu: str) -> None:
        """The ECU is no longer found there."""
        self._target_of.pop(ecu, None)
        for call in self._waiting.pop(ecu, ()):
            call()
