"""``ert selftest``: the dose engines against doses they are known to give."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated

import typer

from ert.cli.output import print_json, print_line


def selftest(
    *,
    fresh: Annotated[bool, typer.Option("--fresh", help="Compile the dose engines anew first.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object on stdout.")] = False,
) -> None:
    """Check that each dose engine gives the doses it is known to give, and make the first dose quick."""
    if fresh:
        drop_compiled_kernels()
    from ert.app.selftest import run_self_test
    from ert.domain.algorithm import Algorithm

    found = {}
    for algorithm in Algorithm:
        found[algorithm.value] = test = run_self_test(algorithm=algorithm)
        if not as_json:
            print_line(
                f"{algorithm.value} gives the known doses (worst {test.worst_frac:.1e} of the maximum, "
                f"{test.seconds:.1f} s)"
            )
    if as_json:
        print_json({n: {"worst_frac": t.worst_frac, "seconds": t.seconds} for n, t in found.items()})


def drop_compiled_kernels() -> None:
    """Delete the compiled kernels of this user, and nothing else in their folder."""
    folder = os.environ.get("NUMBA_CACHE_DIR")
    if folder:
        for pattern in ("*.nbc", "*.nbi"):
            for file in Path(folder).rglob(pattern):
                file.unlink(missing_ok=True)
