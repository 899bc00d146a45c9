"""Users of the site: who there is, what each may do; added, changed, disabled, given a one-time password."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import attrs
from PySide6.QtCore import Qt
from PySide6.QtGui import QGuiApplication
from PySide6.QtWidgets import (
    QAbstractItemView,
    QFrame,
    QHBoxLayout,
    QHeaderView,
    QTableWidget,
    QTableWidgetItem,
    QVBoxLayout,
    QWidget,
)

from ert.app.account_service import one_time_password
from ert.app.session import SiteSession
from ert.domain.account import FEATURE_NAMES, LEVEL_NAMES, Account, Feature, Grant, PasswordHolders, Right
from ert.ui.confirm_password import ConfirmPasswordDialog
from ert.ui.password_rule_dialog import PasswordRuleDialog
from ert.ui.user_form import UserForm
from ert.ui.widgets import MessageStrip, dim_label, plain_tip, push_button, section_title, text_label
from ert.ui.working_dialog import WorkingDialog

_COLUMNS = ("Name", "Level", "Features", "Administrator", "State")
_NEW = "New user"


@attrs.frozen(kw_only=True)
class People:
    """How accounts sign in: the provider's name ("" for none), subjects there by user, who has a password here."""

    provider: str = ""
    subjects: Mapping[str, str] = attrs.field(factory=dict)
    passwords: PasswordHolders = PasswordHolders()


class UsersDialog(WorkingDialog):
    """A table of accounts beside the fields of the chosen one."""

    def __init__(self, session: SiteSession, parent: QWidget | None = None) -> None:
        super().__init__(session, parent)
        self.setWindowTitle("Users")
        self.resize(1200, 580)
        self._accounts: tuple[Account, ...] = ()
        self._people = People()
        self._chosen: Account | None = None
        self.table = QTableWidget(0, len(_COLUMNS))
        self.head, self.state = text_label(), dim_label()
        self.form = UserForm()
        self.slots = MessageStrip()
        self.secret, self.secret_of = text_label(), text_label()
        self.new = push_button("New user…", "add", "Add an account with a one-time password")
        self.save = push_button("Save", "save", "Keep what was changed")
        self.reset = push_button("Reset password…", "key", "Give a one-time password; also ends a lock")
        self.switch = push_button("Disable", "lock", "Close or open this account")
        self.rule = push_button("Rules…", "key", "What this site asks of passwords, and of who approves")
        self.close_button = push_button("Close", "close", "Close")
        self._secret_box = QFrame()
        self._build()
        self._connect()
        self.refresh()

    # ---- layout --------------------------------------------------------------------------------------------------

    def _build(self) -> None:
        table = self.table
        table.setHorizontalHeaderLabels(_COLUMNS)
        table.setAccessibleName("Users")
        table.verticalHeader().hide()
        table.setSelectionBehavior(QAbstractItemView.SelectionBehavior.SelectRows)
        table.setSelectionMode(QAbstractItemView.SelectionMode.SingleSelection)
        table.setEditTriggers(QAbstractItemView.EditTrigger.NoEditTriggers)
        table.setWordWrap(True)
        header = table.horizontalHeader()
        table.setObjectName("roomyTable")  # the frame of a focused cell must not cut its text
        header.setSectionResizeMode(QHeaderView.ResizeMode.ResizeToContents)
        header.setSectionResizeMode(2, QHeaderView.ResizeMode.Stretch)
        self.head.setObjectName("pageTitle")
        right = QVBoxLayout()
        right.addWidget(self.head)
        right.addWidget(self.state)
        right.addSpacing(6)
        right.addWidget(self.form)
        right.addWidget(self._secret_card())
        right.addWidget(self.message)
        right.addStretch(1)
        actions = QHBoxLayout()
        for button in (self.reset, self.switch):
            actions.addWidget(button)
        actions.addStretch(1)
        actions.addWidget(self.save)
        right.addLayout(actions)
        side = QWidget()
        side.setFixedWidth(480)
        side.setLayout(right)
        right.setContentsMargins(12, 0, 0, 0)
        middle = QHBoxLayout()
        middle.addWidget(table, 1)
        middle.addWidget(side)
        below = QHBoxLayout()
        below.addWidget(self.new)
        below.addWidget(self.rule)
        below.addStretch(1)
        below.addWidget(self.close_button)
        for button in (self.new, self.rule, self.save, self.reset, self.switch, self.close_button):
            button.setAutoDefault(False)
        layout = QVBoxLayout(self)
        layout.addWidget(self.slots)
        layout.addLayout(middle, 1)
        layout.addLayout(below)

    def _secret_card(self) -> QFrame:
        """Where a one-time password is shown, once."""
        self._secret_box.setObjectName("card")
        self.secret.setObjectName("recoveryCode")
        self.secret.setAlignment(Qt.AlignmentFlag.AlignCenter)
        self.secret.setAccessibleName("One-time password")
        self.secret.setTextInteractionFlags(
            Qt.TextInteractionFlag.TextSelectableByMouse | Qt.TextInteractionFlag.TextSelectableByKeyboard
        )
        copy = push_button("Copy", "copy", "Copy the one-time password")
        copy.setAutoDefault(False)
        copy.clicked.connect(lambda: QGuiApplication.clipboard().setText(self.secret.text()))
        row = QHBoxLayout()
        row.addWidget(self.secret, 1)
        row.addWidget(copy)
        layout = QVBoxLayout(self._secret_box)
        title = section_title("One-time password")
        layout.addWidget(title)
        layout.addWidget(self.secret_of)
        layout.addLayout(row)
        layout.addWidget(dim_label("Tell it to this person only. It is not shown again and must be changed at once."))
        self._secret_box.hide()
        return self._secret_box

    def _connect(self) -> None:
        self.table.currentCellChanged.connect(lambda row, *_: self._choose(row))
        self.form.changed.connect(self._enable)
        self.new.clicked.connect(lambda _checked=False: self.begin_new())
        self.save.clicked.connect(lambda _checked=False: self.submit())
        self.reset.clicked.connect(lambda _checked=False: self.reset_password())
        self.switch.clicked.connect(lambda _checked=False: self.switch_account())
        self.rule.clicked.connect(lambda _checked=False: PasswordRuleDialog(self._session, self).open())
        self.close_button.clicked.connect(self.reject)

    # ---- what is shown -------------------------------------------------------------------------------------------

    def refresh(self, choose: str = "") -> None:
        """Read the accounts again, and choose one by its id."""
        service = self._session.accounts

        def read() -> tuple[tuple[Account, ...], People]:
            identity = service.identity
            links = {link.user_id: link.subject for link in identity.links()}
            settings = identity.settings()
            name = "" if settings is None else settings.name
            return service.accounts(), People(provider=name, subjects=links, passwords=identity.have_password())

        self._run("Reading users", read, lambda found: self._show(*found, choose))

    def _show(self, accounts: tuple[Account, ...], people: People, choose: str) -> None:
        self._accounts, self._people = accounts, people
        self._name_unreadable(people.passwords.unreadable)
        self.form.offer_provider(people.provider)
        self.table.blockSignals(True)
        self.table.setRowCount(len(accounts))
        for row, account in enumerate(accounts):
            for column, text in enumerate(_row(account, people, is_own=account.id == self._session.account.id)):
                item = QTableWidgetItem(text)
                item.setToolTip(plain_tip(text))
                self.table.setItem(row, column, item)
        self.table.resizeRowsToContents()
        self.table.blockSignals(False)
        wanted = choose or self._session.account.id
        row = next((n for n, account in enumerate(accounts) if account.id == wanted), 0)
        self.table.setCurrentCell(row, 0)
        self.table.setFocus()
        self._choose(row)

    def _name_unreadable(self, names: tuple[str, ...]) -> None:
        if names:
            what = "1 key slot" if len(names) == 1 else f"{len(names)} key slots"
            self.slots.show_warning(
                f"{what} of this site cannot be read: {', '.join(names)}. Whose password opened it cannot be told. "
                "Restore the folder keys/slots/ from a backup, or reset the password of who cannot sign in any more."
            )
        else:
            self.slots.clear()

    def _choose(self, row: int) -> None:
        if not 0 <= row < len(self._accounts):
            return
        account = self._accounts[row]
        if self._chosen is None or self._chosen.id != account.id:
            self._secret_box.hide()
            self.message.clear()
        self._chosen = account
        self.head.setText(account.name)
        self.state.setText(_state(account, self._people))
        self.form.fill(account.name, account.grant, is_new=False, subject=self._subject_of(account))
        self.switch.setText("Enable" if account.is_disabled else "Disable")
        self.save.setText("Save")
        self._enable()

    def begin_new(self) -> None:
        """Show empty fields for a new account."""
        self.table.clearSelection()
        self.table.setCurrentCell(-1, -1)
        self._chosen = None
        self._secret_box.hide()
        self.message.clear()
        self.head.setText(_NEW)
        self.state.setText(
            f"With a subject the user signs in with {self._people.provider}; without one, or if a password is wanted, "
            "a one-time password is made up and shown."
            if self._people.provider
            else "A one-time password is made up and shown when the user is added."
        )
        self.form.fill("", Grant(), is_new=True)
        self.save.setText("Add user")
        self._enable()
        self.form.name.setFocus()

    def _enable(self) -> None:
        account, is_free = self._chosen, not self._is_busy
        self.new.setEnabled(is_free)
        if account is None:
            self.save.setEnabled(is_free and bool(self.form.name.text().strip()))
        else:
            is_other = self.form.grant() != account.grant or self._typed_subject() != self._subject_of(account)
            self.save.setEnabled(is_free and is_other)
        self.switch.setEnabled(is_free and account is not None)
        self.reset.setEnabled(is_free and account is not None and not account.is_disabled)

    # ---- what is done --------------------------------------------------------------------------------------------

    def _subject_of(self, account: Account) -> str:
        return self._people.subjects.get(account.id, "")

    def _typed_subject(self) -> str:
        return self.form.subject.text().strip()

    def submit(self) -> None:
        """Add the new account, or keep what was changed."""
        if self._chosen is None:
            self._add()
            return
        account, grant, subject = self._chosen, self.form.grant(), self._typed_subject()
        accounts, is_other_person = self._session.accounts, subject != self._subject_of(self._chosen)

        def change() -> Account:
            if is_other_person:
                accounts.identity.link(account.id, subject)
            return account if grant == account.grant else accounts.set_grant(account.id, grant)

        self._change("Changing a user", change, lambda changed: f"'{changed.name}': {changed.grant.text}.")

    def _add(self) -> None:
        grant, name, subject = self.form.grant(), self.form.name.text(), self._typed_subject()
        accounts = self._session.accounts
        if subject and not self.form.with_password.isChecked():
            self._change(
                "Adding a user",
                lambda: accounts.identity.add_account(name, grant=grant, subject=subject),
                lambda added: f"'{added.name}' was added and signs in with {self._people.provider}.",
            )
            return
        password = one_time_password()

        def add() -> Account:
            added = accounts.add(name, password=password, grant=grant)
            if subject:
                accounts.identity.link(added.id, subject)
            return added

        self._change("Adding a user", add, lambda added: f"'{added.name}' was added.", secret=password)

    def reset_password(self) -> None:
        """Give the chosen account a one-time password."""
        account = self._chosen
        if account is None:
            return
        password = one_time_password()
        self._change(
            "Resetting a password",
            lambda: self._session.accounts.reset_password(account.id, password),
            lambda changed: f"The old password of '{changed.name}' opens nothing any more.",
            secret=password,
        )

    def switch_account(self) -> None:
        """Disable the chosen account, or enable it again."""
        account, accounts = self._chosen, self._session.accounts
        if account is None:
            return
        if account.is_disabled:
            self._change(
                "Enabling a user", lambda: accounts.enable(account.id), lambda a: f"'{a.name}' may sign in again."
            )
        else:
            self._change(
                "Disabling a user", lambda: accounts.disable(account.id), lambda a: f"'{a.name}' cannot sign in."
            )

    def _change(
        self, title: str, work: Callable[[], Account], told: Callable[[Account], str], *, secret: str = ""
    ) -> None:
        """Do it, after asking for the password again if it was given too long ago."""
        if self._session.accounts.needs_confirmation:
            ConfirmPasswordDialog(self._session, lambda: self._change(title, work, told, secret=secret), self).open()
            return

        def done(account: Account) -> None:
            self._secret_box.hide()
            if secret:
                self.secret.setText(secret)
                self.secret_of.setText(f"of '{account.name}'")
                self._secret_box.show()
            self._chosen = account
            self.message.show_note(told(account))
            if Right.ADMINISTER in self._session.account.rights:
                self.refresh(account.id)
            else:
                self.reject()  # who took the administration from himself sees no more users

        self._run(title, work, done)

    def done(self, result: int) -> None:
        """Close, and forget a password that is shown."""
        self.secret.clear()
        super().done(result)


def _row(account: Account, people: People, *, is_own: bool) -> tuple[str, ...]:
    features = ", ".join(FEATURE_NAMES[f] for f in Feature if f in account.grant.features)
    return (
        f"{account.name} (you)" if is_own else account.name,
        LEVEL_NAMES[account.grant.level],
        features or "–",
        "yes" if account.grant.is_administrator else "–",
        _state(account, people).split(":")[0],
    )


def _state(account: Account, people: People) -> str:
    if account.is_disabled:
        return "Disabled: this account cannot sign in"
    if account.must_change_password:
        return "One-time password: to be changed at the next sign-in"
    if account.id in people.subjects:
        way = "or with a password" if account.id in people.passwords.user_ids else "no password here"
        return f"Enabled, {people.provider}: {way}"
    holders = people.passwords
    if account.id not in holders.user_ids and holders.unreadable:
        return "No key slot of this account was found; it may be one that cannot be read"
    if account.id not in holders.user_ids and holders.user_ids:
        return "No way to sign in: give a subject, or reset the password"
    return "Enabled"
