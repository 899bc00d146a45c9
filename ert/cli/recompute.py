"""``ert recompute``: the doses of many plans anew, on this computer's processes or a cluster."""

from __future__ import annotations

import os
from collections.abc import Iterator
from concurrent.futures import Executor
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import attrs
import typer

from ert.cli.output import print_error, print_json, print_line, print_table, progress_bar
from ert.cli.site import JsonOption, PasswordOption, SiteOption, UserOption, opened
from ert.cli.wiring import Wiring
from ert.domain.account import Right
from ert.errors import Refused

if TYPE_CHECKING:
    from ert.app.ports import SiteStore
    from ert.app.recompute_list import RunList

SAME, OTHERWISE = 0, 1


@attrs.frozen(kw_only=True)
class _Chosen:
    """Which plans."""

    everything: bool
    patients: tuple[str, ...]
    machines: tuple[str, ...]
    list_file: Path | None

    def __attrs_post_init__(self) -> None:
        ways = [self.everything, bool(self.patients or self.machines), self.list_file is not None]
        if sum(ways) != 1:
            raise Refused(
                "Say which plans: all, those of patients or machines, or a list.",
                hint="Give one of --all, --patient and --machine, or --list FILE.",
            )

    def listed(self) -> list[str] | None:
        """Ids in the list file, one on a line; None without one."""
        if self.list_file is None:
            return None
        try:
            lines = self.list_file.read_text(encoding="utf-8").splitlines()
        except (OSError, UnicodeDecodeError) as error:
            raise Refused(f"The list '{self.list_file}' cannot be read.", detail=repr(error)) from error
        return [line.strip() for line in lines if line.strip() and not line.startswith("#")]


def add(app: typer.Typer, wiring: Wiring | None) -> None:
    """Add the verb to the command."""

    @app.command("recompute")
    def recompute(  # noqa: PLR0913 - one option for each choice
        *,
        site: SiteOption,
        out: Annotated[Path, typer.Option("--out", help="Folder of the list; a run that was stopped goes on there.")],
        everything: Annotated[bool, typer.Option("--all", help="All plans of the site.")] = False,
        patient: Annotated[list[str] | None, typer.Option("--patient", help="Id or record number; repeatable.")] = None,
        machine: Annotated[list[str] | None, typer.Option("--machine", help="Name of a machine; repeatable.")] = None,
        list_file: Annotated[Path | None, typer.Option("--list", help="File with one id of a plan a line.")] = None,
        keep: Annotated[bool, typer.Option("--keep", help="Keep the doses with the plans' newest revisions.")] = False,
        processes: Annotated[int, typer.Option("--processes", min=0, help="On this computer; 0 for one a core.")] = 0,
        cluster: Annotated[str | None, typer.Option("--cluster", help="Dask scheduler, tls://host:port.")] = None,
        tls_ca: Annotated[Path | None, typer.Option("--tls-ca", help="Certificate of the authority, PEM.")] = None,
        tls_cert: Annotated[Path | None, typer.Option("--tls-cert", help="This program's certificate, PEM.")] = None,
        tls_key: Annotated[Path | None, typer.Option("--tls-key", help="Its key, PEM.")] = None,
        plain_loopback: Annotated[
            bool, typer.Option("--plain-loopback", help="Allow tcp:// to this very computer.")
        ] = False,
        user: UserOption = None,
        password_fd: PasswordOption = None,
        as_json: JsonOption = False,
    ) -> None:
        """Compute doses of plans anew and tell how far they moved. Ends with 0 if none changed or failed, else 1."""
        from ert.app.recompute_list import RunList

        chosen = _Chosen(
            everything=everything, patients=tuple(patient or ()), machines=tuple(machine or ()), list_file=list_file
        )
        run = RunList(out)
        is_whole = True
        try:
            with (
                opened(wiring, site, user, password_fd, right=Right.PLAN, doing="compute plans anew") as store,
                _workers(cluster, tls_ca, tls_cert, tls_key, is_plain=plain_loopback, processes=processes) as found,
            ):
                _run(store, chosen, run, found[0], workers=found[1], is_keeping=keep)
        except KeyboardInterrupt:  # the workers were given up on its way here
            is_whole = False
        _tell(run, is_whole=is_whole, as_json=as_json)


@contextmanager
def _workers(
    cluster: str | None, ca: Path | None, certificate: Path | None, key: Path | None, *, is_plain: bool, processes: int
) -> Iterator[tuple[Executor, int]]:
    """Where tasks are computed, and how many at once."""
    if cluster is not None:
        from ert.app.task_cluster import ClusterAccess, cluster_pool

        access = ClusterAccess(address=cluster, ca=ca, certificate=certificate, key=key, is_plain_allowed=is_plain)
        with cluster_pool(access) as found:
            yield found
        return
    from ert.app.task_pool import local_pool

    count = processes or os.cpu_count() or 1
    with local_pool(count) as pool:
        yield pool, count


def _run(store: SiteStore, chosen: _Chosen, run: RunList, pool: Executor, *, workers: int, is_keeping: bool) -> None:
    """Compute what the list lacks."""
    from ert.app.dose_service import Models
    from ert.app.jobs import JobContext
    from ert.app.recompute import Recomputation
    from ert.commissioning.package import package_from_bytes

    models = Models([package_from_bytes(content) for content in store.machines.packages()])
    work = Recomputation(store, models)
    stored = work.chosen(patients=chosen.patients, machines=chosen.machines, listed=chosen.listed())
    left = [s.plan.id for s in stored if not run.is_finished(s.plan.id, s.plan.digest)]
    if len(left) < len(stored):
        print_error(f"{len(stored) - len(left)} of {len(stored)} plans are on the list already.")
    with progress_bar() as progress:
        work.run(left, pool, workers=workers, is_keeping=is_keeping, ctx=JobContext(progress), finished=run.add)


def _tell(run: RunList, *, is_whole: bool, as_json: bool) -> None:
    table, _ = run.write_tables()
    summary = run.summary()
    if as_json:
        print_json({"is_whole": is_whole, "summary": summary, "table": str(table)})
    else:
        rows = [
            (
                row.plan_id, str(row.revision), row.state,
                "" if row.difference is None else f"{row.difference.largest_pct:.2f}",
                "" if row.difference is None else f"{row.difference.gamma_pass_pct:.1f}",
                "yes" if row.is_kept else "no", row.problem,
            )
            for row in run.rows.values()
        ]  # fmt: skip
        head = ("Plan", "Rev.", "Dose", "Largest difference %", "Gamma 1 %/1 mm %", "Kept", "Problem")
        print_table(f"{len(rows)} plans", head, rows)
        print_line(f"Written: {table}")
    if not is_whole:
        print_error("ert: stopped on request; finished plans are on the list. Give the same --out to go on.")
    if not is_whole or summary["changed"] or summary["failed"]:
        raise typer.Exit(OTHERWISE)
