"""Tables of electrons in water, range and energy relations, Fermi–Eyges moments."""

from __future__ import annotations

import csv
import functools

import attrs
import numpy as np
from numpy.typing import ArrayLike, NDArray

from ert.domain.identity import read_only
from ert.settings import resources_dir

Float = NDArray[np.float64]
AIR_DENSITY_G_CM3 = 0.0012
AIR_RELATIVE_SCATTERING = 0.0012
"""T of air over T of water, linear; resources/tables/materials_ratios.csv."""
LEAST_ENERGY_MEV = 0.5
"""Energy below which scattering power is held (physics of eq. (5))."""


@attrs.frozen(kw_only=True)
class WaterElectrons:
    """Electrons in water: ESTAR stopping powers, ICRU 35 scattering power; rows of rising energy."""

    energy_mev: Float
    collision_mev_cm2_g: Float
    csda_range_g_cm2: Float
    collision_range_g_cm2: Float
    scattering_rad2_cm2_g: Float


@functools.cache
def water_electrons() -> WaterElectrons:
    """The water table of resources/tables/water_electrons.csv (NIST ESTAR; ICRU Report 35 eq. for T)."""
    with (resources_dir() / "tables" / "water_electrons.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))

    def column(name: str) -> Float:
        return read_only(np.array([float(row[name]) for row in rows]))

    return WaterElectrons(
        energy_mev=column("E_MeV"),
        collision_mev_cm2_g=column("Scol_MeVcm2_g"),
        csda_range_g_cm2=column("R_CSDA_g_cm2"),
        collision_range_g_cm2=column("R_collisional_only_g_cm2"),
        scattering_rad2_cm2_g=column("T_ICRU35_rad2cm2_g"),
    )


def _log_log(x: ArrayLike, table_x: Float, table_y: Float) -> Float:
    return np.asarray(np.exp(np.interp(np.log(x), np.log(table_x), np.log(table_y))), dtype=np.float64)


def scattering_power_water(energy_mev: ArrayLike) -> Float:
    """Linear scattering power of water at 1 g/cm³, rad²/cm, of the space angle (ICRU 35 eq. 2.8), log-log."""
    table = water_electrons()
    return _log_log(energy_mev, table.energy_mev, table.scattering_rad2_cm2_g)


def collision_stopping_power_water(energy_mev: ArrayLike) -> Float:
    """Collision stopping power of water, MeV cm²/g (ESTAR), log-log."""
    table = water_electrons()
    return _log_log(energy_mev, table.energy_mev, table.collision_mev_cm2_g)


def collision_range_water(energy_mev: ArrayLike) -> Float:
    """Range in water, g/cm², of electrons that lose energy by collisions only (ESTAR), log-log."""
    table = water_electrons()
    return _log_log(energy_mev, table.energy_mev, table.collision_range_g_cm2)


def energy_at_collision_range_water(range_g_cm2: ArrayLike) -> Float:
    """Energy, MeV, of electrons with that range left if they lose energy by collisions only, log-log."""
    table = water_electrons()
    return _log_log(range_g_cm2, table.collision_range_g_cm2, table.energy_mev)


def csda_range_water(energy_mev: ArrayLike) -> Float:
    """CSDA range in water, g/cm² (ESTAR), log-log."""
    table = water_electrons()
    return _log_log(energy_mev, table.energy_mev, table.csda_range_g_cm2)


def energy_at_range_water(range_g_cm2: ArrayLike) -> Float:
    """Energy, MeV, of electrons with that CSDA range left in water, log-log."""
    table = water_electrons()
    return _log_log(range_g_cm2, table.csda_range_g_cm2, table.energy_mev)


def harder_energy_mev(surface_mev: float, depth_frac: ArrayLike) -> Float:
    """Mean energy at u = z/Rp, E0 (1 − u) (Harder), not below `LEAST_ENERGY_MEV`."""
    return np.maximum(LEAST_ENERGY_MEV, surface_mev * (1.0 - np.asarray(depth_frac, dtype=np.float64)))


def fermi_eyges_moments(scattering_rad2_cm: ArrayLike, step_cm: float) -> tuple[Float, Float, Float]:
    """A0, A1, A2 of one projected plane after each step of constant scattering power (Eyges 1948).

    Parameters
    ----------
    scattering_rad2_cm : T of the space angle in each step, rad²/cm, shape (n,).
    step_cm : step.

    Returns
    -------
    A0 (rad²), A1 (rad cm), A2 (cm²), each shape (n + 1,), starting at zero.
    """
    a0 = a1 = a2 = 0.0
    rows = [(a0, a1, a2)]
    for t in np.asarray(scattering_rad2_cm, dtype=np.float64).tolist():  # numpy's own scalars take four times as long
        a2 += step_cm * (2.0 * a1 + step_cm * (a0 + t * step_cm / 6.0))
        a1 += step_cm * (a0 + 0.25 * t * step_cm)
        a0 += 0.5 * t * step_cm
        rows.append((a0, a1, a2))
    table = np.array(rows)
    return table[:, 0], table[:, 1], table[:, 2]
