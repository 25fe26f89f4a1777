"""Which ECU an id belongs to."""

from typing import Final

ECU_MODELS: Final = {
    "2160": "ECU-R",
    "2162": "ECU-R-PRO",
    "2163": "ECU-B",
    "215": "ECU-C",
    "203": "ECU-3",
}


def ecu_model(ecu: str) -> str:
    """The model of the ECU with this id, or `unknown`."""
    return next(
        (model for prefix, model in ECU_MODELS.items() if ecu.startswith(prefix)), "unknown"
    )
