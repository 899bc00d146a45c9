"""Steps on a curve: background, smoothing, centring, symmetry, resampling, normalisation. Each is a pure function."""

from __future__ import annotations

import numpy as np

from ert.analysis.curve import last_crossing_cm
from ert.analysis.depth import depth_quantities, smooth_curve
from ert.commissioning.curve_files import refuse
from ert.commissioning.scans.scan import Float
from ert.commissioning.scans.working import WorkingCurve
from ert.errors import InvalidBeamData

WINDOW_POINTS, ORDER = 7, 3
MOST_OFF_CENTRE_CM = 0.5
_GRID_STEP_CM = 0.025
_PEAK_SIGMA_FRAC = 0.01


def average_repeats(curve: WorkingCurve) -> WorkingCurve:
    """One point, the mean, where a position was measured more than once."""
    position, group = np.unique(curve.position_cm, return_inverse=True)
    count = len(curve.position_cm) - len(position)
    if count == 0:
        return curve
    value = np.bincount(group, weights=curve.value) / np.bincount(group)
    return curve.after(f"{count} repeated positions: their values were averaged.", position_cm=position, value=value)


def subtract_background(curve: WorkingCurve, background: float) -> WorkingCurve:
    """Subtract a constant signal, in the scan's unit."""
    return curve.after(f"A background of {background:g} was subtracted.", value=curve.value - background)


def smooth(curve: WorkingCurve) -> WorkingCurve:
    """Savitzky and Golay (Anal Chem 36:1627, 1964): a cubic through seven neighbouring points, least squares.

    On unequal steps each cubic is fitted at the positions as they are; the first and last three points lie on the cubic
    of the first and last window.

    Raises
    ------
    InvalidBeamData
        Fewer than seven points.
    """
    count, half = len(curve.value), WINDOW_POINTS // 2
    if count < WINDOW_POINTS:
        raise refuse(curve.scan.name, f"{count} points are too few to smooth.", "Leave out --smooth or scan finer.")
    value = np.empty(count)
    for k in range(count):
        first = min(max(k - half, 0), count - WINDOW_POINTS)
        window = slice(first, first + WINDOW_POINTS)
        offset = curve.position_cm[window] - curve.position_cm[k]
        value[k] = np.polynomial.polynomial.polyfit(offset, curve.value[window], ORDER)[0]
    change = 100.0 * float(np.abs(value - curve.value).max() / np.abs(curve.value).max())
    return curve.after(
        f"Smoothed (Savitzky-Golay, {WINDOW_POINTS} points, order {ORDER}); the largest change is {change:.2f} % of "
        "the maximum.",
        value=value,
    )


def off_centre_cm(curve: WorkingCurve) -> float:
    """Middle of the two positions at half the value on the axis.

    Raises
    ------
    InvalidBeamData
        The profile does not fall to half on both sides, or does not reach over the axis.
    """
    x, y = curve.position_cm, curve.value
    if not x[0] < 0.0 < x[-1]:
        raise refuse(curve.scan.name, "the profile does not reach over the axis.", "Scan both halves.")
    level = 0.5 * float(np.interp(0.0, x, y))
    right, left = last_crossing_cm(x, y, level), last_crossing_cm(-x[::-1], y[::-1], level)
    if right is None or left is None:
        raise refuse(curve.scan.name, "the profile does not fall to half on both sides.", "Scan beyond the field.")
    return (right - left) / 2.0


def centre(curve: WorkingCurve) -> WorkingCurve:
    """Shift a profile so that its half-value positions lie the same distance from the axis.

    Raises
    ------
    InvalidBeamData
        By more than 0.5 cm: then tank or field stood wrong.
    """
    if curve.is_depth_dose:
        return curve
    shift_cm = off_centre_cm(curve)
    if abs(shift_cm) > MOST_OFF_CENTRE_CM:
        raise refuse(
            curve.scan.name, f"the profile lies {shift_cm:+.2f} cm off the axis.", "Check the set-up and measure again."
        )
    return curve.after(
        f"Centred: shifted by {-shift_cm:+.3f} cm, the middle of its half values.",
        position_cm=curve.position_cm - shift_cm,
    )


def symmetrise(curve: WorkingCurve) -> WorkingCurve:
    """The mean of a profile and its mirror image, where both were measured; mirrored values by linear interpolation."""
    if curve.is_depth_dose:
        return curve
    reach = min(-float(curve.position_cm[0]), float(curve.position_cm[-1]))
    if reach <= 0:
        raise refuse(
            curve.scan.name, "the profile covers one half only.", "Leave out --symmetrise or scan both halves."
        )
    kept = np.abs(curve.position_cm) <= reach + 1e-9
    position = np.unique(np.concatenate([curve.position_cm[kept], -curve.position_cm[kept]]).round(9))
    value = np.interp(position, curve.position_cm, curve.value)
    mean = 0.5 * (value + value[::-1])
    change = 100.0 * float(np.abs(mean - value).max() / np.abs(curve.value).max())
    return curve.after(
        f"Symmetrised: mean of both halves within {reach:g} cm; the largest change is {change:.2f} % of the maximum.",
        position_cm=position,
        value=mean,
    )


def resample(curve: WorkingCurve, step_cm: float) -> WorkingCurve:
    """Values at whole multiples of a step, by linear interpolation between the measured points; nothing beyond them."""
    first, last = np.ceil(curve.position_cm[0] / step_cm - 1e-6), np.floor(curve.position_cm[-1] / step_cm + 1e-6)
    position = np.arange(first, last + 1) * step_cm
    return curve.after(
        f"Resampled to steps of {step_cm:g} cm by linear interpolation.",
        position_cm=position,
        value=np.interp(position, curve.position_cm, curve.value),
    )


def keep_usable(curve: WorkingCurve) -> WorkingCurve:
    """Leave out points above the water and values below zero: beam data hold neither."""
    above = curve.position_cm < 0.0 if curve.is_depth_dose else np.zeros(len(curve.value), dtype=bool)
    negative = (curve.value < 0.0) & ~above
    kept = ~(above | negative)
    if kept.all():
        return curve
    told = [f"{int(above.sum())} points above the water surface"] if above.any() else []
    told += [f"{int(negative.sum())} values below zero"] if negative.any() else []
    return curve.after(f"Left out: {' and '.join(told)}.", position_cm=curve.position_cm[kept], value=curve.value[kept])


def peak(position_cm: Float, value: Float) -> tuple[float, float, bool]:
    """Depth and value of the maximum, and whether noise was smoothed out of it.

    Taken from the curve smoothed as in commissioning (`smooth_curve`), because the highest of many noisy points lies
    above the maximum; from the highest point where the curve does not reach its practical range.
    """
    try:
        range_cm = depth_quantities(position_cm, value).rp_cm
    except InvalidBeamData:
        at = int(np.argmax(value))
        return float(position_cm[at]), float(value[at]), False
    grid = np.arange(0.0, float(position_cm[-1]) + _GRID_STEP_CM / 2, _GRID_STEP_CM)
    sigma = np.full(len(value), _PEAK_SIGMA_FRAC * float(value.max()))
    fine = smooth_curve(position_cm, value, sigma, range_cm=range_cm, grid_cm=grid)
    fine = np.where(grid >= position_cm[0], fine, 0.0)
    at = int(np.argmax(fine))
    return float(grid[at]), float(fine[at]), True


def normalise_to_output(curve: WorkingCurve, output_cgy_per_mu: float) -> WorkingCurve:
    """Scale a depth dose so that its maximum is the field's measured output."""
    depth_cm, top, is_smoothed = peak(curve.position_cm, curve.value)
    way = "of the curve smoothed as in commissioning" if is_smoothed else "the highest point"
    return curve.after(
        f"Normalised: the maximum at {depth_cm:.2f} cm ({way}) is the measured output of {output_cgy_per_mu:g} cGy/MU.",
        value=curve.value * (output_cgy_per_mu / top),
        unit="cGy/MU",
    )


def normalise_to_depth_dose(curve: WorkingCurve, depth_dose: WorkingCurve) -> WorkingCurve:
    """Scale a profile so that its value on the axis is that of the depth dose of the same field at its depth.

    Raises
    ------
    InvalidBeamData
        The profile does not reach over the axis, has no signal there, or lies deeper than the depth dose.
    """
    depth_cm = curve.depth_cm
    z = depth_dose.position_cm
    if depth_cm is None or not z[0] <= depth_cm <= z[-1]:
        raise refuse(
            curve.scan.name,
            "the depth dose of its field does not reach the profile's depth.",
            f"It covers {z[0]:g} to {z[-1]:g} cm: scan it deeper.",
        )
    x = curve.position_cm
    on_axis = float(np.interp(0.0, x, curve.value))
    if not x[0] <= 0.0 <= x[-1] or on_axis <= 0.0:
        raise refuse(curve.scan.name, "the profile has no signal on the axis.", "Scan across the axis.")
    level = float(np.interp(depth_cm, z, depth_dose.value))
    return curve.after(
        f"Normalised: the value on the axis is {level:.5g} cGy/MU, that of the depth dose of the same field at "
        f"{depth_cm:g} cm ({depth_dose.scan.file}, curve {depth_dose.scan.index}).",
        value=curve.value * (level / on_axis),
        unit="cGy/MU",
    )
