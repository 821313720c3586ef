"""Charter facts are intervals: a record is judged by the charter as it was at the size it names."""

from copy import copy
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from protocol.amounts.split import policy_id
from protocol.dict_state import DictState
from protocol.fold import Fold
from protocol.lanes.kind import CHARTER, LEDGER, TRADE, CharterSize, Lane, Reference, Span
from protocol.limits import SPANS_MAX
from protocol.log.record import encode_record
from tests.lanes.deals import code_at
from tests.village import MARKET, POLICY, Village, VillageEntries, Villager, codes, fold_all, object_id, seed
from tests.worlds import FIXED_POLICY, ODD_POLICY, POLICIES

DEE, EVE = Villager("dee"), Villager("eve")


def with_key_of(member: Villager, other: Villager) -> Villager:
    """The first member's id with the other's key."""
    changed = copy(member)
    changed.key = other.key
    return changed


DEE_ANEW = with_key_of(DEE, EVE)


class Judge:
    """Folds a village's charter whole, then single market records under any size of it."""

    def __init__(self, village: Village) -> None:
        self.village = village
        self.size = len(village.entries[CHARTER])
        self.state = DictState()
        self._entries = VillageEntries([village])
        place = Lane(village.community, CHARTER)
        Fold(self.state, self._entries).feed(place, epoch=0, start=0, entries=village.entries[CHARTER])

    def code_of(self, size: int, member: Villager | None, kind: str, /, **fields: Any) -> str | None:
        """The code of a record under charter size `size` in a fresh market lane, or None where it counts."""
        village = copy(self.village)
        village.charter_size = lambda lane: size  # the size it claims to see
        opened = village.record(MARKET, "lane.opened", lane=MARKET)
        say = member.record if member else lambda village, lane, kind, **f: village.record(lane, kind, **f)
        state = DictState()
        state.rows = dict(self.state.rows)
        place = Lane(village.community, MARKET)
        folded = Fold(state, self._entries).feed(
            place, epoch=0, start=0, entries=[opened, say(village, MARKET, kind, **fields)]
        )
        found = codes([folded])
        return found[-1] if found else None


SHOP = {"shop_id": object_id("shop"), "name": {"en": "Shop"}}


def test_a_member_speaks_from_admission_to_leaving_with_the_key_of_that_time() -> None:
    """Admitted, without role, with another key, gone: each stretch holds for exactly the sizes it covers."""
    home = Village("home")
    bounds = []
    home.admit(DEE)
    bounds.append(len(home.entries[CHARTER]))
    home.admit(DEE, roles=["member"])
    bounds.append(len(home.entries[CHARTER]))
    home.admit(DEE_ANEW, roles=["member", "shopkeeper"])
    bounds.append(len(home.entries[CHARTER]))
    home.say(CHARTER, "member.left", member_id=DEE.member_id)
    bounds.append(len(home.entries[CHARTER]))
    home.say(CHARTER, "member.admitted", member_id=DEE.member_id, roles=["shopkeeper"])
    bounds.append(len(home.entries[CHARTER]))
    home.admit(DEE)
    judge = Judge(home)
    opened_at = next(size for size in range(9) if judge.code_of(size, None, "shop.published", **SHOP) is None)
    for size in range(opened_at, judge.size + 1):
        stretch = sum(size >= bound for bound in bounds)
        expected = {
            0: ("author_unknown", "author_unknown"),
            1: (None, "author_signature"),
            2: ("author_not_permitted", "author_not_permitted"),
            3: ("author_signature", None),
            4: ("author_unknown", "author_unknown"),
            5: ("author_unknown", "author_unknown"),
        }.get(stretch)
        if size == judge.size:
            expected = (None, "author_signature")
        found = tuple(judge.code_of(size, member, "shop.published", **SHOP) for member in (DEE, DEE_ANEW))
        assert found == expected, f"under charter size {size}"
        assert judge.code_of(size, None, "shop.published", **SHOP) is None


@pytest.mark.parametrize(
    "changed",
    [
        {"community": seed("other")},
        {"lane": "market/fashion"},
        {"epoch": 1},
        {"charter_size": 3},
        {"kind": "listing.published"},
        {"time_ms": 1},
        {"author": EVE.member_id},
    ],
    ids=lambda changed: next(iter(changed)),
)
def test_a_members_signature_holds_for_one_place_and_moment(changed: dict[str, Any]) -> None:
    """A signature made for another community, lane, epoch, charter size, kind, time or author is refused."""
    home = Village("home")
    home.admit(DEE)
    home.say_as(DEE, MARKET, "shop.published", **SHOP)
    home.say_as(DEE, MARKET, "shop.published", signed=changed, **SHOP)
    assert codes(fold_all(home)[1]) == ["author_signature"]


def test_a_members_signature_covers_the_body_and_has_a_domain() -> None:
    """Another body under the same signature, one without the domain line, and one of nobody's are refused."""
    home = Village("home")
    home.admit(DEE)
    signature = home.entries[MARKET][-1][-64:]
    home.now_ms += 1
    raw = DEE.record(home, MARKET, "shop.published", **SHOP)
    from protocol.lanes import BODY_TYPES
    from protocol.log.record import MEMBER_SIGNATURE_DOMAIN, decode_record, member_message

    record = decode_record(raw, BODY_TYPES)
    message = member_message(
        home.community,
        MARKET,
        0,
        record.charter_size,
        record.kind,
        record.time_ms,
        DEE.member_id,
        record.body,
    )
    assert message.startswith(MEMBER_SIGNATURE_DOMAIN)
    bare = DEE.key.sign(message.removeprefix(MEMBER_SIGNATURE_DOMAIN))
    other_body = type(record.body)(shop_id=object_id("shop"), name={"en": "Shop!"})
    for body, proof in (
        (record.body, bare),
        (record.body, signature),
        (record.body, b""),
        (other_body, record.signature),
    ):
        home.append(
            MARKET,
            encode_record(
                "shop.published",
                body,
                time_ms=home.now_ms,
                charter_size=record.charter_size,
                author=DEE.member_id,
                signature=proof,
            ),
        )
    home.append(MARKET, raw)
    assert codes(fold_all(home)[1]) == ["author_signature"] * 4


def test_a_keeper_speaks_for_its_own_shop_alone() -> None:
    """Where a shop names keepers, other shopkeepers are refused; the community itself is not."""
    home = Village("home")
    home.admit(DEE)
    home.admit(EVE)
    home.say(MARKET, "shop.published", **SHOP, keepers=[DEE.member_id])
    home.say_as(EVE, MARKET, "shop.published", **SHOP)
    home.say_as(DEE, MARKET, "shop.published", **SHOP, keepers=[EVE.member_id])
    home.say_as(DEE, MARKET, "shop.published", **SHOP)
    home.say(MARKET, "shop.published", **SHOP)
    home.say_as(DEE, MARKET, "shop.published", **SHOP)
    assert codes(fold_all(home)[1]) == ["author_not_permitted"] * 2


# Policies

CHANGES = st.lists(
    st.tuples(
        st.sampled_from(["adopt", "retire", "replace"]),
        st.sampled_from(range(len(POLICIES))),
        st.sampled_from(range(len(POLICIES))),
    ),
    max_size=8,
)


def change_policies(village: Village, changes: list[tuple[str, int, int]]) -> list[set[int]]:
    """Say the changes; return by charter size which policies are in force, replayed from the start."""
    in_force = [set[int]() for _ in range(len(village.entries[CHARTER]) + 1)]
    for change, one, other in changes:
        now = set(in_force[-1])
        fields: dict[str, Any] = {"policy": POLICIES[one], "adopted_by": "founder"}
        if change == "retire":
            village.say(CHARTER, "policy.retired", policy_id=policy_id(POLICIES[one]))
            now.discard(one)
        elif change == "adopt":
            village.say(CHARTER, "policy.adopted", **fields)
            now.add(one)
        else:
            village.say(CHARTER, "policy.adopted", **fields, replaces=policy_id(POLICIES[other]))
            if one not in now and other in now:
                now = (now - {other}) | {one}
        in_force.append(now)
    return in_force


@settings(max_examples=40, deadline=None, derandomize=True)
@given(CHANGES, CHANGES, st.data())
def test_the_buyer_needs_the_policy_when_placing_and_the_seller_when_accepting(
    of_buyer: list[tuple[str, int, int]], of_seller: list[tuple[str, int, int]], data: st.DataObject
) -> None:
    """Adopted, replaced, retired, adopted anew before, between and after: only those two moments count."""
    shop, home = Village("shop"), Village("home")
    at_buyer, at_seller = change_policies(home, of_buyer), change_policies(shop, of_seller)
    all_declared = 4  # the genesis and three lanes
    placed_at = data.draw(st.integers(all_declared, len(at_buyer) - 1))
    accepted_at = data.draw(st.integers(all_declared, len(at_seller) - 1))
    pinned = data.draw(st.sampled_from(range(len(POLICIES))))
    home.charter_size = lambda lane: placed_at  # an older charter
    shop.charter_size = lambda lane: accepted_at
    placed = home.place(shop, policy=policy_id(POLICIES[pinned]))
    accepted = shop.say(TRADE, "order.accepted", order=home.key(), takes=[placed])
    state, _ = fold_all(shop, home)
    if pinned not in at_buyer[placed_at]:
        assert code_at(state, placed) == "policy_not_adopted"
        assert code_at(state, accepted) == "reference_unknown"
    elif pinned not in at_seller[accepted_at]:
        assert code_at(state, accepted) == "policy_not_adopted"
        assert state.get("deal", (shop.community, home.community, home.key().order_id)) is None
    else:
        assert state.get("deal", (shop.community, home.community, home.key().order_id)).status == "accepted"


def test_an_order_keeps_the_policy_that_it_pinned() -> None:
    """Both sides retire it after acceptance; completion still splits and posts by it."""
    shop, home = Village("shop"), Village("home")
    for village in (shop, home):
        village.adopt(FIXED_POLICY)
    placed = home.place(shop, policy=policy_id(FIXED_POLICY))
    shop.say(TRADE, "order.accepted", order=home.key(), takes=[placed])
    for village in (shop, home):
        village.say(
            CHARTER,
            "policy.adopted",
            policy=ODD_POLICY,
            adopted_by="founder",
            replaces=policy_id(FIXED_POLICY),
        )
    shop.say(TRADE, "order.fulfilled", order=home.key(), takes=[])
    received = home.say(TRADE, "order.received", order_id=home.key().order_id)
    completed = shop.say(TRADE, "order.completed", order=home.key(), takes=[received])
    shop.post(completed, home)
    home.post(completed, shop)
    late = home.place(shop, "late", policy=policy_id(FIXED_POLICY))
    state, folded = fold_all(shop, home)
    assert codes(folded) == ["policy_not_adopted"]
    assert code_at(state, late) == "policy_not_adopted"
    assert state.get("account", (shop.community, "EUR", "share/commons", b"")).balance_minor == -30
    assert not [key for key in state.rows if key[0] == "awaited"]


# Lanes and peers


@pytest.mark.parametrize("size", range(6))
def test_a_lane_is_open_from_its_declaration_on(size: int) -> None:
    """Opened under an older charter it stays shut, and all it says is void; a later lane opens all the same."""
    home = Village("home", lanes=[LEDGER])
    home.adopt()
    home.say(CHARTER, "lane.declared", lane=TRADE, visibility="peers")
    home.say(CHARTER, "lane.declared", lane=TRADE, visibility="public")
    assert len(home.entries[CHARTER]) == 5
    home.charter_size = lambda lane: size  # the size it claims
    home.say(TRADE, "lane.opened", lane=TRADE)
    home.charter_size = lambda lane: 5  # the newest
    home.place(home)
    state, folded = fold_all(home)
    is_declared = size > 3  # the index at which it is
    assert codes(folded) == ([] if is_declared else ["lane_not_declared", "lane_not_opened"])
    declared = state.get("declared_lane", (home.community, TRADE))
    assert (declared.visibility, declared.span) == ("public", Span(0, 4))


def test_trust_in_a_peer_has_its_spans() -> None:
    """Vouched, dismissed, vouched again; saying either twice is void and moves no bound."""
    home, other = Village("home"), seed("other")
    for kind in ("peer.vouched", "peer.vouched", "peer.dismissed", "peer.dismissed", "peer.vouched"):
        home.say(CHARTER, kind, community=other)
    home.say(CHARTER, "peer.vouched", community=home.community)
    state, folded = fold_all(home)
    assert codes(folded) == ["peer_vouched_already", "peer_not_vouched", "peer_is_self"]
    assert state.get("peer", (home.community, other)).spans == (Span(0, 5, 0, 7), Span(0, 9))


@given(st.tuples(*[st.integers(0, 3)] * 6))
def test_a_span_covers_what_lies_between_its_bounds(numbers: tuple[int, ...]) -> None:
    """Epoch counts before size; the end is not inside."""
    start, end = sorted([numbers[:2], numbers[2:4]])
    at = numbers[4:]
    assert Span(*start).covers(CharterSize(*at)) == (at >= start)
    assert Span(*start, *end).covers(CharterSize(*at)) == (start <= at < end)


def test_charter_facts_go_on_over_an_epoch() -> None:
    """A policy, a member and a declared lane of epoch 0 hold in epoch 1 from its first size on."""
    home = Village("home")
    home.adopt()
    home.admit(DEE)
    home.close_epoch()
    for lane in (CHARTER, MARKET, TRADE):
        home.continue_lane(lane)
    home.say_as(DEE, MARKET, "shop.published", **SHOP)
    placed = home.place(home)
    home.say(TRADE, "order.accepted", order=home.key(), takes=[placed])
    home.say(CHARTER, "policy.retired", policy_id=policy_id(POLICY))
    home.place(home, "late")
    state, folded = fold_all(home)
    assert codes(folded) == ["policy_not_adopted"]
    spans = state.get("adopted_policy", (home.community, policy_id(POLICY))).spans
    assert spans == (Span(0, 5, 1, 2),)
    assert isinstance(placed, Reference)


def begin_member(home: Village) -> None:
    home.say(CHARTER, "member.admitted", member_id=EVE.member_id, roles=["member"])


def begin_peer(home: Village) -> None:
    home.say(CHARTER, "peer.vouched", community=seed("a peer"))


def begin_policy(home: Village) -> None:
    home.say(CHARTER, "policy.adopted", policy=FIXED_POLICY, adopted_by="founder")


ENDINGS: dict[Any, tuple[str, dict[str, Any]]] = {
    begin_member: ("member.left", {"member_id": EVE.member_id}),
    begin_peer: ("peer.dismissed", {"community": seed("a peer")}),
    begin_policy: ("policy.retired", {"policy_id": policy_id(FIXED_POLICY)}),
}


@pytest.mark.parametrize("begin", ENDINGS)
def test_what_the_charter_begins_again_and_again_can_always_be_ended(begin: Any) -> None:
    """All spans are kept and read: `SPANS_MAX` of them hold and can be closed, one more does not begin."""
    home = Village("home")
    kind, fields = ENDINGS[begin]
    for _ in range(SPANS_MAX):
        begin(home)
        home.say(CHARTER, kind, **fields)
    assert codes(fold_all(home)[1]) == []
    begin(home)
    home.say(CHARTER, kind, **fields)
    nothing_to_end = {"member.left": "member_unknown", "peer.dismissed": "peer_not_vouched"}
    assert codes(fold_all(home)[1]) == ["spans_full", nothing_to_end.get(kind, "policy_not_adopted")]
