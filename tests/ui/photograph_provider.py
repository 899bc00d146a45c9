"""Photograph signing in through a provider: sign-in, waiting, refusals, lock, set-up; against a real provider process.

xvfb-run -a -s "-screen 0 1920x1080x24" .venv/bin/python tests/ui/photograph_provider.py OUT [--size 1366x768]
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
from functools import partial
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from tests.ui.photograph import Photographer  # noqa: E402 - started as a program


class ProviderPhotographer(Photographer):
    """Walks through everything that has to do with a provider."""

    def walk(self):
        from PySide6.QtWidgets import QApplication

        from ert.ui.confirm_password import ConfirmPasswordDialog
        from ert.ui.provider_dialog import ProviderDialog
        from ert.ui.users_dialog import UsersDialog

        window, provider = self.window, self.provider
        page = window.sign_in
        yield (lambda: not page.provider.isHidden()), 0.6
        self.shoot("40_sign_in")
        self.browser[0] = lambda _address: True
        page.provider.button.click()
        yield (lambda: "Waiting" in page.provider.waiting.text()), 0.4
        self.shoot("41_waiting")
        page.provider.cancel.click()
        yield (lambda: not page.provider.is_waiting), 0.3
        self.browser[0] = provider.browser
        for name, change in (
            ("42_unknown_person", {"person": {"sub": "f3b1c2d4-77aa", "preferred_username": "eve.summers"}}),
            ("42_unreachable", {"faults": {"trouble": {"/token": ["status", 503]}}}),
        ):
            provider.control(reset=True)
            provider.control(**change)
            page.message.clear()
            page.provider.button.click()
            yield (lambda: bool(page.message.text)), 0.4
            self.shoot(name)
        provider.control(reset=True)
        page.provider.button.click()
        yield (lambda: window.session is not None), 1.0
        self.shoot("43_signed_in")
        provider.control(revoke=True)
        window.control.watch.revalidate()
        yield (lambda: window.control.is_locked), 0.5
        self.shoot("44_expired")
        self.browser[0] = lambda _address: True
        window.control.screen.provider.button.click()
        yield (lambda: "Waiting" in window.control.screen.provider.waiting.text()), 0.4
        self.shoot("45_lock_waiting")
        window.control.screen.provider.cancel.click()
        yield (lambda: not window.control.screen.provider.is_waiting), 0.3
        self.browser[0] = provider.browser
        provider.control(person={"sub": "f3b1c2d4-77aa", "preferred_username": "eve.summers"})
        window.control.screen.provider.button.click()
        yield (lambda: bool(window.control.screen.message.text)), 0.4
        self.shoot("46_lock_somebody_else")
        provider.control(reset=True)
        window.control.screen.provider.button.click()
        yield (lambda: not window.control.is_locked), 0.6
        provider.faults(trouble={"/token": ["status", 503]})
        window.control.watch.revalidate()
        yield (lambda: bool(window.message.text)), 0.5
        self.shoot("47_silent")
        provider.control(reset=True)
        window.control.watch.revalidate()
        yield (lambda: "again" in window.message.text), 0.3
        window.control.provider_action.trigger()
        dialog = window.findChild(ProviderDialog)
        yield (lambda: dialog.table.rowCount() > 0 and not dialog._is_busy), 0.4
        self.shoot("48_provider")
        dialog.ask_provider()
        yield (lambda: bool(dialog.message.text)), 0.4
        self.shoot("48_provider_tested")
        window.session.accounts._confirmed_s -= 1000
        dialog.enrol_here()
        yield (lambda: isinstance(QApplication.activeModalWidget(), ConfirmPasswordDialog)), 0.4
        self.shoot("49_confirm")
        QApplication.activeModalWidget().provider.button.click()
        yield (lambda: "is enrolled" in dialog.message.text and not dialog._is_busy), 0.5
        self.shoot("49_enrolled")
        dialog.reject()
        window.control.users_action.trigger()
        users = window.findChild(UsersDialog)
        yield (lambda: users.table.rowCount() > 0 and not users._is_busy), 0.4
        self.shoot("50_users")
        users.begin_new()
        users.form.name.setText("k.lindqvist")
        users.form.subject.setText("9f0c-lindqvist")
        users.form.changed.emit()
        yield (lambda: True), 0.3
        self.shoot("51_new_user")
        users.reject()
        window.control.lock("Locked by hand.")
        yield (lambda: True), 0.4
        self.shoot("52_locked")
        window.control.screen.provider.button.click()
        yield (lambda: not window.control.is_locked), 0.4


def _visit(browser, address) -> bool:
    return browser[0](address)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("out", type=Path)
    parser.add_argument("--size", default="1920x1080")
    chosen = parser.parse_args()
    chosen.out.mkdir(parents=True, exist_ok=True)
    scratch = Path(tempfile.mkdtemp(prefix="ert-photos-"))
    os.environ["XDG_CONFIG_HOME"] = str(scratch / "config")
    from ert.main import prepare_environment

    prepare_environment()
    from ert.domain.account import Grant, Level
    from ert.identity.client import OidcClient
    from ert.ui.application import start
    from tests.identity_people import MemoryKeyStore, running_provider
    from tests.ui import real_site

    with running_provider(scratch / "provider") as provider:
        store, path = MemoryKeyStore(), real_site.filled_site(scratch / "City Hospital")
        gateway = real_site.gateway(key_store=store)
        site = gateway.open(path, user_name=real_site.USER, password=real_site.PASSWORD)
        site.identities.save_provider(provider.settings(name="City Hospital ID"))
        grant = Grant(level=Level.ELEVATED, is_administrator=True)
        site.identities.add_account("anna.bauer", grant=grant, subject="248289761001")
        site.workstations.enrol("planning-3")
        site.close()
        browser, keep = [provider.browser], []

        def ready(window) -> None:
            photographer = ProviderPhotographer(
                window, chosen.out, tuple(map(int, chosen.size.split("x"))), path, scratch
            )
            photographer.provider, photographer.browser = provider, browser
            keep.append(photographer)
            photographer.start()

        identity = OidcClient(store, browser=partial(_visit, browser))
        return start(gateway, identity=identity, site=path, on_ready=ready)


if __name__ == "__main__":
    sys.exit(main())
