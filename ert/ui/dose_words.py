"""What is said of a dose that is not the plan's own yet."""

from __future__ import annotations

import math
import re

from ert.app.dose_state import DosePreview, FinalRun
from ert.domain.algorithm import Algorithm
from ert.domain.statements import ALGORITHM_NAMES, algorithm_of_engine, engine_label
from ert.ui.numbers import format_number, format_quantity


def engine_words(engine: str) -> str:
    """An engine's statement for the screen: large numbers of histories are read in groups of three digits."""
    return re.sub(r"\d+(?= histories)", lambda found: f"{int(found[0]):,}", engine)


def preview_name(preview: DosePreview) -> str:
    """What a preview is of, for example ``Monte Carlo, unfinished (4.1 %)``."""
    algorithm = algorithm_of_engine(preview.engine)
    if algorithm is not Algorithm.MONTE_CARLO:
        return engine_label(preview.engine)
    pct = preview.uncertainty_pct
    reached = "" if pct is None else f" ({format_quantity(pct, 1, '%')})"
    return f"{ALGORITHM_NAMES[algorithm]}, unfinished{reached}"


def preview_text(preview: DosePreview, *, is_short: bool) -> str:
    """The words over a picture that is not the plan's dose; one that follows the hand says so in every view."""
    if not preview.is_live:
        return "PREVIEW" if is_short else f"PREVIEW\n{preview_name(preview)}"
    spacing = f"grid {format_quantity(10.0 * preview.grid.spacing_cm[0], 1, 'mm')}" if preview.is_coarse else ""
    if is_short:
        return "\n".join(part for part in ("PREVIEW", "not for reporting", spacing) if part)
    return "PREVIEW: pencil beam estimate\n" + ", ".join(part for part in ("not for reporting", spacing) if part)


def final_run_text(run: FinalRun, message: str, *, wanted_pct: float) -> str:
    """How far a final dose is: uncertainty reached and wanted, and the time it will still take."""
    if run.uncertainty_pct is None:
        return message
    text = f"{format_number(run.uncertainty_pct, 1)} % of {format_quantity(wanted_pct, 1, '%')}"
    return text if run.remaining_s is None else f"{text}, {duration_text(run.remaining_s)} left"


def duration_text(seconds: float) -> str:
    """A time to wait: whole seconds, from two minutes on whole minutes."""
    minute_s = 60.0
    if seconds < 2 * minute_s:
        return f"{math.ceil(max(seconds, 1.0))} s"
    return f"{math.ceil(seconds / minute_s)} min"
