"""From scanner files to a beam data folder: choose, see what was recognised and refused, take it into the studio."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from PySide6.QtCore import Signal
from PySide6.QtWidgets import QCheckBox, QDialog, QFileDialog, QFormLayout, QHBoxLayout, QLineEdit, QVBoxLayout

from ert.app.beam_data_service import build_beam_data
from ert.app.jobs import Jobs, Lane
from ert.ui.failures import sentence_of
from ert.ui.studio_tables import FactTable
from ert.ui.theme import BAD, GOOD, WARN
from ert.ui.widgets import MessageStrip, dim_label, push_button

_STEPS = (
    ("is_ionisation", "Depth scans are ionisation: convert to dose (Burns 1996)"),
    ("is_smoothed", "Smooth curves (Savitzky–Golay, 7 points, cubic)"),
    ("is_symmetrised", "Average the two halves of profiles"),
)


class ScansDialog(QDialog):
    """Assembles scans of a water tank into a beam data folder.

    Signals
    -------
    assembled(folder) : the folder was written and is wanted in the studio.
    """

    assembled = Signal(Path)

    def __init__(self, jobs: Jobs, parent: QDialog | None = None) -> None:
        super().__init__(parent)
        self._jobs = jobs
        self._summary: dict[str, Any] | None = None
        self.setWindowTitle("Beam data from scanner files")
        self.resize(1040, 640)
        self.scans, self.machine, self.out = QLineEdit(), QLineEdit(), QLineEdit()
        self.steps = {name: QCheckBox(text) for name, text in _STEPS}
        self.table = FactTable(
            "Curves", ("File", "Curve", "Energy", "Field", "SSD cm", "Depth cm", "Points", ""), stretch=1
        )
        self.message = MessageStrip()
        self.assemble_button = push_button(
            "Assemble", "compute", "Read the scans and write the folder", is_default=True
        )
        self._build()

    def _build(self) -> None:
        form = QFormLayout()
        for line, name, text, choose in (
            (self.scans, "Scanner files", "Folder of W2CAD, RFA300, mcc or CSV files", self._choose_scans),
            (
                self.machine,
                "Machine file",
                "TOML with machine, outputs and what the scans do not say",
                self._choose_machine,
            ),
            (self.out, "Beam data folder", "A new folder to write", self._choose_out),
        ):
            line.setAccessibleName(name)
            line.setPlaceholderText(text)
            button = push_button("Choose…", "folder", text)
            button.clicked.connect(choose)
            row = QHBoxLayout()
            row.addWidget(line, 1)
            row.addWidget(button)
            form.addRow(name, row)
        steps = QVBoxLayout()
        for box in self.steps.values():
            steps.addWidget(box)
        form.addRow("On request", steps)
        close = push_button("Close", "close", "Leave everything as it is")
        close.clicked.connect(self.reject)
        self.assemble_button.clicked.connect(self.start)
        buttons = QHBoxLayout()
        buttons.addWidget(dim_label("Raw values and every step are kept in the folder's record."), 1)
        buttons.addWidget(close)
        buttons.addWidget(self.assemble_button)
        layout = QVBoxLayout(self)
        layout.addLayout(form)
        layout.addWidget(self.message)
        layout.addWidget(self.table, 1)
        layout.addLayout(buttons)

    def _choose_scans(self) -> None:
        self._choose(self.scans, lambda: QFileDialog.getExistingDirectory(self, "Folder of scanner files"))

    def _choose_machine(self) -> None:
        self._choose(self.machine, lambda: QFileDialog.getOpenFileName(self, "Machine file", "", "TOML (*.toml)")[0])

    def _choose_out(self) -> None:
        self._choose(self.out, lambda: QFileDialog.getSaveFileName(self, "New beam data folder", "beam_data")[0])

    @staticmethod
    def _choose(line: QLineEdit, ask: Callable[[], str]) -> None:
        chosen = ask()
        if chosen:
            line.setText(chosen)

    def start(self) -> None:
        """Read and assemble, in the background."""
        self.message.clear()
        missing = [line.accessibleName() for line in (self.scans, self.machine, self.out) if not line.text().strip()]
        if missing:
            self.message.show_error(f"Choose first: {', '.join(missing)}.")
            return
        scans, machine, out = (Path(line.text().strip()) for line in (self.scans, self.machine, self.out))
        steps = {name: box.isChecked() for name, box in self.steps.items()}
        self._summary = None

        def work(_ctx: object) -> dict[str, Any]:
            return build_beam_data([scans], machine=machine, out=out, show=self._keep, **steps)

        self._jobs.submit(
            Lane.IO, work, title="Reading scans", on_done=lambda _summary: self._done(out), on_failed=self._failed
        )
        self.assemble_button.setEnabled(False)

    def _keep(self, summary: dict[str, Any]) -> None:
        self._summary = summary  # on the job's thread; read after it has ended

    def _done(self, out: Path) -> None:
        self.assemble_button.setEnabled(True)
        self._show_summary()
        self.message.show_note(f"Written: {out}. It is open in the studio now.")
        self.assembled.emit(out)

    def _failed(self, error: BaseException) -> None:
        self.assemble_button.setEnabled(True)
        self._show_summary()
        self.message.show_error(sentence_of(error))

    def _show_summary(self) -> None:
        summary = self._summary
        if summary is None:
            return
        rows: list[tuple[str, ...]] = []
        colours: list[str | None] = []
        for refused in summary["refused"]:
            rows.append((refused["file"], refused["reason"], "", "", "", "", "", "refused"))
            colours.append(BAD)
        for key, word in (("left_out", "lacks"), ("missing", "missing")):
            for energy in summary[key]:
                rows += [("", what, f"{energy['energy_mev']:g} MeV", "", "", "", "", word) for what in energy[word]]
                colours += [WARN for _ in energy[word]]
        for curve in summary["recognised"]:
            depth = "" if curve["depth_cm"] is None else f"{curve['depth_cm']:g}"
            rows.append(
                (
                    curve["file"],
                    f"{curve['curve']} {curve['kind']}",
                    f"{curve['energy_mev']:g} MeV",
                    f"{curve['applicator']} {curve['cutout']}",
                    f"{curve['ssd_cm']:g}",
                    depth,
                    str(curve["points"]),
                    "read",
                )
            )
            colours.append(GOOD)
        self.table.show_rows(rows, colours)
