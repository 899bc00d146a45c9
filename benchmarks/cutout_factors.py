"""Cutout factors of 157 published measurements, each predicted from all others of its machine, energy and applicator.

Usage::

    python benchmarks/cutout_factors.py FOLDER [--worst N]

FOLDER holds ``pymedphys_electron_factor_measured_data.csv`` (Biggs et al., doi 10.1016/j.ejmp.2015.11.002; pymedphys,
Apache-2.0). Its last column is dose open over dose cutout, the inverse of a cutout factor; all are of one institution
and of SSD 100 cm. Energies and applicators are never mixed.
"""

from __future__ import annotations

import argparse
import collections
import csv
from pathlib import Path

import numpy as np

from ert.dose.insert_model import LEAST_INSERTS, fit_insert_model

_FILE = "pymedphys_electron_factor_measured_data.csv"


def read_groups(folder: Path) -> dict[tuple[float, float, float], list[tuple[str, float, float, float]]]:
    """Label, width, length and cutout factor by energy, applicator and SSD."""
    groups = collections.defaultdict(list)
    with (folder / _FILE).open(newline="") as file:
        for label, width, length, energy, applicator, ssd, inverse in list(csv.reader(file))[1:]:
            key = float(energy), float(applicator), float(ssd)
            groups[key].append((label, float(width), float(length), 1.0 / float(inverse)))
    return dict(sorted(groups.items()))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--worst", type=int, default=5)
    options = parser.parse_args()
    residuals = []
    print("MeV  applicator  SSD   n   spread of factors  left out: SD    mean     max")
    for (energy, applicator, ssd), rows in read_groups(options.folder).items():
        head = f"{energy:3g}  {applicator:10g}  {ssd:3g} {len(rows):3d}"
        if len(rows) < LEAST_INSERTS:
            print(f"{head}   refused: fewer than {LEAST_INSERTS}")
            continue
        labels = [r[0] for r in rows]
        width, length, factor = np.array([r[1:] for r in rows]).T
        left_out = 100 * fit_insert_model(width, length, factor).leave_one_out
        residuals += [(abs(e), e, energy, applicator, name) for name, e in zip(labels, left_out.tolist(), strict=True)]
        print(
            f"{head}   {100 * np.std(np.log(factor), ddof=1):8.2f} %          {np.std(left_out, ddof=1):6.2f} % "
            f"{left_out.mean():+7.2f} % {np.abs(left_out).max():6.2f} %"
        )
    every = np.array([e for _, e, *_ in residuals])
    print(f"all {len(every)}: SD {np.std(every, ddof=1):.2f} %, within 1 %: {100 * np.mean(np.abs(every) <= 1):.0f} %")
    for _, error, energy, applicator, name in sorted(residuals, reverse=True)[: options.worst]:
        print(f"  {error:+.2f} %  {energy:g} MeV, applicator {applicator:g}: {name}")


if __name__ == "__main__":
    main()
