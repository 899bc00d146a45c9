"""Monitor units checked by hand: each beam's factors, the cutout factor three ways, and how far the engine is off."""

from __future__ import annotations

from typing import TYPE_CHECKING

from PySide6.QtCore import Qt
from PySide6.QtGui import QBrush, QColor, QResizeEvent
from PySide6.QtWidgets import QHeaderView, QTreeWidget, QTreeWidgetItem, QVBoxLayout, QWidget

from ert.domain.monitor_units import ActionLevels, BeamMuCheck, CutoutWay, Factor, Verdict
from ert.ui.numbers import format_number
from ert.ui.theme import BAD, GOOD, WARN
from ert.ui.widgets import dim_label

if TYPE_CHECKING:
    from ert.app.workspace import PlanWorkspace

_HEADS = ("One fraction", "By hand", "Engine", "Diff.", "1 SD")
_DIFFERENCE = 3
_NARROW_PX = 440
_TextRole = Qt.ItemDataRole.UserRole
LOOKS = {
    Verdict.AGREES: ("✓", "agrees", GOOD),
    Verdict.INVESTIGATE: ("!", "investigate", WARN),
    Verdict.ACTION: ("✗", "act before treating", BAD),
    Verdict.NOT_CHECKED: ("", "not checked", WARN),
}
_WAYS = {
    "measured": "From cutout factors measured on this machine.",
    "sectors": "From the spread of electrons in small measured cutouts, summed over sectors of this opening.",
    "engine": "From the plan's beam model: this opening and the open applicator, both in flat water.",
}
_NO_DOSE = "Monitor units are checked as soon as the dose belongs to the plan."


def _percent(value: float) -> str:
    return f"{format_number(value, 1)} %" if value <= 0 else f"+{format_number(value, 1)} %"


class MuPanel(QWidget):
    """A tree: a beam, its factors, its cutout factor three ways; below in words what the chosen line is."""

    def __init__(self, workspace: PlanWorkspace, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._workspace = workspace
        self._shown: tuple[BeamMuCheck, ...] | None = None
        self.tree = QTreeWidget()
        self.tree.setAccessibleName("Monitor units checked by hand")
        self.tree.setColumnCount(len(_HEADS))
        self.tree.setHeaderLabels(list(_HEADS))
        self.tree.setAlternatingRowColors(True)
        self.tree.setUniformRowHeights(True)
        header = self.tree.header()
        header.setStretchLastSection(False)
        header.setSectionResizeMode(QHeaderView.ResizeMode.ResizeToContents)
        header.setSectionResizeMode(0, QHeaderView.ResizeMode.Stretch)
        self.tree.setIndentation(12)
        self.tree.currentItemChanged.connect(lambda *_: self._explain())
        self.words = dim_label(_NO_DOSE)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(4, 4, 4, 4)
        layout.setSpacing(4)
        layout.addWidget(self.tree, 1)
        layout.addWidget(self.words)
        self.refresh()

    def refresh(self) -> None:
        """Plan or dose changed."""
        checks = self._workspace.mu_checks
        if checks == self._shown:
            return
        self._shown = checks
        self.tree.clear()
        for check in checks:
            self.tree.addTopLevelItem(_beam_item(check))
        self.tree.expandAll()
        self._explain()

    def resizeEvent(self, event: QResizeEvent) -> None:
        """Where there is little room, uncertainties are told in words only."""
        super().resizeEvent(event)
        self.tree.setColumnHidden(len(_HEADS) - 1, self.width() < _NARROW_PX)

    def _explain(self) -> None:
        item = self.tree.currentItem() or self.tree.topLevelItem(0)
        self.words.setText(_NO_DOSE if item is None else str(item.data(0, _TextRole) or ""))


def _item(cells: tuple[str, ...], words: str, *, verdict: Verdict | None = None) -> QTreeWidgetItem:
    """A line with its explanation; a difference is a sign as well as a colour."""
    item = QTreeWidgetItem(list(cells))
    for column in range(1, len(_HEADS)):
        item.setTextAlignment(column, Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter)
    item.setData(0, _TextRole, words)
    for column in range(len(_HEADS)):
        item.setToolTip(column, words)
    if verdict is not None and cells[_DIFFERENCE]:
        sign, _, colour = LOOKS[verdict]
        item.setText(_DIFFERENCE, f"{cells[_DIFFERENCE]} {sign}".rstrip())
        item.setForeground(_DIFFERENCE, QBrush(QColor(colour)))
    return item


def _beam_item(check: BeamMuCheck) -> QTreeWidgetItem:
    sheet, levels = check.worksheet, check.levels
    name, engine = f"{check.beam_name}: {check.energy_mev:g} MeV, {check.applicator_id}", f"{check.engine_mu:g} MU"
    word = LOOKS[check.verdict][1]
    if sheet is None or check.difference_pct is None or check.difference_mu is None:
        words = f"Not checked by hand. {check.refusal}"
        top = _item((name, "–", engine, word, ""), words, verdict=check.verdict)
    else:
        words = f"{sheet.formula} ± {format_number(100 * sheet.relative_sigma, 1)} %: {word}. Dose: {check.dose_basis}."
        hand = f"{format_number(sheet.tg71_mu, 1)} MU"
        sigma = f"{format_number(100 * sheet.relative_sigma, 1)} %"
        difference = _percent(check.difference_pct)
        top = _item((name, hand, engine, difference, sigma), words, verdict=check.verdict)
        top.setToolTip(
            _DIFFERENCE,
            f"Engine minus by hand, in per cent of by hand: {format_number(check.difference_mu, 1)} MU. {levels.text}",
        )
    font = top.font(0)
    font.setBold(True)
    for column in range(len(_HEADS)):
        top.setFont(column, font)
    top.addChildren(_factor_items(check))
    top.addChild(_ways_item(check))
    return top


def _factor_items(check: BeamMuCheck) -> list[QTreeWidgetItem]:
    hand = {} if check.worksheet is None else {f.symbol: f for f in check.worksheet.factors}
    own = {f.symbol: f for f in check.engine_factors}
    items = []
    for symbol in dict.fromkeys([*own, *hand]):
        items.append(_factor_item(hand.get(symbol), own.get(symbol), check.levels))
    if check.worksheet is not None:
        other = check.worksheet.other_distance
        if other is not None:
            items.append(_factor_item(other, None, check.levels))
        items += [
            _item((f"Note: {note}", "", "", "", ""), note)
            for note in (*check.worksheet.assumptions, *check.worksheet.notes)
        ]
    return items


def _factor_item(hand: Factor | None, engine: Factor | None, levels: ActionLevels) -> QTreeWidgetItem:
    named = hand or engine
    if named is None:
        raise ValueError("a line needs a factor")
    difference, verdict = "", None
    if hand is not None and engine is not None:
        difference_pct = 100.0 * (engine.value / hand.value - 1.0)
        difference, verdict = _percent(difference_pct), levels.verdict_on_factor(difference_pct)
    cells = (
        f"{named.symbol}  {named.name}" + (f", {named.unit}" if named.unit else ""),
        "–" if hand is None else hand.number_text,
        "" if engine is None else engine.number_text,
        difference,
        _sigma(hand),
    )
    sigma = f" ± {_sigma(hand)}" if _sigma(hand) else ""
    words = f"{named.meaning} {named.source.value.capitalize()}{sigma}: {named.detail}."
    return _item(cells, words.strip(), verdict=verdict)


def _sigma(factor: Factor | None) -> str:
    if factor is None or factor.relative_sigma == 0:
        return ""
    return f"{format_number(100 * factor.relative_sigma, 1)} %"


def _ways_item(check: BeamMuCheck) -> QTreeWidgetItem:
    words = (
        "Three ways to the cutout factor: measured cutouts, the spread of electrons in small ones, the plan's beam "
        "model. Differences are from the first there is."
    )
    group = _item(("Cutout factor three ways", "", "", "", ""), words)
    first = next((w.factor for w in check.ways if w.factor is not None), None)
    for way in check.ways:
        group.addChild(_way_item(way, first, check.levels))
    return group


def _way_item(way: CutoutWay, first: Factor | None, levels: ActionLevels) -> QTreeWidgetItem:
    words = _WAYS[way.key]
    if way.factor is None:
        return _item((way.name, "–", "", "", ""), f"{words} {way.refusal}")
    difference, verdict = "", None
    if first is not None and way.factor is not first:
        difference_pct = 100.0 * (way.factor.value / first.value - 1.0)
        difference, verdict = _percent(difference_pct), levels.verdict_on_factor(difference_pct)
    is_engine = way.key == "engine"
    cells = (
        way.name,
        "" if is_engine else way.factor.text,
        way.factor.text if is_engine else "",
        difference,
        _sigma(way.factor),
    )
    return _item(cells, f"{words} {way.factor.detail}.", verdict=verdict)
