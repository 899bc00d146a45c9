"""Accounts of an opened site: added, changed, disabled, enabled; passwords set and changed (port ``AccountStore``).

What a user may do is the row's word; the slot file only opens the door. A slot is accepted if it is not older than the
row says: a copy of a replaced one, put back, opens nothing here. The file is written before the row is committed, both
under the database's write lock: a crash between the two leaves a slot that is newer than its row, which is accepted
and put in order at the next sign-in.
"""

from __future__ import annotations

import contextlib
import datetime as dt
from collections.abc import Callable, Iterator
from pathlib import Path

import sqlalchemy as sa
from attrs import evolve
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from ert.domain.account import Account, Grant, PasswordHolders, checked_name
from ert.domain.identity import new_id
from ert.domain.password import normalise_password
from ert.errors import InvalidSite, NotFound, Refused, WrongKey
from ert.storage import slots
from ert.storage.atomic import sync_folder, translated
from ert.storage.password_rule import check_against_rule, password_rules
from ert.storage.passwords import KDF_FLOOR
from ert.storage.printed_code import password_of
from ert.storage.records import Records
from ert.storage.renewal import changing_keys, write_slot
from ert.storage.slots import Slot
from ert.storage.store_file import CLINICAL
from ert.storage.unlock import (
    SLOTS,
    Unlocked,
    created_of,
    look_at_slots,
    open_slot,
    own_slot,
    read_slots,
    slot_path,
    wrong_own_password,
    wrong_password,
)
from ert.storage.users import User, add_user, find_user, key_change, read_user, read_users, refuse_taken_name, save_user

_STEP = dt.timedelta(microseconds=1)


class AccountRepository:
    """The accounts of one site.

    Parameters
    ----------
    root : Path
        Its folder.
    unlocked : Unlocked
        Its keys, and who signed in.
    records : Records
    clock : callable
        Returns the time in UTC.
    """

    def __init__(self, root: Path, unlocked: Unlocked, records: Records, clock: Callable[[], dt.datetime]) -> None:
        self._root, self._unlocked, self._records, self._clock = root, unlocked, records, clock
        self._slots_since = unlocked.slot_created

    def accounts(self) -> tuple[Account, ...]:
        """Return all accounts by name."""
        with self._records.database.read() as connection:
            users = read_users(self._records, connection)
        return tuple(sorted((user.account for user in users), key=lambda a: a.name.casefold()))

    def account(self, user_id: str) -> Account:
        """Return one account as it is now; raises `NotFound`."""
        with self._records.database.read() as connection:
            user = read_user(self._records, connection, user_id)
        if user_id == self._unlocked.user_id:
            self._slots_since = max(self._slots_since, user.slots_since)
        return user.account

    def add(self, name: str, *, password: str, grant: Grant) -> Account:
        """Add an account with a one-time password.

        Raises
        ------
        InvalidSite
            The name is taken or none, or the password too weak.
        """
        name = checked_name(name)
        check_against_rule(self._records, password, name)
        account = Account(id=new_id(), name=name, grant=grant, must_change_password=True)
        slot = self._new_slot(account, password, created=self._clock())
        with self._changing_slots() as connection:
            refuse_taken_name(self._records, connection, name)
            known = {user.account.id for user in read_users(self._records, connection)}
            self._remove_slots(lambda s: s.login_tag == slot.login_tag and s.user_id not in known)
            add_user(
                self._records,
                connection,
                account=account,
                public_ed25519=slot.public_ed25519,
                slots_since=created_of(slot),
            )
            self._write(slot)
        return account

    def set_grant(self, user_id: str, grant: Grant) -> Account:
        """Change what an account may do; raises `Refused` if no administrator would be left."""
        with self._records.transaction() as connection:
            user = read_user(self._records, connection, user_id)
            changed = evolve(user.account, grant=grant)
            self._refuse_last(connection, user.account, changed)
            change = {"before": user.account.grant.text, "after": grant.text}
            save_user(
                self._records, connection, evolve(user, account=changed), event="user rights changed", change=change
            )
        return changed

    def disable(self, user_id: str) -> Account:
        """Close an account: its slot leaves the folder, so that its password opens nothing any more.

        Raises
        ------
        Refused
            It is disabled already, or no administrator would be left.
        """
        with self._changing_slots() as connection:
            user = read_user(self._records, connection, user_id)
            if user.account.is_disabled:
                raise Refused(f"The account of '{user.account.name}' is disabled already.")
            changed = evolve(user.account, is_disabled=True)
            self._refuse_last(connection, user.account, changed)
            slot = self._slot_of(user_id)
            withdrawn = "" if slot is None else slot.to_json().decode("ascii")
            save_user(
                self._records,
                connection,
                evolve(user, account=changed, withdrawn_slot=withdrawn),
                event="user disabled",
            )
        self._remove_slots(lambda s: s.user_id == user_id)
        return changed

    def enable(self, user_id: str) -> Account:
        """Open a disabled account again, with the password it had."""
        with self._changing_slots() as connection:
            user = read_user(self._records, connection, user_id)
            if not user.account.is_disabled:
                raise Refused(f"The account of '{user.account.name}' is enabled already.")
            changed = evolve(user.account, is_disabled=False)
            if user.withdrawn_slot:
                slot = slots.read_slot(user.withdrawn_slot.encode("ascii"))
                self._write(slots.reseal(slot, self._unlocked.vault))
            save_user(self._records, connection, evolve(user, account=changed, withdrawn_slot=""), event="user enabled")
        return changed

    def reset_password(self, user_id: str, password: str) -> Account:
        """Give an account a one-time password and a new signing key; failed attempts are forgotten with the old slot.

        Raises
        ------
        InvalidSite
            The password is too weak.
        Refused
            The account is disabled.
        """
        return self._replace_password(
            user_id, password, event="password reset by an administrator", must_change_password=True
        )

    def recover(self, login: str, password: str) -> Account:
        """Give a user a new password after the site was opened with its recovery code; raises `NotFound`."""
        user_id = find_user(self._records, login)
        return self._replace_password(
            user_id, password, event="password reset by recovery code", must_change_password=False
        )

    def change_own_password(self, current: str, new: str) -> Account:
        """Change the signed-in user's password; the signing key stays.

        Raises
        ------
        WrongKey
            The present password is wrong.
        InvalidSite
            The new one is too weak, or the same.
        """
        with self._records.database.read() as connection:
            own = read_user(self._records, connection, self._unlocked.user_id).account
        check_against_rule(self._records, new, own.name)
        if normalise_password(new) == normalise_password(current):
            raise InvalidSite("The new password is the present one.", hint="Choose another one.")
        user_id = self._unlocked.user_id
        slot = self._slot_of(user_id)
        if slot is None:
            raise self._no_password()
        signing = slots.signing_key(slot, current)
        if signing is None:
            raise wrong_own_password()
        return self._replace_password(
            user_id, new, event="password changed", must_change_password=False, signing=signing
        )

    def have_password(self) -> PasswordHolders:
        """Return whom a password opens the site for, as far as the slots can be read."""
        found, unreadable = look_at_slots(self._root, self._unlocked.store.store_id)
        holders = frozenset(slot.user_id for slot in found if slot.kind == slots.PASSWORD)
        return PasswordHolders(user_ids=holders, unreadable=unreadable)

    def slot_mark(self) -> str:
        """Return the mark of the slot of who is signed in; "" if it is gone."""
        slot = self._own_slot()
        return "" if slot is None else slot.mark

    def confirm(self, password: str) -> None:
        """Check the signed-in user's password against the slot of today; from any thread, reads no row.

        Raises
        ------
        WrongKey
            It is wrong, or the account was disabled.
        Refused
            Who signed in through a provider has no password here.
        """
        slot = self.slot_of_today()
        typed = password_of(password) if slot.kind == slots.EMERGENCY else password
        if open_slot(slot, typed, self._unlocked.store) is None:
            raise wrong_own_password()

    def slot_of_today(self) -> Slot:
        """Return the slot that opens the account of who is signed in; from any thread. Raises as `confirm`."""
        slot = self._own_slot()
        if slot is None:
            raise self._no_password()
        if created_of(slot) < self._slots_since:
            raise wrong_own_password()
        return slot

    def admit(self) -> Account:
        """Return the account of who opened the site, its slot compared with its row.

        Raises
        ------
        WrongKey
            The slot is a copy of one that was replaced, or the site has no such user.
        Refused
            The account is disabled.
        """
        try:
            with self._records.database.read() as connection:
                user = read_user(self._records, connection, self._unlocked.user_id)
        except NotFound as exc:
            raise wrong_password() from exc
        is_by_provider = bool(self._unlocked.workstation_id)
        if is_by_provider:
            self._slots_since = user.slots_since
        elif self._unlocked.slot_created < user.slots_since:
            raise wrong_password()
        if user.account.is_disabled:
            raise Refused("This account is disabled.", hint="An administrator of this site can enable it.")
        if not is_by_provider:
            self._refuse_run_out(user)
        is_newer = not is_by_provider and (
            self._unlocked.slot_created > user.slots_since or self._unlocked.public_ed25519 != user.public_ed25519
        )
        if is_newer and not self._records.is_restored_copy and not self._records.read_only_reason:
            self._settle()
        return user.account

    def _refuse_run_out(self, user: User) -> None:
        """Refuse a one-time password that nobody used in time: what lies about in a note must not open a site later."""
        if not user.account.must_change_password:
            return
        hours = password_rules(self._records).read().one_time_hours
        ended = user.slots_since + dt.timedelta(hours=hours)
        if self._clock() > ended:
            raise Refused(
                f"This one-time password ran out on {ended.astimezone():%Y-%m-%d at %H:%M}; it was good for {hours} "
                "hours.",
                hint="Ask an administrator of this site for a new one.",
            )

    def _settle(self) -> None:
        """Note a slot that is newer than its row: from before rows knew it, or left by a crash."""
        with self._records.transaction() as connection:
            user = read_user(self._records, connection, self._unlocked.user_id)
            settled = evolve(
                user,
                slots_since=max(user.slots_since, self._unlocked.slot_created),
                public_ed25519=self._unlocked.public_ed25519,
            )
            event, change = "password slot noted", key_change(user, settled)
            save_user(self._records, connection, settled, event=event, change=change)

    def _replace_password(
        self,
        user_id: str,
        password: str,
        *,
        event: str,
        must_change_password: bool,
        signing: Ed25519PrivateKey | None = None,
    ) -> Account:
        check_against_rule(self._records, password, self.account(user_id).name)
        with self._changing_slots() as connection:
            user = read_user(self._records, connection, user_id)
            if user.account.is_disabled:
                raise Refused(
                    f"The account of '{user.account.name}' is disabled; its password was not changed.",
                    hint="An administrator enables it first.",
                )
            # The same file: the old password stops working in the moment the new one begins to.
            old = self._slot_of(user_id)
            created = max(self._clock(), user.slots_since + _STEP if old is not None else user.slots_since)
            slot = self._new_slot(
                user.account, password, created=created, slot_id=None if old is None else old.slot_id, signing=signing
            )
            self._write(slot)
            changed = evolve(user.account, must_change_password=must_change_password)
            replaced = evolve(user, account=changed, public_ed25519=slot.public_ed25519, slots_since=created)
            save_user(self._records, connection, replaced, event=event, change=key_change(user, replaced))
        return changed

    def _new_slot(
        self,
        account: Account,
        password: str,
        *,
        created: dt.datetime,
        slot_id: str | None = None,
        signing: Ed25519PrivateKey | None = None,
    ) -> Slot:
        kdf, store = self._unlocked.kdf, self._unlocked.store
        is_allowed = store.kind != CLINICAL or kdf.is_at_least(KDF_FLOOR)
        return slots.make_password_slot(
            self._unlocked.vault,
            login=account.name,
            user_id=account.id,
            password=password,
            parameters=kdf if is_allowed else KDF_FLOOR,
            created=created,
            slot_id=slot_id,
            signing=signing,
        )

    def _no_password(self) -> Refused | WrongKey:
        """The error where no password opens the account: it never had one, or it was disabled meanwhile."""
        if not self._unlocked.workstation_id:
            return wrong_own_password()
        return Refused(
            "This account has no password at this site.",
            hint="Sign in through the provider, or have an administrator reset the password, which gives it one.",
            detail="no slot",
        )

    def _own_slot(self) -> Slot | None:
        return own_slot(self._root, self._unlocked.store.store_id, self._unlocked.user_id)

    def _slot_of(self, user_id: str) -> Slot | None:
        """For whoever changes it."""
        found = (
            s
            for s in read_slots(self._root, self._unlocked.store.store_id)
            if s.kind == slots.PASSWORD and s.user_id == user_id
        )
        return max(found, key=created_of, default=None)

    @contextlib.contextmanager
    def _changing_slots(self) -> Iterator[sa.Connection]:
        """Give a transaction in which slot files may be written: no key of the site is renewed meanwhile."""
        with changing_keys(self._root, self._unlocked.vault), self._records.transaction() as connection:
            yield connection

    def _write(self, slot: Slot) -> None:
        write_slot(self._root, slot)

    def _remove_slots(self, is_meant: Callable[[Slot], bool]) -> None:
        with translated("removing a key slot"):
            for slot in read_slots(self._root, self._unlocked.store.store_id):
                if slot.kind == slots.PASSWORD and is_meant(slot):
                    slot_path(self._root, slot).unlink(missing_ok=True)
            sync_folder(self._root / SLOTS)

    def _refuse_last(self, connection: sa.Connection, before: Account, after: Account) -> None:
        """Keep one enabled administrator; asked under the write lock, so that two cannot remove each other."""

        def administers(account: Account) -> bool:
            return account.grant.is_administrator and not account.is_disabled

        if not administers(before) or administers(after):
            return
        others = (u.account for u in read_users(self._records, connection) if u.account.id != before.id)
        if not any(administers(account) for account in others):
            raise Refused(
                f"'{before.name}' is this site's last administrator; nothing was changed.",
                hint="Make somebody else an administrator first.",
            )
