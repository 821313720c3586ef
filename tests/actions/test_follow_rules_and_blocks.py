"""Rules follow whom they name and keep what they say; a block list is taken whole or not at all."""

from pathlib import Path

import pytest

from node.actions.block_lists import (
    BlockListQuery,
    BlockListText,
    export_block_list,
    import_block_list,
)
from node.actions.follow_rules import (
    RuleDraft,
    RuleName,
    RulesQuery,
    add_follow_rule,
    list_follow_rules,
    remove_follow_rule,
)
from node.actions.peers import PeerName, PeersQuery, list_peers, unfollow_peer
from node.actions.shops import ShopDraft, publish_shop
from node.errors import NodeError
from protocol.exchange.addresses import parse_address
from protocol.exchange.discovery_events import AddressNamed
from protocol.identity.keys import from_base32, to_base32
from protocol.log.origin import Origin
from storage.lanes import LaneStore
from storage.views.reading import StateReader
from tests.pages.neighbour_nodes import Community, opened_community


def near(community: Community) -> AddressNamed:
    return AddressNamed(parse_address(community.address), "nearby", from_base32(community.id, 32))


async def trust_in(one: Community, other: Community) -> str:
    known = (await list_peers(one.node, PeersQuery())).peers
    return next((peer.trust for peer in known if peer.community == other.id), "unknown")


async def size_at(one: Community, other: Community, lane: str) -> int:
    def question(read: StateReader) -> int:
        origin = Origin(other.node.community, lane, 0)
        store = LaneStore(read.connection)
        key = store.lane_key(origin.community, origin.lane, origin.epoch)
        return 0 if key is None else store.size(key)

    return await one.node.read(question)


async def test_a_rule_follows_whom_it_names_and_keeps_what_it_says(tmp_path: Path) -> None:
    """By sector and region, once found; of two sectors one is kept; a steward's word stands above the rule."""
    async with (
        opened_community(tmp_path / "a", "Orchard", region="CN-33") as orchard,
        opened_community(tmp_path / "b", "Ferry") as ferry,
    ):
        for sector in ("food", "pets"):
            await publish_shop(orchard.node, ShopDraft(sector=sector, name={"en": "Press"}))
        wrong = await add_follow_rule(ferry.node, RuleDraft(effect="follow", sector="food", region="DE"))
        await add_follow_rule(ferry.node, RuleDraft(effect="keep", sector="food"))
        ferry.node.federation_service.hear(near(orchard))

        async def is_known() -> bool:
            sights = ferry.node.federation_service.sightings()
            return any(sight.record is not None and "pets" in sight.record.sectors for sight in sights)

        await ferry.until(is_known)
        assert await trust_in(ferry, orchard) == "found"
        await remove_follow_rule(ferry.node, RuleName(rule=wrong.rule))
        await add_follow_rule(ferry.node, RuleDraft(effect="follow", sector="food", region="cn"))

        async def has_food() -> bool:
            return await size_at(ferry, orchard, "market/food") == 2

        await ferry.until(has_food)
        assert await trust_in(ferry, orchard) == "followed"
        assert await size_at(ferry, orchard, "market/pets") == 0
        await unfollow_peer(ferry.node, PeerName(community=orchard.id))
        await add_follow_rule(ferry.node, RuleDraft(effect="follow", community=orchard.id))
        assert await trust_in(ferry, orchard) == "found"
        kept = (await list_follow_rules(ferry.node, RulesQuery())).rules
        assert [(rule.effect, rule.sector, rule.region) for rule in kept] == [
            ("keep", "food", ""),
            ("follow", "food", "CN"),
            ("follow", "", ""),
        ]


async def test_a_rule_that_says_nothing_is_refused(tmp_path: Path) -> None:
    """With a code, and nothing is kept."""
    async with opened_community(tmp_path / "a", "Orchard") as orchard:
        for draft, code in (
            (RuleDraft(effect="follow"), "request_field_refused"),
            (RuleDraft(effect="keep"), "request_field_refused"),
            (RuleDraft(effect="keep", sector="food", region="CN"), "request_field_refused"),
            (RuleDraft(effect="follow", sector="magic"), "sector_unknown"),
            (RuleDraft(effect="follow", region="China"), "request_field_refused"),
        ):
            with pytest.raises(NodeError) as refusal:
                await add_follow_rule(orchard.node, draft)
            assert refusal.value.code == code
        assert (await list_follow_rules(orchard.node, RulesQuery())).rules == []


async def test_a_block_list_is_taken_whole_or_not_at_all(tmp_path: Path) -> None:
    """Errors are named by line and block nobody; a dry run says what would happen; what is exported imports."""
    async with (
        opened_community(tmp_path / "a", "Orchard") as orchard,
        opened_community(tmp_path / "b", "Ferry") as ferry,
    ):
        orchard.node.federation_service.hear(near(ferry))

        async def are_connected() -> bool:
            return bool(orchard.node.federation_service.connected())

        await orchard.until(are_connected)
        foe = to_base32(b"f" * 32)
        bad = await import_block_list(
            orchard.node,
            BlockListText(text=f"note,community\nx,{foe}\n,short\n\nus,{orchard.id}\n{'n' * 201},{foe}\n"),
        )
        assert {error.line for error in bad.errors} == {3, 5, 6}
        assert (bad.blocked, await trust_in(orchard, ferry)) == (0, "found")
        good = f"\ufeffCommunity;Note;Since\r\n{foe};=1+1;2024\r\n{ferry.id};sends junk;2025\r\n"
        dry = await import_block_list(orchard.node, BlockListText(text=good, dry_run=True))
        assert (dry.blocked, dry.already, dry.errors) == (2, 0, [])
        assert (await export_block_list(orchard.node, BlockListQuery())).blocked == []
        done = await import_block_list(orchard.node, BlockListText(text=good))
        assert (done.blocked, done.already) == (2, 0)

        async def is_shut_out() -> bool:
            return not orchard.node.federation_service.connected()

        await orchard.until(is_shut_out)
        listed = await export_block_list(orchard.node, BlockListQuery())
        assert {each.community: each.note for each in listed.blocked} == {foe: "=1+1", ferry.id: "sends junk"}
        assert "'=1+1" in listed.csv, "a spreadsheet must not take a note for a formula"
        again = await import_block_list(orchard.node, BlockListText(text=listed.csv))
        assert (again.blocked, again.already, again.errors) == (0, 2, [])
        for text in ("", "name\nx\n", 'community\n"' + "x" * 200_000):
            with pytest.raises(NodeError) as refusal:
                await import_block_list(orchard.node, BlockListText(text=text))
            assert refusal.value.code == "block_list_malformed"
