"""The Monte Carlo's source from beam data: spectrum by linear inversion, the rest from the pencil beam's fit.

The virtual source is that of the pencil beam model, from profiles in air and water. The off-axis ratio is fitted to the
profiles of open fields (`monte_carlo_off_axis`), the angular spread, of slow electrons too, to the profiles in air
(`monte_carlo_angles`) and to the edges of one in water, far away (`monte_carlo_profiles`); without those they are the
pencil beam's.
The spectrum is the non-negative, smooth combination of monoenergetic depth doses, computed by the engine itself,
that gives the reference depth dose (docs/physics/monte_carlo.md, "Spectrum"). Deterministic: fixed seeds and order.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import attrs
import numpy as np
from numpy.typing import NDArray
from scipy.optimize import nnls

from ert.commissioning.measured import AirProfile, Curve
from ert.commissioning.monte_carlo_angles import with_angles
from ert.commissioning.monte_carlo_depth import (
    SEED,
    ReferenceField,
    broad_beams,
    field_ratio,
    photon_dose,
    reference_field,
)
from ert.commissioning.monte_carlo_off_axis import with_off_axis
from ert.commissioning.monte_carlo_profiles import (
    Water,
    with_core_in_water,
    with_photon_spread,
    with_wide_electrons,
)
from ert.domain.beam_model import BeamModel
from ert.domain.machine import Machine
from ert.domain.monte_carlo_model import MonteCarloModel
from ert.dose.monte_carlo_tables import MonteCarloTables, monte_carlo_tables
from ert.errors import InvalidBeamData, OutsideModel

Float = NDArray[np.float64]
METALS_G_CM3 = {"cerrobend": 9.4, "lead": 11.35, "tungsten": 19.3}
_BINS, _LOW, _HIGH, _LEAST_HIGH = 32, 0.20, 1.16, 1.08
_HISTORIES = (960_000, 480_000, 5_760_000)
_ANGLES_AT = 2
"""Once one round has told what the insert's edges scatter into the field: before, it is taken for slow electrons."""
_FIRST_PHOTONS, _PHOTON_HISTORIES = 240_000, 2_880_000
_SMOOTHNESS = np.geomspace(1e-4, 1.0, 13)
_CHI2_ALLOWANCE = 1.2


def _solved(
    source: MonteCarloModel, basis: Float, photons: Float, reference: ReferenceField, rest: Float | float = 0.0
) -> MonteCarloModel:
    """The source with non-negative weights of bins and photons; the smoothest spectrum with nearly the least χ².

    Parameters
    ----------
    rest : dose of the whole simulation of `source` beyond that of its parts, Gy for one electron per cm².
    """
    count = len(basis)
    matrix = np.vstack([basis, photons[None]]).T * reference.weight[:, None]
    wanted = (reference.dose_gy_per_mu - source.electrons_per_cm2_mu * rest) * reference.weight
    level = np.linalg.norm(matrix[:, :count]) / np.sqrt(count)
    second = np.diff(np.eye(count), 2, axis=0)
    found = []
    for strength in _SMOOTHNESS:
        rows = np.hstack([strength * level * second, np.zeros((count - 2, 1))])
        weights, _ = nnls(np.vstack([matrix, rows]), np.concatenate([wanted, np.zeros(count - 2)]), maxiter=2000)
        found.append((float(np.sum((matrix @ weights - wanted) ** 2)), weights))
    least = min(chi2 for chi2, _ in found)
    weights = next(w for chi2, w in reversed(found) if chi2 <= _CHI2_ALLOWANCE * least)
    total = float(weights[:count].sum())
    return attrs.evolve(
        source, spectrum_share=weights[:count] / total, electrons_per_cm2_mu=total,
        photons_per_electron=float(weights[count]) / total,
    )  # fmt: skip


def spectrum_edges_mev(surface_energy_mev: float, tables: MonteCarloTables) -> Float:
    """Edges of the bins of the source's spectrum, as far up as the tables reach.

    Raises
    ------
    OutsideModel
        The tables end so close above the most probable energy that part of the beam would lie beyond them.
    """
    high = min(_HIGH, tables.top_mev / surface_energy_mev)
    if high < _LEAST_HIGH:
        raise OutsideModel(
            f"The Monte Carlo's tables end at {tables.top_mev:g} MeV, too low for {surface_energy_mev:.1f} MeV "
            "at the surface.",
            hint="Use the pencil beam or redefinition (PBRA) for this energy.",
        )
    return np.asarray(surface_energy_mev * np.linspace(_LOW, high, _BINS + 1))


def _first_source(model: BeamModel, machine: Machine, tables: MonteCarloTables, edges: Float) -> MonteCarloModel:
    medium = machine.insert_material.strip().lower()
    if medium not in METALS_G_CM3:
        raise InvalidBeamData(
            f"The Monte Carlo knows no insert of '{machine.insert_material}'.",
            hint=f"Inserts may be of {', '.join(METALS_G_CM3)}.",
        )
    share = np.zeros(len(edges) - 1)
    share[np.searchsorted(edges, model.surface_energy_mev) - 1] = 1.0
    return MonteCarloModel(
        electrons_per_cm2_mu=1.0,
        spectrum_edges_mev=edges,
        spectrum_share=share,
        core_angle_rad=model.source.core_angle_rad,
        wide_frac=float(model.wide_frac[0]),
        wide_angle_rad=model.source.wide_angle_rad,
        virtual_sad_cm=model.source.virtual_sad_cm,
        off_axis=model.source.off_axis,
        off_axis_limit_cm=model.source.off_axis_limit_cm,
        photons_per_electron=0.0,
        photon_angle_rad=model.photons.open_angle_rad,
        irradiated_margin_cm=model.photons.irradiated_margin_cm,
        insert_thickness_cm=machine.insert_thickness_cm,
        insert_medium=medium,
        insert_density_g_cm3=METALS_G_CM3[medium],
        tables_digest=tables.digest,
    )


def fit_monte_carlo(
    model: BeamModel,
    machine: Machine,
    *,
    air: Sequence[AirProfile] = (),
    profiles: Sequence[Curve] = (),
    open_fields: Sequence[Curve] = (),
    check: Callable[[], None] | None = None,
) -> MonteCarloModel:
    """The Monte Carlo's source for one energy.

    Parameters
    ----------
    model : the fitted pencil beam model, with the smoothed reference depth dose.
    air : profiles in air of the open reference applicator.
    profiles : profiles in water of the open reference field, and of its opening at other SSDs.
    open_fields : those of all open fields at the reference SSD down to R90.

    Raises
    ------
    InvalidBeamData
        The insert's material has no cross sections.
    OutsideModel
        The energy is too high for the tables.
    """
    tables = monte_carlo_tables()
    edges = spectrum_edges_mev(model.surface_energy_mev, tables)
    reference = reference_field(model, machine, tables, check)
    step = float(reference.depth_cm[1] - reference.depth_cm[0])
    basis = broad_beams(tuple(float(e) for e in edges), step, len(reference.depth_cm))
    source = _first_source(model, machine, tables, edges)
    photons = photon_dose(reference, source, _FIRST_PHOTONS)
    far = model.source.virtual_sad_cm - machine.sad_cm + model.reference_ssd_cm
    ratio = inverse_square = (far / (far + reference.depth_cm)) ** 2
    rest: Float | float = 0.0
    near = [c for c in profiles if c.field.ssd_cm == model.reference_ssd_cm]
    for number, histories in enumerate(_HISTORIES, start=1):
        source = _solved(source, basis * ratio, photons, reference, rest)
        if number == _ANGLES_AT:
            water = Water(
                geometry=reference.geometry, tables=tables, ssd_cm=model.reference_ssd_cm, check=check
            )  # fmt: skip
            source, error = with_angles(source, air, machine, reference.geometry, tables, check=check)
            source = with_photon_spread(source, near, water, range_cm=model.practical_range_cm)
            source = with_wide_electrons(source, near, water)
            source = with_core_in_water(source, profiles, water, error_frac=error)
            source = with_off_axis(source, open_fields, model, machine, water)
            photons = photon_dose(reference, source, _PHOTON_HISTORIES)
        broad = source.spectrum_share @ basis
        ratio, rest = field_ratio(reference, source, broad, inverse_square, seed=SEED + number, histories=histories)
    return _solved(source, basis * ratio, photons, reference, rest)
