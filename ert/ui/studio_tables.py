"""Tables of the commissioning studio: acceptance, outputs, parameters, and the difference of two versions."""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtCore import Qt
from PySide6.QtGui import QColor
from PySide6.QtWidgets import QAbstractItemView, QHeaderView, QTableWidget, QTableWidgetItem

from ert.domain.acceptance import AcceptanceTest, Verdict
from ert.domain.commissioning import EnergyReport, engines_of
from ert.domain.model_difference import PackageDifference
from ert.ui.theme import BAD, GOOD, TEXT_DIM, WARN

VERDICT_COLOURS = {Verdict.PASSED: GOOD, Verdict.FAILED: BAD, Verdict.NOT_MEASURED: TEXT_DIM}
_OUTPUT_LIMIT_PCT = 1.5
_NOTABLE = 2.0
_NUMBERS_FROM = 1


def _signed(value: float) -> str:
    """Two digits with a sign; no sign for what rounds to nothing."""
    return f"{value:+.2f}" if abs(value) >= 0.005 else "0.00"  # noqa: PLR2004 - half the last digit shown


class FactTable(QTableWidget):
    """A read-only table whose rows are texts; one column may be coloured."""

    def __init__(self, name: str, head: Sequence[str], *, stretch: int = 0) -> None:
        super().__init__(0, len(head))
        self.setAccessibleName(name)
        self.setHorizontalHeaderLabels(list(head))
        self.verticalHeader().hide()
        self.setEditTriggers(QAbstractItemView.EditTrigger.NoEditTriggers)
        self.setSelectionBehavior(QAbstractItemView.SelectionBehavior.SelectRows)
        self.setAlternatingRowColors(True)
        self.setWordWrap(False)
        header = self.horizontalHeader()
        header.setSectionResizeMode(QHeaderView.ResizeMode.ResizeToContents)
        header.setSectionResizeMode(stretch, QHeaderView.ResizeMode.Stretch)

    def show_rows(self, rows: Sequence[Sequence[str]], colours: Sequence[str | None] = (), column: int = -1) -> None:
        """Show rows; ``colours`` are for the text in ``column`` (from the end if negative)."""
        self.setRowCount(len(rows))
        coloured = column % self.columnCount()
        for number, row in enumerate(rows):
            colour = colours[number] if number < len(colours) else None
            for place, text in enumerate(row):
                item = QTableWidgetItem(text)
                item.setToolTip(text)
                if place == coloured and colour is not None:
                    item.setForeground(QColor(colour))
                if place >= _NUMBERS_FROM and text[:1] in "+-\N{MINUS SIGN}0123456789":
                    item.setTextAlignment(Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter)
                self.setItem(number, place, item)


def _by_test(report: EnergyReport) -> list[tuple[str, AcceptanceTest]]:
    """The tests of every engine of a report, test by test."""
    columns = [[(name, t) for t in of.acceptance] for name, of in engines_of(report)]
    return [row for rows in zip(*columns, strict=True) for row in rows]


class AcceptanceTable(FactTable):
    """Published tolerances against what was found."""

    def __init__(self) -> None:
        head = ("Test", "What", "Tolerance", "Engine", "Worst", "Where", "Verdict")
        super().__init__("Acceptance tests", head, stretch=5)

    def show_report(self, report: EnergyReport | None) -> None:
        """Show the tests of one energy, the engines below each other."""
        tests = [] if report is None else _by_test(report)
        self.show_rows(
            [(t.number, t.description, t.tolerance, name, t.found, t.where, t.verdict.value) for name, t in tests],
            [VERDICT_COLOURS[t.verdict] for _, t in tests],
        )


class OutputTable(FactTable):
    """Measured and computed outputs."""

    def __init__(self) -> None:
        super().__init__("Outputs", ("Field", "Measured\ncGy/MU", "± %", "Computed\ncGy/MU", "Difference\n%"))

    def show_report(self, report: EnergyReport | None) -> None:
        """Show the outputs of one energy."""
        outputs = () if report is None else report.outputs
        rows = [
            (
                o.name,
                f"{o.measured_cgy_per_mu:.4f}",
                f"{100 * o.relative_sigma:.2f}",
                f"{o.computed_cgy_per_mu:.4f}",
                f"{o.difference_pct:+.2f}",
            )
            for o in outputs
        ]
        self.show_rows(rows, [BAD if abs(o.difference_pct) > _OUTPUT_LIMIT_PCT else GOOD for o in outputs])


class ParameterTable(FactTable):
    """Fitted parameters with their uncertainties."""

    def __init__(self) -> None:
        super().__init__("Fitted parameters", ("Parameter", "Value", "Std. uncertainty", "Fitted from"), stretch=3)

    def show_report(self, report: EnergyReport | None) -> None:
        """Show the parameters of one energy."""
        parameters = () if report is None else report.parameters
        rows = [
            (p.name, f"{p.value:.5g}", f"{p.uncertainty:.2g}" if p.uncertainty else "–", p.source) for p in parameters
        ]
        self.show_rows(rows)


class DifferenceTable(FactTable):
    """What the fitted package changes against one that the site has."""

    def __init__(self) -> None:
        super().__init__("Changes", ("What", "Old", "New", "Change"), stretch=0)

    def show_difference(self, found: PackageDifference) -> None:
        """Show what changed, remarks first; larger changes are marked."""
        rows: list[tuple[str, str, str, str]] = [(text, "", "", "") for text in found.remarks]
        colours: list[str | None] = [WARN for _ in found.remarks]
        for model in found.models:
            name = f"{model.energy_mev:g} MeV"
            if model.is_same:
                rows.append((f"{name}: the same model", model.old_digest[:12], model.new_digest[:12], "none"))
                colours.append(GOOD)
                continue
            rows.append((f"{name}: another model", model.old_digest[:12], model.new_digest[:12], ""))
            colours.append(None)
            rows += [(f"{name}: {text}", "", "", "") for text in model.remarks]
            colours += [WARN for _ in model.remarks]
            for field in model.fields:
                change = (
                    f"output {_signed(field.output_pct)} %, R50 {_signed(field.r50_mm)} mm, on the axis up to "
                    f"{_signed(field.largest_pct)} % at {field.largest_at_cm:.2f} cm"
                )
                rows.append((f"{name}: {field.name}", "", "", change))
                colours.append(BAD if abs(field.largest_pct) > _NOTABLE else None)
            for p in model.parameters:
                size = "" if p.in_uncertainties is None else f"{p.in_uncertainties:+.1f} σ"
                rows.append((f"{name}: {p.name}", f"{p.old_value:.5g}", f"{p.new_value:.5g}", size))
                colours.append(WARN if p.in_uncertainties is not None and abs(p.in_uncertainties) > _NOTABLE else None)
        self.show_rows(rows, colours)
