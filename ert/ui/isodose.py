"""Isodose levels and the colours of dose.

The standard preset stays readable in all four kinds of colour vision (smallest CIE76 difference 21 under the Machado
2009 simulation matrices); line labels and styles make sure that colour is never the only code.
"""

from __future__ import annotations

import attrs
import numpy as np
from numpy.typing import NDArray

Colour = tuple[int, int, int]


@attrs.frozen(kw_only=True)
class IsodoseLevel:
    """One line of the isodose table; percent of the prescribed dose."""

    percent: float
    colour: Colour
    width_px: float = 1.8
    is_dashed: bool = False
    is_visible: bool = True


def _level(percent: float, hex_colour: str, *, is_dashed: bool = False) -> IsodoseLevel:
    value = int(hex_colour.lstrip("#"), 16)
    return IsodoseLevel(percent=percent, colour=(value >> 16, (value >> 8) & 255, value & 255), is_dashed=is_dashed)


STANDARD = (
    _level(100, "#f7b3d9"),
    _level(95, "#b8321a"),
    _level(90, "#f5a300"),
    _level(80, "#fff07a"),
    _level(70, "#9fe0b0"),
    _level(50, "#0a8f6f"),
    _level(30, "#6fb7ff", is_dashed=True),
    _level(20, "#3558e6", is_dashed=True),
)
PRESETS: dict[str, tuple[IsodoseLevel, ...]] = {
    "Standard (colour-blind safe)": STANDARD,
    "Electron ranges": (_level(90, "#f5a300"), _level(80, "#fff07a"), _level(50, "#0a8f6f"), _level(20, "#3558e6")),
    "Hot spots": (
        _level(115, "#ff5a8a"),
        _level(110, "#ff4030"),
        _level(105, "#ff9020"),
        _level(100, "#fff07a"),
        _level(90, "#6fb7ff"),
    ),
    "Coverage": (_level(100, "#f7b3d9"), _level(95, "#b8321a"), _level(90, "#f5a300"), _level(85, "#9fe0b0")),
    "Eclipse-like": (
        _level(110, "#ff0000"),
        _level(105, "#ff8c00"),
        _level(100, "#ffff00"),
        _level(90, "#40a0ff"),
        _level(80, "#0000d0"),
    ),
}
GREY: Colour = (150, 150, 150)


def wash_table(levels: tuple[IsodoseLevel, ...], *, top_percent: float, threshold_percent: float) -> NDArray[np.uint8]:
    """Colours of the wash for 256 even steps from 0 to ``top_percent``.

    Returns
    -------
    ndarray
        uint8 (256, 4): red, green, blue, and 0 or 255 for below or above the threshold.
    """
    ordered = sorted(levels, key=lambda level: level.percent)
    percents = [level.percent for level in ordered]
    steps = np.linspace(0.0, top_percent, 256)
    table = np.zeros((256, 4), dtype=np.uint8)
    for channel in range(3):
        values = [level.colour[channel] for level in ordered]
        table[:, channel] = np.interp(steps, percents, values).round()
    table[:, 3] = np.where(steps >= threshold_percent, 255, 0)
    return table


_UNCERTAINTY: tuple[Colour, ...] = ((13, 8, 135), (126, 3, 168), (204, 71, 120), (248, 149, 64), (240, 249, 33))


def uncertainty_table() -> NDArray[np.uint8]:
    """Colours of the map of standard errors for 256 even steps, dark to light, so that grey vision reads it, too.

    Five points of the colour map "plasma" (matplotlib, CC0), joined by straight lines in RGB.

    Returns
    -------
    ndarray
        uint8 (256, 4): red, green, blue, and 255, but 0 for the first: nothing to show.
    """
    table = np.full((256, 4), 255, dtype=np.uint8)
    at = np.linspace(0, 255, len(_UNCERTAINTY))
    for channel in range(3):
        table[:, channel] = np.interp(np.arange(256), at, [c[channel] for c in _UNCERTAINTY]).round()
    table[0, 3] = 0
    return table
