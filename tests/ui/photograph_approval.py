r"""Photograph how a plan is approved, what it looks like afterwards, and how its approval ends.

    xvfb-run -a -s "-screen 0 1366x768x24" .venv/bin/python tests/ui/photograph_approval.py OUT [--size 1366x768]

A site with a released machine and a plan that can be approved is made in a temporary folder. OUT gets the pictures.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from tests.ui.photograph import Photographer


class ApprovalPhotographer(Photographer):
    """Walks through one plan's approval."""

    def dialog(self):
        from PySide6.QtWidgets import QApplication

        return QApplication.activeModalWidget()

    def is_open(self) -> bool:
        return self.dialog() is not None

    def has_rows(self) -> bool:
        page = self.window.patient_page
        return page is not None and bool(page._rows) and page._rows[0].is_complete

    def is_closed(self) -> bool:
        return self.dialog() is None and not self.window.session.jobs.active()

    def has_dose(self) -> bool:
        page = self.window.plan_page
        return page is not None and page.workspace.dose.is_current and not self.window.session.jobs.active()

    def walk(self):
        from tests.ui import real_site

        window, sign_in = self.window, self.window.sign_in
        sign_in.show_sign_in(self.demo)
        sign_in.user.setText(real_site.USER)
        sign_in.password.setText(real_site.PASSWORD)
        yield (lambda: True), 0.4
        sign_in.submit()
        yield self.has_rows, 0.6
        plans = {p.name: p.plan_id for p in window.patient_page._rows[0].courses[0].plans}
        yield from self.walk_unready(plans[real_site.PLAN_NAME])
        yield from self.walk_approval(plans["To approve"])

    def walk_unready(self, plan_id):
        self.window.open_plan(plan_id)
        yield (lambda: self.window.plan_page is not None), 1.5
        self.window.plan_page.actions_.approval.approve.trigger()
        yield self.is_open, 0.8
        self.shoot("a1_much_is_missing")
        self.dialog().reject()
        yield self.is_closed, 0.3
        self.window._close_plan_page(self.window.plan_page)

    def walk_approval(self, plan_id):
        from tests.ui import real_site

        self.window.open_plan(plan_id)
        yield self.has_dose, 1.5
        self.window.plan_page.actions_.approval.approve.trigger()
        yield self.is_open, 0.8
        dialog = self.dialog()
        self.shoot("a2_to_be_confirmed")
        for n in range(dialog.checklist.count()):
            dialog.checklist.item(n).setCheckState(self.checked())
        dialog.recompute()
        yield (lambda: dialog._job is None), 0.5
        dialog.password.setText("Not-this-1!")
        dialog.approve()
        yield (lambda: not dialog._is_signing), 0.5
        self.shoot("a3_wrong_password")
        dialog.password.setText(real_site.PASSWORD)
        yield (lambda: True), 0.3
        self.shoot("a4_all_met")
        dialog.approve()
        yield (lambda: self.dialog() is None), 1.0
        yield self.has_dose, 2.5
        self.shoot("a5_approved")
        self.window.plan_page.show_tab(4)
        yield (lambda: True), 0.5
        self.shoot("a6_prescription_locked")
        self.window.plan_page.actions_.approval.end.trigger()
        yield self.is_open, 0.6
        dialog = self.dialog()
        dialog.reason.setText("The patient lost weight; the CT is no longer true.")
        dialog.password.setText(real_site.PASSWORD)
        yield (lambda: True), 0.4
        self.shoot("a7_ending")
        dialog.submit()
        yield (lambda: self.dialog() is None), 1.0
        yield self.has_dose, 2.5
        self.shoot("a8_withdrawn")
        self.window.back_to_patients()
        yield (lambda: self.window.plan_page is None), 1.5
        self.window.patient_page.tree.expandAll()
        yield (lambda: True), 0.5
        self.shoot("a9_patients")

    @staticmethod
    def checked():
        from PySide6.QtCore import Qt

        return Qt.CheckState.Checked


def make_site(folder: Path) -> Path:
    """A site with one plan that is bare, and one that can be approved."""
    from ert.app.session import SiteSession
    from tests.integration.app import approving
    from tests.integration.app.conftest import Owner
    from tests.ui import real_site

    path, owner = real_site.filled_site(folder / "site"), Owner()
    session = SiteSession.open(
        real_site.gateway(), owner.jobs, path, user_name=real_site.USER, password=real_site.PASSWORD
    )
    approving.plan_to_approve(session, owner, folder / "clinical").close()
    session.close()
    owner.jobs.shutdown()
    return path


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("out", type=Path)
    parser.add_argument("--size", default="1366x768")
    chosen = parser.parse_args()
    chosen.out.mkdir(parents=True, exist_ok=True)
    scratch = Path(tempfile.mkdtemp(prefix="ert-photos-"))
    for kind in ("CONFIG", "STATE"):
        os.environ[f"XDG_{kind}_HOME"] = str(scratch / kind.lower())
    from ert.main import prepare_environment

    prepare_environment()
    site = make_site(scratch)
    from ert.ui.application import start
    from tests.ui import real_site

    width, height = map(int, chosen.size.split("x"))
    keep: list[Photographer] = []

    def ready(window) -> None:
        keep.append(ApprovalPhotographer(window, chosen.out, (width, height), site, scratch))
        keep[0].start()

    return start(real_site.gateway(), site=site, on_ready=ready)


if __name__ == "__main__":
    sys.exit(main())
