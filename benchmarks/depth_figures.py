"""Output, R90 and R50 of two noisy depth doses against each other, each with its standard error.

Both curves are read alike over the same depths, which a smooth curve through the reference chooses, so that what the
reading itself would add to a depth is in both and not in their difference:

- top: mean dose over the depths where the smooth reference is above 95 % of its maximum, times the smooth reference's
  own maximum over that mean (one factor for both curves). The largest of noisy points is no maximum.
- R90, R50: where a parabola through all points between the levels of `SPANS` crosses the level. The first crossing of a
  noisy curve uses two points of all those, and is biased towards the surface.
- output: the ratio of the means at the top.

Errors: both curves are drawn anew from their voxels' standard errors, as if each voxel were independent, and read
again. One electron gives dose to voxels along its path: `CORRELATION` is how much more runs of other seeds scatter.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from ert.analysis.depth import depth_quantities, smooth_curve

Array = np.ndarray
SPANS = {"R90": (0.9, 0.75, 0.97), "R50": (0.5, 0.3, 0.7)}
CORRELATION = {"output": 2.7, "R90": 1.3, "R50": 1.6}
_TOP_FRAC = 0.95
_STEP_CM = 0.01
_LEAST_POINTS = 5
_DRAWS, _SEED = 400, 3


@dataclass(frozen=True)
class Lines:
    """Depth doses of the reference and of an engine at the same depths, with standard errors; cm and cGy/MU."""

    z_cm: Array
    reference: Array
    computed: Array
    reference_sigma: Array
    computed_sigma: Array


def inner_lines(case: dict[str, Any], truth: dict[str, Any], ours: Array, sigma: Array) -> Lines:
    """Means over the inner half of the field's width.

    Parameters
    ----------
    truth : as ``validate_pencil_beam.load_case`` gives it; ours, sigma : dose cGy/MU and relative standard error on the
        same voxels [z, y, x].
    """
    centres = {k: 0.5 * (truth[k][1:] + truth[k][:-1]) for k in "xyz"}
    half = 0.25 * min(case["field_cm"])
    near = [np.abs(centres[k]) < max(half, 0.51 * (truth[k][1] - truth[k][0])) for k in "yx"]

    def inside(volume: Array) -> Array:
        return volume[:, near[0]][:, :, near[1]].reshape(len(volume), -1)

    def error(dose: Array, relative: Array, copies: int) -> Array:
        count = inside(dose).shape[1]
        return np.sqrt(np.sum((inside(dose) * inside(relative)) ** 2, axis=1) * copies) / count

    return Lines(
        z_cm=centres["z"],
        reference=inside(truth["dose"]).mean(axis=1),
        computed=inside(ours).mean(axis=1),
        reference_sigma=error(truth["dose"], truth["sigma"], int(truth["copies"])),
        computed_sigma=error(ours, sigma, 1),
    )


@dataclass(frozen=True)
class _Reading:
    """Which points are read, and what makes a top of their mean."""

    top: Array
    top_factor: float
    spans: dict[str, Array]
    near_cm: dict[str, float]


def _reading(lines: Lines) -> _Reading:
    z, dose = lines.z_cm, lines.reference
    range_cm = depth_quantities(z, dose, needs_tail=False).rp_cm
    grid = np.arange(z[0], z[-1], _STEP_CM)
    sigma = np.maximum(lines.reference_sigma, 1e-3 * dose.max())
    smooth = smooth_curve(z, dose, sigma, range_cm=range_cm, grid_cm=grid)
    summit = int(np.argmax(smooth))

    def beyond(level: float) -> float:
        return float(grid[summit + int(np.argmax(smooth[summit:] < level * smooth[summit]))])

    before = np.flatnonzero(smooth[:summit] < _TOP_FRAC * smooth[summit])
    first = grid[before[-1]] if len(before) else -np.inf
    top = (z > first) & (z < beyond(_TOP_FRAC))
    spans = {}
    for name, (level, low, high) in SPANS.items():
        inside = (z >= beyond(high)) & (z <= beyond(low))
        if np.count_nonzero(inside) < _LEAST_POINTS:
            inside = np.zeros_like(top)
            inside[np.argsort(np.abs(z - beyond(level)))[:_LEAST_POINTS]] = True
        spans[name] = inside
    at_top = np.interp(z[top], grid, smooth)
    near = {name: beyond(level) for name, (level, _, _) in SPANS.items()}
    return _Reading(top, float(smooth[summit] / at_top.mean()), spans, near)


def _read(reading: _Reading, z_cm: Array, dose: Array) -> dict[str, float]:
    """Mean at the top, and the depths of the levels, of one curve."""
    mean = float(dose[reading.top].mean())
    found = {"output": mean}
    for name, inside in reading.spans.items():
        level = SPANS[name][0] * mean * reading.top_factor
        middle = reading.near_cm[name]
        c, b, a = np.polynomial.polynomial.polyfit(z_cm[inside] - middle, dose[inside] - level, 2)
        # Of the two crossings the one on the falling side; a curve without one would be no depth dose.
        found[name] = middle + 2.0 * c / (-b + np.sqrt(max(b * b - 4.0 * a * c, 0.0)))
    return found


def _difference(reading: _Reading, lines: Lines, reference: Array, computed: Array) -> dict[str, float]:
    ours, theirs = (_read(reading, lines.z_cm, dose) for dose in (computed, reference))
    moved = {f"d{name}_mm": 10.0 * (ours[name] - theirs[name]) for name in SPANS}
    return {"output": ours["output"] / theirs["output"], **moved}


def compare_depths(lines: Lines) -> dict[str, float]:
    """Output, dR90_mm and dR50_mm, computed against reference, and one standard error of each (``…_sigma``)."""
    reading = _reading(lines)
    found = _difference(reading, lines, lines.reference, lines.computed)
    random = np.random.default_rng(_SEED)
    drawn = []
    for _ in range(_DRAWS):
        noise = random.standard_normal((2, len(lines.z_cm)))
        drawn.append(_difference(
            reading, lines, lines.reference + noise[0] * lines.reference_sigma,
            lines.computed + noise[1] * lines.computed_sigma,
        ))  # fmt: skip
    for name, factor in CORRELATION.items():
        key = name if name == "output" else f"d{name}_mm"
        found[f"{key}_sigma"] = factor * float(np.std([d[key] for d in drawn]))
    return found
