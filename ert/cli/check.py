"""``ert check``: whether a site is whole, and as it was left.

Exit codes of its own: 0 clean (notes do not count), 1 something is wrong, 2 the check cannot run, 3 user or password
are wrong, 4 the site is locked.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any

import typer

from ert.cli import credentials
from ert.cli.output import print_error, print_json, print_line, progress_bar
from ert.cli.site import JsonOption, PasswordOption, SiteOption, UserOption, need
from ert.cli.wiring import Wiring
from ert.domain.record import Finding, Severity
from ert.errors import Cancelled, DatabaseBusy, ErtError, WrongKey

CLEAN, FINDINGS, CANNOT_RUN, WRONG_KEY, LOCKED = 0, 1, 2, 3, 4
FULL_LEVEL = 4
LevelOption = Annotated[
    int,
    typer.Option(
        "--level",
        min=0,
        max=FULL_LEVEL,
        help="0 opening and quick check; 1 database pages; 2 rows, history, keys; 3 every file's SHA-256; "
        "4 every file decrypted.",
    ),
]


def add(app: typer.Typer, wiring: Wiring | None) -> None:
    """Add the verb to the command."""

    @app.command("check")
    def check(
        site: SiteOption,
        *,
        level: LevelOption = FULL_LEVEL,
        quarantine: Annotated[
            bool, typer.Option("--quarantine", help="Move files of no record, older than a day, to quarantine/.")
        ] = False,
        user: UserOption = None,
        password_fd: PasswordOption = None,
        as_json: JsonOption = False,
    ) -> None:
        """Verify a site: database, history, every file. Ends with 0 clean, 1 damaged, 2 cannot run, 3 key, 4 locked."""
        name = credentials.ask_user(user)
        password = credentials.ask_password("Password", descriptor=password_fd)
        try:
            with progress_bar() as progress:
                findings = (
                    need(wiring)
                    .care()
                    .check(
                        site,
                        user_name=name,
                        password=password,
                        level=level,
                        progress=progress,
                        is_quarantining=quarantine,
                    )
                )
        except Cancelled:
            raise
        except ErtError as error:
            print_error(f"ert: {error}")
            if as_json:
                print_json({"error": {"code": error.code, "sentence": error.sentence, "hint": error.hint}})
            raise typer.Exit(_exit_code(error)) from error
        facts = {"site": str(site), "level": level}
        tell(findings, facts, as_json=as_json, sound="The site is sound.", damaged="The site is DAMAGED.")


def tell(findings: Sequence[Finding], facts: dict[str, Any], *, as_json: bool, sound: str, damaged: str) -> None:
    """Report what a check found; ends the command with exit code 1 if anything but notes is among it."""
    wrong = [f for f in findings if f.severity is not Severity.NOTE]
    if as_json:
        print_json(facts | {"is_sound": not wrong, "findings": [described(f) for f in findings]})
    else:
        for finding in findings:
            print_line(f"{finding.severity.value}: {finding.sentence} [{finding.code} {finding.subject}]")
        print_line(damaged if wrong else sound)
    if wrong:
        print_error(f"ert: {wrong[0].sentence}")
        raise typer.Exit(FINDINGS)


def described(finding: Finding) -> dict[str, str]:
    """A finding for JSON."""
    return {
        "severity": finding.severity.value,
        "code": finding.code,
        "sentence": finding.sentence,
        "subject": finding.subject,
    }


def _exit_code(error: ErtError) -> int:
    if isinstance(error, WrongKey):
        return WRONG_KEY
    return LOCKED if isinstance(error, DatabaseBusy) else CANNOT_RUN
