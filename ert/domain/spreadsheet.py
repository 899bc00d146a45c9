"""Text in tables that somebody may open in a spreadsheet, which computes what looks like a formula.

After OWASP's page on CSV injection: formulas begin with ``= + - @``, also in their full-width forms and behind blanks,
and a program that separates by semicolons or tabs takes what stands behind one for a cell of its own.
"""

from __future__ import annotations

import re

_STARTS = "=+\\-@\N{FULLWIDTH EQUALS SIGN}\N{FULLWIDTH PLUS SIGN}\N{FULLWIDTH HYPHEN-MINUS}\N{FULLWIDTH COMMERCIAL AT}"
# Cf: marks nobody sees, a byte order mark among them, that some programs skip
_IGNORED = r"[\s\u200b-\u200f\u2060\ufeff]*"
_FORMULA = re.compile(rf"^(?={_IGNORED}[{_STARTS}]|[\t\r])|(?<=[;\t])(?={_IGNORED}[{_STARTS}])")


def harmless(cell: str) -> str:
    """Put an apostrophe before whatever a spreadsheet would compute; other text stays as it is."""
    return _FORMULA.sub("'", cell)
