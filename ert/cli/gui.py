"""``ert gui`` and ``ert demo``: the window, and the main job on the built-in demo patient."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from ert.cli.site import need
from ert.cli.wiring import Wiring


def add(app: typer.Typer, wiring: Wiring | None) -> None:
    """Add the verbs to the command."""

    @app.command("demo")
    def demo(
        out: Annotated[Path, typer.Option("--out", help="Folder for pictures, report and DICOM files.")] = Path(
            "demo-output"
        ),
        with_window: Annotated[
            bool, typer.Option("--window/--no-window", help="Open the window afterwards if there is a display.")
        ] = True,
    ) -> None:
        """Plan the built-in demo patient: dose, DVH, pictures, report, DICOM files, and the window."""
        raise typer.Exit(need(wiring).run_demo(out=out, with_window=with_window))

    @app.command("gui")
    def gui(
        site: Annotated[Path | None, typer.Option("--site", help="Folder of the site to sign in to.")] = None,
    ) -> None:
        """Open the window."""
        raise typer.Exit(need(wiring).run_gui(site=site))
