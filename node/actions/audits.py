"""The audit of a neighbour: start one, see how far it is, read its report.

It recomputes everything from this node's own copy of the neighbour's lanes; where there is none, and its node
was heard on the local network, it reads the lanes there. One runs at a time; what it found is kept in memory.
"""

from typing import Literal

from node.actions.peers import PeerName, name_of
from node.actions.shapes import Answer, Request, hash_of
from node.auditing.audits import AuditRun
from node.auditing.store_source import communities_to_audit
from node.config.keys import Listen
from node.core import Node
from node.errors import NodeError
from protocol.audit.findings import Report, Verdict
from protocol.fields import Title
from protocol.identity.keys import to_base32
from storage.peers import peer_of
from storage.views.reading import StateReader

AuditState = Literal["never", "running", "done", "broken_off"]


class AuditsQuery(Request, frozen=True, kw_only=True):
    """Nothing to say: the latest audit of each community."""


class AuditAnswer(Answer, frozen=True, kw_only=True):
    """The latest audit of one community since this node started.

    `is_remote` says that its lanes were read at its own node. `findings` counts by code; `failure_code` and
    `failure_detail` say why there is no verdict. `done` of `total` records have gone through `stage`.
    """

    community: str
    state: AuditState
    name: Title | None = None
    begun_ms: int | None = None
    ended_ms: int | None = None
    is_remote: bool = False
    stage: str | None = None
    done: int = 0
    total: int = 0
    verdict: Verdict | None = None
    records: int | None = None
    findings: dict[str, int] | None = None
    failure_code: str | None = None
    failure_detail: str | None = None


class AuditsAnswer(Answer, frozen=True, kw_only=True):
    """The audits that are kept, the newest last."""

    audits: list[AuditAnswer]


async def start_audit(node: Node, request: PeerName) -> AuditAnswer:
    """Audit a community in the background.

    Refuses with `audit_running` while another runs, and `copy_missing` where there is nothing to read.
    """
    from node.auditing.worker import AuditJob

    community = hash_of(request.community)
    communities = await node.read(lambda read: communities_to_audit(read, community))
    address = "" if communities else _address_of_neighbour(node, community)
    if not communities and not address:
        raise NodeError("copy_missing", "")
    job = AuditJob(
        communities=sorted(map(to_base32, communities or {community})),
        where=node.audits.where,
        address=address,
    )
    node.audits.start(community, job, node.clock.now)
    return await show_audit(node, request)


async def show_audit(node: Node, request: PeerName) -> AuditAnswer:
    """Show how far the audit of a community is, or what it found."""
    community = hash_of(request.community)
    run = node.audits.latest(community)

    def question(read: StateReader) -> Title | None:
        if community == node.community:
            return node.genesis.name
        return name_of(read, community, peer_of(read.connection, community))

    return _answer(request.community, await node.look(question), run)


async def list_audits(node: Node, request: AuditsQuery) -> AuditsAnswer:
    """List the audits since the node started, the latest of each community."""
    return AuditsAnswer(
        audits=[_answer(to_base32(run.community), None, run) for run in node.audits.all_latest()]
    )


def report_of_audit(node: Node, request: PeerName) -> Report | None:
    """Return the whole report of the latest audit of a community; None where there is none."""
    run = node.audits.latest(hash_of(request.community))
    return None if run is None else run.report


def _address_of_neighbour(node: Node, community: bytes) -> str:
    """Where a node that was heard on the local network serves its lanes, or nothing."""
    neighbours = node.federation.neighbours if node.federation else ()
    found = next((neighbour for neighbour in neighbours if neighbour.community == community), None)
    return "" if found is None else f"http://{Listen(found.host, found.http_port)}"


def _answer(community: str, name: Title | None, run: AuditRun | None) -> AuditAnswer:
    if run is None:
        return AuditAnswer(community=community, state="never", name=name)
    code, detail = run.failure or (None, None)
    report = run.report
    return AuditAnswer(
        community=community,
        state="running" if run.is_running else "done" if report else "broken_off",
        name=name,
        begun_ms=run.begun_ms,
        ended_ms=run.ended_ms,
        is_remote=run.is_remote,
        stage=run.stage if run.is_running else None,
        done=run.done,
        total=run.total,
        verdict=report.verdict if report else None,
        records=report.records if report else None,
        findings=report.by_code if report else None,
        failure_code=code,
        failure_detail=detail,
    )
