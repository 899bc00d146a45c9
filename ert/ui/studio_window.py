"""The commissioning studio: open beam data, fit with every curve in view, judge, report, take into the site."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from PySide6.QtCore import Qt, Signal
from PySide6.QtGui import QCloseEvent, QColor
from PySide6.QtWidgets import (
    QCheckBox,
    QDialog,
    QFileDialog,
    QHBoxLayout,
    QHeaderView,
    QLineEdit,
    QProgressBar,
    QSplitter,
    QTabWidget,
    QTreeWidget,
    QTreeWidgetItem,
    QVBoxLayout,
    QWidget,
)

from ert.app.jobs import Lane
from ert.app.session import SiteSession
from ert.app.studio import MeasuredLine, Studio, computed_lines, measured_lines
from ert.domain.beam_model import measured_text
from ert.domain.commissioning import CurveComparison, EnergyReport
from ert.domain.model_difference import PackageDifference
from ert.errors import ErtError
from ert.ui.failures import sentence_of
from ert.ui.plots import MeasuredPlot
from ert.ui.scans_dialog import ScansDialog
from ert.ui.studio_tables import AcceptanceTable, DifferenceTable, OutputTable, ParameterTable
from ert.ui.theme import BAD, GOOD, WARN
from ert.ui.widgets import MessageStrip, dim_label, push_button, text_label

_CURVE_ROLE = Qt.ItemDataRole.UserRole
_GOOD_PCT, _FAIR_PCT = 98.0, 95.0


class StudioWindow(QDialog):
    """Commissioning on one screen.

    Signals
    -------
    package_saved(path) : a machine package was written and is wanted in the site.
    """

    package_saved = Signal(Path)

    def __init__(self, session: SiteSession, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._session = session
        self.studio = Studio(session.jobs)
        self.setWindowTitle("Commissioning studio")
        self.setWindowFlag(Qt.WindowType.WindowMaximizeButtonHint)
        self.resize(1280, 760)
        self.source = QLineEdit()
        self.source.setReadOnly(True)
        self.source.setAccessibleName("Beam data folder")
        self.source.setPlaceholderText("Open a beam data folder: beam_data.toml and the curves it lists")
        self.open_button = push_button("Open…", "folder", "Open a beam data folder", is_default=True)
        self.scans_button = push_button("From scans…", "import", "Make a beam data folder from scanner files")
        self.energies: dict[float, QCheckBox] = {}
        self.fit_button = push_button("Fit", "compute", "Fit beam models to the ticked energies")
        self.stop_button = push_button("Stop", "cancel", "Stop the fit; nothing is lost but this fit")
        self.progress, self.progress_text = QProgressBar(), text_label()
        self.curves = QTreeWidget()
        self.plot = MeasuredPlot()
        self.acceptance, self.outputs, self.parameters = AcceptanceTable(), OutputTable(), ParameterTable()
        self.difference, self.limits = DifferenceTable(), dim_label()
        self.message = MessageStrip()
        self.report_button = push_button("Report…", "report", "Write a PDF with every curve of this energy")
        self.save_button = push_button("Save package…", "save", "Write the machine package as a new folder")
        self.take_button = push_button("Take into site…", "import", "Write the package and add it to this site")
        self._ticks = QHBoxLayout()
        self._build()
        self._refresh()

    # ---- layout --------------------------------------------------------------------------------------------------

    def _build(self) -> None:
        top = QHBoxLayout()
        top.addWidget(self.source, 1)
        top.addWidget(self.open_button)
        top.addWidget(self.scans_button)
        running = QHBoxLayout()
        running.addLayout(self._ticks)
        running.addWidget(self.fit_button)
        running.addWidget(self.stop_button)
        running.addWidget(self.progress)
        running.addWidget(self.progress_text)
        running.addStretch(1)
        self.progress.setRange(0, 0)  # a fit cannot say how far it is
        self.progress.setFixedWidth(220)
        self.curves.setHeaderLabels(["Measured curve", "γ 3/3", "γ 2/2"])
        self.curves.setAccessibleName("Measured curves")
        header = self.curves.header()
        header.setStretchLastSection(False)
        header.setSectionResizeMode(0, QHeaderView.ResizeMode.Stretch)
        for column in (1, 2):
            header.setSectionResizeMode(column, QHeaderView.ResizeMode.ResizeToContents)
        tabs = QTabWidget()
        for title, page in (
            ("Acceptance", self.acceptance),
            ("Outputs", self.outputs),
            ("Parameters", self.parameters),
            ("Changes", self.difference),
        ):
            tabs.addTab(page, title)
        self.tabs = tabs
        middle = QSplitter(Qt.Orientation.Vertical)
        middle.addWidget(self.plot)
        middle.addWidget(tabs)
        middle.setSizes([430, 280])
        whole = QSplitter()
        whole.addWidget(self.curves)
        whole.addWidget(middle)
        whole.setSizes([430, 850])
        buttons = QHBoxLayout()
        buttons.addWidget(self.limits, 1)
        for button in (self.report_button, self.save_button, self.take_button):
            buttons.addWidget(button)
        layout = QVBoxLayout(self)
        layout.addLayout(top)
        layout.addLayout(running)
        layout.addWidget(self.message)
        layout.addWidget(whole, 1)
        layout.addLayout(buttons)
        self.open_button.clicked.connect(self._choose_folder)
        self.scans_button.clicked.connect(self.open_scans)
        self.fit_button.clicked.connect(self.start_fit)
        self.stop_button.clicked.connect(self.stop_fit)
        self.report_button.clicked.connect(self._choose_report)
        self.save_button.clicked.connect(lambda: self._choose_package(is_for_site=False))
        self.take_button.clicked.connect(lambda: self._choose_package(is_for_site=True))
        self.curves.currentItemChanged.connect(lambda _now, _before: self._show_curve())

    # ---- data ----------------------------------------------------------------------------------------------------

    def _choose_folder(self) -> None:
        chosen = QFileDialog.getExistingDirectory(self, "Beam data folder (with beam_data.toml)")
        if chosen:
            self.open_folder(Path(chosen))

    def open_scans(self) -> None:
        """Make a beam data folder from scanner files and open it."""
        dialog = ScansDialog(self._session.jobs, self)
        dialog.assembled.connect(self.open_folder)
        dialog.open()

    def open_folder(self, folder: Path) -> None:
        """Read a beam data folder, in the background."""
        self.message.clear()
        self.source.setText(str(folder))
        self.studio.open(folder, on_done=self._opened, on_failed=self._failed)
        self._refresh()

    def _opened(self) -> None:
        data = self.studio.data
        for tick in self.energies.values():
            self._ticks.removeWidget(tick)
            tick.deleteLater()
        self.energies = {}
        for energy in () if data is None else data.energies:
            tick = QCheckBox(f"{energy.energy_mev:g} MeV")
            tick.setChecked(True)
            self.energies[energy.energy_mev] = tick
            self._ticks.addWidget(tick)
        self._fill_curves()
        self._refresh()

    def _fill_curves(self) -> None:
        """One branch an energy; after a fit with the pass rates."""
        self.curves.clear()
        data, first = self.studio.data, None
        for energy in () if data is None else data.energies:
            report = self._report(energy.energy_mev)
            branch = QTreeWidgetItem(self.curves, [f"{energy.energy_mev:g} MeV"])
            branch.setExpanded(True)
            rates = {} if report is None else computed_lines(report)
            for curve in measured_lines(energy):
                item = QTreeWidgetItem(branch, [curve.name])
                item.setData(0, _CURVE_ROLE, (energy.energy_mev, curve))
                item.setToolTip(0, curve.file)
                _show_rates(item, rates.get(curve.name))
                first = first or item
            for text in energy.missing:
                QTreeWidgetItem(branch, [text]).setForeground(0, QColor(WARN))
        if first is not None:
            self.curves.setCurrentItem(first)

    # ---- fit -----------------------------------------------------------------------------------------------------

    def start_fit(self) -> None:
        """Fit the ticked energies, in the background."""
        wanted = [energy for energy, tick in self.energies.items() if tick.isChecked()]
        self.message.clear()
        try:
            self.studio.fit(
                wanted, is_demo=False, on_step=self._stepped, on_done=self._fitted, on_failed=self._failed,
                on_cancelled=self._cancelled,
            )  # fmt: skip
        except ErtError as error:
            self.message.show_error(str(error))
        self._refresh()

    def stop_fit(self) -> None:
        """Stop it at its next step; until then the button says so."""
        self.stop_button.setEnabled(False)
        self.stop_button.setText("Stopping…")
        self.studio.cancel()

    def _stepped(self) -> None:
        step = self.studio.step
        if step is None:
            return
        self.progress_text.setText(
            f"{step.energy_mev:g} MeV: {step.evaluations} evaluations, χ² per point {step.cost_per_point:.2f}"
        )
        self._show_curve()

    def _fitted(self) -> None:
        self._fill_curves()
        self._refresh()
        self.tabs.setCurrentWidget(self.acceptance)
        self._compare()

    def _compare(self) -> None:
        """Compare with the newest package of that machine the site has, on the dose lane."""
        result = self.studio.result
        name = "" if result is None else result.package.machine.name
        earlier = next((p for p in reversed(self._session.machines()) if p.machine.name == name), None)
        if earlier is None:
            return
        self._session.jobs.submit(
            Lane.DOSE,
            lambda _ctx: self.studio.difference_from(earlier),
            title="Comparing with the site's model",
            on_done=self._compared,
            on_failed=self._failed,
        )

    def _compared(self, found: PackageDifference) -> None:
        self.difference.show_difference(found)

    def _cancelled(self) -> None:
        self.message.show_note("The fit was stopped; the beam data are as they were.")
        self._refresh()

    def _failed(self, error: BaseException) -> None:
        self.message.show_error(sentence_of(error))
        self._refresh()

    # ---- showing -------------------------------------------------------------------------------------------------

    def _report(self, energy_mev: float) -> EnergyReport | None:
        result = self.studio.result
        found = () if result is None else result.report.energies
        return next((e for e in found if e.energy_mev == energy_mev), None)

    def _chosen(self) -> tuple[float, MeasuredLine] | None:
        item = self.curves.currentItem()
        found: tuple[float, MeasuredLine] | None = None if item is None else item.data(0, _CURVE_ROLE)
        return found

    def _show_curve(self) -> None:
        chosen = self._chosen()
        if chosen is None:
            self.plot.show_nothing()
            return
        energy_mev, curve = chosen
        report, step = self._report(energy_mev), self.studio.step
        computed, measured, sigma = None, curve.dose, curve.sigma
        if step is not None and step.energy_mev == energy_mev:
            for fitted, values in zip(step.curves, step.computed_cgy_per_mu, strict=True):
                if fitted.name == curve.name:
                    computed, measured, sigma = values, fitted.dose, fitted.sigma
        elif report is not None:
            same = computed_lines(report).get(curve.name)
            if same is not None:
                computed, measured = same.computed_cgy_per_mu, same.measured_cgy_per_mu
                sigma = same.sigma_cgy_per_mu
        engine = "" if computed is None else " (line: pencil beam)"
        self.plot.show_curve(
            curve.position_cm, measured, sigma, computed, title=f"{energy_mev:g} MeV, {curve.name}{engine}",
            x_label="Depth" if curve.is_along_depth else "Off-axis position",
        )  # fmt: skip
        for view in (self.acceptance, self.outputs, self.parameters):
            view.show_report(report)
        self.limits.setText("" if report is None else _limits_text(report))

    def _refresh(self) -> None:
        """What can be done now."""
        is_busy, has_result = self.studio.is_busy, self.studio.result is not None
        self.open_button.setEnabled(not is_busy)
        self.scans_button.setEnabled(not is_busy)
        self.fit_button.setEnabled(self.studio.data is not None and not is_busy)
        self.stop_button.setVisible(is_busy)
        self.progress.setVisible(is_busy)
        self.progress_text.setVisible(is_busy)
        if not is_busy:
            self.progress_text.clear()
            self.stop_button.setEnabled(True)
            self.stop_button.setText("Stop")
        for button in (self.report_button, self.save_button, self.take_button):
            button.setEnabled(has_result and not is_busy)
        self._show_curve()

    # ---- keeping -------------------------------------------------------------------------------------------------

    def _choose_report(self) -> None:
        chosen = self._chosen()
        energy_mev = None if chosen is None else chosen[0]
        name = "commissioning.pdf" if energy_mev is None else f"commissioning_{energy_mev:g}MeV.pdf"
        path, _ = QFileDialog.getSaveFileName(self, "Commissioning report", name, "PDF (*.pdf)")
        if path:
            self._write(lambda: self.studio.save_report(Path(path), energy_mev=energy_mev), f"Written: {path}")

    def _choose_package(self, *, is_for_site: bool) -> None:
        path, _ = QFileDialog.getSaveFileName(self, "New folder for the machine package", "machine")
        if path:
            self.save_package(Path(path), is_for_site=is_for_site)

    def save_package(self, path: Path, *, is_for_site: bool) -> None:
        """Write the package as a new folder; then ask for it to be taken into the site, if wanted."""

        def written() -> None:
            if is_for_site:
                self.package_saved.emit(path)

        self._write(lambda: self.studio.save_package(path), f"The machine package is in {path}.", written)

    def _write(self, work: Callable[[], None], note: str, then: Callable[[], None] = lambda: None) -> None:
        def done(_nothing: None) -> None:
            self.message.show_note(note)
            then()

        self._session.jobs.submit(
            Lane.IO, lambda _ctx: work(), title="Writing", on_done=done, on_failed=self._failed
        )  # fmt: skip

    def closeEvent(self, event: QCloseEvent) -> None:
        """Stop what is under way."""
        self.studio.cancel()
        super().closeEvent(event)


def _show_rates(item: QTreeWidgetItem, curve: CurveComparison | None) -> None:
    if curve is None:
        return
    for column, rate in ((1, curve.gamma_3_3_pct), (2, curve.gamma_2_2_pct)):
        item.setText(column, f"{rate:.1f} %")
        item.setTextAlignment(column, Qt.AlignmentFlag.AlignRight)
        colour = GOOD if rate >= _GOOD_PCT else WARN if rate >= _FAIR_PCT else BAD
        item.setForeground(column, QColor(colour))


def _limits_text(report: EnergyReport) -> str:
    missing = "; not measured: " + "; ".join(report.limits) if report.limits else ""
    return (
        f"{report.energy_mev:g} MeV: usable for SSD {report.ssd_min_cm:g} to {report.ssd_max_cm:g} cm, openings from "
        f"{report.min_side_cm:g} cm, {measured_text(report.measured_range)}{missing}."
    )
