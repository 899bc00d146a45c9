"""Write docs/physics/validation.md from the figures of the programs that validate the engines.

    python benchmarks/validate_pencil_beam.py --reference REFERENCE --json pencil-beam.json
    python benchmarks/validate_pencil_beam.py --reference REFERENCE --algorithm pbra --json pbra.json
    python benchmarks/validate_monte_carlo.py --reference REFERENCE --json monte-carlo.json
    python tools/build_validation_page.py pencil-beam.json pbra.json monte-carlo.json

The section of an engine whose file is not given stays as it is. Nothing in the page is typed by hand but its words.
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
MONTE_CARLO_HEAD = (
    "case",
    "γ 2 %/2 mm",
    "γ widened",
    "output",
    "ΔR50 mm",
    "ΔR90 mm",
    "χ²",
    "uncertainty %",
    "10³ histories",
)
WORDS = """# Validation against Monte Carlo

The engines of the demo machine against EGSnrc doses of the same virtual head (noise 0.6–1.3 % of local dose in
the field), numerics {version}. The machine was commissioned from depth doses, profiles and outputs of these
fields; the two inhomogeneous phantoms (`B…`) were used for nothing.

Gamma: Low et al. 1998, global, per cent of the reference's maximum, voxels of matter above 10 %. Output:
computed over reference, mean over the axis voxels within 5 mm of the maximum, and over the middle 0.3 of the
field at the same depths, whose noise is several times smaller. R50 and R90 on the axis, computed minus
reference. Goals: 2 %/2 mm in 98 % of voxels and output within 1.5 % for openings of 4 cm and more, 3 % below;
R50 within 0.5 mm. **Bold** marks what misses them.

This page is written by `tools/build_validation_page.py` from what `benchmarks/validate_pencil_beam.py` and
`benchmarks/validate_monte_carlo.py` measured.
"""
MONTE_CARLO_WORDS = """The source was fitted to the reference depth dose alone; outputs, cutouts and distances come out.
γ widened: the dose criterion plus one standard deviation of the reference, whose noise plain gamma counts as
difference. Output, R50 and R90: mean over the inner half of the field's width. χ²: mean square of the difference over
both standard errors, voxels above half of the maximum; 1 would be noise alone. Goals: γ widened 99 % (`B…` 98 %),
output within 1 % (2×2: 2 %), R50 within 0.5 mm, R90 within 0.7 mm in water. Fields not listed were not computed.
"""
TITLES = {"pencil-beam": "Pencil beam", "pbra": "Redefinition (PBRA)", "monte-carlo": "Monte Carlo"}


def main() -> None:
    """Write the page."""
    sections = kept()
    for name in sys.argv[1:]:
        path = Path(name)
        rows = sorted(json.loads(path.read_text(encoding="utf-8")), key=lambda r: str(r["case"]))
        title = TITLES[path.stem]
        parts = (
            [MONTE_CARLO_WORDS, monte_carlo_table(rows)] if path.stem == "monte-carlo" else [table(rows), summary(rows)]
        )
        sections[title] = "\n".join([f"## {title}\n", *parts])
    ordered = [sections[t] for t in TITLES.values() if t in sections]
    PAGE.write_text("\n".join([WORDS.format(version=NUMERICS_VERSION), *ordered]), encoding="utf-8")
    sys.stdout.write(f"{PAGE}\n")


def kept() -> dict[str, str]:
    """Sections of the page as it is, by their titles."""
    _, *parts = PAGE.read_text(encoding="utf-8").split("\n## ")
    return {part.split("\n", 1)[0]: f"## {part.rstrip()}\n" for part in parts}


def monte_carlo_table(rows: list[dict[str, Any]]) -> str:
    """The Monte Carlo's figures of every case as a Markdown table; what misses a goal in bold."""
    lines = ["| " + " | ".join(MONTE_CARLO_HEAD) + " |", "|---" * len(MONTE_CARLO_HEAD) + "|"]
    for row in rows:
        case, is_water = str(row["case"]), not str(row["case"]).startswith("B")
        output = 0.02 if "2x2" in case else 0.01
        texts = [
            case,
            f"{row['gamma22']:.2f}",
            bold(f"{row['gamma22_widened']:.2f}", is_missed=row["gamma22_widened"] < (99.0 if is_water else 98.0)),
            bold(f"{row['output']:.4f}", is_missed=is_water and abs(row["output"] - 1.0) > output),
            bold(f"{row['dR50_mm']:+.2f}", is_missed=is_water and abs(row["dR50_mm"]) > 0.5),
            bold(f"{row['dR90_mm']:+.2f}", is_missed=is_water and abs(row["dR90_mm"]) > 0.7),
            f"{row['chi2']:.2f}",
            f"{row['uncertainty_pct']:.2f}",
            f"{row['histories'] / 1000:.0f}",
        ]
        lines.append("| " + " | ".join(texts) + " |")
    return "\n".join(lines) + "\n"


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
