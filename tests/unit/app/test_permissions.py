"""Every method of every service, tried by every role: allowed is what this file says, everything else is refused."""

from __future__ import annotations

import importlib
import inspect
import itertools
import pkgutil
import re
from types import SimpleNamespace

import attrs
import pytest

import ert.app
from ert.app.permissions import NEEDED, guarded
from ert.domain.account import FIRST_GRANT, NOBODY, Account, Feature, Grant, Level
from ert.errors import NotPermitted
from ert.logs import JsonFormatter

SITE_TYPES = {"SiteSession", "SiteStore", "PlanWorkspace", "ImportService"}
UNGUARDED = {
    # works on what it is given, after the guarded function that gave it
    "write_report",
}

# Who may do what, written down independently of the program: by the name of what makes it possible.
ANYBODY = """
SiteSession.close PlanWorkspace.close PlanWorkspace.cancel_dose CheckBook.stop
BackupService.cancel BackupService.stop AccountService.confirm_password
AccountService.revalidate AccountService.record AccountService.confirm_with_provider AccountService.end
AccountService.vouched_for_by PlanKeeping.edited PlanKeeping.close PlanWorkspace.end_sketch Readiness.follow
Housekeeping.cancel Housekeeping.stop AccountService.password_rule
"""
OWNERS = "SiteSession.keep_edits AccountService.change_own_password"
READERS = """
SiteSession.patients SiteSession.structures SiteSession.find_patient SiteSession.courses SiteSession.ct_files
SiteSession.record_event SiteSession.open_plan SiteSession.machines SiteSession.check
PlanWorkspace.metric PlanWorkspace.beam_dose PlanWorkspace.compute_dose PlanWorkspace.wait_for_dose
PlanWorkspace.subscribe PlanWorkspace.library_changed
PlanWorkspace.shown_metric PlanWorkspace.compute_final_dose CheckBook.compare
sum_plans export_source write_export export_plan plan_report finished_report write_mu_sheets write_pictures judge
TissueLibrary.refresh TissueLibrary.curve_named TissueLibrary.curve_history TissueLibrary.starting_curve
TissueLibrary.standing_of TissueLibrary.material_choices TissueLibrary.material_standing
ReleaseBook.refresh ReleaseBook.history ReleaseBook.standing ReleaseBook.best_standing ReleaseDesk.view
BackupService.make BackupService.backups BackupService.verify BackupService.standing Housekeeping.sweep_if_due
SiteSession.patient_heads SiteSession.with_courses SiteSession.refuse_other_identity
RecordsService.records RecordsService.record
PlanHistory.head PlanHistory.patient PlanHistory.revisions PlanHistory.plan PlanHistory.difference PlanHistory.changes
PlanHistory.conflict PlanHistory.activity CheckRules.history CheckRules.in_use
Recomputation.chosen AccountService.approval_rule ApprovalDesk.view ApprovalDesk.state ApprovalDesk.pinned
"""
PLANNERS = f"""
{READERS}
SiteSession.add_import SiteSession.set_roles SiteSession.create_plan SiteSession.save_as_new
PlanWorkspace.apply PlanWorkspace.undo PlanWorkspace.redo PlanWorkspace.sketch PlanWorkspace.save CheckBook.keep
ImportService.scan ImportService.import_selection import_everything
RecordsService.set_active RecordsService.anonymised_copy
PlanKeeping.take_over PlanKeeping.save PlanKeeping.rebase
PlanHistory.restore PlanWorkspace.mark_ready Readiness.mark Recomputation.run
"""
FACILITY = """
SiteSession.add_machine SiteSession.configure_machine SiteSession.export_machine Housekeeping.sweep
SiteMachines.add SiteMachines.configure CheckRules.save
TissueLibrary.save_curve TissueLibrary.withdraw_curve TissueLibrary.save_material TissueLibrary.withdraw_material
"""
PHYSICS = "ReleaseBook.release ReleaseBook.withdraw ReleaseDesk.sign ReleaseDesk.withdraw"
SIGNERS = "ApprovalDesk.begin ApprovalDesk.recompute ApprovalDesk.sign ApprovalDesk.end"
ADMINISTRATORS = """
AccountService.accounts AccountService.add AccountService.set_grant AccountService.reset_password
AccountService.disable AccountService.enable AccountService.set_password_rule AccountService.set_approval_rule
IdentityService.settings IdentityService.save_settings IdentityService.links IdentityService.link
IdentityService.add_account IdentityService.have_password IdentityService.workstations
IdentityService.enrol_workstation IdentityService.remove_workstation
RecordsService.correct RecordsService.merge RecordsService.unmerge
KeyService.state KeyService.prepare_recovery_code KeyService.confirm_recovery_code KeyService.renew_master_key
KeyService.renew_files
PlanHistory.site_activity PlanHistory.export_activity
EmergencyService.envelope EmergencyService.prepare EmergencyService.confirm EmergencyService.withdraw
"""


def services():
    """Every class and function of the application layer that is given an opened site, by name."""
    found = {}
    for info in pkgutil.iter_modules(ert.app.__path__):
        module = importlib.import_module(f"ert.app.{info.name}")
        for name, member in vars(module).items():
            if name.startswith("_") or getattr(member, "__module__", None) != module.__name__:
                continue
            target = member.__init__ if inspect.isclass(member) else member
            if inspect.isfunction(target) and _takes_site(target, skip=int(inspect.isclass(member))):
                found[name] = member
    return found


def _takes_site(function, skip=0) -> bool:
    try:
        parameters = list(inspect.signature(function).parameters.values())[skip:]
    except ValueError:
        return False
    return any(set(re.findall(r"\w+", str(p.annotation))) & SITE_TYPES for p in parameters)


def methods():
    """Everything public they have, by the name it has in the table."""
    for name, member in services().items():
        if name in UNGUARDED:
            continue
        if inspect.isfunction(member):
            yield name, member
            continue
        for inner, method in vars(member).items():
            if inspect.isfunction(method) and not inner.startswith("_"):
                yield f"{name}.{inner}", method


METHODS = dict(methods())


STATES = ("open", "one-time", "disabled", "unverified")


def roles():
    """Every level with every set of features, administrator or not, in every state an account can have."""
    for level, count in itertools.product(Level, range(len(Feature) + 1)):
        for features in itertools.combinations(Feature, count):
            for is_administrator, state in itertools.product((False, True), STATES):
                grant = Grant(level=level, features=frozenset(features), is_administrator=is_administrator)
                yield Account(
                    id="u1", name="anna", grant=grant, is_disabled=state == "disabled",
                    must_change_password=state == "one-time",
                    is_unverified=state == "unverified",
                )  # fmt: skip
    for is_disabled, grant in itertools.product((False, True), (Grant(), FIRST_GRANT)):  # whatever stands in a grant
        yield Account(id="e1", name="Emergency access", grant=grant, is_emergency=True, is_disabled=is_disabled)
    yield NOBODY


def may(account: Account, name: str) -> bool:
    """What this file says."""
    if not account.id or name in ANYBODY.split():
        return bool(account.id)
    if account.is_emergency:  # look, print, export; nothing else, whatever else it may have been given
        return name in READERS.split() and not account.is_disabled
    if account.is_disabled or account.must_change_password or name in OWNERS.split():
        return name in OWNERS.split()
    if account.is_unverified:  # the provider is silent: go on with plans, sign for nothing
        return name in PLANNERS.split()
    return (
        name in PLANNERS.split()
        or (name in FACILITY.split() and Feature.FACILITY_CONFIGURATION in account.grant.features)
        or (name in PHYSICS.split() and account.grant.level is Level.ELEVATED)
        or (
            name in SIGNERS.split()
            and Feature.PLAN_APPROVAL in account.grant.features
            and account.grant.level is not Level.RESEARCH
        )
        or (name in ADMINISTRATORS.split() and account.grant.is_administrator)
    )


def is_refused(method, account: Account) -> bool:
    """Whether the real method refuses; with nothing behind it, it fails at once where it is let in."""
    holder = SimpleNamespace(store=SimpleNamespace(account=account))
    try:
        method(holder)
    except NotPermitted:
        return True
    except (TypeError, AttributeError):
        return False
    return False


def test_the_services_are_found():
    assert {"SiteSession", "PlanWorkspace", "ImportService", "TissueLibrary", "ReleaseBook", "BackupService",
            "AccountService", "export_plan", "write_mu_sheets"} <= set(services())  # fmt: skip


def test_every_service_method_declares_what_it_needs_and_every_declaration_has_a_method():
    assert {name for name, method in METHODS.items() if getattr(method, "needs", None) is None} == set()
    assert set(METHODS) == set(NEEDED)
    assert len(
        {
            *ANYBODY.split(),
            *OWNERS.split(),
            *PLANNERS.split(),
            *FACILITY.split(),
            *PHYSICS.split(),
            *SIGNERS.split(),
            *ADMINISTRATORS.split(),
        }
    ) == (len(NEEDED))


@pytest.mark.parametrize("name", sorted(METHODS))
def test_every_role_is_refused_exactly_what_it_has_no_right_to(name):
    for account in roles():
        assert is_refused(METHODS[name], account) is not may(account, name), attrs.asdict(account)


def test_a_method_whose_guard_is_taken_away_is_seen():
    """With the guard unwrapped nobody is refused, so the matrix above would fail for every method."""
    unguarded = {name: method.__wrapped__ for name, method in METHODS.items()}
    needing = [name for name in METHODS if not may(NOBODY, name)]
    assert len(needing) == len(METHODS)
    assert all(is_refused(METHODS[name], NOBODY) for name in needing)
    assert not any(is_refused(unguarded[name], NOBODY) for name in needing)


def test_there_are_as_many_roles_as_levels_features_and_states_make():
    assert len(list(roles())) == 3 * 2**3 * 2 * 4 + 4 + 1


def test_a_method_without_a_declaration_is_refused_to_everybody():
    @guarded
    class Newcomer:
        store = SimpleNamespace(account=next(roles()))

        def act(self):
            return "done"

    for account in roles():
        newcomer = Newcomer()
        newcomer.store = SimpleNamespace(account=account)
        with pytest.raises(NotPermitted, match=r"Newcomer\.act does not say"):
            newcomer.act()


def test_a_refusal_says_what_is_missing_and_who_can_give_it():
    planner = Account(id="u", name="anna")
    holder = SimpleNamespace(store=SimpleNamespace(account=planner))
    with pytest.raises(NotPermitted) as refused:
        METHODS["SiteSession.add_machine"](holder)
    assert "add a machine" in refused.value.sentence
    assert "Facility Configuration" in refused.value.sentence
    assert "administrator" in refused.value.hint
    with pytest.raises(NotPermitted, match="level Elevated"):
        METHODS["ReleaseBook.release"](holder)
    holder.store.account = attrs.evolve(planner, must_change_password=True)
    holder.store.account = Account(
        id="u", name="anna", grant=Grant(level=Level.ELEVATED, is_administrator=True), is_unverified=True
    )
    with pytest.raises(NotPermitted, match="provider cannot be reached"):
        METHODS["ReleaseBook.release"](holder)
    with pytest.raises(NotPermitted, match="provider cannot be reached"):
        METHODS["AccountService.add"](holder)
    holder.store.account = attrs.evolve(planner, must_change_password=True)
    with pytest.raises(NotPermitted, match="one-time password") as refused:
        METHODS["SiteSession.patients"](holder)
    assert "ert user password" in refused.value.hint
    holder.store.account = Account(id="e", name="Emergency access", is_emergency=True)
    with pytest.raises(NotPermitted, match="emergency access lets look at patients and plans") as refused:
        METHODS["PlanWorkspace.apply"](holder)
    assert "your own" in refused.value.hint


def test_a_refusal_stands_in_the_log_without_a_name(caplog):
    holder = SimpleNamespace(store=SimpleNamespace(account=Account(id="u", name="anna")))
    with caplog.at_level("WARNING", logger="ert"), pytest.raises(NotPermitted):
        METHODS["AccountService.disable"](holder)
    (record,) = caplog.records
    line = JsonFormatter().format(record)
    assert '"args": ["AccountService.disable", "administer"]' in line
    assert "anna" not in line


def test_screens_and_commands_reach_records_through_the_services(repository):
    """Whoever wrote `session.store.plans` in a screen would pass by every right."""
    past = re.compile(r"\.store\.(patients|plans|machines|ct_curves|materials|releases|accounts|check|start_backup)\b")
    found = [
        f"{path.name}: {line.strip()}"
        for path in sorted((repository / "ert" / "ui").glob("*.py"))
        for line in path.read_text(encoding="utf-8").splitlines()
        if past.search(line)
    ]
    assert found == []
