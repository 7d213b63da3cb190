"""How fast is a replica really? Fits a capacity profile to what was measured, and says how well it fits."""

from coordination.calibration.calibrate import Calibration, Errors, calibrate
from coordination.calibration.evidence import Evidence, EvidenceError, Seen
from coordination.calibration.recording import Recording
from coordination.calibration.scrapes import Scrapes
from coordination.calibration.steps_table import StepsTable

__all__ = [
    "Calibration",
    "Errors",
    "Evidence",
    "EvidenceError",
    "Recording",
    "Scrapes",
    "Seen",
    "StepsTable",
    "calibrate",
]
