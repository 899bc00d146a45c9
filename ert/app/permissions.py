"""What each service asks for before it does anything: one table, and the guard that reads it.

A class or function that works with an opened site stands under `guarded`. Whatever of it is public and has no line in
`NEEDED` is refused to everybody. Screens mirror the table by greying what would be refused; they do not replace it.
"""

from __future__ import annotations

import functools
import inspect
import logging
from collections.abc import Callable, Mapping
from typing import Any, TypeVar

from attrs import evolve

from ert.domain.account import Account, Right, source_of
from ert.errors import NotPermitted
from ert.logs import Public

T = TypeVar("T")
_LOG = logging.getLogger(__name__)

NEEDED: Mapping[str, tuple[Right, str]] = {
    # the opened site
    "SiteSession.patients": (Right.VIEW, "look at patients"),
    "SiteSession.patient_heads": (Right.VIEW, "look at patients"),
    "SiteSession.with_courses": (Right.VIEW, "look at patients"),
    "SiteSession.refuse_other_identity": (Right.VIEW, "look at patients"),
    "SiteSession.structures": (Right.VIEW, "look at structures"),
    "SiteSession.find_patient": (Right.VIEW, "look for a patient"),
    "SiteSession.courses": (Right.VIEW, "look at courses"),
    "SiteSession.ct_files": (Right.VIEW, "read CT files"),
    "SiteSession.record_event": (Right.VIEW, "write into the history"),
    "SiteSession.open_plan": (Right.VIEW, "open a plan"),
    "SiteSession.machines": (Right.VIEW, "look at machines"),
    "SiteSession.check": (Right.VIEW, "check the site"),
    "SiteSession.add_import": (Right.PLAN, "import a patient"),
    "SiteSession.set_roles": (Right.PLAN, "change structures"),
    "SiteSession.create_plan": (Right.PLAN, "make a plan"),
    "SiteSession.save_as_new": (Right.PLAN, "save a plan"),
    "SiteSession.add_machine": (Right.CONFIGURE, "add a machine"),
    "SiteSession.configure_machine": (Right.CONFIGURE, "change a machine"),
    "SiteMachines.add": (Right.CONFIGURE, "add a machine"),
    "SiteMachines.configure": (Right.CONFIGURE, "change a machine"),
    "SiteSession.export_machine": (Right.CONFIGURE, "export a machine"),
    "SiteSession.keep_edits": (Right.OWN_ACCOUNT, "keep unsaved edits"),
    "SiteSession.close": (Right.OWN_SESSION, "sign out"),
    # an open plan
    "PlanWorkspace.metric": (Right.VIEW, "look at dose"),
    "judge": (Right.VIEW, "look at goals"),
    "PlanWorkspace.beam_dose": (Right.VIEW, "look at dose"),
    "PlanWorkspace.compute_dose": (Right.VIEW, "compute dose"),
    "PlanWorkspace.shown_metric": (Right.VIEW, "look at dose"),
    "PlanWorkspace.compute_final_dose": (Right.VIEW, "compute dose"),
    "PlanWorkspace.cancel_dose": (Right.OWN_SESSION, "stop computing dose"),
    "PlanWorkspace.wait_for_dose": (Right.VIEW, "compute dose"),
    "PlanWorkspace.subscribe": (Right.VIEW, "follow a plan"),
    "PlanWorkspace.library_changed": (Right.VIEW, "follow a plan"),
    "PlanWorkspace.apply": (Right.PLAN, "edit a plan"),
    "PlanWorkspace.sketch": (Right.PLAN, "edit a plan"),
    "PlanWorkspace.end_sketch": (Right.OWN_SESSION, "edit a plan"),
    "PlanWorkspace.undo": (Right.PLAN, "edit a plan"),
    "PlanWorkspace.redo": (Right.PLAN, "edit a plan"),
    "PlanWorkspace.save": (Right.PLAN, "save a plan"),
    "PlanWorkspace.close": (Right.OWN_SESSION, "close a plan"),
    "PlanWorkspace.mark_ready": (Right.PLAN, "mark a plan ready for review"),
    "Readiness.mark": (Right.PLAN, "mark a plan ready for review"),
    "Readiness.follow": (Right.OWN_SESSION, "follow a plan"),
    "ApprovalDesk.view": (Right.VIEW, "look at what an approval needs"),
    "ApprovalDesk.state": (Right.VIEW, "look at the approval of a plan"),
    "ApprovalDesk.pinned": (Right.VIEW, "open an approved plan"),
    "ApprovalDesk.begin": (Right.APPROVE, "approve a plan"),
    "ApprovalDesk.recompute": (Right.APPROVE, "approve a plan"),
    "ApprovalDesk.sign": (Right.APPROVE, "approve a plan"),
    "ApprovalDesk.end": (Right.APPROVE, "end an approval"),
    "CheckRules.history": (Right.VIEW, "look at the limits of the second check"),
    "CheckRules.in_use": (Right.VIEW, "look at the limits of the second check"),
    "CheckRules.save": (Right.CONFIGURE, "change the limits of the second check"),
    "CheckBook.compare": (Right.VIEW, "compare dose engines"),
    "CheckBook.stop": (Right.OWN_SESSION, "stop computing dose"),
    "CheckBook.keep": (Right.PLAN, "keep a second check"),
    "PlanKeeping.edited": (Right.OWN_SESSION, "keep unsaved edits"),
    "PlanKeeping.take_over": (Right.PLAN, "restore unsaved edits"),
    "PlanKeeping.save": (Right.PLAN, "save a plan"),
    "PlanKeeping.rebase": (Right.PLAN, "edit a plan"),
    "PlanKeeping.close": (Right.OWN_SESSION, "close a plan"),
    "PlanHistory.head": (Right.VIEW, "look at a plan"),
    "PlanHistory.patient": (Right.VIEW, "look at a patient"),
    "PlanHistory.revisions": (Right.VIEW, "look at the history of a plan"),
    "PlanHistory.plan": (Right.VIEW, "look at a revision"),
    "PlanHistory.difference": (Right.VIEW, "compare revisions"),
    "PlanHistory.changes": (Right.VIEW, "compare plans"),
    "PlanHistory.conflict": (Right.VIEW, "compare with a colleague's revision"),
    "PlanHistory.restore": (Right.PLAN, "restore a revision"),
    "PlanHistory.activity": (Right.VIEW, "look at who did what with a record"),
    "PlanHistory.site_activity": (Right.ADMINISTER, "look at the activity log of the site"),
    "PlanHistory.export_activity": (Right.ADMINISTER, "export the activity log"),
    "Recomputation.chosen": (Right.VIEW, "look at plans"),
    "Recomputation.run": (Right.PLAN, "compute plans anew"),
    "sum_plans": (Right.VIEW, "add plans up"),
    # what comes in and goes out
    "ImportService.scan": (Right.PLAN, "import a patient"),
    "ImportService.import_selection": (Right.PLAN, "import a patient"),
    "import_everything": (Right.PLAN, "import patients"),
    "export_source": (Right.EXPORT, "export a plan"),
    "write_export": (Right.EXPORT, "export a plan"),
    "export_plan": (Right.EXPORT, "export a plan"),
    "plan_report": (Right.EXPORT, "print a plan"),
    "finished_report": (Right.EXPORT, "print a plan"),
    "write_mu_sheets": (Right.EXPORT, "print monitor units"),
    "write_pictures": (Right.EXPORT, "write pictures of a plan"),
    # CT curves, materials, releases
    "TissueLibrary.refresh": (Right.VIEW, "look at CT curves and materials"),
    "TissueLibrary.curve_named": (Right.VIEW, "look at CT curves"),
    "TissueLibrary.curve_history": (Right.VIEW, "look at CT curves"),
    "TissueLibrary.starting_curve": (Right.VIEW, "look at CT curves"),
    "TissueLibrary.standing_of": (Right.VIEW, "look at CT curves"),
    "TissueLibrary.material_choices": (Right.VIEW, "look at materials"),
    "TissueLibrary.material_standing": (Right.VIEW, "look at materials"),
    "TissueLibrary.save_curve": (Right.CONFIGURE, "change a CT curve"),
    "TissueLibrary.withdraw_curve": (Right.CONFIGURE, "withdraw a CT curve"),
    "TissueLibrary.save_material": (Right.CONFIGURE, "change a material"),
    "TissueLibrary.withdraw_material": (Right.CONFIGURE, "withdraw a material"),
    "ReleaseBook.refresh": (Right.VIEW, "look at releases"),
    "ReleaseBook.history": (Right.VIEW, "look at releases"),
    "ReleaseBook.standing": (Right.VIEW, "look at releases"),
    "ReleaseBook.best_standing": (Right.VIEW, "look at releases"),
    "ReleaseBook.release": (Right.RELEASE, "release a machine"),
    "ReleaseBook.withdraw": (Right.RELEASE, "withdraw a release"),
    "ReleaseDesk.view": (Right.VIEW, "look at releases"),
    "ReleaseDesk.sign": (Right.RELEASE, "release a machine"),
    "ReleaseDesk.withdraw": (Right.RELEASE, "withdraw a release"),
    # copies: made by whoever has the site open, so that there are some
    "BackupService.make": (Right.VIEW, "make a backup"),
    "BackupService.backups": (Right.VIEW, "look at backups"),
    "BackupService.verify": (Right.VIEW, "verify a backup"),
    "BackupService.standing": (Right.VIEW, "look at backups"),
    "BackupService.cancel": (Right.OWN_SESSION, "stop a backup"),
    "BackupService.stop": (Right.OWN_SESSION, "stop a backup"),
    # files of no record: old enough that nobody can need them, and a month in the trash
    "Housekeeping.sweep_if_due": (Right.VIEW, "clear away unused files"),
    "Housekeeping.sweep": (Right.CONFIGURE, "clear away unused files"),
    "Housekeeping.cancel": (Right.OWN_SESSION, "stop clearing away unused files"),
    "Housekeeping.stop": (Right.OWN_SESSION, "stop clearing away unused files"),
    # patients' records
    "RecordsService.records": (Right.VIEW, "look at patients"),
    "RecordsService.record": (Right.VIEW, "look at a patient"),
    "RecordsService.set_active": (Right.PLAN, "put a patient's record aside"),
    "RecordsService.anonymised_copy": (Right.PLAN, "make an anonymised copy"),
    "RecordsService.correct": (Right.ADMINISTER, "correct an identity"),
    "RecordsService.merge": (Right.ADMINISTER, "merge patients' records"),
    "RecordsService.unmerge": (Right.ADMINISTER, "take a merge apart"),
    # keys
    "KeyService.state": (Right.ADMINISTER, "look at the keys"),
    "KeyService.prepare_recovery_code": (Right.ADMINISTER, "make a recovery code"),
    "KeyService.confirm_recovery_code": (Right.ADMINISTER, "make a recovery code"),
    "KeyService.renew_master_key": (Right.ADMINISTER, "renew the master key"),
    "KeyService.renew_files": (Right.ADMINISTER, "write files under the keys in use"),
    # accounts
    "AccountService.accounts": (Right.ADMINISTER, "look at accounts"),
    "AccountService.add": (Right.ADMINISTER, "add a user"),
    "AccountService.set_grant": (Right.ADMINISTER, "change what a user may do"),
    "AccountService.reset_password": (Right.ADMINISTER, "reset a password"),
    "AccountService.disable": (Right.ADMINISTER, "disable a user"),
    "AccountService.enable": (Right.ADMINISTER, "enable a user"),
    "AccountService.set_password_rule": (Right.ADMINISTER, "change the password rule"),
    "AccountService.password_rule": (Right.OWN_SESSION, "look at the password rule"),
    "AccountService.set_approval_rule": (Right.ADMINISTER, "change the approval rule"),
    "AccountService.approval_rule": (Right.VIEW, "look at the approval rule"),
    "AccountService.change_own_password": (Right.OWN_ACCOUNT, "change your password"),
    "AccountService.confirm_password": (Right.OWN_SESSION, "confirm your password"),
    "AccountService.confirm_with_provider": (Right.OWN_SESSION, "sign in again"),
    "AccountService.end": (Right.OWN_SESSION, "sign out"),
    "AccountService.vouched_for_by": (Right.OWN_SESSION, "sign in"),
    "AccountService.revalidate": (Right.OWN_SESSION, "look at your own account"),
    "AccountService.record": (Right.OWN_SESSION, "note in the history that you locked or left"),
    # the sealed envelope for emergencies
    "EmergencyService.envelope": (Right.ADMINISTER, "look at the emergency envelope"),
    "EmergencyService.prepare": (Right.ADMINISTER, "seal an emergency envelope"),
    "EmergencyService.confirm": (Right.ADMINISTER, "seal an emergency envelope"),
    "EmergencyService.withdraw": (Right.ADMINISTER, "withdraw the emergency envelope"),
    # signing in through a provider
    "IdentityService.settings": (Right.ADMINISTER, "look at the sign-in provider"),
    "IdentityService.save_settings": (Right.ADMINISTER, "change the sign-in provider"),
    "IdentityService.links": (Right.ADMINISTER, "look at accounts"),
    "IdentityService.link": (Right.ADMINISTER, "say who a user is at the provider"),
    "IdentityService.add_account": (Right.ADMINISTER, "add a user"),
    "IdentityService.have_password": (Right.ADMINISTER, "look at accounts"),
    "IdentityService.workstations": (Right.ADMINISTER, "look at enrolled workstations"),
    "IdentityService.enrol_workstation": (Right.ADMINISTER, "enrol a workstation"),
    "IdentityService.remove_workstation": (Right.ADMINISTER, "remove a workstation"),
}


def guarded(target: T) -> T:
    """Put a function, or every public method of a class, under `NEEDED`.

    The opened site is found through the method's object or the function's first argument: its attribute `store` or
    `_store`, or that of its `_session`. Properties show what was handed out before and are not asked about.
    """
    if not isinstance(target, type):
        function: Any = target
        return _guard(function.__name__, function)  # type: ignore[return-value]
    for name, member in list(vars(target).items()):
        if inspect.isfunction(member) and not name.startswith("_"):
            setattr(target, name, _guard(f"{target.__name__}.{name}", member))
    return target


def demand(account: Account, right: Right, doing: str) -> None:
    """Refuse what an account may not do.

    Parameters
    ----------
    account : Account
        Who is signed in.
    right : Right
        What it takes.
    doing : str
        What was tried, as in "You may not …".

    Raises
    ------
    NotPermitted
        Says which right is missing, and who can give it.
    """
    if right in account.rights:
        return
    if account.is_emergency:
        raise NotPermitted(
            f"You may not {doing}: emergency access lets look at patients and plans, print and export, nothing else.",
            hint="Sign in with an account of your own.",
            detail=f"right {right.value}",
        )
    if account.must_change_password and not account.is_disabled:
        raise NotPermitted(
            f"You may not {doing} yet: your password is a one-time password.",
            hint="Change it first: sign in in the window, or run 'ert user password'.",
        )
    if account.is_unverified and right in evolve(account, is_unverified=False).rights:
        raise NotPermitted(
            f"You may not {doing} now: the sign-in provider cannot be reached, so nobody vouches for you.",
            hint="Go on with plans; do this when it is back.",
        )
    source = source_of(right) or "signing in"
    raise NotPermitted(
        f"You may not {doing}: that needs {source}.",
        hint="An administrator of this site can give it, in Site → Users or with 'ert user'.",
        detail=f"right {right.value}",
    )


def _guard(name: str, function: Callable[..., Any]) -> Callable[..., Any]:
    needed = NEEDED.get(name)

    @functools.wraps(function)
    def asked(*args: Any, **given: Any) -> Any:  # noqa: ANN401
        if needed is None:
            raise NotPermitted(
                f"Nobody may do this: {name} does not say what it needs.",
                hint="This is a fault of the program; please report it.",
            )
        holder = args[0] if args else next(iter(given.values()))
        try:
            demand(_account_of(holder), *needed)
        except NotPermitted:
            _LOG.warning("not permitted: %s needs %s", Public(name), Public(needed[0].value))
            raise
        return function(*args, **given)

    asked.needs = needed  # type: ignore[attr-defined]
    return asked


def _account_of(holder: Any) -> Account:  # noqa: ANN401
    for name in ("store", "_store"):
        store = getattr(holder, name, None)
        if store is not None:
            account: Account = store.account
            return account
    session = getattr(holder, "_session", None)
    if session is None:
        raise TypeError(f"{type(holder).__name__} belongs to no opened site")
    return _account_of(session)
