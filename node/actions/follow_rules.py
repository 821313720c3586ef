"""Rules for whom to follow by community, sector and region, and which lanes to keep (PROTOCOL.md section 26.6)."""

from typing import Annotated, Literal

from msgspec import Meta

from node.actions.shapes import Answer, HashText, Request, hash_of
from node.core import Node
from node.errors import NodeError
from node.writer.transaction import Transaction
from protocol.exchange.addresses import REGION
from protocol.identity.keys import to_base32
from protocol.lanes.kind import SECTORS
from protocol.limits import FOLLOW_RULES_MAX
from storage.follow_rules import KeptRule, add_rule, all_rules, remove_rule
from storage.views.reading import StateReader

RuleEffect = Literal["follow", "keep"]


class RuleDraft(Request, frozen=True, kw_only=True):
    """`follow`: whoever is all of this is followed. `keep`: only such lanes are kept, of this community or of all."""

    effect: RuleEffect
    community: HashText | None = None
    sector: Annotated[str, Meta(max_length=31)] = ""
    region: Annotated[str, Meta(max_length=6)] = ""


class RuleName(Request, frozen=True, kw_only=True):
    """One rule by its number."""

    rule: Annotated[str, Meta(pattern=r"^[1-9][0-9]{0,9}$")]


class RulesQuery(Request, frozen=True, kw_only=True):
    """Nothing to say: all rules."""


class RuleAnswer(Answer, frozen=True, kw_only=True):
    """One rule; what it does not ask for is left out."""

    rule: str
    effect: RuleEffect
    made_ms: int
    community: str | None = None
    sector: str = ""
    region: str = ""


class RulesAnswer(Answer, frozen=True, kw_only=True):
    """The rules in the order in which they were made."""

    rules: list[RuleAnswer]


async def add_follow_rule(node: Node, request: RuleDraft) -> RuleAnswer:
    """Add a rule; whoever it holds for, and was found already, is followed at once."""
    community, region = _checked(request)
    now_ms = node.clock.now()

    def job(transaction: Transaction) -> KeptRule:
        rules = all_rules(transaction.connection)
        if len(rules) >= FOLLOW_RULES_MAX:
            raise NodeError("rules_full", f"{FOLLOW_RULES_MAX}")
        wanted = (request.effect, community, request.sector, region)
        if any((rule.effect, rule.community, rule.sector, rule.region) == wanted for rule in rules):
            raise NodeError("conflict", "the same rule stands already")
        number = add_rule(
            transaction.connection,
            effect=request.effect,
            community=community,
            sector=request.sector,
            region=region,
            made_ms=now_ms,
        )
        return KeptRule(number, request.effect, community, request.sector, region, now_ms)

    rule = await node.write(job)
    await node.federation_service.rules_changed()
    return _answer(rule)


async def list_follow_rules(node: Node, request: RulesQuery) -> RulesAnswer:
    """List the rules."""

    def question(read: StateReader) -> RulesAnswer:
        return RulesAnswer(rules=[_answer(rule) for rule in all_rules(read.connection)])

    return await node.look(question)


async def remove_follow_rule(node: Node, request: RuleName) -> RulesAnswer:
    """Take a rule away; whom it followed stays followed until a steward ends that."""

    def job(transaction: Transaction) -> None:
        if not remove_rule(transaction.connection, int(request.rule)):
            raise NodeError("rule_unknown", request.rule)

    await node.write(job)
    await node.federation_service.rules_changed()
    return await list_follow_rules(node, RulesQuery())


def _checked(request: RuleDraft) -> tuple[bytes | None, str]:
    """The community and region of a rule that says something, or `NodeError` with the field that does not."""
    region = request.region.strip().upper()
    if request.sector and request.sector not in SECTORS:
        raise NodeError("sector_unknown", request.sector)
    if region and not REGION.fullmatch(region):
        raise NodeError("request_field_refused", f"{region}: give a code of ISO 3166, such as CN-33 or DE")
    if request.effect == "keep" and (not request.sector or region):
        raise NodeError("request_field_refused", "a rule of what to keep names a sector, and no region")
    if not (request.community or request.sector or region):
        raise NodeError("request_field_refused", "give a community, a sector or a region")
    return (hash_of(request.community) if request.community else None), region


def _answer(rule: KeptRule) -> RuleAnswer:
    return RuleAnswer(
        rule=str(rule.rule_number),
        effect=rule.effect,  # type: ignore[arg-type]  # written from the same literal
        made_ms=rule.made_ms,
        community=to_base32(rule.community) if rule.community else None,
        sector=rule.sector,
        region=rule.region,
    )
