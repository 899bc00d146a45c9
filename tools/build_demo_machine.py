"""Build the demo machine package from its beam data.

    python tools/build_demo_machine.py [FOLDER] [--keep-models | --monte-carlo]

The beam data are a Monte Carlo calculation (EGSnrc) of a synthetic electron head; the package is marked
"DEMO, not for clinical use". The result is checked in as resources/demo_machine/package; a test builds it again.
With --keep-models only the machine and its configuration are read anew; the beam models stay those checked in, bit by
bit. With --monte-carlo the Monte Carlo's sources are fitted again as well, beside the models checked in. The known
doses of the self-test (`ert.app.selftest`) belong to the package and are written beside it.
"""

from __future__ import annotations

import argparse
import json
import shutil
import sys
from pathlib import Path

import attrs

from ert.app.selftest import known_answers_file, sample_doses
from ert.commissioning.beam_data import read_beam_data
from ert.commissioning.commission import commission
from ert.commissioning.monte_carlo_fit import fit_monte_carlo
from ert.commissioning.package import read_package, write_package
from ert.domain.beam_model import MachinePackage
from ert.settings import resources_dir


def main() -> None:
    """Fit the demo machine, or keep its models, and write it."""
    home = resources_dir() / "demo_machine"
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("out", type=Path, nargs="?", default=home / "package")
    parser.add_argument("--keep-models", action="store_true")
    parser.add_argument("--monte-carlo", action="store_true")
    options = parser.parse_args()
    if options.monte_carlo:
        package = _with_new_sources(_kept(home))
    else:
        package = _kept(home) if options.keep_models else commission(home / "beam_data", is_demo=True).package
    if options.out.exists():
        shutil.rmtree(options.out)
    write_package(options.out, package)
    if options.out == home / "package":
        known_answers_file().write_text(json.dumps(sample_doses(package), indent=0) + "\n", encoding="ascii")
    sys.stdout.write(f"{options.out}: digest {package.digest}\n")


def _kept(home: Path) -> MachinePackage:
    """The package as checked in, with the machine as the beam data folder has it now."""
    machine = read_beam_data(home / "beam_data").machine
    return attrs.evolve(read_package(home / "package"), machine=machine)


def _with_new_sources(package: MachinePackage) -> MachinePackage:
    """The package with Monte Carlo sources fitted to its models' reference depth doses."""
    models = [attrs.evolve(m, monte_carlo=fit_monte_carlo(m, package.machine)) for m in package.models]
    return attrs.evolve(package, models=tuple(models))


if __name__ == "__main__":
    main()
