"""A secret on paper: printed at once, never written to a file of ours."""

from __future__ import annotations

from PySide6.QtCore import QMarginsF
from PySide6.QtGui import QFontDatabase, QPagedPaintDevice, QPageLayout, QTextDocument
from PySide6.QtWidgets import QWidget

_POINTS = 11


def print_sheet(text: str, parent: QWidget) -> bool:
    """Ask for a printer and print a text; False if the user cancelled."""
    from PySide6.QtPrintSupport import QPrintDialog, QPrinter  # noqa: PLC0415 - loads the printing system

    printer = QPrinter()
    if not QPrintDialog(printer, parent).exec():
        return False
    draw_sheet(text, printer)
    return True


def draw_sheet(text: str, device: QPagedPaintDevice) -> None:
    """Draw a text on the pages of a printer, literally and with letters of one width."""
    device.setPageMargins(QMarginsF(20, 20, 20, 20), QPageLayout.Unit.Millimeter)
    page = QTextDocument()
    font = QFontDatabase.systemFont(QFontDatabase.SystemFont.FixedFont)
    font.setPointSize(_POINTS)
    page.setDefaultFont(font)
    page.setPlainText(text)
    page.print_(device)
