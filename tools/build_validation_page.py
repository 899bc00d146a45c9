"""Write docs/physics/validation.md and its plots from the records of the validation runs.

    python tools/build_validation_page.py                                # from the records in docs/physics/validation
    python tools/build_validation_page.py --measure ../shared/reference  # compute both analytic engines, then write
    python tools/build_validation_page.py --measure ../shared/reference --engines monte-carlo --options --cases '12MeV*'

Nothing in the page is typed by hand but its words. `tests/unit/reports/test_validation_page.py` fails when page, plots,
records, the demo machine and `NUMERICS_VERSION` do not belong together.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import attrs

from ert.domain.dose import NUMERICS_VERSION
from ert.reports.plot import LinePlot, Rgb, Series
from ert.reports.svg import drawing

ROOT = Path(__file__).resolve().parents[1]
PAGE = ROOT / "docs" / "physics" / "validation.md"
RECORDS = ROOT / "docs" / "physics" / "validation"
FORMAT = 1
PLOT_WIDTH_PT, PLOT_HEIGHT_PT = 236.0, 150.0


@attrs.frozen
class Engine:
    """One engine of the page: how it is called, drawn and measured."""

    title: str
    short: str
    colour: Rgb
    command: tuple[str, ...]


ENGINES = {
    "pencil-beam": Engine("Pencil beam", "pencil beam", (200, 0, 0), ("validate_pencil_beam.py",)),
    "pbra": Engine("Redefinition (PBRA)", "PBRA", (0, 90, 200), ("validate_pencil_beam.py", "--algorithm", "pbra")),
    "monte-carlo": Engine("Monte Carlo", "Monte Carlo", (0, 130, 60), ("validate_monte_carlo.py",)),
}
ANALYTIC = ("pencil-beam", "pbra")


@attrs.frozen
class Column:
    """One column of the tables: the key in the record, how it reads."""

    key: str
    head: str
    form: str


COLUMNS = (
    Column("gamma33", "γ 3 %/3 mm", "{:.2f}"),
    Column("gamma22", "γ 2 %/2 mm", "{:.2f}"),
    Column("gamma22_widened", "γ 2 %/2 mm, noise allowed", "{:.2f}"),
    Column("gamma42", "γ 4 %/2 mm", "{:.2f}"),
    Column("output", "output, axis", "{:.4f}"),
    Column("centre", "output, middle", "{:.4f}"),
    Column("dR50_mm", "ΔR50 mm", "{:+.2f}"),
    Column("dR90_mm", "ΔR90 mm", "{:+.2f}"),
    Column("noise_pct", "noise %", "{:.2f}"),
    Column("uncertainty_pct", "own noise %", "{:.2f}"),
    Column("chi2", "χ²", "{:.2f}"),
)
WORDS = """# Validation against Monte Carlo

The engines of the demo machine against EGSnrc doses of the same virtual head (noise 0.6–1.3 % of local dose in
the field). The machine was commissioned from depth doses, profiles and outputs of these fields; the phantoms with
bone or bolus (`B…`) were used for nothing.

Gamma: Low et al. 1998, global, per cent of the reference's maximum, voxels of matter above 10 %. Output:
computed over reference, mean over the axis voxels within 5 mm of the maximum, and over the middle 0.3 of the
field at the same depths, whose noise is several times smaller. R50 and R90 on the axis, computed minus
reference. Goals: 2 %/2 mm in 98 % of voxels and output within 1.5 % for openings of 4 cm and more, 3 % below;
R50 within 0.5 mm. **Bold** marks what misses them. Of the Monte Carlo, R50, R90 and output are of the mean over the
inner half of the field's width; χ² compares the difference with both standard errors (1 is noise alone). A figure
with ± was read from both doses alike over the same depths (`benchmarks/depth_figures.py`), ± one standard error that
the noise of both gives it.

## How it is made

One command computes every case and writes this page, its plots and the records behind them; it is not part of
continuous integration (minutes for the two analytic engines, some ten for Monte Carlo to 2 %):

    python tools/build_validation_page.py --measure REFERENCE
    python tools/build_validation_page.py --measure REFERENCE --engines monte-carlo

REFERENCE is the folder of reference doses (`cases.json`). Each engine's run alone, with a choice of cases:

    python benchmarks/validate_pencil_beam.py --reference REFERENCE --cases '12MeV*'
    python benchmarks/validate_pencil_beam.py --reference REFERENCE --cases '12MeV*' --algorithm pbra
    python benchmarks/validate_monte_carlo.py --reference REFERENCE --cases '12MeV*' --uncertainty 1.5

Without `--measure` the page is written from the records in `docs/physics/validation`. A test of the ordinary suite
fails when the page differs from what its records give, or when a record of the pencil beam or PBRA was made with other
numerics or another demo machine than the program's.
"""


def page_files(records: Path, numerics_version: int) -> dict[str, str]:
    """The page and its plots as they follow from the records: text by path relative to docs/physics."""
    found = [r for name in ENGINES if (r := read_record(records / f"{name}.json")) is not None]
    parts = [WORDS]
    for record in found:
        parts += [f"## {ENGINES[record['engine']].title}\n", provenance(record, numerics_version)]
        parts += [table(record["cases"]), summary(record["cases"])]
    parts.append(PLOT_WORDS)
    files = {}
    for name in sorted({c["case"] for r in found for c in r["cases"]}):
        shown = {r["engine"]: c["curves"] for r in found for c in r["cases"] if c["case"] == name}
        files[f"validation/{name}.svg"] = drawing(plots(shown))
        parts.append(f"### {name}\n\n![Curves of {name}](validation/{name}.svg)\n")
    return {"validation.md": "\n".join(parts)} | files


PLOT_WORDS = """## Curves

Dots are the reference, lines the engines, all in cGy/MU: nothing is scaled. Above: depth dose of the axis, crosslines
at the reference's depths of maximum and of half the maximum. Below, for each engine: the crossline through the place
where it differs most, the difference taken over 3 × 3 × 3 voxels in per cent of the reference's maximum.
"""


def read_record(path: Path) -> dict[str, Any] | None:
    """A record, or None where the engine was not measured."""
    if not path.is_file():
        return None
    record: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    if record.get("format") != FORMAT or record.get("engine") != path.stem:
        raise SystemExit(f"{path} is no record of {path.stem}: measure it again with --measure.")
    return record


def provenance(record: dict[str, Any], numerics_version: int) -> str:
    """What the figures were computed by; loud where the program computes otherwise by now."""
    settings = ", ".join(f"{k} {v if isinstance(v, str) else f'{v:g}'}" for k, v in sorted(record["settings"].items()))
    words = (
        f"Numerics {record['numerics_version']}, machine package {record['package_digest'][:12]}, {settings}; "
        f"{len(record['cases'])} case{'s' if len(record['cases']) != 1 else ''}.\n"
    )
    if record["numerics_version"] == numerics_version:
        return words
    return f"{words}\n**The program computes with numerics {numerics_version} now: these figures are out of date.**\n"


def table(rows: Sequence[dict[str, Any]]) -> str:
    """The figures of every case as a Markdown table, columns as far as the engine's run has them."""
    columns = [c for c in COLUMNS if c.key in rows[0]]
    lines = ["| case | " + " | ".join(c.head for c in columns) + " |", "|---" * (len(columns) + 1) + "|"]
    for row in rows:
        cells = [bold(figure(c, row), is_missed=misses_goal(c.key, row)) for c in columns]
        lines.append(f"| {row['case']} | " + " | ".join(cells) + " |")
    return "\n".join(lines) + "\n"


def figure(column: Column, row: dict[str, Any]) -> str:
    """A figure, with its standard error where the record has one."""
    text, error = column.form.format(row[column.key]), row.get(f"{column.key}_sigma")
    return text if error is None else f"{text} ± {column.form.format(error).lstrip('+')}"


def misses_goal(key: str, row: dict[str, Any]) -> bool:
    """Whether a figure misses the goal the page states for it."""
    name, value = str(row["case"]), row[key]
    if key in {"centre", "output"}:
        # The axis voxels are noisy: their output is judged only where no better one is there.
        limit = 0.03 if any(side in name for side in ("2x2", "3x3")) else 0.015
        return (key == "centre" or "centre" not in row) and abs(value - 1.0) > limit
    is_water = not name.startswith("B")
    return is_water and ((key == "gamma22" and value < 98.0) or (key == "dR50_mm" and abs(value) > 0.5))


def bold(text: str, *, is_missed: bool) -> str:
    """The text, in bold if a goal is missed."""
    return f"**{text}**" if is_missed else text


def summary(rows: Sequence[dict[str, Any]]) -> str:
    """The worst figures in words."""
    water = [r for r in rows if not str(r["case"]).startswith("B")]
    if not water:
        return "No field in water was computed.\n"
    worst = min(water, key=lambda r: float(r["gamma22"]))
    short = sum(r["gamma22"] < 98.0 for r in water)
    return (
        f"{len(water) - short} of {len(water)} water fields reach 98 % at 2 %/2 mm; the worst is {worst['case']} with "
        f"{worst['gamma22']:.2f} %.\n"
    )


def plots(shown: dict[str, dict[str, Any]]) -> list[list[LinePlot]]:
    """Two rows: the same lines of all engines, and each engine's worst place."""
    first = next(iter(shown.values()))
    above = [
        plot(shown, "depth", "z_cm", "Depth dose on the axis", "depth cm"),
        plot(shown, "maximum", "x_cm", f"Crossline at {first['maximum']['z_cm']:.1f} cm", "x cm"),
        plot(shown, "half", "x_cm", f"Crossline at {first['half']['z_cm']:.1f} cm", "x cm"),
    ]
    below = []
    for engine, curves in shown.items():
        worst = curves["worst"]
        title = (
            f"{ENGINES[engine].short}: {worst['difference_pct']:+.1f} % at x {worst['x_at_cm']:.1f}, "
            f"y {worst['y_at_cm']:.1f}, z {worst['z_at_cm']:.1f} cm"
        )
        below.append(plot({engine: curves}, "worst", "x_cm", title, "x cm"))
    return [above, below]


def plot(shown: dict[str, dict[str, Any]], line: str, along: str, title: str, x_label: str) -> LinePlot:
    """One line of the reference and of the engines."""
    first = next(iter(shown.values()))[line]
    series = [Series(name="reference", x=first[along], y=first["reference"], style="dots")]
    for engine, curves in shown.items():
        drawn = ENGINES[engine]
        series.append(Series(name=drawn.short, x=curves[line][along], y=curves[line]["computed"], colour=drawn.colour))
    return LinePlot(
        series, width_pt=PLOT_WIDTH_PT, height_pt=PLOT_HEIGHT_PT, x_label=x_label, y_label="cGy/MU", title=title,
        legend="below",
    )  # fmt: skip


def measure(reference: Path, engines: Sequence[str], more: Sequence[str]) -> None:
    """Run the validation of each engine into its record; `more` goes to the engine's benchmark as it is."""
    for name in engines:
        script, *options = (*ENGINES[name].command, *more)
        record = RECORDS / f"{name}.json"
        command = [sys.executable, str(ROOT / "benchmarks" / script), "--reference", str(reference), *options]
        subprocess.run([*command, "--json", str(record)], check=True, cwd=ROOT)


def write(files: dict[str, str]) -> None:
    """Write page and plots; plots of cases that are no longer there go."""
    for old in RECORDS.glob("*.svg"):
        old.unlink()
    for name, text in files.items():
        (PAGE.parent / name).write_text(text, encoding="utf-8")


def main() -> None:
    """Measure if asked, then write the page."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--measure", type=Path, metavar="REFERENCE", help="compute the cases of this folder first")
    parser.add_argument("--engines", nargs="+", choices=sorted(ENGINES), default=list(ANALYTIC))
    parser.add_argument(
        "--options", nargs=argparse.REMAINDER, default=[],
        help="last: for the engine's benchmark, such as --options --cases '12MeV*' --uncertainty 1.5",
    )  # fmt: skip
    chosen = parser.parse_args()
    if chosen.measure is not None:
        measure(chosen.measure.resolve(), chosen.engines, chosen.options)
    files = page_files(RECORDS, NUMERICS_VERSION)
    write(files)
    sys.stdout.write(f"{PAGE} and {len(files) - 1} plots\n")


if __name__ == "__main__":
    main()
