"""What a validation run leaves behind: figures and curves of every case, with what they were computed by.

A record is one JSON file an engine in ``docs/physics/validation/``. ``tools/build_validation_page.py`` draws the page
from the records alone, so the page can be made again without computing any dose.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import uniform_filter

from ert.domain.beam_model import MachinePackage
from ert.domain.dose import NUMERICS_VERSION

FORMAT = 1
_DIGITS = 5
_THRESHOLD_FRAC = 0.1
_NUMBERS = re.compile(r"\[[-+.,\deE\s]+\]")
Float = NDArray[np.float64]


def curves(truth: dict[str, Any], ours: Float) -> dict[str, Any]:
    """The lines worth drawing, all cGy/MU.

    Parameters
    ----------
    truth : as ``validate_pencil_beam.load_case`` gives it; doses [z, y, x].
    ours : the engine's voxel means on the same voxels.

    Returns
    -------
    The depth dose of the axis, crossline profiles at the reference's depths of maximum and of 50 %, and the crossline
    through the worst place. Crosslines are means over the two or three rows nearest to the axis (or the place). The
    worst place is where the difference, averaged over 3 × 3 × 3 voxels so that it is not merely the noisiest voxel, is
    largest in percent of the reference's maximum; only matter above 10 %. No line runs through air.
    """
    centres = {k: 0.5 * (truth[k][1:] + truth[k][:-1]) for k in "xyz"}
    near = {k: np.abs(centres[k]) < max(0.51 * (truth[k][1] - truth[k][0]), 0.3) for k in "xy"}
    doses = [np.where(truth["is_matter"], d, np.nan) for d in (truth["dose"], ours)]
    axis = [_mean(d[:, near["y"]][:, :, near["x"]].reshape(len(d), -1), 1) for d in doses]
    top = int(np.nanargmax(axis[0]))
    half = top + int(np.argmax(axis[0][top:] < 0.5 * axis[0][top]))
    found: dict[str, Any] = {"depth": _line("z", centres["z"], axis)}
    for name, level in (("maximum", top), ("half", half)):
        rows = [_mean(d[level][near["y"]], 0) for d in doses]
        found[name] = _line("x", centres["x"], rows) | {"z_cm": _short(centres["z"][level])}
    z, y, x, worst_pct = _worst(truth, ours)
    beside = slice(max(y - 1, 0), y + 2)
    rows = [_mean(d[z, beside], 0) for d in doses]
    place = {f"{k}_at_cm": _short(centres[k][i]) for k, i in zip("xyz", (x, y, z), strict=True)}
    found["worst"] = _line("x", centres["x"], rows) | place | {"difference_pct": _short(worst_pct)}
    return found


def _worst(truth: dict[str, Any], ours: Float) -> tuple[int, int, int, float]:
    reference = truth["dose"]
    top = float(reference.max())
    asked = (reference > _THRESHOLD_FRAC * top) & truth["is_matter"]
    share = uniform_filter(truth["is_matter"].astype(float), size=3, mode="nearest")
    difference = uniform_filter(np.where(truth["is_matter"], ours - reference, 0.0), size=3, mode="nearest")
    smooth = np.where(asked, difference / np.maximum(share, 1e-9), 0.0)
    z, y, x = (int(i) for i in np.unravel_index(int(np.argmax(np.abs(smooth))), smooth.shape))
    return z, y, x, 100.0 * float(smooth[z, y, x]) / top


def _mean(values: Float, axis: int) -> Float:
    """Mean over the matter (outside the patient the engines give no dose); nan where there is none."""
    count = np.sum(~np.isnan(values), axis=axis)
    return np.asarray(np.where(count > 0, np.nansum(values, axis=axis) / np.maximum(count, 1), np.nan))


def _line(along: str, position_cm: Float, doses: Sequence[Float]) -> dict[str, Any]:
    lines = {f"{along}_cm": position_cm, "reference": doses[0], "computed": doses[1]}
    is_matter = ~np.isnan(doses[0])
    return {name: [_short(v) for v in values[is_matter]] for name, values in lines.items()}


def _short(value: float) -> float:
    return float(f"{value:.{_DIGITS}g}")


def write_record(
    path: Path, *, engine: str, package: MachinePackage, rows: Sequence[dict[str, Any]], settings: dict[str, Any]
) -> None:
    """Write a record: cases in rising order of name, no times, so that the same numerics give the same bytes."""
    kept = [
        {k: _short(v) if isinstance(v, float) else v for k, v in row.items() if k not in ("truth", "ours", "seconds")}
        for row in sorted(rows, key=lambda r: str(r["case"]))
    ]
    record = {
        "format": FORMAT,
        "engine": engine,
        "numerics_version": NUMERICS_VERSION,
        "package_digest": package.digest,
        "settings": settings,
        "cases": kept,
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(_NUMBERS.sub(_on_one_line, json.dumps(record, indent=1)) + "\n", encoding="utf-8")


def _on_one_line(found: re.Match[str]) -> str:
    """A list of numbers on one line: readable differences without a line a number."""
    return " ".join(found.group().split())
