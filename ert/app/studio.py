"""Commissioning on screen: one beam data folder, one fit at a time, and what came of it. Qt-free; on one thread."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import attrs
import numpy as np
from numpy.typing import NDArray

from ert.app.commissioning_service import report_pdf, write_file
from ert.app.jobs import Job, JobContext, Jobs, Lane
from ert.commissioning.beam_data import read_beam_data
from ert.commissioning.commission import Commissioned, commission
from ert.commissioning.difference import compare_packages
from ert.commissioning.fit import FitStep
from ert.commissioning.measured import BeamData, CheckLine, Curve, EnergyData
from ert.commissioning.package import write_package
from ert.domain.beam_model import MachinePackage
from ert.domain.commissioning import CurveComparison, EnergyReport
from ert.domain.model_difference import PackageDifference
from ert.errors import Refused

Float = NDArray[np.float64]
__all__ = ["BeamData", "Commissioned", "FitStep", "MeasuredLine", "Studio", "computed_lines", "measured_lines"]


@attrs.frozen(kw_only=True)
class MeasuredLine:
    """A measured curve of the fit or a line of a phantom check, ready to be listed and drawn.

    Attributes
    ----------
    name : as in the report's comparisons.
    is_along_depth : the position is a depth; else it runs across the beam.
    position_cm, dose, sigma : the points.
    """

    name: str
    file: str
    is_along_depth: bool
    position_cm: Float
    dose: Float
    sigma: Float


def measured_lines(energy: EnergyData) -> tuple[MeasuredLine, ...]:
    """Everything measured along lines at one energy: curves of the fit, then those of the checks."""
    named: list[tuple[str, bool, Curve | CheckLine]] = [(c.name, c.kind == "depth_dose", c) for c in energy.curves]
    named += [(f"{c.name}, {line.name}", line.along == "depth", line) for c in energy.checks for line in c.lines]
    return tuple(
        MeasuredLine(
            name=name, file=c.file, is_along_depth=is_depth, position_cm=c.position_cm, dose=c.dose, sigma=c.sigma
        )
        for name, is_depth, c in named
    )


def computed_lines(report: EnergyReport) -> dict[str, CurveComparison]:
    """Every comparison of an energy by name: curves of the fit and of the checks."""
    return {c.name: c for c in (*report.curves, *(line for check in report.checks for line in check.curves))}


class Studio:
    """The measured data that are open and the models fitted to them.

    Attributes
    ----------
    data : the open beam data; None before.
    result : the newest complete fit of `data`; None before, and from the moment other data are opened.
    step : the newest improvement of the fit under way; None while none runs.
    """

    def __init__(self, jobs: Jobs) -> None:
        self._jobs = jobs
        self._folder: Path | None = None
        self._job: Job[Any] | None = None
        self.data: BeamData | None = None
        self.result: Commissioned | None = None
        self.step: FitStep | None = None

    @property
    def is_busy(self) -> bool:
        """True while something is read or fitted."""
        return self._job is not None and not self._job.state.is_final

    def open(
        self, folder: Path, *, on_done: Callable[[], None], on_failed: Callable[[BaseException], None]
    ) -> Job[BeamData]:
        """Read a beam data folder; what was open before stays until it is read."""

        def arrived(data: BeamData) -> None:
            self._folder, self.data, self.result = folder, data, None
            on_done()

        job = self._jobs.submit(
            Lane.IO, lambda _ctx: read_beam_data(folder), title="Reading beam data", on_done=arrived,
            on_failed=on_failed,
        )  # fmt: skip
        self._job = job
        return job

    def fit(
        self,
        energies_mev: Sequence[float],
        *,
        is_demo: bool,
        on_step: Callable[[], None],
        on_done: Callable[[], None],
        on_failed: Callable[[BaseException], None],
        on_cancelled: Callable[[], None],
    ) -> Job[Commissioned]:
        """Fit the chosen energies on the dose lane; `step` and `on_step` follow every improvement.

        Raises
        ------
        Refused
            No beam data are open, or no energy was chosen.
        """
        folder = self._folder
        if folder is None:
            raise Refused("No beam data are open.", hint="Open a beam data folder first.")
        if not energies_mev:
            raise Refused("No energy is chosen.", hint="Tick at least one.")

        def work(ctx: JobContext) -> Commissioned:
            total = len(energies_mev)

            def stepped(step: FitStep) -> None:
                self.step = step
                number = list(energies_mev).index(step.energy_mev)
                ctx.progress(number / total, f"{step.energy_mev:g} MeV, χ² per point {step.cost_per_point:.2f}")

            return commission(
                folder, energies_mev=tuple(energies_mev), is_demo=is_demo, check=ctx.check, on_step=stepped
            )

        def finished(result: Commissioned) -> None:
            self.result, self.step = result, None
            on_done()

        def failed(error: BaseException) -> None:
            self.step = None
            on_failed(error)

        def cancelled() -> None:
            self.step = None
            on_cancelled()

        job = self._jobs.submit(
            Lane.DOSE,
            work,
            title="Fitting beam models",
            supersedes="commissioning",
            on_done=finished,
            on_failed=failed,
            on_cancelled=cancelled,
            on_progress=lambda _fraction, _text: on_step(),
        )
        self._job = job
        return job

    def cancel(self) -> None:
        """Stop what is under way; results so far stay."""
        if self._job is not None:
            self._job.cancel()

    def package(self) -> MachinePackage:
        """The fitted machine package; `Refused` if there is none."""
        return self._fitted().package

    def save_package(self, path: Path) -> None:
        """Write the package as a new folder; `InvalidBeamData` if the folder is taken."""
        write_package(path, self.package())

    def save_report(self, path: Path, *, energy_mev: float | None = None, now: dt.datetime | None = None) -> None:
        """Write the PDF report of one energy, or of all."""
        report = self._fitted().report
        if energy_mev is not None:
            chosen = tuple(e for e in report.energies if e.energy_mev == energy_mev)
            report = attrs.evolve(report, energies=chosen)
        write_file(path, report_pdf(report, now or dt.datetime.now(tz=dt.UTC).astimezone()))

    def difference_from(self, earlier: MachinePackage) -> PackageDifference:
        """What the fitted package changes against an earlier one. Computes dose: call it on the dose lane."""
        return compare_packages(earlier, self.package())

    def _fitted(self) -> Commissioned:
        if self.result is None:
            raise Refused("No beam model is fitted yet.", hint="Choose energies and fit.")
        return self.result
