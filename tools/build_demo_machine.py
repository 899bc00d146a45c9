"""Build the demo machine package from its beam data.

    python tools/build_demo_machine.py [FOLDER] [--keep-models | --pencil-beam | --monte-carlo]

The beam data are a Monte Carlo calculation (EGSnrc) of a synthetic electron head; the package is marked
"DEMO, not for clinical use". The result is checked in as resources/demo_machine/package.
With --keep-models only the machine and its configuration are read anew; the fitted models stay those checked in, bit by
bit. With --pencil-beam only the pencil beams are fitted anew and the other engines keep what they were fitted to (which
takes many minutes): right for small changes only, because redefinition reads the pencil beam's source. With
--monte-carlo only the Monte Carlo's sources are fitted anew, to the models checked in. Each of these then compares the
models with the beam data (some minutes), so that measured ranges and acceptance tables are of this program. The known
doses of the self-test (`ert.app.selftest`) belong to the package and are written beside it.
"""

from __future__ import annotations

import os

os.environ["OPENBLAS_NUM_THREADS"] = "1"  # before numpy: as `ert.main.prepare_environment` has it

import argparse
import json
import shutil
import sys
from pathlib import Path

import attrs

from ert.app.selftest import known_answers_file, known_doses
from ert.commissioning.beam_data import read_beam_data
from ert.commissioning.commission import acceptance_tables, commission, judged
from ert.commissioning.fit import fit_energy
from ert.commissioning.model import build_model
from ert.commissioning.monte_carlo_fit import fit_monte_carlo
from ert.commissioning.monte_carlo_profiles import reference_profiles
from ert.commissioning.output_tables import output_tables
from ert.commissioning.package import read_package, write_package
from ert.commissioning.redefinition_off_axis import open_profiles
from ert.domain.beam_model import MachinePackage
from ert.settings import resources_dir


def main() -> None:
    """Fit the demo machine, or keep its models, and write it."""
    home = resources_dir() / "demo_machine"
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("out", type=Path, nargs="?", default=home / "package")
    which = parser.add_mutually_exclusive_group()
    which.add_argument("--keep-models", action="store_true")
    which.add_argument("--pencil-beam", action="store_true")
    which.add_argument("--monte-carlo", action="store_true")
    options = parser.parse_args()
    package = _built(options, home)
    if options.out.exists():
        shutil.rmtree(options.out)
    write_package(options.out, package)
    if options.out == home / "package":
        known_answers_file().write_text(json.dumps(known_doses(package), indent=0) + "\n", encoding="ascii")
    sys.stdout.write(f"{options.out}: digest {package.digest}\n")


def _built(options: argparse.Namespace, home: Path) -> MachinePackage:
    """The package that was asked for, with its acceptance tables."""
    if options.pencil_beam:
        return with_findings(_with_pencil_beam(home), home)
    if options.monte_carlo:
        return with_findings(_with_new_sources(_kept(home), home), home)
    if options.keep_models:
        return with_findings(_kept(home), home)
    return commission(home / "beam_data", is_demo=True).package


def _kept(home: Path) -> MachinePackage:
    """The package as checked in, with the machine as the beam data folder has it now."""
    machine = read_beam_data(home / "beam_data").machine
    return attrs.evolve(read_package(home / "package"), machine=machine)


def with_findings(package: MachinePackage, home: Path) -> MachinePackage:
    """The package with what its models come to against the beam data: measured depths and incidence, acceptance."""
    data, models, acceptance = read_beam_data(home / "beam_data"), [], []
    for energy, model in zip(data.energies, package.models, strict=True):
        model_now, report = judged(data, energy, model)
        models.append(model_now)
        acceptance += acceptance_tables(report)
    return attrs.evolve(package, models=tuple(models), acceptance=tuple(acceptance))


def _with_new_sources(package: MachinePackage, home: Path) -> MachinePackage:
    """The package with Monte Carlo sources fitted to the models' depth doses and to profiles in air and water."""
    data, models = read_beam_data(home / "beam_data"), []
    for energy, model in zip(data.energies, package.models, strict=True):
        profiles = reference_profiles(data, energy)
        wide = open_profiles(data, energy, model.summary.r90_cm)
        source = fit_monte_carlo(
            model, package.machine, air=energy.air_profiles, profiles=profiles, open_fields=wide
        )  # fmt: skip
        models.append(attrs.evolve(model, monte_carlo=source))
    return attrs.evolve(package, models=tuple(models))


def _with_pencil_beam(home: Path) -> MachinePackage:
    """The package as checked in, with the pencil beams fitted anew."""
    data, package = read_beam_data(home / "beam_data"), read_package(home / "package")
    models, tables = [], []
    for energy, before in zip(data.energies, package.models, strict=True):
        model = build_model(data, energy, fit_energy(data, energy), is_demo=True)
        models.append(attrs.evolve(model, redefinition=before.redefinition, monte_carlo=before.monte_carlo))
        reach_cm, surface_mev = model.practical_range_cm, model.surface_energy_mev
        tables.append(output_tables(data, energy, surface_energy_mev=surface_mev, practical_range_cm=reach_cm))
    return attrs.evolve(package, machine=data.machine, models=tuple(models), output_tables=tuple(tables))


if __name__ == "__main__":
    main()
