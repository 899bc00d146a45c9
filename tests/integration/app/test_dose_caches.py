"""A plan opened again, here or elsewhere, gets its dose without computing. A record never comes from a cache."""

import hashlib
import multiprocessing
import queue

import attrs
import numpy as np
import pytest

from ert.app import dose_service
from ert.app.dose_state import DoseStatus
from ert.app.jobs import Jobs
from ert.app.session import SiteSession
from ert.domain.plan import with_beam
from ert.settings import CacheSettings
from ert.storage.passwords import KdfParameters
from ert.storage.site import SiteOptions
from ert.storage.sites import Sites
from tests.integration.app.conftest import PASSWORD, USER


def gateway_with(settings: CacheSettings) -> Sites:
    kdf = KdfParameters(memory_kib=8, iterations=1, lanes=1)
    return Sites(SiteOptions(cache_settings=lambda: settings), kind="sandbox", kdf=kdf)


def opened(site_path, settings, owner):
    return SiteSession.open(gateway_with(settings), owner.jobs, site_path, user_name=USER, password=PASSWORD)


def only_plan(session):
    (row,) = session.patients()
    return session.open_plan(row.courses[0].plans[0].plan_id)


def sha256_of(workspace):
    return [hashlib.sha256(r.gy_per_mu.tobytes()).hexdigest() for r in workspace._follower.results]


@pytest.fixture
def planned_site(site_path, session, workspace, owner, beam):
    """A site whose plan has one beam and was saved before its dose was there."""
    workspace.apply("Add beam", lambda plan: with_beam(plan, beam))
    workspace.cancel_dose()
    workspace.save()
    owner.until(lambda: not workspace.is_dirty)
    workspace.close()
    session.close()
    return site_path


@pytest.fixture
def no_engine(monkeypatch):
    """From now on nothing can be computed."""

    def refuse(**_arguments):
        raise AssertionError("the engine was asked")

    monkeypatch.setattr(dose_service, "compute_beam_dose", refuse)


def _plan_on_another_workstation(site_path, settings, answers):
    calls = queue.Queue()
    jobs = Jobs(calls.put)
    session = SiteSession.open(gateway_with(settings), jobs, site_path, user_name=USER, password=PASSWORD)
    workspace = only_plan(session)

    def pump():
        try:
            calls.get(timeout=0.05)()
        except queue.Empty:
            return

    workspace.wait_for_dose(pump)
    told = sha256_of(workspace)
    session.store.caches._network.wait_written(60.0)
    session.close()
    jobs.shutdown()
    answers.put(told)


def test_a_second_workstation_gets_the_dose_from_the_share(planned_site, tmp_path, owner, no_engine):
    (tmp_path / "share").mkdir()
    first, second = (
        CacheSettings(folder=str(tmp_path / name), network_folder=str(tmp_path / "share")) for name in ("one", "two")
    )
    context = multiprocessing.get_context("spawn")
    answers = context.Queue()
    other = context.Process(target=_plan_on_another_workstation, args=(planned_site, first, answers))
    other.start()
    computed = answers.get(timeout=240)
    other.join()
    session = opened(planned_site, second, owner)
    workspace = only_plan(session)
    workspace.wait_for_dose(owner.pump)
    assert workspace.dose.status is DoseStatus.CURRENT
    assert sha256_of(workspace) == computed
    local, network = session.store.caches.reports()
    assert (local.entries, network.entries) == (1, 1)
    workspace.close()
    session.close()


def test_a_plan_opened_again_finds_its_dose_on_this_workstation(planned_site, tmp_path, owner, monkeypatch):
    settings = CacheSettings(folder=str(tmp_path / "doses"))
    session = opened(planned_site, settings, owner)
    workspace = only_plan(session)
    workspace.wait_for_dose(owner.pump)
    computed, shown = sha256_of(workspace), workspace.dose.plan_gy
    workspace.close()
    session.close()
    # Long enough that encrypted bytes do not hold them by chance.
    told = ["CHESTWALL", "ERT-DEMO-1", "19600101", "1960-01-01", "PTV_Chestwall", USER]
    canaries = [word.lower().encode(encoding) for word in told for encoding in ("utf-8", "utf-16-le", "utf-16-be")]
    files = [file for file in (tmp_path / "doses").rglob("*") if file.is_file()]
    assert len(files) == 1
    everything = b"".join(file.read_bytes() + file.name.encode() for file in files).lower()
    assert [word for word in canaries if word in everything] == []
    monkeypatch.setattr(dose_service, "compute_beam_dose", lambda **_a: pytest.fail("the engine was asked"))
    session = opened(planned_site, settings, owner)
    workspace = only_plan(session)
    workspace.wait_for_dose(owner.pump)
    assert sha256_of(workspace) == computed
    assert np.array_equal(workspace.dose.plan_gy, shown)
    workspace.close()
    session.close()


def test_what_is_kept_with_the_plan_comes_before_any_cache(planned_site, tmp_path, owner):
    settings = CacheSettings(folder=str(tmp_path / "doses"))
    session = opened(planned_site, settings, owner)
    workspace = only_plan(session)
    workspace.wait_for_dose(owner.pump)
    (kept,) = workspace._follower.results
    workspace.apply("Rename", lambda plan: attrs.evolve(plan, description="with dose"))
    workspace.save()
    owner.until(lambda: not workspace.is_dirty)
    workspace.close()
    caches = session.store.caches
    caches.clear()
    caches.put(attrs.evolve(kept, gy_per_mu=kept.gy_per_mu * np.float32(2)))  # authentic, and wrong
    assert caches.get(kept.request_digest) is not None
    again = only_plan(session)
    again.wait_for_dose(owner.pump)
    assert again._follower.results[0] == kept
    again.close()
    session.close()


class OneDose:
    """A cache that answers every request with the same dose."""

    def __init__(self, result):
        self.result, self.asked, self.put_back = result, 0, []

    def get(self, _request_digest):
        self.asked += 1
        return self.result

    def put(self, result):
        self.put_back.append(result)


@pytest.mark.parametrize("spoiled", ["grid", "request_digest", "dose_to"])
def test_an_answer_to_another_question_is_not_used(planned_site, owner, tmp_path, spoiled):
    session = opened(planned_site, CacheSettings(is_on=False), owner)
    workspace = only_plan(session)
    workspace.wait_for_dose(owner.pump)
    (right,) = workspace._follower.results
    other = {
        "grid": attrs.evolve(right.grid, origin_cm=tuple(v + 0.1 for v in right.grid.origin_cm)),
        "request_digest": "0" * 64,
        "dose_to": "WATER",
    }
    service = workspace._dose_service
    service.memory = dose_service.DoseMemory()
    service._cache = OneDose(attrs.evolve(right, **{spoiled: other[spoiled]}))
    workspace.compute_dose()
    workspace.wait_for_dose(owner.pump)
    assert service._cache.asked == 1
    assert workspace._follower.results == (right,)
    assert service._cache.put_back == [right]
    workspace.close()
    session.close()


def test_a_site_opens_and_closes_with_folders_that_cannot_be(planned_site, tmp_path, owner):
    (tmp_path / "file").write_text("in the way", encoding="utf-8")
    settings = CacheSettings(folder=str(tmp_path / "file" / "x"), network_folder=str(tmp_path / "nowhere"))
    session = opened(planned_site, settings, owner)
    workspace = only_plan(session)
    workspace.wait_for_dose(owner.pump)
    assert workspace.dose.status is DoseStatus.CURRENT
    assert [r.is_working for r in session.store.caches.reports()] == [False, False]
    workspace.close()
    session.close()
