"""The look: a dark reading-room theme on Qt's Fusion style, with chrome that stays out of the colours of dose."""

from __future__ import annotations

from PySide6.QtGui import QColor, QFont, QPalette
from PySide6.QtWidgets import QApplication

from ert.settings import resources_dir

WINDOW = "#1d2023"
BASE = "#141618"
RAISED = "#282c30"
BORDER = "#3a4046"
TEXT = "#dde1e4"
TEXT_DIM = "#a3abb2"
ACCENT = "#6f9fc8"
SELECTION = "#2f5373"
GOOD = "#7cc49a"
WARN = "#e8b04a"
BAD = "#f0806e"
IMAGE_BLACK = "#000000"
FONT_FAMILIES = ("Inter", "Segoe UI", "Noto Sans", "DejaVu Sans Condensed", "DejaVu Sans")
FONT_POINTS = 9.5


def dark_palette() -> QPalette:
    """The palette of the dark theme; text on window has a contrast above 11:1, dim text above 6:1."""
    palette = QPalette()
    roles = {
        QPalette.ColorRole.Window: WINDOW,
        QPalette.ColorRole.WindowText: TEXT,
        QPalette.ColorRole.Base: BASE,
        QPalette.ColorRole.AlternateBase: "#191c1f",
        QPalette.ColorRole.Text: TEXT,
        QPalette.ColorRole.Button: RAISED,
        QPalette.ColorRole.ButtonText: TEXT,
        QPalette.ColorRole.BrightText: "#ffffff",
        QPalette.ColorRole.ToolTipBase: "#30353a",
        QPalette.ColorRole.ToolTipText: TEXT,
        QPalette.ColorRole.Highlight: SELECTION,
        QPalette.ColorRole.HighlightedText: "#ffffff",
        QPalette.ColorRole.PlaceholderText: "#8b949c",
        QPalette.ColorRole.Link: "#8fbbe0",
        QPalette.ColorRole.Mid: BORDER,
        QPalette.ColorRole.Dark: "#101214",
        QPalette.ColorRole.Light: "#454c53",
        QPalette.ColorRole.Accent: ACCENT,
    }
    for role, colour in roles.items():
        palette.setColor(role, QColor(colour))
    for role in (QPalette.ColorRole.Text, QPalette.ColorRole.WindowText, QPalette.ColorRole.ButtonText):
        palette.setColor(QPalette.ColorGroup.Disabled, role, QColor("#70787f"))
    return palette


def style_sheet() -> str:
    """The few rules a palette cannot express, with the theme's colours filled in."""
    themes = resources_dir() / "themes"
    text = (themes / "dark.qss").read_text(encoding="utf-8")
    names = {
        "themes": themes.as_posix(),
        "window": WINDOW,
        "base": BASE,
        "raised": RAISED,
        "border": BORDER,
        "text-dim": TEXT_DIM,
        "text": TEXT,
        "accent": ACCENT,
        "selection": SELECTION,
        "good": GOOD,
        "warn": WARN,
        "bad": BAD,
    }
    for name in sorted(names, key=len, reverse=True):
        text = text.replace(f"@{name}", names[name])
    return text


def apply_theme(app: QApplication) -> None:
    """Give the whole application the dark theme."""
    app.setStyle("Fusion")
    app.setPalette(dark_palette())
    font = QFont(app.font())
    font.setFamilies(list(FONT_FAMILIES))
    font.setPointSizeF(FONT_POINTS)
    app.setFont(font)
    app.setStyleSheet(style_sheet())
