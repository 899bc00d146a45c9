"""The Monte Carlo at surfaces of bone and lung, against measurements, stopping powers and the scaling with density."""

from __future__ import annotations

import csv

import numpy as np
from monte_carlo_layers import Layer, depth_dose

from ert.settings import resources_dir

ROW_CM = 0.025
LUNG_G_CM3 = 0.25
SHIU_HOGSTROM = ((2.0, 0.05, 1.05), (6.0, 1.88, 1.05), (13.1, 0.05, 1.018), (15.2, 1.0, 1.018))
"""Energy of the beam, depth of the bone in cm, and what was measured at the energy that is left there."""


def mean_energy_mev(energy_mev: float, depth_cm: float) -> float:
    """Mean energy at a depth in water: Harder's law, E₀ (1 − z/Rp)."""
    return energy_mev * (1.0 - depth_cm / (0.52 * energy_mev - 0.3))


def backscatter_of_bone(energy_mev: float, depth_cm: float, histories: int) -> float:
    """Dose in the last 0.25 mm of water in front of 1 cm of cortical bone, over that without the bone."""
    count, found = round(depth_cm / ROW_CM), []
    for behind in ("cortical bone", "water"):
        rows: list[Layer] = [("water", count), (behind, 40), ("water", 40)]
        found.append(depth_dose(rows, ROW_CM, energy_mev, histories, 41)[count - 1])
    return float(found[0] / found[1])


def step_of_bone(energy_mev: float, depth_cm: float, histories: int) -> float:
    """Dose to bone over dose to water on the two sides of a surface of cortical bone; parabolas through 2 mm."""
    count, near = round(depth_cm / ROW_CM), round(0.2 / ROW_CM)
    rows: list[Layer] = [("water", count), ("cortical bone", 80)]
    dose = depth_dose(rows, ROW_CM, energy_mev, histories, 43)
    away = np.arange(near) + 0.5
    before = np.polynomial.Polynomial.fit(-away, dose[count - near : count][::-1], 2)(0.0)
    behind = np.polynomial.Polynomial.fit(away, dose[count : count + near], 2)(0.0)
    return float(behind / before)


def stopping_ratio(energy_mev: float) -> float:
    """Collision stopping power of cortical bone over that of water, ESTAR."""
    with (resources_dir() / "tables" / "collision_stopping_MeVcm2_g.csv").open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    energy, bone, water = (
        [float(row[name]) for row in rows] for name in ("E_MeV", "bone_cortical_ICRU46", "water")
    )  # fmt: skip
    return float(np.interp(energy_mev, energy, bone) / np.interp(energy_mev, energy, water))


def lung_differences(energy_mev: float, histories: int, batches: int = 20) -> np.ndarray:
    """Dose with a slab of thin water less that of plain water over the maximum: [batch, row of 0.1 g/cm²].

    The slab, four times as thick as the water it replaces, is the rows 10 to 19.
    """
    count, before, thin = round(6.0 * energy_mev), 10, 10
    with_slab: list[Layer] = [
        ("water", before), ("water", 4 * thin, LUNG_G_CM3), ("water", count - before - thin)
    ]  # fmt: skip
    share = histories // batches
    found = np.empty((2, batches, count))
    for batch in range(batches):
        dose = depth_dose(with_slab, 0.1, energy_mev, share, 100 + batch)
        inside = dose[before : before + 4 * thin].reshape(thin, 4).mean(axis=1)
        found[0, batch] = np.concatenate([dose[:before], inside, dose[before + 4 * thin :]])
        found[1, batch] = depth_dose([("water", count)], 0.1, energy_mev, share, 200 + batch)
    return (found[0] - found[1]) / found[1].mean(axis=0).max()


def bone_backscatter(histories: int) -> list[list[str]]:
    """In front of bone, against Shiu and Hogstrom."""
    return [
        [f"{energy:g}", f"{depth:g}", f"{mean_energy_mev(energy, depth):.1f}", f"{measured:.3f}",
         f"{backscatter_of_bone(energy, depth, histories):.3f}"]
        for energy, depth, measured in SHIU_HOGSTROM
    ]  # fmt: skip


def bone_step(histories: int) -> list[list[str]]:
    """Across the surface of bone, against ESTAR."""
    found = []
    for energy, depth in ((6.0, 1.0), (12.0, 2.0), (20.0, 3.0)):
        inside = mean_energy_mev(energy, depth)
        wanted, ours = stopping_ratio(inside), step_of_bone(energy, depth, histories)
        found.append([f"{energy:g}", f"{depth:g}", f"{inside:.1f}", f"{wanted:.3f}", f"{ours:.3f}"])
    return found


def thin_water(histories: int) -> list[list[str]]:
    """Thin water, against plain water at the same mass."""
    found = []
    for energy in (6.0, 12.0, 20.0):
        differences = lung_differences(energy, histories)
        parts = [with_error(differences[:, rows].mean(axis=1)) for rows in (slice(10, 20), slice(20, 30))]
        mean, error = with_error(differences)
        furthest = np.abs(mean[error > 0.0] / error[error > 0.0])
        found.append([
            f"{energy:g}", *(f"{100 * value:+.2f} ± {100 * spread:.2f}" for value, spread in parts),
            f"{furthest.max():.1f}", f"{len(furthest)}",
        ])  # fmt: skip
    return found


def with_error(of_batches: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Mean over the first axis and its standard error."""
    return of_batches.mean(axis=0), of_batches.std(axis=0, ddof=1) / np.sqrt(len(of_batches))
