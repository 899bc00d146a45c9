"""Off-axis ratio of the Monte Carlo's source, from profiles in water of large open fields.

The pencil beam's is fitted together with all that its lateral spread lacks; here edges, air and tissue are computed.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Sequence

import attrs
import numpy as np
from numpy.typing import NDArray

from ert.commissioning.measured import Curve
from ert.commissioning.monte_carlo_profiles import Water
from ert.commissioning.redefinition_off_axis import inside_cm, off_axis_change, shoulders
from ert.domain.beam_model import BeamModel
from ert.domain.machine import Machine
from ert.domain.monte_carlo_model import MonteCarloModel
from ert.dose.output import rectangle_cm

Float = NDArray[np.float64]
_THICKNESS_CM, _SPREAD = 0.4, 0.05
_HISTORIES_PER_CM2, _MOST_HISTORIES = 10_000, 4_000_000


def with_off_axis(
    source: MonteCarloModel, profiles: Sequence[Curve], model: BeamModel, machine: Machine, water: Water
) -> MonteCarloModel:
    """The source with a ratio 1 + c2 (r/10 cm)² of its own; with the pencil beam's where no profile tells.

    Parameters
    ----------
    source : fitted spectrum; profiles : of open fields at the reference SSD (`open_profiles`).
    water : below the reference field.
    """
    flat = attrs.evolve(source, off_axis=(0.0, 0.0))
    found = shoulders(profiles, model, machine.sad_cm, _computed(flat, profiles, machine, water))
    return attrs.evolve(flat, off_axis=(off_axis_change(found, spread_frac=_SPREAD), 0.0)) if found else source


def _computed(
    source: MonteCarloModel, profiles: Sequence[Curve], machine: Machine, water: Water
) -> Callable[[Curve], Float]:
    """Dose (any unit) at the points of a profile; one run for all depths of an applicator.

    Mean over all that lies inside the edges across the profile: what is missing grows as x² + y², and so along x alike.
    """
    deepest_cm = max((c.depth_cm for c in profiles), default=0.0)
    rows = math.ceil(deepest_cm / _THICKNESS_CM)
    centres_cm = (np.arange(rows + 1) + 0.5) * _THICKNESS_CM

    @functools.cache
    def lines(applicator_id: str) -> tuple[Float, Float]:
        applicator = machine.applicator(applicator_id)
        width_cm, height_cm = applicator.opening_x_cm, applicator.opening_y_cm
        geometry = attrs.evolve(water.geometry, applicator=applicator, outline_cm=rectangle_cm(width_cm, height_cm))
        histories = min(round(_HISTORIES_PER_CM2 * width_cm * height_cm), _MOST_HISTORIES)
        strip_cm = max(water.strip_cm, 2.0 * inside_cm(min(width_cm, height_cm), deepest_cm))
        there = attrs.evolve(water, geometry=geometry, strip_cm=strip_cm)
        return there.rows_across(source, rows, _THICKNESS_CM, histories)

    def computed(curve: Curve) -> Float:
        at_cm, dose = lines(curve.field.applicator_id)
        line = [np.interp(curve.depth_cm, centres_cm, column) for column in dose.T]
        return np.asarray(np.interp(np.abs(curve.position_cm), at_cm, line))

    return computed
