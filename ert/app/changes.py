"""What changed in an open plan: the one thing screens listen to."""

from __future__ import annotations

import attrs


@attrs.frozen(kw_only=True)
class Changes:
    """Flags of what a screen may have to draw again."""

    plan: bool = False
    dose: bool = False
    progress: bool = False
    picture: bool = False
    dvh: bool = False
    saved: bool = False
    structures: bool = False
    tissue: bool = False
