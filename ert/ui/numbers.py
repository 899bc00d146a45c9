"""Numbers as the screen writes and reads them: always the C locale, always with their unit.

A comma typed as the decimal sign is understood; a grouping sign is not, because ``1,234`` could be either.
"""

from __future__ import annotations

import math

from ert.errors import Refused

_MINUS = "\N{MINUS SIGN}"


def format_number(value: float, decimals: int) -> str:
    """Fixed decimals, point, true minus sign, no ``-0.00``."""
    text = f"{value:.{decimals}f}"
    if float(text) == 0:
        text = text.lstrip("-")
    return text.replace("-", _MINUS)


def format_quantity(value: float | None, decimals: int, unit: str) -> str:
    """A number with its unit, or a dash where there is none."""
    if value is None or not math.isfinite(value):
        return "–"
    gap = "" if unit == "°" else " "
    return f"{format_number(value, decimals)}{gap}{unit}"


def parse_number(text: str, *, what: str, unit: str, minimum: float = -math.inf, maximum: float = math.inf) -> float:
    """A typed number; the unit may follow it.

    Parameters
    ----------
    what : str
        Name of the quantity for the sentence, for example ``"The gantry angle"``.
    unit : str
        Unit that may stand behind the number and is shown in the sentence.
    minimum, maximum : float
        Both allowed.

    Raises
    ------
    Refused
        If it is no number, not finite, or outside the limits.
    """
    plain = text.strip()
    if unit and plain.endswith(unit):
        plain = plain[: -len(unit)]
    plain = plain.strip().replace(_MINUS, "-")
    if plain.count(",") == 1 and "." not in plain:
        plain = plain.replace(",", ".")
    if "_" in plain:
        plain = ""
    try:
        value = float(plain)
    except ValueError:
        raise Refused(f"{what} must be a number{_in_unit(unit)}; '{text.strip()}' is none.") from None
    if not math.isfinite(value):
        raise Refused(f"{what} must be a finite number{_in_unit(unit)}.")
    if not minimum <= value <= maximum:
        raise Refused(f"{what} must be {_range_text(minimum, maximum, unit)}, not {format_quantity(value, 2, unit)}.")
    return value


def _in_unit(unit: str) -> str:
    return f" in {unit}" if unit else ""


def _range_text(minimum: float, maximum: float, unit: str) -> str:
    low, high = (f"{v:g}".replace("-", _MINUS) for v in (minimum, maximum))
    tail = f" {unit}" if unit else ""
    if math.isinf(maximum):
        return f"at least {low}{tail}"
    if math.isinf(minimum):
        return f"at most {high}{tail}"
    return f"{low} to {high}{tail}"
