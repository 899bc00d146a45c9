"""The fitted correction of the output: measured over computed, smooth in field size and distance."""

from __future__ import annotations

import functools
import math

import numpy as np

from ert.domain.beam_model import BeamModel, OutputCorrection
from ert.domain.device import Outline
from ert.domain.machine import Applicator


def equivalent_square_cm(outline_cm: Outline) -> float:
    """Side of the square with the same area to perimeter ratio, 4 A / P (a × b: 2 a b / (a + b))."""
    return _equivalent_square_cm(tuple(map(tuple, outline_cm)))


@functools.lru_cache(maxsize=64)
def _equivalent_square_cm(outline_cm: Outline) -> float:
    x, y = np.asarray(outline_cm, dtype=np.float64).T
    next_x, next_y = np.roll(x, -1), np.roll(y, -1)
    area = abs(float(np.dot(x, next_y) - np.dot(y, next_x))) / 2.0
    perimeter = float(np.hypot(next_x - x, next_y - y).sum())
    return 4.0 * area / perimeter


def rectangle_cm(width_cm: float, height_cm: float) -> Outline:
    """A centred rectangle as an outline."""
    a, b = width_cm / 2.0, height_cm / 2.0
    return ((-a, -b), (a, -b), (a, b), (-a, b))


def output_correction(
    model: BeamModel,
    outline_cm: Outline,
    applicator: Applicator,
    ssd_cm: float,
    correction: OutputCorrection | None = None,
) -> float:
    """Factor on the computed dose of this cutout, applicator and SSD (equation (10) of docs/physics/pencil_beam.md).

    Parameters
    ----------
    correction : of another engine than the pencil beam; None for the pencil beam's.
    """
    correction = correction or model.output

    def side_factor(side_cm: float) -> float:
        return float(np.interp(math.log(side_cm), np.log(correction.side_cm), correction.side_factor))

    whole = equivalent_square_cm(rectangle_cm(applicator.opening_x_cm, applicator.opening_y_cm))
    side = min(equivalent_square_cm(outline_cm), whole)
    applicator_factor = dict(correction.applicator_factors).get(applicator.id, 1.0)
    distance = math.exp(correction.ssd_slope_per_cm * (ssd_cm - model.reference_ssd_cm))
    return applicator_factor * side_factor(side) / side_factor(whole) * distance
