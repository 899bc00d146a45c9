"""``ert cache show|clear``: doses kept for the next time they are asked for. Needs no password: it reads no dose."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import attrs
import typer

from ert.app.cache_ports import CacheFolders
from ert.cli.output import print_json, print_line, print_table
from ert.cli.site import JsonOption, SiteOption, need
from ert.cli.wiring import Wiring
from ert.domain.cache_report import CacheReport
from ert.settings import GIGABYTE, load_settings

_MEGABYTE = 1_000_000


def add(app: typer.Typer, wiring: Wiring | None) -> None:
    """Add the verbs to the command."""
    group = typer.Typer(help="Computed doses of a site that are kept to be found again.", no_args_is_help=True)

    @group.command("show")
    def show(site: SiteOption, as_json: JsonOption = False) -> None:
        """Show where doses are cached, how many and how large."""
        reports = _caches(wiring, site).reports()
        if as_json:
            print_json({"site": str(site), "caches": _described(reports)})
        else:
            _print(reports)

    @group.command("clear")
    def clear(site: SiteOption, as_json: JsonOption = False) -> None:
        """Remove all cached doses of a site. What is kept with its plans stays."""
        caches = _caches(wiring, site)
        before = caches.reports()
        caches.clear()
        after = caches.reports()
        if as_json:
            print_json({"site": str(site), "before": _described(before), "after": _described(after)})
            return
        freed = sum(r.size_bytes or 0 for r in before) - sum(r.size_bytes or 0 for r in after)
        print_line(f"Removed: {freed / _MEGABYTE:.1f} MB.")
        _print(after)

    app.add_typer(group, name="cache")


def _caches(wiring: Wiring | None, site: Path) -> CacheFolders:
    load_settings()  # settings that cannot be used are refused here instead of passing for a cache that is off
    return need(wiring).gateway().caches(site)


def _described(reports: tuple[CacheReport, ...]) -> list[dict[str, Any]]:
    return [attrs.asdict(report) for report in reports]


def _print(reports: tuple[CacheReport, ...]) -> None:
    rows = [
        (
            report.name,
            "–" if report.entries is None else str(report.entries),
            "–" if report.size_bytes is None else f"{report.size_bytes / _MEGABYTE:.1f}",
            f"{report.limit_bytes / GIGABYTE:.0f}" if report.limit_bytes else "–",
            report.state,
            report.folder,
        )
        for report in reports
    ]
    print_table("Caches of doses", ("Cache", "Doses", "MB", "Limit GB", "State", "Folder"), rows)
