"""A name for a file out of what somebody typed or an object holds, good on every system."""

from __future__ import annotations

import re

_MOST_BYTES = 100
_NOT_IN_NAMES = re.compile(r"""[<>:"/\\|?*%$`]""")
_DEVICES = re.compile(r"(con|prn|aux|nul|clock\$|conin\$|conout\$|(com|lpt)[0-9¹²³])(\..*)?", re.IGNORECASE)


def file_name(text: str, suffix: str) -> str:
    """Return a text as one file's name: no folder, no device, nothing that cannot be seen, not too long."""
    seen = "".join(c for c in _NOT_IN_NAMES.sub("-", text) if c.isprintable())
    short = seen.encode("utf-8")[:_MOST_BYTES].decode("utf-8", errors="ignore")
    name = short.strip(" .").lstrip("-~. ").rstrip(" .") or "plan"
    return f"_{name}{suffix}" if _DEVICES.fullmatch(name) else f"{name}{suffix}"
