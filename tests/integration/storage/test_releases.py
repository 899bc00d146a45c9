"""Releases of machine packages: signed once, kept in revisions, withdrawn with a reason, refused for demo machines."""

import attrs
import pytest

from ert.app.release_book import ReleaseBook, ReleaseState
from ert.app.tissue_library import directly
from ert.domain.release import make_release
from ert.errors import NotFound, Refused
from tests.integration.storage import samples
from tests.unit.dose.beams import demo

WORDS = "Checked against water tank scans of 2026-02; cutouts below 3 cm are not to be used."


def clinical(name="Linac 1", **changes):
    package = demo()
    machine = attrs.evolve(package.machine, name=name)
    models = tuple(attrs.evolve(m, machine_name=name, is_demo=False) for m in package.models)
    return attrs.evolve(package, machine=machine, models=models, is_demo=False, **changes)


@pytest.fixture
def root(tmp_path):
    return samples.copied_site(tmp_path / "site")


@pytest.fixture
def site(root):
    opened = samples.open_site(root)
    yield opened
    opened.close()


def test_a_release_is_read_back_in_another_session_with_who_and_what(site, root):
    package = clinical()
    assert ReleaseBook(site, directly).standing(package).state is ReleaseState.NOT_RELEASED
    ReleaseBook(site, directly).release(package, WORDS)
    site.close()
    again = samples.open_site(root)
    standing = ReleaseBook(again, directly).standing(package)
    value = standing.entry.value
    assert (standing.state, standing.entry.saved_by) == (ReleaseState.RELEASED, samples.LOGIN)
    assert (value.statement, value.version, value.package_digest) == (WORDS, 1, package.digest)
    assert value.model_digests == tuple(m.digest for m in package.models)
    assert value.ranges[1].startswith("12 MeV: SSD 97.5 to 115 cm, applicators A06, A10, A15, A20, openings")
    assert again.check() == ()
    again.close()


def test_another_package_of_the_machine_is_the_next_version_and_needs_its_own_release(site):
    book, first, second = ReleaseBook(site, directly), clinical(), clinical(origin="measured again")
    book.release(first, WORDS)
    assert book.standing(second).state is ReleaseState.NOT_RELEASED
    assert book.release(second, WORDS).value.version == 2
    assert book.release(clinical("Linac 2"), WORDS).value.version == 1


def test_a_withdrawn_release_says_why_and_can_be_signed_again(site):
    book, package = ReleaseBook(site, directly), clinical()
    book.release(package, WORDS)
    with pytest.raises(Refused, match="Say why"):
        book.withdraw(package.digest, "  ")
    book.withdraw(package.digest, "output drifted")
    assert book.standing(package).state is ReleaseState.WITHDRAWN
    with pytest.raises(Refused, match="withdrawn already"):
        book.withdraw(package.digest, "again")
    book.release(package, WORDS + " Output set right.")
    assert book.standing(package).state is ReleaseState.RELEASED
    assert [e.revision for e in book.history(package.digest)] == [3, 2, 1]
    assert {e.value.version for e in book.history(package.digest)} == {1}
    assert [e.reason for e in ReleaseBook(site, directly).history(package.digest)] == ["", "output drifted", ""]


def test_what_cannot_be_released_is_refused(site):
    book = ReleaseBook(site, directly)
    with pytest.raises(Refused, match="demo machine"):
        book.release(demo(), WORDS)
    assert book.standing(demo()).state is ReleaseState.DEMO
    with pytest.raises(Refused, match="20 to 4000 characters"):
        make_release(clinical(), version=1, statement="ok")
    with pytest.raises(NotFound):
        book.withdraw("0" * 64, "reason")
    book.release(clinical(), WORDS)
    with pytest.raises(Refused, match="released already"):
        book.release(clinical(), WORDS)


def test_one_release_is_enough_for_a_model_in_two_packages_and_a_withdrawal_outweighs_silence(site):
    book, first, second = ReleaseBook(site, directly), clinical(), clinical(origin="other jaw settings")
    book.release(first, WORDS)
    assert book.best_standing((second, first)).state is ReleaseState.RELEASED
    book.withdraw(first.digest, "reason enough")
    assert book.best_standing((second, first)).state is ReleaseState.WITHDRAWN
