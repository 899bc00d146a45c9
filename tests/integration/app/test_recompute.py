"""Doses of plans computed anew by other processes: the window's bytes, without a name on the way, safely kept."""

import datetime as dt
import ipaddress
import pickle
import signal

import attrs
import distributed
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from ert.app.dose_service import DoseService
from ert.app.dose_task import answer_bytes, dose_task, read_answer, run_dose_task
from ert.app.jobs import JobContext, Lane
from ert.app.no_cache import NoCache
from ert.app.recompute import Recomputation
from ert.app.recompute_list import RunList
from ert.app.task_cluster import ClusterAccess, cluster_pool
from ert.app.task_pool import answer, local_pool
from ert.domain.algorithm import Algorithm
from ert.domain.dose import NUMERICS_VERSION
from ert.domain.identity import array_digest
from ert.domain.image import DensityOverride
from ert.domain.materials import material_named
from ert.domain.plan import DoseGridSpec, with_beam
from ert.errors import DigestMismatch, Refused, StaleRevision


@pytest.fixture
def planned(session, workspace, owner, beam):
    """A saved pencil beam plan with its dose, and a Monte Carlo plan without one; both on a coarse grid."""
    bone = DensityOverride(
        structure_number=workspace.structures.named("Lung_L").number, material=material_named("water")
    )
    workspace.apply(
        "Plan",
        lambda plan: attrs.evolve(
            with_beam(plan, attrs.evolve(beam, name="CANARY-BEAM")), name="CANARY-PLAN", overrides=(bone,),
            dose_grid=DoseGridSpec(spacing_cm=1.0, margin_cm=2.0),
        ),
    )  # fmt: skip
    workspace.wait_for_dose(owner.pump)
    saved = []
    workspace.save(on_saved=lambda: saved.append(True))
    owner.until(lambda: saved)
    noisy = attrs.evolve(workspace.plan, algorithm=Algorithm.MONTE_CARLO, uncertainty_pct=3.0)
    second = session.save_as_new(noisy, "CANARY-TWO")
    return workspace, second


def in_db(session, work):
    return session.jobs.call(Lane.DB, work)


def fresh(session, workspace, plan):
    """Doses as the window computes them, without store and cache."""
    service = DoseService(
        image=workspace.image, structures=workspace.structures, models=session.models, kept=lambda _d: None,
        cache=NoCache(),
    )  # fmt: skip
    return service.requests(plan), service.compute(plan, JobContext())


def rows_of(session, plan_ids, executor, *, is_keeping):
    rows = []
    work = Recomputation(session.store, session.models)
    in_db(session, lambda: work.run(
        plan_ids, executor, workers=2, is_keeping=is_keeping, ctx=JobContext(), finished=rows.append))  # fmt: skip
    return {row.plan_id: row for row in rows}


def certificates(folder):
    """An authority, and a certificate it signed for this computer; PEM files."""
    now = dt.datetime.now(dt.UTC)

    def signed(name, key, issuer, issuer_key, *, is_authority):
        made = x509.CertificateBuilder().subject_name(name).issuer_name(issuer).public_key(key.public_key())
        made = made.serial_number(x509.random_serial_number()).not_valid_before(now - dt.timedelta(hours=1))
        made = made.not_valid_after(now + dt.timedelta(hours=1))
        made = made.add_extension(x509.BasicConstraints(ca=is_authority, path_length=None), critical=True)
        here = x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))])
        return made.add_extension(here, critical=False).sign(issuer_key, hashes.SHA256())

    def pem(path, content):
        path.write_bytes(content)
        return path

    def private(key):
        return key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )

    ca_key, key = (ec.generate_private_key(ec.SECP256R1()) for _ in range(2))
    ca_name, name = (x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, n)]) for n in ("test authority", "test"))
    ca = signed(ca_name, ca_key, ca_name, ca_key, is_authority=True)
    own = signed(name, key, ca_name, ca_key, is_authority=False)
    public = serialization.Encoding.PEM
    return (
        pem(folder / "ca.pem", ca.public_bytes(public)),
        pem(folder / "own.pem", own.public_bytes(public)),
        pem(folder / "own.key", private(key)),
    )


def test_pool_and_tls_cluster_give_the_bytes_of_the_window_and_doses_are_kept(session, planned, tmp_path):
    workspace, second = planned
    ids = [workspace.plan.id, second.plan.id]
    _, window_doses = fresh(session, workspace, second.plan)
    with local_pool(2) as pool:
        rows = rows_of(session, ids, pool, is_keeping=True)
    first = rows[workspace.plan.id]
    assert (first.state, first.is_kept, first.problem) == ("same", True, "")
    assert first.before == first.after == array_digest(workspace.dose.plan_gy)
    assert (first.difference.largest_gy, first.difference.gamma_pass_pct) == (0.0, 100.0)
    assert (rows[second.plan.id].state, rows[second.plan.id].is_kept) == ("new", True)
    kept = in_db(session, lambda: session.store.plans.dose(second.plan.id, window_doses[0].request_digest))
    assert array_digest(kept.gy_per_mu) == array_digest(window_doses[0].gy_per_mu)
    assert array_digest(kept.statistics.relative_sigma) == array_digest(window_doses[0].statistics.relative_sigma)
    assert in_db(session, lambda: session.store.plans.head(second.plan.id)).revision == second.revision

    ca, certificate, key = certificates(tmp_path)
    security = distributed.Security(
        tls_ca_file=str(ca), tls_scheduler_cert=str(certificate), tls_scheduler_key=str(key),
        tls_worker_cert=str(certificate), tls_worker_key=str(key), tls_client_cert=str(certificate),
        tls_client_key=str(key), require_encryption=True,
    )  # fmt: skip
    with distributed.LocalCluster(
        n_workers=2, threads_per_worker=1, protocol="tls://", host="127.0.0.1", dashboard_address=None,
        security=security, local_directory=str(tmp_path),
    ) as cluster:  # fmt: skip
        address = cluster.scheduler_address
        assert address.startswith("tls://")
        access = ClusterAccess(address=address, ca=ca, certificate=certificate, key=key)
        with cluster_pool(access) as (executor, workers):
            assert workers == 2
            on_cluster = rows_of(session, ids, executor, is_keeping=False)
    assert {i: r.after for i, r in on_cluster.items()} == {i: r.after for i, r in rows.items()}
    assert on_cluster[second.plan.id].state == "same"
    assert on_cluster[second.plan.id].before == rows[second.plan.id].after


def test_nothing_that_names_anybody_is_in_a_task(session, planned):
    workspace, second = planned
    requests, doses = fresh(session, workspace, workspace.plan)
    task = dose_task(workspace.plan, workspace.image, workspace.structures, requests)
    patient, image, plan = workspace.patient, workspace.image, workspace.plan
    telling = [
        patient.family_name, patient.given_name, patient.medical_record_number, patient.id, workspace.course.name,
        plan.id, plan.name, plan.course_id, plan.beams[0].name, plan.beams[0].id, plan.ct_curve.name, image.id,
        image.description, image.manufacturer, image.acquisition_date, image.frame_of_reference_uid,
        image.series_instance_uid, image.study_instance_uid, *image.sop_instance_uids, "CANARY",
        *(s.name for s in workspace.structures.structures), workspace.structures.sop_instance_uid,
        workspace.structures.label, session.site_name, session.user_name,
    ]  # fmt: skip
    assert all(text.encode() not in task for text in telling if text)
    assert len([t for t in telling if t]) > 30
    # and still it is answered by the window's dose, warnings included
    (data,) = run_dose_task(task)
    found = read_answer(data, requests[0].request)
    assert found == doses[0]
    assert array_digest(found.gy_per_mu) == array_digest(doses[0].gy_per_mu)


def test_what_a_worker_sends_is_read_as_numbers_and_only_for_its_request(session, planned):
    workspace, _ = planned
    requests, doses = fresh(session, workspace, workspace.plan)
    request = requests[0].request
    for wrong in (b"", b"junk", pickle.dumps(doses[0]), answer_bytes(doses[0])[:-50]):
        with pytest.raises(DigestMismatch, match="no dose"):
            read_answer(wrong, request)
    with pytest.raises(DigestMismatch, match="does not belong"):
        read_answer(answer_bytes(attrs.evolve(doses[0], request_digest="0" * 64)), request)
    with pytest.raises(DigestMismatch, match="computed by pencil-beam 1"):
        read_answer(answer_bytes(attrs.evolve(doses[0], engine="pencil-beam 1")), request)
    other = pickle.loads(dose_task(workspace.plan, workspace.image, workspace.structures, requests))
    with pytest.raises(DigestMismatch, match=f"numerics {NUMERICS_VERSION}, not 1"):
        run_dose_task(pickle.dumps(attrs.evolve(other, numerics_version=1)))


def test_doses_of_a_plan_that_was_saved_meanwhile_are_not_kept(session, planned):
    workspace, second = planned
    _, doses = fresh(session, workspace, workspace.plan)
    turned = attrs.evolve(second.plan, description="another state")
    plans = session.store.plans
    in_db(session, lambda: plans.save(turned, base_revision=second.revision))
    with pytest.raises(StaleRevision):
        in_db(session, lambda: plans.add_doses(second.plan, second.revision, doses))
    with pytest.raises(DigestMismatch, match="another state"):
        in_db(session, lambda: plans.add_doses(second.plan, second.revision + 1, doses))
    assert in_db(session, lambda: plans.dose(second.plan.id, doses[0].request_digest)) is None


def test_a_run_goes_on_from_its_list_also_after_a_line_was_cut_off(session, planned, tmp_path):
    workspace, second = planned
    work = Recomputation(session.store, session.models)
    chosen = in_db(session, lambda: work.chosen(machines=["no such machine"]))
    assert chosen == ()
    chosen = in_db(session, lambda: work.chosen(patients=[workspace.patient.medical_record_number]))
    assert {s.plan.id for s in chosen} == {workspace.plan.id, second.plan.id}
    run = RunList(tmp_path / "run")
    ids = ["no-such-plan", workspace.plan.id]
    in_db(session, lambda: work.run(
        ids, Here(), workers=1, is_keeping=False, ctx=JobContext(), finished=run.add))  # fmt: skip
    assert run.summary() == {"same": 1, "changed": 0, "new": 0, "failed": 1}
    lines = tmp_path / "run" / "recompute.jsonl"
    lines.write_text(lines.read_text() + '{"plan_id": "cut')
    again = RunList(tmp_path / "run")
    assert again.is_finished(workspace.plan.id, workspace.plan.digest)
    assert not again.is_finished(workspace.plan.id, "0" * 64)
    assert not again.is_finished("no-such-plan", "")
    again.add(attrs.evolve(again.rows[workspace.plan.id], revision=9))
    assert RunList(tmp_path / "run").rows[workspace.plan.id].revision == 9
    table, _ = again.write_tables()
    head, *rows = table.read_text().splitlines()
    assert head.startswith("plan_id,revision,state,before,after")
    assert len(rows) == 2
    lines.write_text("{}\n")
    with pytest.raises(Refused, match="none of a run"):
        RunList(tmp_path / "run")


class Here:
    """An executor that computes at once, in this process."""

    def submit(self, fn, data):
        import concurrent.futures

        future = concurrent.futures.Future()
        try:
            future.set_result(fn(data))
        except Exception as error:  # noqa: BLE001 - what a worker's future does
            future.set_exception(error)
        return future


def test_a_cluster_is_reached_over_tls_with_certificates_only(tmp_path):
    ca, certificate, key = certificates(tmp_path)
    for address in ("tcp://10.0.0.1:8786", "tcp://127.0.0.1:8786", "http://host", "tls://"):
        with pytest.raises(Refused):
            ClusterAccess(address=address, ca=ca, certificate=certificate, key=key)
    with pytest.raises(Refused, match="over TLS only"):
        ClusterAccess(address="tcp://10.0.0.1:8786", is_plain_allowed=True)
    with pytest.raises(Refused, match="--tls-ca"):
        ClusterAccess(address="tls://10.0.0.1:8786", ca=ca)
    with pytest.raises(Refused, match="no certificate or key"):
        ClusterAccess(address="tls://10.0.0.1:8786", ca=ca, certificate=certificate, key=tmp_path / "none")
    assert not ClusterAccess(address="tcp://localhost:8786", is_plain_allowed=True).is_encrypted


def test_a_pool_that_is_interrupted_ends_its_processes_at_once():
    begun = []

    def interrupted():
        with local_pool(1) as pool:
            begun.append(pool.submit(signal.pause))
            begun.append(pool.submit(answer, b""))
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    stuck, never = begun
    assert never.cancelled() or never.exception(timeout=30.0) is not None
    assert stuck.exception(timeout=30.0) is not None
    with pytest.raises(Refused, match="At least one process"), local_pool(0):
        pass
