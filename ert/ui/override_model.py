"""The plan's material overrides as a table: order, structure, material, volume."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from PySide6.QtCore import Qt, Signal
from PySide6.QtGui import QColor

from ert.domain.image import DensityOverride, Material
from ert.domain.overrides import with_override
from ert.errors import ErtError
from ert.ui.numbers import format_number
from ert.ui.tables import Index, RowsModel

if TYPE_CHECKING:
    from ert.app.workspace import PlanWorkspace

ChoicesRole = Qt.ItemDataRole.UserRole + 1
_HEADS = ("", "Structure", "Material", "g/cm³", "Used cm³")
SWATCH, STRUCTURE, MATERIAL, DENSITY, USED = range(5)
_UNKNOWN = "…"
_RIGHT = int(Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter)


def material_choices(workspace: PlanWorkspace) -> Sequence[Material]:
    """What may be assigned now."""
    return workspace.library.material_choices()


class OverrideTableModel(RowsModel):
    """Overrides in the order they apply; the material is editable.

    Signals
    -------
    refused(sentence) : why an edit was not taken.
    """

    refused = Signal(str)

    def __init__(self, workspace: PlanWorkspace) -> None:
        super().__init__(_HEADS, lambda: self.overrides)
        self._workspace = workspace
        self.overrides: tuple[DensityOverride, ...] = workspace.plan.overrides

    def refresh(self) -> None:
        """Take the plan's overrides and their volumes over."""
        if self.overrides == self._workspace.plan.overrides:
            if self.overrides:
                self.dataChanged.emit(self.index(0, 0), self.index(len(self.overrides) - 1, len(_HEADS) - 1))
            return
        self.beginResetModel()
        self.overrides = self._workspace.plan.overrides
        self.endResetModel()

    def data(self, index: Index, role: int = Qt.ItemDataRole.DisplayRole) -> Any:  # noqa: ANN401
        """Texts, swatch, choices."""
        if not index.isValid():
            return None
        override, column = self.overrides[index.row()], index.column()
        structure = self._workspace.structures.structure(override.structure_number)
        if role in (Qt.ItemDataRole.DisplayRole, Qt.ItemDataRole.EditRole):
            return (None, structure.name, override.material.name, f"{override.material.density_g_cm3:g}",
                    self._used(override))[column]  # fmt: skip
        answers: dict[int, object] = {
            Qt.ItemDataRole.DecorationRole: QColor(*structure.colour) if column == SWATCH else None,
            Qt.ItemDataRole.TextAlignmentRole: _RIGHT if column in (DENSITY, USED) else None,
            Qt.ItemDataRole.ToolTipRole: self._tip(override) if role == Qt.ItemDataRole.ToolTipRole else None,
            ChoicesRole: [m.name for m in material_choices(self._workspace)] if column == MATERIAL else None,
        }
        return answers.get(role)

    def _used(self, override: DensityOverride) -> str:
        review = self._workspace.tissue_reviews.review
        volume = None if review is None else review.volume(override.structure_number)
        return _UNKNOWN if volume is None else format_number(volume.effective_cc, 2)

    def _tip(self, override: DensityOverride) -> str:
        m = override.material
        text = (
            f"{m.name}: {m.density_g_cm3:g} g/cm³, stopping {m.relative_stopping:g}, scattering "
            f"{m.relative_scattering:g} relative to water"
        )
        review = self._workspace.tissue_reviews.review
        volume = None if review is None else review.volume(override.structure_number)
        if volume is None:
            return text
        return (
            f"{text}\n{format_number(volume.volume_cc, 2)} cm³ in all, {format_number(volume.outside_cc, 2)} cm³ "
            f"outside the external contour; used in {format_number(volume.effective_cc, 2)} cm³"
        )

    def flags(self, index: Index) -> Qt.ItemFlag:
        """The material may be chosen."""
        flags = super().flags(index)
        return flags | Qt.ItemFlag.ItemIsEditable if index.column() == MATERIAL else flags

    def setData(self, index: Index, value: Any, role: int = Qt.ItemDataRole.EditRole) -> bool:  # noqa: ANN401
        """Take another material."""
        if role != Qt.ItemDataRole.EditRole or index.column() != MATERIAL:
            return False
        override = self.overrides[index.row()]
        chosen = next((m for m in material_choices(self._workspace) if m.name == str(value)), None)
        if chosen is None or chosen == override.material:
            return False
        number = override.structure_number
        name = self._workspace.structures.structure(number).name
        try:
            self._workspace.apply(f"Material of {name}", lambda plan: with_override(plan, number, chosen))
        except ErtError as error:
            self.refused.emit(str(error))
            return False
        return True
