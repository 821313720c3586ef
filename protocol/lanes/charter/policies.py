"""Policies: which revenue-share rules the community has adopted, and when (PROTOCOL.md section 10.4)."""

from typing import Literal

import msgspec
from msgspec import UNSET, UnsetType

from protocol.amounts.split import Policy, policy_id
from protocol.errors import RecordVoid
from protocol.fields import Hash
from protocol.lanes.kind import (
    CHARTER,
    Change,
    CharterSize,
    Entry,
    Put,
    Reader,
    RecordKind,
    Span,
    Tables,
    close_last_span,
    open_span,
)
from protocol.log.record import Body


class PolicyAdopted(Body, frozen=True, kw_only=True):
    """`policy.adopted`: orders may pin this policy from here on; `replaces` is retired by the same word."""

    policy: Policy
    adopted_by: Literal["founder"]
    replaces: Hash | UnsetType = UNSET


class PolicyRetired(Body, frozen=True, kw_only=True):
    """`policy.retired`: new orders may no longer pin it; orders that did keep it."""

    policy_id: Hash


class AdoptedPolicy(msgspec.Struct, frozen=True, gc=False):
    """The stretches in which a community stands by a policy, oldest first, and how it came to it."""

    spans: tuple[Span, ...]
    adopted_by: str

    @property
    def is_in_force(self) -> bool:
        """Whether the newest stretch is open."""
        return self.spans[-1].until_epoch is None


TABLES: Tables = {"policy": Policy, "adopted_policy": AdoptedPolicy}


def step_adopted(read: Reader, entry: Entry) -> list[Change]:
    """The policy's words go under its id, the adoption under the community."""
    body, community = entry.record.body, entry.position.community
    adopted_id = policy_id(body.policy)
    adopted = read.get("adopted_policy", (community, adopted_id))
    if adopted and adopted.is_in_force:
        raise RecordVoid("policy_adopted_already")
    earlier = adopted.spans if adopted else ()
    spans = (*earlier, open_span(entry, earlier=earlier))
    changes: list[Change] = []
    if body.replaces is not UNSET:
        changes += _retire(read, entry, body.replaces)
    return [
        *changes,
        Put("policy", (adopted_id,), body.policy),
        Put("adopted_policy", (community, adopted_id), AdoptedPolicy(spans, body.adopted_by)),
    ]


def step_retired(read: Reader, entry: Entry) -> list[Change]:
    """The open stretch of the policy ends."""
    return _retire(read, entry, entry.record.body.policy_id)


def require_policy(read: Reader, community: bytes, policy: bytes, at: CharterSize) -> Policy:
    """Return the policy when `community` stood by it at charter size `at`, else void the record."""
    adopted = read.get("adopted_policy", (community, policy))
    if adopted is None or not any(span.covers(at) for span in adopted.spans):
        raise RecordVoid("policy_not_adopted")
    return read.get("policy", (policy,))  # type: ignore[no-any-return]  # the table says which struct stands there


def _retire(read: Reader, entry: Entry, retired_id: bytes) -> list[Change]:
    key = (entry.position.community, retired_id)
    adopted = read.get("adopted_policy", key)
    if adopted is None or not adopted.is_in_force:
        raise RecordVoid("policy_not_adopted")
    spans = close_last_span(adopted.spans, entry)
    return [Put("adopted_policy", key, AdoptedPolicy(spans, adopted.adopted_by))]


KINDS = (
    RecordKind("policy.adopted", CHARTER, PolicyAdopted, step_adopted),
    RecordKind("policy.retired", CHARTER, PolicyRetired, step_retired),
)
