"""From a beam data folder to a machine package and its report."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from pathlib import Path

import attrs

from ert.commissioning.beam_data import read_beam_data
from ert.commissioning.compare import compare_energy
from ert.commissioning.fit import FitStep, fit_energy
from ert.commissioning.measured import BeamData, EnergyData
from ert.commissioning.measured_range import measured_range
from ert.commissioning.model import build_model
from ert.commissioning.monte_carlo_fit import fit_monte_carlo
from ert.commissioning.monte_carlo_profiles import reference_profiles
from ert.commissioning.output_tables import output_tables
from ert.commissioning.phantom_check import compare_checks
from ert.commissioning.redefinition_model import RedefinedWaters, build_redefinition
from ert.commissioning.redefinition_off_axis import open_profiles
from ert.domain.acceptance import EnergyAcceptance
from ert.domain.beam_model import BeamModel, MachinePackage
from ert.domain.commissioning import CommissioningReport, EnergyReport, engines_of
from ert.errors import OutsideModel


@attrs.frozen(kw_only=True)
class Commissioned:
    """What commissioning made."""

    package: MachinePackage
    report: CommissioningReport


def commission(
    folder: Path,
    *,
    energies_mev: Sequence[float] | None = None,
    is_demo: bool = False,
    with_monte_carlo: bool = True,
    machine_name: str | None = None,
    progress: Callable[[float], None] | None = None,
    check: Callable[[], None] | None = None,
    on_step: Callable[[FitStep], None] | None = None,
) -> Commissioned:
    """Fit a beam model for every energy of a beam data folder; deterministic.

    Parameters
    ----------
    folder : a beam data folder (`ert.commissioning.beam_data`).
    energies_mev : only these; None for all.
    is_demo : mark machine and models as never to be used clinically.
    with_monte_carlo : fit the Monte Carlo's source as well (most of the time it takes).
    machine_name : instead of the name in the folder.
    progress : called with 0…1; check : may raise `Cancelled`; on_step : told of every improvement of a fit.

    Raises
    ------
    InvalidBeamData
        The folder or one of its files cannot be used.
    """
    data = read_beam_data(folder, energies_mev=energies_mev)
    if machine_name is not None:
        data = attrs.evolve(data, name=machine_name, machine=attrs.evolve(data.machine, name=machine_name))
    models, reports, tables = [], [], []
    for number, energy in enumerate(data.energies):
        fit = fit_energy(data, energy, check=check, on_step=on_step)
        model = build_model(data, energy, fit, is_demo=is_demo)
        waters = RedefinedWaters(data)
        redefinition = build_redefinition(data, energy, model, waters=waters, check=check)
        model = attrs.evolve(model, redefinition=redefinition)
        if with_monte_carlo:
            model = _with_source(data, energy, model, check)
        model, report = judged(
            data, energy, model, waters=waters, smoothing_chi2=fit.reference.chi2_per_point,
            fit_chi2=fit.cost_per_point,
        )  # fmt: skip
        models.append(model)
        reports.append(report)
        tables.append(
            output_tables(
                data,
                energy,
                surface_energy_mev=model.surface_energy_mev,
                practical_range_cm=model.practical_range_cm,
            )
        )
        if progress is not None:
            progress((number + 1) / len(data.energies))
    package = MachinePackage(
        machine=data.machine,
        models=tuple(models),
        origin=data.origin,
        is_demo=is_demo,
        output_tables=tuple(tables),
        acceptance=tuple(a for report in reports for a in acceptance_tables(report)),
    )
    whole = CommissioningReport(
        machine_name=data.machine.name,
        origin=data.origin,
        package_digest=package.digest,
        is_demo=is_demo,
        energies=tuple(reports),
    )
    return Commissioned(package=package, report=whole)


def _with_source(data: BeamData, energy: EnergyData, model: BeamModel, check: Callable[[], None] | None) -> BeamModel:
    """The model with a Monte Carlo source; without one, and saying so, where the cross sections do not reach."""
    profiles = reference_profiles(data, energy)
    try:
        source = fit_monte_carlo(
            model, data.machine, air=energy.air_profiles, profiles=profiles,
            open_fields=open_profiles(data, energy, model.summary.r90_cm), check=check,
        )  # fmt: skip
    except OutsideModel as too_high:
        limits = (*model.validity.limits, f"no Monte Carlo source: {too_high.sentence.rstrip('.')}")
        return attrs.evolve(model, validity=attrs.evolve(model.validity, limits=limits))
    return attrs.evolve(model, monte_carlo=source)


def judged(
    data: BeamData,
    energy: EnergyData,
    model: BeamModel,
    *,
    waters: RedefinedWaters | None = None,
    smoothing_chi2: float = math.nan,
    fit_chi2: float = math.nan,
) -> tuple[BeamModel, EnergyReport]:
    """A fitted model with the depths and incidence it was compared at, and the comparison.

    Parameters
    ----------
    waters : redefinition's doses as far as they are known.
    smoothing_chi2, fit_chi2 : of the fit, for the report; nan for a model whose fit is not at hand.
    """
    checks = compare_checks(data, energy, model)
    valid = attrs.evolve(model.validity, measured=measured_range(data, energy, checks))
    model = attrs.evolve(model, validity=valid)
    return model, compare_energy(
        data, energy, model, checks, waters=waters, smoothing_chi2=smoothing_chi2, fit_chi2=fit_chi2
    )  # fmt: skip


def acceptance_tables(report: EnergyReport) -> list[EnergyAcceptance]:
    """The tables of the engines of one energy."""
    return [
        EnergyAcceptance(energy_mev=of.energy_mev, engine=name, tests=of.acceptance) for name, of in engines_of(report)
    ]
