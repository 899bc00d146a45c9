"""``ert site approval-rule``: whether a plan needs the approval of another person than who edited it last."""

from __future__ import annotations

from typing import Annotated

import typer

from ert.app.account_service import AccountService
from ert.app.tissue_library import directly
from ert.cli.output import print_result
from ert.cli.site import JsonOption, PasswordOption, SiteOption, UserOption, opened
from ert.cli.wiring import Wiring
from ert.domain.approval_rule import ApprovalRule


def add(group: typer.Typer, wiring: Wiring | None) -> None:
    """Add the verb to the group ``site``."""

    @group.command("approval-rule")
    def approval_rule(
        *,
        site: SiteOption,
        another_person: Annotated[
            bool | None,
            typer.Option(
                "--another-person/--anybody",
                help="Whether the approver must be another person than who edited the plan last. Left as it is if not "
                "given.",
            ),
        ] = None,
        user: UserOption = None,
        password_fd: PasswordOption = None,
        as_json: JsonOption = False,
    ) -> None:
        """Show who may approve a plan, or change it for every approval from now on."""
        with opened(wiring, site, user, password_fd) as store:
            service = AccountService(store, directly)
            rule = service.approval_rule()
            if another_person is not None and another_person != rule.needs_another_person:
                rule = ApprovalRule(needs_another_person=another_person)
                service.set_approval_rule(rule)
        told = f"Who may approve: {rule.text}."
        print_result({"needs_another_person": rule.needs_another_person}, told, as_json=as_json)
