"""What clearing away unused files did."""

from __future__ import annotations

import attrs


@attrs.frozen(kw_only=True)
class Swept:
    """Files of no record that were cleared away.

    Attributes
    ----------
    moved : former places below the site's folder, of what went to the trash now.
    removed : how many files had lain in the trash for 30 days and are gone.
    freed_bytes : their size.
    """

    moved: tuple[str, ...]
    removed: int
    freed_bytes: int
