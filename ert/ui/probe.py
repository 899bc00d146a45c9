"""The data probe: everything known about one point, in one line."""

from __future__ import annotations

from collections.abc import Container
from typing import TYPE_CHECKING

import numpy as np

from ert.domain.materials import AIR
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


def density_text(workspace: PlanWorkspace, hu: float, numbers: Container[int]) -> str:
    """Mass density as the dose sees it: the last override there, else air outside EXTERNAL, else the CT curve.

    Parameters
    ----------
    numbers : the structures that the point lies in.
    """
    plan = workspace.plan
    for override in reversed(plan.overrides):
        if override.structure_number in numbers:
            return f"{format_number(override.material.density_g_cm3, 3)} g/cm³ ({override.material.name})"
    if plan.external_number not in numbers:
        return f"{AIR.density_g_cm3:g} g/cm³ (outside external: air)"
    points = plan.ct_curve.points
    density_g_cm3 = float(np.interp(hu, [p.hu for p in points], [p.density_g_cm3 for p in points]))
    return f"{format_number(density_g_cm3, 3)} g/cm³"


def dose_text(workspace: PlanWorkspace, point_cm: Float3) -> str:
    """Dose in Gy and percent; says so where there is none that belongs to the plan."""
    dose = workspace.dose
    if dose.picture is None or dose.is_outdated:
        return "dose –"
    gy = dose_at(*dose.picture, point_cm)
    if gy is None:
        return "outside dose grid"
    percent = 100.0 * gy / workspace.plan.prescription.dose_gy
    error, name = "", "" if dose.is_current else "preview "
    if dose.is_current and dose.uncertainty is not None and dose.grid is not None:
        sigma_gy = dose_at(dose.uncertainty.sigma_gy, dose.grid, point_cm)
        error = "" if sigma_gy is None else f" ± {format_quantity(sigma_gy, 2, 'Gy')}"
    amount = f"{format_quantity(gy, 2, 'Gy')}{error}"
    return f"{name}{amount} ({format_quantity(percent, 1, '%')}, {workspace.plan.dose_to.phrase})"


def probe_text(workspace: PlanWorkspace, sections: Sections, point_cm: Float3) -> str:
    """Position, CT number, density, dose and structures at a patient point."""
    x, y, z = (format_number(v, 2) for v in point_cm)
    parts = [f"x {x}  y {y}  z {z} cm (DICOM)"]
    found = sections.structures_at(point_cm)
    hu = hu_at(workspace, point_cm)
    if hu is None:
        parts.append("outside image")
    else:
        parts.append(f"{format_number(hu, 0)} HU")
        parts.append(density_text(workspace, hu, {s.number for s in found}))
    parts.append(dose_text(workspace, point_cm))
    parts.append(", ".join(s.name for s in found) if found else "no structure")
    return "   ·   ".join(parts)
