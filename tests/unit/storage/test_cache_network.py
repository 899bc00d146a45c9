"""The cache on a share: absent, slow, hanging or full, it holds nothing up."""

import logging
import threading

import pytest

from ert.settings import CacheSettings
from ert.storage import cache_network, share_gate
from ert.storage.cache_entry import EntrySealer
from ert.storage.cache_folder import CacheFolder
from ert.storage.cache_network import NetworkDoseCache
from ert.storage.cache_shelf import Shelf
from ert.storage.caches import SiteCaches
from ert.storage.keys import Vault
from ert.storage.share_gate import FAILURES_UNTIL_OPEN, PAUSE_S, ShareGate
from tests.integration.storage import samples

SITE = "8b6b2f0e-1111-4000-8000-000000000001"
A, B = "aa" * 32, "bb" * 32
WRITTEN_S = 30.0


class Clock:
    """A clock a test turns by hand."""

    def __init__(self):
        self.s = 1000.0

    def __call__(self):
        return self.s


class Slow(CacheFolder):
    """A share that answers when it is let: the boundary at which a real one hangs."""

    def __init__(self, path):
        super().__init__(path, is_share=True)
        self.lets = threading.Event()
        self.asked = 0

    def _hang(self):
        self.asked += 1
        self.lets.wait(30)

    def read(self, name, *, maximum_bytes):
        self._hang()
        return super().read(name, maximum_bytes=maximum_bytes)

    def touch(self, name):
        self._hang()
        return super().touch(name)

    def files(self):
        self._hang()
        return super().files()


@pytest.fixture(scope="module")
def vault():
    return Vault.create(SITE)


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def short_budget(monkeypatch):
    real = ShareGate.run
    monkeypatch.setattr(ShareGate, "run", lambda gate, fn, *, budget_s=0: real(gate, fn, budget_s=0.05))
    monkeypatch.setattr(cache_network, "CLOSE_BUDGET_S", 0.05)


def network(folder, vault, clock=None):
    gate = ShareGate() if clock is None else ShareGate(now_s=clock)
    return NetworkDoseCache(Shelf(folder, EntrySealer(vault), limit_bytes=10_000_000), gate)


def test_the_budget_is_one_second_and_the_pause_a_minute():
    assert share_gate.BUDGET_S == 1.0
    assert PAUSE_S == 60.0


def test_a_dose_is_written_later_and_found_by_another_workstation(tmp_path, vault):
    cache = network(CacheFolder(tmp_path / SITE, is_share=True), vault)
    cache.put(samples.dose(A))
    assert cache.wait_written(WRITTEN_S)
    other = network(CacheFolder(tmp_path / SITE, is_share=True), vault)
    assert other.get(A).gy_per_mu.tobytes() == samples.dose(A).gy_per_mu.tobytes()
    assert other.report().entries == 1
    cache.close()


def test_a_share_that_hangs_costs_its_budget_twice_then_nothing(tmp_path, vault, clock, short_budget):
    folder = Slow(tmp_path / SITE)
    cache = network(folder, vault, clock)
    for _ in range(20):
        assert cache.get(A) is None
    assert folder.asked == FAILURES_UNTIL_OPEN
    clock.s += PAUSE_S - 0.1
    assert cache.get(A) is None
    assert folder.asked == FAILURES_UNTIL_OPEN
    clock.s += 0.2
    assert cache.get(A) is None  # one attempt decides
    assert cache.get(A) is None
    assert folder.asked == FAILURES_UNTIL_OPEN + 1
    folder.lets.set()


def test_a_share_that_comes_back_is_used_again_after_a_minute(tmp_path, vault, clock, short_budget):
    good = network(CacheFolder(tmp_path / SITE, is_share=True), vault)
    good.put(samples.dose(A))
    assert good.wait_written(WRITTEN_S)
    good.close()
    folder = Slow(tmp_path / SITE)
    cache = network(folder, vault, clock)
    for _ in range(3):
        assert cache.get(A) is None
    assert not cache.report().is_working
    folder.lets.set()
    assert cache.get(A) is None
    clock.s += PAUSE_S
    found = None
    for _ in range(100):  # a loaded computer may need more than the short budget of this test
        clock.s += PAUSE_S
        found = found or cache.get(A)
    assert found == samples.dose(A)
    assert cache._gate.run(lambda: True) in (True, None)


def test_threads_that_hang_do_not_pile_up(tmp_path, vault, clock, short_budget):
    folder = Slow(tmp_path / SITE)
    cache = network(folder, vault, clock)
    for _ in range(30):
        clock.s += PAUSE_S
        assert cache.get(A) is None
    assert folder.asked == share_gate._MAXIMUM_STUCK
    folder.lets.set()


def test_a_hanging_write_holds_up_neither_the_caller_nor_the_end(tmp_path, vault, short_budget):
    folder = Slow(tmp_path / SITE)
    cache = network(folder, vault)
    for number in range(50):
        cache.put(samples.dose(f"{number:064x}"))
    assert cache._waiting.qsize() <= 8  # the rest was dropped
    cache.close()
    assert cache._writer.daemon
    cache.put(samples.dose(A))
    folder.lets.set()


def test_a_share_that_vanishes_is_left_alone_with_one_line_in_the_log(tmp_path, vault, clock, caplog):
    share = tmp_path / "share"
    share.mkdir()
    cache = network(CacheFolder(share / SITE, is_share=True), vault, clock)
    cache.put(samples.dose(A))
    assert cache.wait_written(WRITTEN_S)
    (share / SITE).rename(tmp_path / "away")
    share.rmdir()
    with caplog.at_level(logging.WARNING):
        assert cache.get(A) is None
        for _ in range(5):
            assert not cache.report().is_working
    assert len(caplog.records) == 1
    assert "computed as without it" in cache.report().state
    assert not share.exists()  # a mount point without its share is not filled
    cache.close()


def test_a_dose_waits_for_a_share_that_is_away_and_is_written_when_it_is_back(tmp_path, vault, clock):
    share = tmp_path / "share"
    cache = network(CacheFolder(share / SITE, is_share=True), vault, clock)
    cache.put(samples.dose(A))
    assert not cache.wait_written(0.3)
    assert not share.exists()
    share.mkdir()
    clock.s += PAUSE_S
    assert cache.wait_written(WRITTEN_S)
    assert cache.get(A) == samples.dose(A)
    cache.close()


def test_what_is_found_on_the_share_is_kept_here(tmp_path, vault):
    (tmp_path / "share").mkdir()

    def workstation(name):
        settings = CacheSettings(folder=str(tmp_path / name), network_folder=str(tmp_path / "share"))
        return SiteCaches(SITE, EntrySealer(vault), settings)

    first, second = workstation("one"), workstation("two")
    first.put(samples.dose(A))
    assert first._network.wait_written(WRITTEN_S)
    assert second.get(A) == samples.dose(A)
    assert second.reports()[0].entries == 1
    second.apply(CacheSettings(folder=str(tmp_path / "two")))
    assert second.reports()[1].state == "No folder is set."
    assert second.get(A) == samples.dose(A)
    assert second.get(B) is None
    second.clear()
    assert second.get(A) is None
    first.clear()
    assert first.size_bytes() == 0
    second.apply(CacheSettings(is_on=False, network_folder=str(tmp_path / "share")))
    second.put(samples.dose(A))
    assert second.get(A) is None
    first.close()
    second.close()
    assert first.get(A) is None  # closed: a miss, not an error
