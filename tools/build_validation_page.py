"""Write docs/physics/validation.md from the figures of ``benchmarks/validate_pencil_beam.py``.

    python benchmarks/validate_pencil_beam.py --reference REFERENCE --json pencil-beam.json
    python benchmarks/validate_pencil_beam.py --reference REFERENCE --algorithm pbra --json pbra.json
    python tools/build_validation_page.py pencil-beam.json pbra.json

Nothing in the page is typed by hand but its words.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

from ert.domain.dose import NUMERICS_VERSION

PAGE = Path(__file__).resolve().parents[1] / "docs" / "physics" / "validation.md"
HEAD = (
    "case",
    "γ 3 %/3 mm",
    "γ 2 %/2 mm",
    "γ 4 %/2 mm",
    "output, axis",
    "output, middle",
    "ΔR50 mm",
    "ΔR90 mm",
    "noise %",
)
WORDS = """# Validation against Monte Carlo

Both engines of the demo machine against EGSnrc doses of the same virtual head (noise 0.6–1.3 % of local dose in
the field), numerics {version}. The machine was commissioned from depth doses, profiles and outputs of these
fields; the two inhomogeneous phantoms (`B…`) were used for nothing.

Gamma: Low et al. 1998, global, per cent of the reference's maximum, voxels of matter above 10 %. Output:
computed over reference, mean over the axis voxels within 5 mm of the maximum, and over the middle 0.3 of the
field at the same depths, whose noise is several times smaller. R50 and R90 on the axis, computed minus
reference. Goals: 2 %/2 mm in 98 % of voxels and output within 1.5 % for openings of 4 cm and more, 3 % below;
R50 within 0.5 mm. **Bold** marks what misses them.

This page is written by `tools/build_validation_page.py` from what `benchmarks/validate_pencil_beam.py`
measured.
"""
TITLES = {"pencil-beam": "Pencil beam", "pbra": "Redefinition (PBRA)"}


def main() -> None:
    """Write the page."""
    parts = [WORDS.format(version=NUMERICS_VERSION)]
    for name in sys.argv[1:]:
        path = Path(name)
        rows = sorted(json.loads(path.read_text(encoding="utf-8")), key=lambda r: str(r["case"]))
        parts += [f"## {TITLES[path.stem]}\n", table(rows), summary(rows)]
    PAGE.write_text("\n".join(parts), encoding="utf-8")
    sys.stdout.write(f"{PAGE}\n")


def table(rows: list[dict[str, Any]]) -> str:
    """The figures of every case as a Markdown table."""
    lines = ["| " + " | ".join(HEAD) + " |", "|---" * len(HEAD) + "|"]
    lines += ["| " + " | ".join(cells(r)) + " |" for r in rows]
    return "\n".join(lines) + "\n"


def cells(row: dict[str, Any]) -> list[str]:
    """One line; what misses a goal in bold."""
    is_water = not str(row["case"]).startswith("B")
    limit = 0.03 if any(side in row["case"] for side in ("2x2", "3x3")) else 0.015
    return [
        str(row["case"]),
        f"{row['gamma33']:.2f}",
        bold(f"{row['gamma22']:.2f}", is_missed=is_water and row["gamma22"] < 98.0),
        f"{row['gamma42']:.2f}",
        f"{row['output']:.4f}",
        bold(f"{row['centre']:.4f}", is_missed=abs(row["centre"] - 1.0) > limit),
        bold(f"{row['dR50_mm']:+.2f}", is_missed=is_water and abs(row["dR50_mm"]) > 0.5),
        f"{row['dR90_mm']:+.2f}",
        f"{row['noise_pct']:.2f}",
    ]


def bold(text: str, *, is_missed: bool) -> str:
    """The text, in bold if a goal is missed."""
    return f"**{text}**" if is_missed else text


def summary(rows: list[dict[str, Any]]) -> str:
    """The worst figures in words."""
    water = [r for r in rows if not str(r["case"]).startswith("B")]
    worst = min(water, key=lambda r: float(r["gamma22"]))
    short = sum(r["gamma22"] < 98.0 for r in water)
    return (
        f"{len(water) - short} of {len(water)} water fields reach 98 % at 2 %/2 mm; the worst is {worst['case']} with "
        f"{worst['gamma22']:.2f} %.\n"
    )


if __name__ == "__main__":
    main()
