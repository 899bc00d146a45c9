"""``ert selftest``: the dose engine against doses it is known to give."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated

import typer

from ert.cli.output import print_json, print_line


def selftest(
    *,
    fresh: Annotated[bool, typer.Option("--fresh", help="Compile the dose engine anew first.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object on stdout.")] = False,
) -> None:
    """Check that the dose engine gives the doses it is known to give, and make the first dose quick."""
    if fresh:
        drop_compiled_kernels()
    from ert.app.selftest import run_self_test

    found = run_self_test()
    if as_json:
        print_json({"worst_frac": found.worst_frac, "seconds": found.seconds})
        return
    print_line(
        f"The dose engine gives the known doses (worst {found.worst_frac:.1e} of the maximum, {found.seconds:.1f} s)"
    )


def drop_compiled_kernels() -> None:
    """Delete the compiled kernels of this user, and nothing else in their folder."""
    folder = os.environ.get("NUMBA_CACHE_DIR")
    if folder:
        for pattern in ("*.nbc", "*.nbi"):
            for file in Path(folder).rglob(pattern):
                file.unlink(missing_ok=True)
