"""What all views of one plan share: crosshair, window and level, isodose settings, what is visible, the chosen beam."""

from __future__ import annotations

import attrs
from PySide6.QtCore import QObject, Signal

from ert.geometry.grid import Float3
from ert.ui.isodose import STANDARD, IsodoseLevel
from ert.ui.turns import Turns

WINDOW_PRESETS: tuple[tuple[str, float, float], ...] = (
    ("Soft tissue", 400.0, 40.0),
    ("Lung", 1500.0, -600.0),
    ("Bone", 1800.0, 400.0),
    ("Breast", 350.0, 20.0),
    ("Skin / bolus", 1200.0, -200.0),
)
_MIN_WINDOW_HU = 2.0
_MAX_WINDOW_HU = 8000.0


@attrs.frozen(kw_only=True)
class DoseDisplay:
    """How dose is drawn."""

    levels: tuple[IsodoseLevel, ...] = STANDARD
    has_lines: bool = True
    has_wash: bool = True
    threshold_percent: float = 10.0
    opacity_frac: float = 0.35
    is_absolute: bool = False
    has_bands: bool = True  # one standard error about each isodose line of a Monte Carlo dose
    has_uncertainty: bool = False  # the map of a Monte Carlo dose's standard errors takes the place of the wash


@attrs.frozen(kw_only=True)
class Visibility:
    """Which overlays are drawn."""

    has_structures: bool = True
    has_beams: bool = True
    hidden_structures: frozenset[int] = frozenset()
    is_bare: bool = False  # while H is held: image only


class ViewState(QObject):
    """Shared state of the views; every setter emits its signal once, and only on a change.

    Signals
    -------
    crosshair_changed, window_changed, dose_display_changed, visibility_changed, beam_changed
    """

    crosshair_changed = Signal()
    window_changed = Signal()
    dose_display_changed = Signal()
    visibility_changed = Signal()
    beam_changed = Signal()

    def __init__(self, crosshair_cm: Float3 = (0.0, 0.0, 0.0), parent: QObject | None = None) -> None:
        super().__init__(parent)
        self.crosshair_cm: Float3 = crosshair_cm
        self.window_hu = 400.0
        self.level_hu = 40.0
        self.dose_display = DoseDisplay()
        self.visibility = Visibility()
        self.beam_number: int | None = None
        self.turns = Turns(self)

    def set_crosshair(self, point_cm: Float3) -> None:
        """Move the crosshair to a patient point."""
        if point_cm != self.crosshair_cm:
            self.crosshair_cm = point_cm
            self.crosshair_changed.emit()

    def set_window(self, window_hu: float, level_hu: float) -> None:
        """Set window width and level; the width is kept within 2 to 8000 HU."""
        window_hu = min(max(window_hu, _MIN_WINDOW_HU), _MAX_WINDOW_HU)
        if (window_hu, level_hu) != (self.window_hu, self.level_hu):
            self.window_hu, self.level_hu = window_hu, level_hu
            self.window_changed.emit()

    def set_dose_display(self, display: DoseDisplay) -> None:
        """Change how dose is drawn."""
        if display != self.dose_display:
            self.dose_display = display
            self.dose_display_changed.emit()

    def set_visibility(self, visibility: Visibility) -> None:
        """Change what is drawn."""
        if visibility != self.visibility:
            self.visibility = visibility
            self.visibility_changed.emit()

    def set_beam(self, number: int | None) -> None:
        """Choose the beam that the panels and the beam's eye view show."""
        if number != self.beam_number:
            self.beam_number = number
            self.beam_changed.emit()

    def toggle_wash(self) -> None:
        """Show or hide the colour wash."""
        self.set_dose_display(attrs.evolve(self.dose_display, has_wash=not self.dose_display.has_wash))

    def toggle_lines(self) -> None:
        """Show or hide the isodose lines."""
        self.set_dose_display(attrs.evolve(self.dose_display, has_lines=not self.dose_display.has_lines))

    def toggle_uncertainty(self) -> None:
        """Show the standard errors of a Monte Carlo dose in place of the colour wash, or the wash again."""
        self.set_dose_display(attrs.evolve(self.dose_display, has_uncertainty=not self.dose_display.has_uncertainty))

    def toggle_bands(self) -> None:
        """Show or hide the bands of one standard error about the isodose lines of a Monte Carlo dose."""
        self.set_dose_display(attrs.evolve(self.dose_display, has_bands=not self.dose_display.has_bands))

    def toggle_unit(self) -> None:
        """Switch between percent and Gy, everywhere."""
        self.set_dose_display(attrs.evolve(self.dose_display, is_absolute=not self.dose_display.is_absolute))

    def toggle_structures(self) -> None:
        """Show or hide all structures."""
        self.set_visibility(attrs.evolve(self.visibility, has_structures=not self.visibility.has_structures))

    def toggle_beams(self) -> None:
        """Show or hide the beams."""
        self.set_visibility(attrs.evolve(self.visibility, has_beams=not self.visibility.has_beams))

    def set_structure_visible(self, number: int, *, is_visible: bool) -> None:
        """Show or hide one structure."""
        hidden = set(self.visibility.hidden_structures)
        (hidden.discard if is_visible else hidden.add)(number)
        self.set_visibility(attrs.evolve(self.visibility, hidden_structures=frozenset(hidden)))
