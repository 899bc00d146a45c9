"""``ert history revisions|compare|restore|activity``: what was saved, by whom, and what happened in a site."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import attrs
import typer

from ert.cli.output import print_json, print_line, print_table
from ert.cli.site import JsonOption, PasswordOption, SiteOption, UserOption, opened
from ert.cli.wiring import Wiring

if TYPE_CHECKING:
    from ert.app.plan_history import PlanHistory
    from ert.app.ports import SiteStore
    from ert.domain.activity import Activity

PlanArgument = Annotated[str, typer.Argument(help="Id of the plan, as 'ert list' shows it.")]
_LIMIT = 100


def add(app: typer.Typer, wiring: Wiring | None) -> None:
    """Add the verbs to the command."""
    group = typer.Typer(help="Revisions of plans, and who did what in a site.", no_args_is_help=True)
    _add_revisions(group, wiring)
    _add_compare(group, wiring)
    _add_restore(group, wiring)
    _add_activity(group, wiring)
    app.add_typer(group, name="history")


def _history(store: SiteStore) -> PlanHistory:
    from ert.app.plan_history import PlanHistory
    from ert.app.tissue_library import directly

    return PlanHistory(store, directly)


def _add_revisions(group: typer.Typer, wiring: Wiring | None) -> None:
    @group.command("revisions")
    def revisions(
        plan: PlanArgument,
        site: SiteOption,
        *,
        user: UserOption = None,
        password_fd: PasswordOption = None,
        as_json: JsonOption = False,
    ) -> None:
        """List the revisions of a plan, newest first."""
        with opened(wiring, site, user, password_fd) as store:
            found = _history(store).revisions(plan)
            store.record_event("revisions listed", record=plan)
        if as_json:
            rows = [attrs.asdict(r) | {"saved_at": r.saved_at.isoformat(), "status": r.status.value} for r in found]
            print_json({"plan": plan, "revisions": rows})
            return
        lines = [
            (f"r{r.revision}", f"{r.saved_at.astimezone():%Y-%m-%d %H:%M:%S}", r.saved_by, r.host, r.reason)
            for r in found
        ]
        print_table(f"{len(found)} revisions", ("Revision", "Saved", "By", "Computer", "Why"), lines)


def _add_compare(group: typer.Typer, wiring: Wiring | None) -> None:
    @group.command("compare")
    def compare(
        plan: PlanArgument,
        site: SiteOption,
        *,
        before: Annotated[int, typer.Option("--from", min=1, help="Revision to compare from.")],
        after: Annotated[int, typer.Option("--to", min=1, help="Revision to compare to.")],
        user: UserOption = None,
        password_fd: PasswordOption = None,
        as_json: JsonOption = False,
    ) -> None:
        """Tell what differs between two revisions of a plan."""
        with opened(wiring, site, user, password_fd) as store:
            store.record_event("revisions compared", record=plan, detail=f"revisions {before} and {after}")
            changes = _history(store).difference(plan, before, after)
        if as_json:
            print_json({"plan": plan, "from": before, "to": after, "changes": [attrs.asdict(c) for c in changes]})
            return
        rows = [(c.place, c.what, c.before, c.after) for c in changes]
        print_table(f"{len(changes)} differences", ("Where", "What", f"r{before}", f"r{after}"), rows)


def _add_restore(group: typer.Typer, wiring: Wiring | None) -> None:
    @group.command("restore")
    def restore(
        plan: PlanArgument,
        site: SiteOption,
        *,
        revision: Annotated[int, typer.Option("--revision", min=1, help="Revision to bring back.")],
        user: UserOption = None,
        password_fd: PasswordOption = None,
        as_json: JsonOption = False,
    ) -> None:
        """Save an earlier revision's content as the next revision; those in between stay."""
        with opened(wiring, site, user, password_fd) as store:
            stored = _history(store).restore(plan, revision)
        if as_json:
            print_json({"plan": plan, "restored": revision, "revision": stored.revision})
        else:
            print_line(f"Revision {revision} is restored as revision {stored.revision}.")


def _add_activity(group: typer.Typer, wiring: Wiring | None) -> None:
    @group.command("activity")
    def activity(
        site: SiteOption,
        *,
        record: Annotated[str, typer.Option("--record", help="Only of the record with this id.")] = "",
        limit: Annotated[int, typer.Option("--limit", min=1, max=100_000, help="How many rows.")] = _LIMIT,
        csv: Annotated[
            Path | None, typer.Option("--csv", help="Write all of it to this CSV file; it holds patients' names.")
        ] = None,
        user: UserOption = None,
        password_fd: PasswordOption = None,
        as_json: JsonOption = False,
    ) -> None:
        """Show who did what, newest first."""
        with opened(wiring, site, user, password_fd) as store:
            history = _history(store)
            if csv is not None:
                count = history.export_activity(csv, record=record)
                found: tuple[Activity, ...] = ()
            else:
                store.record_event("activity log read", record=record)
                found = history.activity(record, limit=limit) if record else history.site_activity(limit=limit)
        if csv is not None:
            print_json({"csv": str(csv), "rows": count}) if as_json else print_line(
                f"{count} rows were written to {csv}."
            )
        elif as_json:
            print_json({"activity": [attrs.asdict(e) | {"at": e.at.isoformat()} for e in found]})
        else:
            rows = [
                (str(e.number), f"{e.at.astimezone():%Y-%m-%d %H:%M:%S}", e.user, e.host, e.event, e.subject, e.detail)
                for e in found
            ]
            print_table(f"{len(found)} rows", ("No.", "When", "Who", "Computer", "What", "Of", "Detail"), rows)
