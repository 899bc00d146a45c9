"""The dialog of the second check's limits: what is in use, who set what before, refusals, who may only look."""

import attrs

from ert.domain.account import Feature, Grant, Level
from ert.ui.limits_dialog import LimitsDialog
from tests.ui import real_site


def test_limits_are_set_with_a_reason_and_listed(qtbot, tmp_path):
    path = tmp_path / "site"
    real_site.make_empty_site(path)

    def work(session):
        dialog = LimitsDialog(session)
        qtbot.addWidget(dialog)
        assert dialog.in_use.text() == "In use: the program's own limits."
        assert dialog.fields["gamma_distance_cm"].text() == "2.0 mm"
        dialog.fields["gamma_distance_cm"].setText("1,5")
        dialog.save()
        assert "need a reason" in dialog.message.text
        dialog.reason.setText("our audit")
        dialog.save()
        assert dialog.in_use.text() == "In use: the site's limits, revision 1."
        assert dialog.fields["gamma_distance_cm"].text() == "1.5 mm"
        row = [dialog.history.item(0, column).text() for column in range(5)]
        assert (row[0], row[3]) == ("1", "our audit")
        assert "gamma 3 % / 1.5 mm" in row[4]
        dialog.show()
        head = dialog.table.horizontalHeader()
        room = dialog.table.fontMetrics().horizontalAdvance(row[1])
        qtbot.waitUntil(lambda: head.sectionSize(1) >= room)  # when they were set is to be read, all beside each other
        assert head.length() <= dialog.table.viewport().width()
        dialog.fields["green_pass_pct"].setText("80")
        dialog.reason.setText("lower")
        dialog.save()
        assert "must rise from amber to green" in dialog.message.text
        dialog.defaults.click()
        assert dialog.fields["green_pass_pct"].text() == "95.0 %"
        account = session.store.account
        planner = Grant(level=Level.ELEVATED, features=frozenset({Feature.IM_DEVICE}))
        session.store._account = attrs.evolve(account, grant=planner)
        only_looking = LimitsDialog(session)
        qtbot.addWidget(only_looking)
        assert not only_looking.save_button.isEnabled()
        assert "facility" in only_looking.message.text.lower()
        session.store._account = account

    real_site.in_session(path, work)
