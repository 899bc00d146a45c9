"""Commissioning as a job: beam data folder → machine package, PDF report, summary; all of it or nothing."""

from __future__ import annotations

import datetime as dt
import tempfile
from collections.abc import Callable, Sequence
from importlib import metadata
from pathlib import Path
from typing import Any

from ert.app.machine_service import acceptance_summary, measured_summary
from ert.commissioning.commission import commission
from ert.commissioning.package import write_package
from ert.domain.commissioning import (
    CheckComparison,
    CommissioningReport,
    CurveComparison,
    EnergyReport,
    OutputComparison,
)
from ert.errors import InvalidBeamData, StorageFailed
from ert.reports.model_figures import check_top_cgy, worst_after_shift_pct


def _no_progress(_fraction: float, _text: str = "") -> None:
    return None


def commission_machine(
    folder: Path,
    *,
    out: Path,
    energies_mev: Sequence[float] | None = None,
    report: Path | None = None,
    is_demo: bool = False,
    machine_name: str | None = None,
    now: dt.datetime | None = None,
    progress: Callable[[float, str], None] = _no_progress,
    check: Callable[[], None] | None = None,
) -> dict[str, Any]:
    """Fit every energy of a beam data folder, write package and report, return the JSON summary.

    Parameters
    ----------
    folder, energies_mev, is_demo, machine_name, check : as `ert.commissioning.commission.commission`.
    out : machine package to write; must not exist, or be an empty folder.
    report : PDF to write; replaced if it exists.
    now : printed in the report.

    Raises
    ------
    InvalidBeamData
        The beam data cannot be used, or ``out`` is taken. Nothing was written then.
    StorageFailed
        Package or report cannot be written.
    """
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise InvalidBeamData(f"'{out}' exists already.", hint="Name a new folder; packages are never overwritten.")
    progress(0.0, "Fitting beam models")
    made = commission(
        folder,
        energies_mev=energies_mev,
        is_demo=is_demo,
        machine_name=machine_name,
        progress=lambda done: progress(0.95 * done, "Fitting beam models"),
        check=check,
    )
    pdf = None if report is None else report_pdf(made.report, now or dt.datetime.now(tz=dt.UTC).astimezone())
    try:
        write_package(out, made.package)
        if report is not None and pdf is not None:
            write_file(report, pdf)
    except OSError as error:
        raise StorageFailed(f"The results cannot be written: {error.strerror}.", detail=repr(error)) from error
    progress(1.0, "Done")
    return {
        "machine": made.package.machine.name,
        "package": str(out),
        "package_digest": made.package.digest,
        "report": None if report is None else str(report),
        "is_demo": made.package.is_demo,
        "energies": [_energy(e) for e in made.report.energies],
        "effective_ssd": [
            {
                "energy_mev": table.energy_mev,
                "field": e.field.name,
                "effective_ssd_cm": e.effective_ssd_cm,
                "sigma_cm": e.sigma_cm,
                "worst_residual_percent": e.worst_residual_pct,
            }
            for table in made.package.output_tables
            for e in table.effective_ssds
        ],
    }


def report_pdf(report: CommissioningReport, now: dt.datetime) -> bytes:
    """The commissioning report as a PDF."""
    from ert.reports.model_report import model_report_pdf  # noqa: PLC0415 - fonts and drawings only where wanted

    return model_report_pdf(report, software=f"ERT {metadata.version('ert')}", printed_at=now)


def write_file(path: Path, content: bytes) -> None:
    """Write a file whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=path.parent, prefix=".report-") as place:
        temporary = Path(place) / path.name
        temporary.write_bytes(content)
        temporary.replace(path)


def _energy(energy: EnergyReport) -> dict[str, Any]:
    summary = _engine(energy)
    if energy.redefinition is not None:
        summary["pbra"] = _engine(energy.redefinition)
    return summary


def _engine(energy: EnergyReport) -> dict[str, Any]:
    return {
        "energy_mev": energy.energy_mev,
        "model_digest": energy.model_digest,
        "depths_cm": {d.name: {"measured": d.measured_cm, "computed": d.computed_cm} for d in energy.depths},
        "curves": [_curve(c) for c in energy.curves],
        "outputs": [_output(o) for o in energy.outputs],
        "identity_error_percent": energy.identity_error_pct,
        "valid_ssd_cm": [energy.ssd_min_cm, energy.ssd_max_cm],
        "smallest_cutout_side_cm": energy.min_side_cm,
        **measured_summary(energy.measured_range),
        "limits": list(energy.limits),
        "checks": [_check(c) for c in energy.checks],
        "acceptance": [acceptance_summary(t) for t in energy.acceptance],
    }


def _check(check: CheckComparison) -> dict[str, Any]:
    top = check_top_cgy(check)
    return {
        "name": check.name,
        "kind": check.kind,
        "phantom": check.phantom,
        "refusal": check.refusal or None,
        "lines": [_curve(c) | {"worst_percent": worst_after_shift_pct(c, top)} for c in check.curves],
    }


def _curve(curve: CurveComparison) -> dict[str, Any]:
    return {
        "name": curve.name,
        "file": curve.file,
        "kind": curve.kind,
        "axis": curve.axis or None,
        "depth_cm": curve.depth_cm if curve.kind == "profile" else None,
        "applicator": curve.applicator_id,
        "cutout": curve.cutout,
        "ssd_cm": curve.ssd_cm,
        "gamma_2_2_percent": curve.gamma_2_2_pct,
        "gamma_3_3_percent": curve.gamma_3_3_pct,
    }


def _output(output: OutputComparison) -> dict[str, Any]:
    return {
        "name": output.name,
        "applicator": output.applicator_id,
        "cutout": output.cutout,
        "ssd_cm": output.ssd_cm,
        "measured_cgy_per_mu": output.measured_cgy_per_mu,
        "computed_cgy_per_mu": output.computed_cgy_per_mu,
        "ratio": output.computed_cgy_per_mu / output.measured_cgy_per_mu,
    }
