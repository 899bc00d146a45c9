"""Signing in through a provider as people see it: a real provider process, a real site, the real windows."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import attrs
import pytest
from PySide6.QtWidgets import QLabel

from ert.app.jobs import Jobs
from ert.app.provider_session import ProviderSession
from ert.app.session import SiteSession
from ert.domain.account import Grant, Level
from ert.identity.client import OidcClient
from ert.ui.confirm_password import ConfirmPasswordDialog
from ert.ui.jobs_bridge import Dispatcher
from ert.ui.main_window import MainWindow
from ert.ui.provider_dialog import ProviderDialog
from ert.ui.users_dialog import UsersDialog
from tests.identity_people import MemoryKeyStore, running_provider
from tests.ui import real_site

SUBJECT = "248289761001"


@pytest.fixture(autouse=True)
def own_settings(monkeypatch, tmp_path):
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))


@pytest.fixture(scope="module")
def process(tmp_path_factory):
    with running_provider(tmp_path_factory.mktemp("provider")) as provider:
        yield provider


@pytest.fixture
def provider(process):
    process.control(reset=True)
    return process


@pytest.fixture
def browser(provider):
    """What the program's browser does; a test may put something else in its place."""
    return [provider.browser]


def _visit(browser, address):
    return browser[0](address)


@pytest.fixture
def start(qtbot, tmp_path, provider, browser):
    """A window at its sign-in page, for a site that was made ready by an administrator."""
    made, store = [], MemoryKeyStore()
    dispatcher = Dispatcher()
    jobs = Jobs(dispatcher)

    def make(*, is_ready=True, grant=None):
        path = real_site.filled_site(tmp_path / "site")
        gateway = real_site.gateway(key_store=store)
        if is_ready:
            site = gateway.open(path, user_name=real_site.USER, password=real_site.PASSWORD)
            site.identities.save_provider(provider.settings())
            site.identities.add_account("a.bauer", grant=grant or Grant(level=Level.ELEVATED), subject=SUBJECT)
            site.workstations.enrol("console")
            site.close()
        identity = OidcClient(store, browser=partial(_visit, browser))
        window = MainWindow(gateway, jobs, identity=identity, with_3d=False)
        window.resize(1280, 800)
        window.show()
        window.sign_in.show_sign_in(path)
        made.append(window)
        real_site.settle(jobs, qtbot)
        window.store = store
        return window

    yield make
    for window in made:
        if window.plan_page is not None:
            window._close_plan_page(window.plan_page)
        real_site.settle(jobs, qtbot)
        if window.control.is_locked:
            window.control._unlock()
        if window.session is not None:
            window.session.close()
        window.close()
        window.deleteLater()
    qtbot.wait(1)
    jobs.shutdown()
    dispatcher.close()


@pytest.fixture
def window(start, qtbot):
    """Signed in through the provider."""
    made = start()
    made.sign_in.provider.button.click()
    qtbot.waitUntil(lambda: made.session is not None, timeout=20_000)
    real_site.settle(made._jobs, qtbot)
    return made


@pytest.fixture
def plan(window, qtbot):
    (row,) = window.session.patients()
    window.open_plan(row.courses[0].plans[0].plan_id)
    qtbot.waitUntil(lambda: window.plan_page is not None, timeout=20_000)
    window.plan_page.workspace.apply("Describe", lambda p: attrs.evolve(p, description="not saved yet"))
    return window.plan_page


def texts(widget):
    return " ".join(label.text() for label in widget.findChildren(QLabel) if not label.isHidden())


def test_the_page_offers_the_provider_where_the_workstation_is_enrolled_and_only_there(start, tmp_path, qtbot):
    window = start(is_ready=False)
    page = window.sign_in
    assert page.provider.isHidden()
    assert page.provider_note.isHidden()
    service = window.gateway.open(tmp_path / "site", user_name=real_site.USER, password=real_site.PASSWORD)
    service.workstations.enrol("console")
    service.close()
    page.show_sign_in(tmp_path / "site")
    real_site.settle(window._jobs, qtbot)
    assert page.provider.isHidden()  # enrolled, but the site has no provider


def test_a_person_signs_in_through_the_browser(window, provider):
    assert window.session.user_name == "a.bauer"
    assert window._pages.currentWidget() is window.patient_page
    assert not window.session.accounts.has_password
    assert window.sign_in.sign_in.isEnabled()
    assert len(provider.seen["authorize"]) == 1


def test_waiting_can_be_cancelled_and_everything_is_as_before(start, browser, qtbot):
    window = start()
    page = window.sign_in
    assert page.provider.button.text() == "Sign in with Clinic ID"
    seen = []
    browser[0] = lambda address: seen.append(address) or True
    page.provider.button.click()
    qtbot.waitUntil(lambda: "Waiting for you" in page.provider.waiting.text(), timeout=20_000)
    qtbot.waitUntil(lambda: bool(seen), timeout=20_000)
    assert not page.sign_in.isEnabled()
    assert not page.site.isEnabled()
    assert page.provider.button.isHidden()
    page.provider.copy.click()
    from PySide6.QtGui import QGuiApplication

    assert QGuiApplication.clipboard().text() == seen[0]
    page.provider.cancel.click()
    qtbot.waitUntil(lambda: not page.provider.is_waiting, timeout=20_000)
    assert window.session is None
    assert page.sign_in.isEnabled()
    assert not page.provider.button.isHidden()
    assert page.message.text == ""


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"person": {"sub": "eve-7", "preferred_username": "eve"}}, "no account of this site belongs to the subject"),
        ({"faults": {"answer": {"error": "access_denied", "code": None}}}, "did not sign anybody in (access_denied)"),
        ({"faults": {"trouble": {"/token": ["status", 503]}}}, "is in trouble (status 503)"),
        ({"faults": {"stranger": True}}, "not signed by the provider"),
    ],
)
def test_a_refusal_is_a_sentence_on_the_page(change, words, start, provider, qtbot):
    window = start()
    provider.control(**change)
    page = window.sign_in
    page.provider.button.click()
    qtbot.waitUntil(lambda: bool(page.message.text), timeout=20_000)
    assert words in page.message.text
    assert window.session is None
    assert not [name for name in window.store.kept if name.startswith("refresh")]


def test_a_key_store_that_is_away_is_said_and_passwords_still_work(start, qtbot):
    from ert.errors import KeyStoreFailed

    window = start()

    def away(_name):
        raise KeyStoreFailed("ERT could not read the key store of this workstation.", hint="Unlock it.")

    window.store.read = away
    page = window.sign_in
    page.show_sign_in()
    real_site.settle(window._jobs, qtbot)
    assert "could not read the key store" in page.provider_note.text()
    assert page.provider.isHidden()
    page.user.setText(real_site.USER)
    page.password.setText(real_site.PASSWORD)
    page.submit()
    qtbot.waitUntil(lambda: window.session is not None, timeout=20_000)
    del window.store.read


def test_an_expired_sign_in_locks_and_goes_on_after_signing_in_again(window, plan, provider, qtbot):
    qtbot.waitUntil(lambda: "Draft kept" in plan.workspace.keeping.text or plan.workspace.keeping.kept_at is not None,
                    timeout=20_000)  # fmt: skip
    provider.control(revoke=True)
    window.control.watch.revalidate()
    qtbot.waitUntil(lambda: window.control.is_locked, timeout=20_000)
    screen = window.control.screen
    assert "has ended the sign-in" in texts(screen)
    assert "nothing is lost" in texts(screen)
    assert screen.password.isHidden()
    assert screen.unlock.isHidden()
    provider.control(person={"sub": "eve-7", "preferred_username": "eve"})
    screen.provider.button.click()  # somebody else
    qtbot.waitUntil(lambda: bool(screen.message.text), timeout=20_000)
    assert "somebody else" in screen.message.text
    assert window.control.is_locked
    provider.control(person={"sub": SUBJECT})
    screen.provider.button.click()
    qtbot.waitUntil(lambda: not window.control.is_locked, timeout=20_000)
    assert plan.workspace.plan.description == "not saved yet"
    assert plan.workspace.is_dirty
    saved = []
    plan.workspace.save(lambda: saved.append(True))
    qtbot.waitUntil(lambda: bool(saved), timeout=20_000)
    window.control.watch.revalidate()
    real_site.settle(window._jobs, qtbot)
    assert not window.control.is_locked


def test_a_silent_provider_leaves_planning_and_takes_the_rest_until_it_is_back(window, plan, provider, qtbot):
    assert window.session.account.grant.level is Level.ELEVATED
    provider.faults(trouble={"/token": ["status", 503]})
    window.control.watch.revalidate()
    qtbot.waitUntil(lambda: "cannot be reached" in window.message.text, timeout=20_000)
    assert window.session.account.is_unverified
    assert not window.control.is_locked
    assert "release" not in {right.value for right in window.session.account.rights}
    plan.workspace.apply("More", lambda p: attrs.evolve(p, description="edited meanwhile"))
    saved = []
    plan.workspace.save(lambda: saved.append(True))
    qtbot.waitUntil(lambda: bool(saved), timeout=20_000)
    provider.faults()
    window.control.watch.revalidate()
    qtbot.waitUntil(lambda: "can be reached again" in window.message.text, timeout=20_000)
    assert not window.session.account.is_unverified
    assert "release" in {right.value for right in window.session.account.rights}


def test_the_grace_ends_by_the_clock_and_a_restart_of_it_is_the_providers(window, provider, qtbot):
    now = [0.0]
    signed_in = window.session.accounts.provider
    held = ProviderSession(signed_in._client, signed_in._way, signed_in._signed_in, clock=lambda: now[0])
    window.session.accounts.vouched_for_by(held)
    provider.faults(trouble={"/token": ["status", 503]})
    now[0] = 8 * 3600 - 1.0
    window.control.watch.revalidate()
    qtbot.waitUntil(lambda: window.session.account.is_unverified, timeout=20_000)
    real_site.settle(window._jobs, qtbot)
    assert not window.control.is_locked
    now[0] = 8 * 3600
    window.control.watch.revalidate()
    qtbot.waitUntil(lambda: window.control.is_locked, timeout=20_000)
    assert "could not be reached for 8 hours" in texts(window.control.screen)
    provider.faults()
    window.control.watch.revalidate()  # it is over; only signing in again goes on
    real_site.settle(window._jobs, qtbot)
    assert window.session.account.is_unverified
    window.control.screen.provider.button.click()
    qtbot.waitUntil(lambda: not window.control.is_locked, timeout=20_000)
    real_site.settle(window._jobs, qtbot)
    assert not window.session.account.is_unverified


def test_signing_out_forgets_the_refresh_token(window, qtbot):
    assert [name for name in window.store.kept if name.startswith("refresh")]
    window.sign_out()
    real_site.settle(window._jobs, qtbot)
    assert not [name for name in window.store.kept if name.startswith("refresh")]
    assert not window.sign_in.provider.isHidden()  # offered again


def test_an_administrator_sets_it_up_in_the_windows(start, provider, tmp_path, qtbot):
    window = start(is_ready=False)
    session = SiteSession.open(
        window.gateway, window._jobs, tmp_path / "site", user_name=real_site.USER, password=real_site.PASSWORD
    )
    window.show_site(session)
    window.control.provider_action.trigger()
    (dialog,) = window.findChildren(ProviderDialog)
    qtbot.waitUntil(lambda: not dialog._is_busy, timeout=20_000)
    form = dialog.form
    dialog.submit()
    assert "no address of a sign-in provider" in dialog.message.text
    form.issuer.setText(provider.issuer)
    form.name.setText("Clinic ID")
    form.client_id.setText("ert-desktop")
    dialog.ask_provider()
    qtbot.waitUntil(lambda: "certificate" in dialog.message.text, timeout=20_000)
    form.load(provider.folder / "ca.pem")
    assert form.ca_state.text() == "Only 1 certificate kept in the site"
    dialog.ask_provider()
    qtbot.waitUntil(lambda: "answers, and has keys for RS256" in dialog.message.text, timeout=20_000)
    dialog.submit()
    qtbot.waitUntil(lambda: dialog._saved is not None and not dialog._is_busy, timeout=20_000)
    assert dialog._saved == provider.settings()
    assert not dialog.save.isEnabled()
    dialog.enrol_here()
    qtbot.waitUntil(lambda: dialog.table.rowCount() == 1 and not dialog._is_busy, timeout=20_000)
    assert dialog.table.item(0, 3).text() == "this one"
    assert session.keys.state().workstations == 1
    dialog.table.selectRow(0)
    dialog.remove_chosen()
    qtbot.waitUntil(lambda: dialog.table.rowCount() == 0 and not dialog._is_busy, timeout=20_000)
    assert "renew the master key" in dialog.message.text
    assert session.keys.state().workstations == 0
    dialog.reject()
    users = UsersDialog(session, window)
    qtbot.waitUntil(lambda: users.table.rowCount() == 1 and not users._is_busy, timeout=20_000)
    users.form.subject.setText("4711")
    users.form.changed.emit()
    users.submit()
    qtbot.waitUntil(lambda: users._people.subjects != {} and not users._is_busy, timeout=20_000)
    assert users.state.text() == "Enabled, Clinic ID: or with a password"
    users.begin_new()
    users.form.name.setText("a.bauer")
    users.form.subject.setText(SUBJECT)
    users.submit()
    qtbot.waitUntil(lambda: users.table.rowCount() == 2 and not users._is_busy, timeout=20_000)
    assert users._secret_box.isHidden()
    assert "no password here" in users.state.text()
    users.begin_new()
    users.form.name.setText("eve")
    users.form.subject.setText(SUBJECT)
    users.submit()
    qtbot.waitUntil(lambda: "belongs to 'a.bauer' already" in users.message.text, timeout=20_000)
    users.reject()


def test_an_administrator_without_a_password_confirms_through_the_provider(start, provider, qtbot):
    window = start(grant=Grant(is_administrator=True))
    window.sign_in.provider.button.click()
    qtbot.waitUntil(lambda: window.session is not None, timeout=20_000)
    accounts = window.session.accounts
    accounts._confirmed_s -= 1000.0
    assert accounts.needs_confirmation
    done = []
    dialog = ConfirmPasswordDialog(window.session, lambda: done.append(True), window)
    dialog.open()
    assert dialog.password.isHidden()
    dialog.provider.button.click()
    qtbot.waitUntil(lambda: bool(done), timeout=20_000)
    assert not accounts.needs_confirmation
    assert len(provider.seen["authorize"]) == 2


def test_who_also_has_a_password_goes_on_with_it_when_the_provider_ends_the_session(start, provider, qtbot):
    window = start()
    site = window.gateway.open(Path(window.sign_in.site.text()), user_name=real_site.USER, password=real_site.PASSWORD)
    site.identities.link(site.account.id, "meitner-1")
    site.close()
    provider.control(person={"sub": "meitner-1"})
    window.sign_in.provider.button.click()
    qtbot.waitUntil(lambda: window.session is not None, timeout=20_000)
    assert window.session.user_name == real_site.USER
    assert window.session.accounts.has_password
    provider.control(revoke=True)
    window.control.watch.revalidate()
    qtbot.waitUntil(lambda: window.control.is_locked, timeout=20_000)
    screen = window.control.screen
    assert not screen.password.isHidden()
    assert not screen.provider.isHidden()
    screen.password.setText(real_site.PASSWORD)
    screen.submit()
    qtbot.waitUntil(lambda: not window.control.is_locked, timeout=20_000)
    window.control.watch.revalidate()
    real_site.settle(window._jobs, qtbot)
    assert not window.control.is_locked
    assert "administer" in {right.value for right in window.session.account.rights}
    assert not [name for name in window.store.kept if name.startswith("refresh")]
    window.control.lock("Locked by hand.")
    assert window.control.screen.provider.isHidden()
