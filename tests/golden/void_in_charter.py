"""Small cuts in which a record is void by what the charter says, or for its author.

Named and described as in `void_by_form`.
"""

from typing import Any

from protocol.identity.genesis import Proofs
from protocol.identity.keys import SigningKey, log_key_hash
from protocol.lanes import BODY_TYPES, KINDS
from protocol.lanes.charter.witnesses import HttpWitness, Witness
from protocol.lanes.kind import CHARTER, TRADE
from protocol.limits import SPANS_MAX
from protocol.log.origin import witness_name
from protocol.log.record import decode_record, encode_record
from tests.golden.cuts import Cut, CutLane, cut_of
from tests.golden.void_by_form import publish, village
from tests.village import MARKET, POLICY, START_MS, Village, Villager, object_id, seed

MEMBER = Villager("member")
WITNESS = Witness(community=seed("witness"), witness_key=SigningKey(seed("its key")).public)


def genesis_misplaced() -> Cut:
    """A second genesis is void."""
    shop = village()
    shop.append(CHARTER, shop.entries[CHARTER][0].replace(b"\xcf\x00\x00\x01", b"\xcf\x00\x00\x02"))
    return cut_of(shop)


def genesis_mismatch() -> Cut:
    """A charter that begins with another community's genesis has no record in effect."""
    shop, other = village(), Village("other", lanes=(MARKET,))
    return Cut((CutLane(shop.community, CHARTER, 0, tuple(other.entries[CHARTER])),))


def founded(**changes: Any) -> Cut:
    """A charter whose genesis has these fields, which its keys did not sign."""
    genesis = decode_record(village().entries[CHARTER][0], BODY_TYPES).body
    fields = {name: getattr(genesis, name) for name in genesis.__struct_fields__}
    shop = village()
    raw = encode_record("community.founded", type(genesis)(**{**fields, **changes}), time_ms=START_MS)
    shop.entries.clear()
    shop.community = shop.append(CHARTER, raw).record_id
    return cut_of(shop)


def currency_unknown() -> Cut:
    """A genesis with a currency that is not in the table is void."""
    return founded(currency="XXX")


def recovery_set_refused() -> Cut:
    """A genesis whose recovery threshold cannot be met is void."""
    return founded(recovery_threshold=2)


def key_refused() -> Cut:
    """A genesis with a key of small order is void."""
    return founded(witness_key=bytes([1, *bytes(31)]))


def key_refused_2() -> Cut:
    """A member with a key that is no point of the curve is not admitted."""
    shop = village()
    shop.say(
        CHARTER, "member.admitted", member_id=MEMBER.member_id, roles=["member"], key=bytes([2, *bytes(31)])
    )
    return cut_of(shop)


def key_repeated() -> Cut:
    """A genesis that announces the hash of a key that it already uses is void."""
    return founded(next_log_key_hash=log_key_hash(village().witness.public))


def proof_invalid() -> Cut:
    """A genesis whose log key signed something else is void."""
    proofs = decode_record(village().entries[CHARTER][0], BODY_TYPES).body.proofs
    fields = {name: getattr(proofs, name) for name in proofs.__struct_fields__}
    return founded(proofs=Proofs(**{**fields, "log": proofs.transport}))


def lane_unknown() -> Cut:
    """A lane that the format does not have cannot be declared."""
    shop = village()
    shop.say(CHARTER, "lane.declared", lane="market/stars", visibility="public")
    return cut_of(shop)


def lane_opening_misplaced() -> Cut:
    """A lane is opened once, by its first record."""
    shop = village(MARKET)
    shop.say(MARKET, "lane.opened", lane=MARKET)
    return cut_of(shop)


def lane_opening_misplaced_2() -> Cut:
    """A lane of which an earlier epoch sealed entries is not opened again, but continued."""
    shop = village(MARKET)
    shop.close_epoch()
    shop.continue_lane(CHARTER)
    shop.say(MARKET, "lane.opened", lane=MARKET)
    return cut_of(shop)


def lane_continuation_mismatch() -> Cut:
    """A lane continues the newest seal before its epoch, with its size and root."""
    shop = village(MARKET)
    shop.close_epoch()
    shop.continue_lane(CHARTER)
    shop.say(MARKET, "lane.continued", lane=MARKET, epoch=0, size=2, root=seed("another root"))
    return cut_of(shop)


def lane_not_declared() -> Cut:
    """A lane is declared under the charter size of its first record, not only later."""
    shop = village(TRADE)
    body = KINDS["lane.opened"].body(lane=MARKET)
    shop.append(MARKET, encode_record("lane.opened", body, time_ms=START_MS + 1, charter_size=2))
    shop.say(CHARTER, "lane.declared", lane=MARKET, visibility="public")
    return cut_of(shop)


def lane_not_opened() -> Cut:
    """Where the first record of a lane is void, all that follow in this epoch are."""
    shop = village()
    shop.say(CHARTER, "lane.declared", lane=MARKET, visibility="public")
    publish(shop)
    shop.say(MARKET, "lane.opened", lane=MARKET)
    return cut_of(shop)


def member_unknown() -> Cut:
    """Who is no member cannot leave."""
    shop = village()
    shop.say(CHARTER, "member.left", member_id=MEMBER.member_id)
    return cut_of(shop)


def spans_full() -> Cut:
    """A member is admitted anew `SPANS_MAX` times, and not once more."""
    shop = village()
    for _ in range(SPANS_MAX + 1):
        shop.say(CHARTER, "member.admitted", member_id=MEMBER.member_id, roles=["member"])
    return cut_of(shop)


def author_unknown() -> Cut:
    """A member signs only what stands under a charter size at which it is admitted: not before, not after."""
    shop = village(MARKET)
    shop.say_as(MEMBER, MARKET, "shop.published", shop_id=object_id("early"), name={"en": "early"})
    shop.admit(MEMBER)
    shop.say_as(MEMBER, MARKET, "shop.published", shop_id=object_id("now"), name={"en": "now"})
    shop.say(CHARTER, "member.left", member_id=MEMBER.member_id)
    shop.say_as(MEMBER, MARKET, "shop.published", shop_id=object_id("late"), name={"en": "late"})
    return cut_of(shop)


def author_not_permitted() -> Cut:
    """A member without the role that the kind needs may not say it."""
    shop = village(MARKET)
    shop.admit(MEMBER, roles=("member", "steward"))
    shop.say_as(MEMBER, MARKET, "shop.published", shop_id=object_id("shop"), name={"en": "shop"})
    return cut_of(shop)


def author_not_permitted_2() -> Cut:
    """Some kinds are said by the community itself only, whatever the member's roles are."""
    shop = village(MARKET)
    shop.admit(MEMBER)
    shop.say_as(MEMBER, CHARTER, "peer.vouched", community=seed("peer"))
    return cut_of(shop)


def author_not_permitted_3() -> Cut:
    """A shop that names its keepers is changed by these members, or by the community."""
    shop = village(MARKET)
    keeper = Villager("keeper")
    shop.admit(MEMBER)
    shop.admit(keeper)
    publish(shop, keepers=[keeper.member_id])
    shop.say_as(MEMBER, MARKET, "shop.published", shop_id=object_id("shop"), name={"en": "mine"})
    shop.say_as(keeper, MARKET, "shop.published", shop_id=object_id("shop"), name={"en": "ours"})
    return cut_of(shop)


def author_signature() -> Cut:
    """A member's signature for one epoch does not hold in another: old words cannot be said again."""
    shop = village(MARKET)
    shop.admit(MEMBER)
    fields = {"shop_id": object_id("shop"), "name": {"en": "shop"}}
    shop.say_as(MEMBER, MARKET, "shop.published", **fields)
    said = shop.entries[MARKET][-1]
    shop.close_epoch()
    shop.now_ms = START_MS
    shop.continue_lane(CHARTER)
    shop.say(CHARTER, "peer.vouched", community=seed("one"))
    shop.say(CHARTER, "peer.vouched", community=seed("two"))
    shop.now_ms = START_MS
    shop.continue_lane(MARKET)
    shop.append(MARKET, said)
    return cut_of(shop)


def peer_is_self() -> Cut:
    """A community does not vouch for itself."""
    shop = village()
    shop.say(CHARTER, "peer.vouched", community=shop.community)
    return cut_of(shop)


def peer_vouched_already() -> Cut:
    """A peer is vouched for once, until it is dismissed."""
    shop = village()
    for kind in ("peer.vouched", "peer.vouched", "peer.dismissed", "peer.vouched"):
        shop.say(CHARTER, kind, community=seed("peer"))
    return cut_of(shop)


def peer_not_vouched() -> Cut:
    """Who is not vouched for cannot be dismissed."""
    shop = village()
    shop.say(CHARTER, "peer.dismissed", community=seed("peer"))
    return cut_of(shop)


def relay_is_self() -> Cut:
    """A community names others as its relays, not itself; what it named before stays."""
    shop = village()
    shop.say(CHARTER, "relays.named", relays=[seed("relay")])
    shop.say(CHARTER, "relays.named", relays=[seed("relay"), shop.community])
    return cut_of(shop)


def witness_is_self() -> Cut:
    """A community names others as its witnesses, not itself; whom it named before stays."""
    shop = village()
    shop.say(CHARTER, "witnesses.adopted", witnesses=[WITNESS], threshold=1)
    own = Witness(community=shop.community, witness_key=shop.witness.public)
    shop.say(CHARTER, "witnesses.adopted", witnesses=[WITNESS, own], threshold=2)
    return cut_of(shop)


def witness_is_self_2() -> Cut:
    """Nor by its key name, as a witness that is asked over HTTP."""
    shop = village()
    own = HttpWitness(
        name=witness_name(shop.community), witness_key=shop.witness.public, url="http://192.0.2.7:8470"
    )
    shop.say(CHARTER, "witnesses.adopted", witnesses=[], http_witnesses=[own], threshold=1)
    return cut_of(shop)


def policy_adopted_already() -> Cut:
    """A policy in force is not adopted again."""
    shop = village()
    shop.adopt()
    shop.adopt()
    return cut_of(shop)


def policy_not_adopted_3() -> Cut:
    """A policy replaces one that is in force, not any other; a policy that is not in force cannot be retired."""
    shop = village()
    shop.say(CHARTER, "policy.adopted", policy=POLICY, adopted_by="founder", replaces=seed("another"))
    shop.say(CHARTER, "policy.retired", policy_id=seed("another"))
    return cut_of(shop)


IN_CHARTER = (
    genesis_misplaced,
    genesis_mismatch,
    currency_unknown,
    recovery_set_refused,
    key_refused,
    key_refused_2,
    key_repeated,
    proof_invalid,
    lane_unknown,
    lane_opening_misplaced,
    lane_opening_misplaced_2,
    lane_continuation_mismatch,
    lane_not_declared,
    lane_not_opened,
    member_unknown,
    spans_full,
    author_unknown,
    author_not_permitted,
    author_not_permitted_2,
    author_not_permitted_3,
    author_signature,
    peer_is_self,
    peer_vouched_already,
    peer_not_vouched,
    relay_is_self,
    witness_is_self,
    witness_is_self_2,
    policy_adopted_already,
    policy_not_adopted_3,
)
