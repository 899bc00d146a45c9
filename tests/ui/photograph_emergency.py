r"""Photograph emergency access in the real program, to be looked at by a person.

    xvfb-run -a -s "-screen 0 1366x768x24" .venv/bin/python tests/ui/photograph_emergency.py OUT --demo DIR \
        [--size 1366x768]

DIR is the folder of an earlier ``ert demo``; it is copied. OUT gets one PNG a screen.
"""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from tests.ui import photograph_dialogs

WHO, WHY = (
    "Dr. Hedy Fromm, on call",
    "Patient is on the couch, the sign-in provider cannot be reached, R. Okafor is on leave",
)


class EmergencyPhotographer(photograph_dialogs.DialogPhotographer):
    """Seals an envelope, opens the site with it, looks at a plan, is told of it."""

    def walk(self):
        window = self.window
        yield from self.sign_in()
        window.control.emergency_action.trigger()
        yield self.is_open, 0.8
        dialog = self.dialog()
        self.shoot("80_no_envelope")
        dialog.make.click()
        yield (lambda: bool(dialog.code.text())), 0.6
        self.shoot("81_code_shown")
        code = dialog.code.text()
        (self.out / "sheet.txt").write_text(dialog.sheet(), encoding="utf-8")
        dialog.typed.setText(code)
        dialog.use.click()
        yield (lambda: "counts" in dialog.message.text and "Sealed on" in dialog.state.text()), 0.6
        self.shoot("82_sealed")
        dialog.reject()
        yield self.is_closed, 0.3
        yield from self.leave()
        self.shoot("83_sign_in")
        window.sign_in.sealed.click()
        form = window.sign_in.emergency_form
        yield (lambda: True), 0.4
        self.shoot("84_form")
        form.code.setText(code[:-1] + ("A" if code[-1] != "A" else "B"))
        form.person.setText(WHO)
        form.reason.setText(WHY)
        form.submit()
        yield (lambda: bool(form.message.text)), 0.6
        self.shoot("85_slip")
        form.code.setText(code)
        form.submit()
        yield self.has_rows, 0.8
        window.patient_page.tree.setCurrentIndex(window.patient_page.model.index(0, 0))
        yield (lambda: True), 0.4
        self.shoot("86_patients")
        head = window.patient_page._rows[0].courses[0].plans[0]
        window.open_plan(head.plan_id)
        yield (lambda: window.plan_page is not None), 3.0
        yield (lambda: window.plan_page.workspace.dose.status == "current" and not window._jobs.active()), 2.0
        self.shoot("87_plan")
        window.records.look_at(head.plan_id, 1)
        yield (lambda: bool(window.records.looks)), 2.0
        window.records.looks[0].move(0, 0)
        yield (lambda: True), 0.6
        self.shoot("88_revision")
        window.records.close_looks()
        window.control.lock("Locked by hand.")
        yield (lambda: True), 0.6
        self.shoot("89_locked")
        window.control.screen.password.setText(code)
        window.control.screen.submit()
        yield (lambda: not window.control.is_locked), 0.4
        window._close_plan_page(window.plan_page)
        yield from self.leave()
        yield from self.sign_in()
        yield (lambda: bool(window.control.notice.text)), 0.6
        self.shoot("90_told")
        window.control.emergency_action.trigger()
        yield self.is_open, 0.8
        self.shoot("91_opened")
        self.dialog().reject()
        yield self.is_closed, 0.3
        window.keys_action.trigger()
        yield self.is_open, 0.8
        self.shoot("92_keys")
        self.dialog().reject()
        yield self.is_closed, 0.3
        window.records.show_activity()
        yield self.is_open, 1.0
        self.shoot("93_activity")
        self.dialog().reject()
        yield self.is_closed, 0.3

    def sign_in(self):
        sign_in = self.window.sign_in
        sign_in.show_sign_in(self.demo / "site")
        sign_in.user.setText("demo")
        sign_in.password.setText(photograph_dialogs.PASSWORD)
        yield (lambda: True), 0.4
        sign_in.submit()
        yield self.has_rows, 0.6

    def leave(self):
        self.window.sign_out()
        yield (lambda: self.window.session is None and not self.window._jobs.active()), 0.6


if __name__ == "__main__":
    photograph_dialogs.DialogPhotographer = EmergencyPhotographer
    sys.exit(photograph_dialogs.main())
