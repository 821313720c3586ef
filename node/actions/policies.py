"""Policies: adopt, retire, list, and preview what a price gives to whom."""

from typing import Annotated, Literal

from msgspec import Meta

from node.actions.shapes import Answer, HashText, Request, Said, hash_of, place_of, said
from node.core import Node
from node.errors import NodeError
from node.writer.transaction import Transaction
from protocol.amounts.split import Allocation, Policy, Share, TaxTotal, policy_id, split
from protocol.identity.keys import to_base32
from protocol.lanes.charter.policies import PolicyAdopted, PolicyRetired
from protocol.lanes.kind import CHARTER
from storage.views.reading import StateReader

_POLICIES_MAX = 200

# What the first run adopts. Its id holds no community: two that both took it can trade at once.
DEFAULT_POLICY = Policy(
    base="net",
    shares=(
        Share(role="commons", beneficiary="seller_community", share_bp=300),
        Share(role="buyer_community", beneficiary="buyer_community", share_bp=200),
    ),
    same_community="to_seller_community",
    tax_remitter="seller",
)


class PolicyDraft(Request, frozen=True, kw_only=True):
    """A policy to adopt; `replaces` retires another one by the same word."""

    policy: Policy
    replaces: HashText | None = None


class AdoptedAnswer(Said, frozen=True, kw_only=True):
    """The record, and the id by which orders pin the policy."""

    policy_id: str


class PolicyName(Request, frozen=True, kw_only=True):
    """One policy by its id."""

    policy_id: HashText


class PoliciesQuery(Request, frozen=True, kw_only=True):
    """Whose policies; without a community, our own."""

    community: HashText | None = None


class PolicyAnswer(Answer, frozen=True, kw_only=True):
    """A policy that a community stands by, or stood by."""

    policy_id: str
    policy: Policy
    adopted_by: str
    is_in_force: bool


class PoliciesAnswer(Answer, frozen=True, kw_only=True):
    """Policies by id."""

    policies: list[PolicyAnswer]


class SplitQuery(Request, frozen=True, kw_only=True):
    """What an order of these totals would give to whom under a policy."""

    policy_id: HashText
    currency: str
    totals: Annotated[list[TaxTotal], Meta(min_length=1, max_length=16)]
    same_community: bool = False
    collector: Literal["buyer", "seller"] = "seller"


class SplitAnswer(Answer, frozen=True, kw_only=True):
    """Who gets what, in declared order, the seller last; it sums to the total."""

    allocations: list[Allocation]
    total_minor: int


async def adopt_policy(node: Node, request: PolicyDraft) -> AdoptedAnswer:
    """Adopt a policy as the founder; audits say so."""
    adopted = (
        PolicyAdopted(policy=request.policy, adopted_by="founder", replaces=hash_of(request.replaces))
        if request.replaces
        else PolicyAdopted(policy=request.policy, adopted_by="founder")
    )

    def job(transaction: Transaction) -> AdoptedAnswer:
        reference = transaction.say(CHARTER, adopted)
        return AdoptedAnswer(record=place_of(reference), policy_id=to_base32(policy_id(request.policy)))

    return await node.write(job)


async def retire_policy(node: Node, request: PolicyName) -> Said:
    """Retire a policy: new orders may no longer pin it."""
    body = PolicyRetired(policy_id=hash_of(request.policy_id))
    return await node.write(lambda transaction: said(transaction.say(CHARTER, body)))


async def list_policies(node: Node, request: PoliciesQuery) -> PoliciesAnswer:
    """List the policies of one community."""
    community = hash_of(request.community) if request.community else node.community

    def question(read: StateReader) -> PoliciesAnswer:
        rows = read.scan("adopted_policy", (community,), length=2, limit=_POLICIES_MAX)
        return PoliciesAnswer(
            policies=[
                PolicyAnswer(
                    policy_id=to_base32(key[1]),
                    policy=read.get("policy", (key[1],)),
                    adopted_by=adopted.adopted_by,
                    is_in_force=adopted.is_in_force,
                )
                for key, adopted in rows
            ]
        )

    return await node.read(question)


async def preview_split(node: Node, request: SplitQuery) -> SplitAnswer:
    """Compute who gets what, without placing anything."""
    policy = await node.read(lambda read: read.get("policy", (hash_of(request.policy_id),)))
    if policy is None:
        raise NodeError("not_found", "no such policy here")
    allocations = split(
        policy,
        request.totals,
        request.currency,
        same_community=request.same_community,
        collector=request.collector,
    )
    return SplitAnswer(
        allocations=list(allocations), total_minor=sum(total.gross_minor for total in request.totals)
    )
