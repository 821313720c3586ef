"""What an audit says: findings, checks with counts, what waits, and totals (PROTOCOL.md section 19.6).

All of it is plain text and integers, so that a report is JSON as it stands: ids are base32, roots hexadecimal.

    msgspec.json.encode(report)
"""

from typing import Literal, get_args

from msgspec import Struct

from protocol.audit.rules import rule_of
from protocol.error_codes import SENTENCES
from protocol.limits import FINDINGS_LISTED_MAX
from protocol.marks import Mark

REPORT_FORMAT = 1

Verdict = Literal["clean", "findings", "unreadable"]
EXIT_CODES: dict[Verdict, int] = {"clean": 0, "findings": 1, "unreadable": 2}

CheckName = Literal[
    "sources",
    "genesis",
    "succession",
    "checkpoints",
    "cosignatures",
    "copies",
    "copies_agree",
    "forks",
    "records",
    "member_signatures",
    "statements",
    "postings",
    "splits",
    "accounts",
    "dues",
    "openings",
]


class Place(Struct, frozen=True, omit_defaults=True, kw_only=True):
    """Where something stands, as far as that can be said; `index` counts from 0 within the epoch."""

    community: str | None = None
    lane: str | None = None
    epoch: int | None = None
    index: int | None = None
    record_id: str | None = None


class Finding(Struct, frozen=True, omit_defaults=True, kw_only=True):
    """One thing that is wrong. `rule` is a section of PROTOCOL.md, `path` a file of the source `source`."""

    code: str
    rule: str
    sentence: str
    detail: str = ""
    place: Place = Place()
    source: str | None = None
    path: str | None = None


class Check(Struct, frozen=True, kw_only=True):
    """How often one check passed, failed, or could not be made with what was given."""

    name: CheckName
    passed: int
    failed: int
    not_opened: int


class Head(Struct, frozen=True, kw_only=True):
    """One lane of the cut: how far it was folded, under which root, from which source.

    Of its community's `witnesses` so many have seen it as `seen_sizes` names, by key name, each up to a size; up to
    `witnessed_size` it was seen by as many as suffice.
    """

    community: str
    lane: str
    epoch: int
    size: int
    root: str
    folded: int
    source: str
    witnesses: int
    threshold: int
    seen_sizes: dict[str, int]
    witnessed_size: int


class Copy(Struct, frozen=True, kw_only=True):
    """One source's copy of one lane: whether it is whole, byte for byte."""

    source: str
    community: str
    lane: str
    epoch: int
    size: int
    is_whole: bool


class ProvenFork(Struct, frozen=True, kw_only=True):
    """A lane that has two histories: the sizes of both heads, and the text of the file that proves it."""

    community: str
    lane: str
    epoch: int
    older_size: int
    newer_size: int
    proof: str


class Waits(Struct, frozen=True, kw_only=True):
    """A record or a posting that waits: no fault. `party` is who has still to post."""

    place: Place
    waits_for: Place | None = None
    party: str | None = None


class Waiting(Struct, frozen=True, kw_only=True):
    """All that waits, counted; the first of it listed."""

    count: int
    listed: tuple[Waits, ...]


class Money(Struct, frozen=True, kw_only=True):
    """An amount in minor units of its currency."""

    currency: str
    amount_minor: int


class RoleShare(Struct, frozen=True, kw_only=True):
    """What one role has got out of all postings of a community."""

    role: str
    currency: str
    amount_minor: int


class Owed(Struct, frozen=True, kw_only=True):
    """What a community is owed by another (below zero: owes), after all its postings."""

    counterparty: str
    currency: str
    amount_minor: int


class AdoptedPolicy(Struct, frozen=True, kw_only=True):
    """A policy that the community stood by, and how it came to it."""

    policy_id: str
    adopted_by: str
    is_in_force: bool


class CommunityTotals(Struct, frozen=True, kw_only=True):
    """One community in numbers: what a shop owner reads. `marks` are those of section 23.5."""

    community: str
    name: dict[str, str]
    marks: tuple[Mark, ...]
    records: int
    shops: int
    listings: int
    listings_withdrawn: int
    orders_sold: dict[str, int]
    orders_bought: dict[str, int]
    completed: tuple[Money, ...]
    shares: tuple[RoleShare, ...]
    owed: tuple[Owed, ...]
    policies: tuple[AdoptedPolicy, ...]


class Report(Struct, frozen=True, kw_only=True):
    """The whole audit. `findings` lists the first `FINDINGS_LISTED_MAX` of each code, `by_code` counts all."""

    format: int
    verdict: Verdict
    records: int
    sources: tuple[str, ...]
    cut: tuple[Head, ...]
    copies: tuple[Copy, ...]
    forks: tuple[ProvenFork, ...]
    checks: tuple[Check, ...]
    by_code: dict[str, int]
    findings: tuple[Finding, ...]
    pending: Waiting
    awaited: Waiting
    unknown_kinds: dict[str, int]
    communities: tuple[CommunityTotals, ...]

    @property
    def exit_code(self) -> int:
        """0 clean, 1 findings, 2 unreadable."""
        return EXIT_CODES[self.verdict]


class Book:
    """Findings and counts as they come up, each code listed up to its bound."""

    def __init__(self) -> None:
        """Begin empty."""
        self.listed: list[Finding] = []
        self.by_code: dict[str, int] = {}
        self._counts: dict[CheckName, list[int]] = {name: [0, 0, 0] for name in get_args(CheckName)}

    def find(
        self,
        code: str,
        detail: str = "",
        *,
        place: Place | None = None,
        source: str | None = None,
        path: str | None = None,
    ) -> None:
        """Note one finding, with the rule and the sentence of its code."""
        count = self.by_code[code] = self.by_code.get(code, 0) + 1
        if count > FINDINGS_LISTED_MAX:
            return
        finding = Finding(
            code=code,
            rule=rule_of(code),
            sentence=SENTENCES[code],
            detail=detail,
            place=place or Place(),
            source=source,
            path=path,
        )
        self.listed.append(finding)

    def count(self, check: CheckName, *, passed: int = 0, failed: int = 0, not_opened: int = 0) -> None:
        """Add to the counts of one check."""
        counts = self._counts[check]
        counts[0] += passed
        counts[1] += failed
        counts[2] += not_opened

    @property
    def checks(self) -> tuple[Check, ...]:
        """All checks with their counts, in the order of their names above."""
        return tuple(
            Check(name=name, passed=passed, failed=failed, not_opened=not_opened)
            for name, (passed, failed, not_opened) in self._counts.items()
        )
