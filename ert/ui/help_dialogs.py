"""Pages of plain text: keys and mouse, and results that are read once."""

from __future__ import annotations

from PySide6.QtWidgets import QDialog, QDialogButtonBox, QPlainTextEdit, QVBoxLayout, QWidget

KEYS = """\
Slices            wheel · ↑ ↓ · PgUp PgDn;  Shift+wheel: five at a time;  Home End: first, last
Window, level     right-drag (across: width, up and down: level)
                  1 Soft tissue  2 Lung  3 Bone  4 Breast  5 Skin  6 Auto
Zoom, pan         Ctrl+wheel · middle-drag;  F fit;  R reset
Crosshair         left click or drag;  Shift+move follows the pointer
One view large    double-click;  Esc goes back
Show or hide      I isodose lines · W wash · S structures · B beams;  hold H: image only
Percent or Gy     %
Beams             [ ] previous, next;  Ctrl+B add
Aperture          drag a point · double-click an edge: new point · Del: remove the chosen point
Panels            Alt+1 beams · Alt+2 structures · Alt+3 isodoses · Alt+4 prescription
Plan              Ctrl+Z undo · Ctrl+Shift+Z redo · Ctrl+S save · Ctrl+Shift+S save as new plan
                  F5 compute · Ctrl+E export · Ctrl+R report · Ctrl+W back to the patients
Patients          Ctrl+F search · Ctrl+I import · Ctrl+N new plan · Return open
Everything        Ctrl+K finds any action by name;  Ctrl+L locks the screen
"""


def show_keys(parent: QWidget) -> None:
    """The list of keys."""
    show_text(parent, "Keys and mouse", KEYS)


def show_text(parent: QWidget, title: str, text: str) -> None:
    """A page of plain text in a window of its own."""
    dialog = QDialog(parent)
    dialog.setWindowTitle(title)
    dialog.resize(820, 420)
    page = QPlainTextEdit(text)
    page.setReadOnly(True)
    page.setLineWrapMode(QPlainTextEdit.LineWrapMode.NoWrap)
    page.setAccessibleName(title)
    page.setStyleSheet("font-family: 'DejaVu Sans Mono', 'Consolas', monospace;")
    buttons = QDialogButtonBox(QDialogButtonBox.StandardButton.Close)
    buttons.rejected.connect(dialog.reject)
    layout = QVBoxLayout(dialog)
    layout.addWidget(page)
    layout.addWidget(buttons)
    dialog.open()
