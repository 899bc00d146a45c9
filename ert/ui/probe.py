"""The data probe: everything known about one point, in one line."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from ert.geometry.grid import Float3
from ert.ui.dose_plane import dose_at
from ert.ui.numbers import format_number, format_quantity
from ert.ui.sections import Sections

if TYPE_CHECKING:
    from ert.app.workspace import PlanWorkspace


def hu_at(workspace: PlanWorkspace, point_cm: Float3) -> int | None:
    """CT number of the voxel a patient point lies in; None outside the image."""
    index = np.rint(workspace.image.grid.index_xyz(point_cm)).astype(int)[::-1]
    if np.any(index < 0) or np.any(index >= workspace.image.grid.shape_zyx):
        return None
    return int(workspace.image.hu[tuple(index)])


def density_of(workspace: PlanWorkspace, hu: float) -> float:
    """Mass density by the plan's CT curve, g/cm³; overrides are not regarded."""
    points = workspace.plan.ct_curve.points
    return float(np.interp(hu, [p.hu for p in points], [p.density_g_cm3 for p in points]))


def dose_text(workspace: PlanWorkspace, point_cm: Float3) -> str:
    """Dose in Gy and percent; says so where there is none that belongs to the plan."""
    dose = workspace.dose
    if dose.status != "current" or dose.plan_gy is None or dose.grid is None:
        return "dose –"
    gy = dose_at(dose.plan_gy, dose.grid, point_cm)
    if gy is None:
        return "outside dose grid"
    percent = 100.0 * gy / workspace.plan.prescription.dose_gy
    return f"{format_quantity(gy, 2, 'Gy')} ({format_quantity(percent, 1, '%')})"


def probe_text(workspace: PlanWorkspace, sections: Sections, point_cm: Float3) -> str:
    """Position, CT number, density, dose and structures at a patient point."""
    x, y, z = (format_number(v, 2) for v in point_cm)
    parts = [f"x {x}  y {y}  z {z} cm (DICOM)"]
    hu = hu_at(workspace, point_cm)
    if hu is None:
        parts.append("outside image")
    else:
        parts.append(f"{format_number(hu, 0)} HU")
        parts.append(f"{format_number(density_of(workspace, hu), 3)} g/cm³")
    parts.append(dose_text(workspace, point_cm))
    names = sections.names_at(point_cm)
    parts.append(", ".join(names) if names else "no structure")
    return "   ·   ".join(parts)
