"""Vectors of single records: one valid file a kind, and one for each way in which bytes are no record."""

from typing import Any

import msgspec

from protocol.amounts.split import Share, TaxTotal
from protocol.encoding import encode
from protocol.errors import ProtocolError
from protocol.lanes import BODY_TYPES, KINDS
from protocol.lanes.charter.witnesses import HttpWitness, Witness
from protocol.lanes.market.listings import Image
from protocol.log.record import decode_record
from tests.golden.cuts import cut_of
from tests.golden.order_vectors import STORIES
from tests.golden.plain import Vector, Vectors, refused
from tests.golden.questions import ask
from tests.golden.void_by_step import OFFER, traders
from tests.village import MARKET, POLICY, START_MS, Village, object_id, seed


def record_vectors() -> Vectors:
    """record/<kind>.json, record/full/ and record/refused/."""
    vectors: Vectors = {}
    for raw in _story_entries():
        record = decode_record(raw, BODY_TYPES)
        vectors.setdefault(f"record/{record.kind}.json", _valid(raw, f"A record of kind {record.kind}."))
    assert len(vectors) == len(KINDS), set(KINDS) - {name[7:-5] for name in vectors}
    for name, raw in _full().items():
        vectors[f"record/full/{name}.json"] = _valid(raw, f"Every optional field stands: {name}.")
    for name, (why, raw) in {**_refused(), **_refused_witnesses()}.items():
        vectors[f"record/refused/{name}.json"] = refused("read_record", why, _code(raw), hex=raw.hex())
    return vectors


def _valid(raw: bytes, sentence: str) -> Vector:
    case = {"hex": raw.hex()}
    sentence += " The bytes decode to the record, which encodes to them; the id is the leaf hash."
    return {"must_hold": sentence, "question": "read_record", **case, "answer": ask("read_record", case)}


def _story_entries() -> list[bytes]:
    by_name = {story.__name__: story for story in STORIES}
    wanted = ("charter_and_market", "refunded", "rejected", "cancelled_on_request", "cancellation_refused")
    cuts = [by_name[name]() for name in (*wanted, "sealed_away")]
    entries = [raw for cut in cuts for part in cut.lanes for raw in part.entries]
    more = Village("more", lanes=())
    more.say("charter", "peer.dismissed", community=seed("peer"))
    more.say("charter", "writer.resumed", asked=3, answered=1)
    (home,) = traders("home")
    home.say("trade", "order.taken", order=home.key(), takes=[])
    return [*entries, *(raw for part in cut_of(more, home).lanes for raw in part.entries)]


def _full() -> dict[str, bytes]:
    """Records with every optional field, deep attributes and the largest numbers."""
    shop, home = Village("shop"), Village("home")
    attributes: dict[str, Any] = {"a": [1, -1, None, True, b"\x00", {"ä": {"b": []}}], "z" * 64: "🌾"}
    shop.say(
        MARKET,
        "listing.published",
        **{**OFFER, "quantity_scale": 0, "fulfilment": ["delivery", "onsite", "pickup", "ship"]},
        text={"en": "x" * 8_192, "zh-Hans": "苹果"},
        images=[Image(sha256=seed("picture"), media_type="image/webp")],
        profile="food-fresh/1",
        attributes=attributes,
    )
    policy = msgspec.structs.replace(
        POLICY,
        shares=(
            *POLICY.shares,
            Share(role="relay", beneficiary="buyer_community", fixed_minor={"EUR": 5, "JPY": 9}),
        ),
        terms={"en": "Cancel until we pack."},
        attributes=attributes,
    )
    shop.say("charter", "policy.adopted", policy=policy, adopted_by="founder", replaces=seed("old"))
    home.place(
        shop,
        totals=[
            TaxTotal(tax_class=f"{number:02}", rate_bp=10_000, gross_minor=10**15 // 16)
            for number in range(16)
        ],
        lines=[seed(f"line {number}") for number in range(200)],
        witnesses=[seed("one"), seed("two")],
        threshold=2,
        mediators=[seed("three")],
        group_id=object_id("basket"),
        attributes=attributes,
    )
    policy_entry = shop.entries["charter"][-1]
    shop.say(
        "charter",
        "witnesses.adopted",
        witnesses=[Witness(community=seed("one"), witness_key=seed("its key"))],
        http_witnesses=[
            HttpWitness(
                name="witness.example/w1", witness_key=seed("w1"), url="https://[2001:db8::1]:8470/a/b"
            )
        ],
        threshold=2,
    )
    return {
        "listing.published": shop.entries[MARKET][-1],
        "witnesses.adopted": shop.entries["charter"][-1],
        "policy.adopted": policy_entry,
        "order.placed": home.entries["trade"][-1],
    }


def _refused_witnesses() -> dict[str, tuple[str, bytes]]:
    """Bodies of `witnesses.adopted` that name a witness over HTTP badly."""
    witness = {"name": "w.example", "witness_key": seed("w"), "url": "https://w.example"}

    def witnesses(*others: dict[str, Any], threshold: int = 1) -> bytes:
        adopted = {"witnesses": [], "threshold": threshold, "http_witnesses": list(others)}
        return encode([1, "witnesses.adopted", START_MS, 2, None, adopted, None])

    return {
        "body-witness-none": ("a list of witnesses over HTTP that is empty", witnesses(threshold=0)),
        "body-witness-name": ("a key name with a plus", witnesses(witness | {"name": "a+b"})),
        "body-witness-name-twice": (
            "two witnesses of one name",
            witnesses(witness, witness | {"witness_key": seed("other")}),
        ),
        "body-witness-key-twice": ("two witnesses of one key", witnesses(witness, witness | {"name": "v"})),
        "body-witness-threshold": (
            "more cosignatures asked for than are named",
            witnesses(witness, threshold=2),
        ),
        **{
            f"body-witness-url-{name}": (why, witnesses(witness | {"url": url}))
            for name, (why, url) in {
                "scheme": ("an address that is not HTTP", "file:///etc/passwd"),
                "user": ("an address with a user", "https://user@w.example"),
                "slash": ("an address that ends in a slash", "https://w.example/"),
                "query": ("an address with a query", "https://w.example/a?b"),
                "capital": ("a host in capitals", "https://W.example"),
                "port": ("a port with a leading zero", "https://w.example:080"),
                "long": ("an address of 257 characters", "https://w.example/" + "a" * 239),
            }.items()
        },
    }


def _refused() -> dict[str, tuple[str, bytes]]:
    place = _placed_body()

    def record(**changed: Any) -> bytes:
        elements: dict[str, Any] = {
            "format": 1,
            "kind": "order.placed",
            "time_ms": START_MS,
            "charter_size": 2,
            "author": None,
            "body": place,
            "signature": None,
        }
        return encode(list((elements | changed).values()))

    def body(**changed: Any) -> bytes:
        return record(body=place | changed)

    def without(field: str) -> bytes:
        return record(body={name: value for name, value in place.items() if name != field})

    total = place["totals"][0]
    return {
        "shape-empty": ("an empty array", encode([])),
        "shape-map": ("a map", encode({})),
        "shape-six": ("six elements", encode(list(range(1, 7)))),
        "shape-eight": ("eight elements", encode([*msgspec.msgpack.decode(record()), None])),
        "shape-kind-bytes": ("the kind is bytes", record(kind=b"order.placed")),
        "shape-kind-long": ("a kind of 65 bytes", record(kind="k" * 65)),
        "shape-time-negative": ("a time before 1970", record(time_ms=-1)),
        "shape-time-text": ("a time that is text", record(time_ms="1760000000000")),
        "shape-author-alone": ("an author without a signature", record(author=bytes(16))),
        "shape-author-text": ("an author that is text", record(author="AAAA", signature=bytes(64))),
        "format-0": ("format 0", record(format=0)),
        "format-true": ("format true, which is not 1", record(format=True)),
        "format-text": ("a format that is text", encode(["1"])),
        "body-nil": ("no body", record(body=None)),
        "body-array": ("a body that is an array", record(body=list(place.values()))),
        "body-unknown-field": ("a field that the kind does not have", body(colour="green")),
        "body-missing-field": ("a field that is required is missing", without("totals")),
        "body-nil-field": ("an optional field that is nil instead of left out", body(group_id=None)),
        "body-text-for-bytes": ("bytes written as base64 text", body(policy="A" * 43 + "=")),
        "body-short-hash": ("a hash of 31 bytes", body(policy=bytes(31))),
        "body-boolean-number": ("true where a number stands", body(threshold=True)),
        "body-out-of-range": ("a threshold of 9", body(threshold=9)),
        "body-too-many": ("201 lines", body(lines=[seed(str(number)) for number in range(201)])),
        "body-none-of": ("a collector who is neither buyer nor seller", body(collector="bank")),
        "body-currency": ("a currency that is not in the table", body(currency="XXX")),
        "body-lines-twice": ("two lines with one commitment", body(lines=place["lines"] * 2)),
        "body-threshold": ("more cosignatures asked for than there are witnesses", body(threshold=1)),
        "body-totals-unsorted": (
            "totals that are not sorted",
            body(totals=[total | {"tax_class": "z"}, total]),
        ),
        "body-totals-twice": ("one tax class twice", body(totals=[total, total | {"rate_bp": 0}])),
        "body-totals-sum": (
            "totals that are too much together",
            body(totals=[total | {"tax_class": tax, "gross_minor": 10**15} for tax in "ab"]),
        ),
        "body-tax-class": ("a tax class with a capital", body(totals=[total | {"tax_class": "Food"}])),
        "body-attributes-empty": ("attributes that are empty", body(attributes={})),
        "body-attributes-name": ("an attribute's name of 65 bytes", body(attributes={"n" * 65: 1})),
        "body-attributes-many": ("65 attributes", body(attributes={str(number): 1 for number in range(65)})),
        "body-attributes-large": (
            "attributes of more than 16,384 bytes",
            body(attributes={"a": bytes(16_384)}),
        ),
        "body-language": (
            "a language tag in capitals",
            record(kind="shop.published", body={"shop_id": bytes(16), "name": {"EN": "Shop"}}),
        ),
        "body-title-long": (
            "a title of 201 characters",
            record(kind="shop.published", body={"shop_id": bytes(16), "name": {"en": "草" * 201}}),
        ),
        "body-share-both": (
            "a share in basis points and in fixed amounts",
            _policy_record({"share_bp": 1, "fixed_minor": {"EUR": 1}}),
        ),
        "body-share-role": ("a share for the seller", _policy_record({"share_bp": 1, "role": "seller"})),
        "encoding-first": (
            "a body that is refused, and a byte too many: the encoding comes first",
            body(colour="green") + b"\xc0",
        ),
    }


def _placed_body() -> dict[str, Any]:
    home = Village("home", lanes=("trade",))
    home.place(Village("shop", lanes=()))
    elements: list[Any] = msgspec.msgpack.decode(home.entries["trade"][-1])
    body: dict[str, Any] = elements[5]
    return body


def _policy_record(share: dict[str, Any]) -> bytes:
    policy = msgspec.msgpack.decode(encode(POLICY))
    policy["shares"] = [{"role": "hub", "beneficiary": "seller_community", **share}]
    body = {"policy": policy, "adopted_by": "founder"}
    return encode([1, "policy.adopted", START_MS, 0, None, body, None])


def _code(raw: bytes) -> str:
    try:
        decode_record(raw, BODY_TYPES)
    except ProtocolError as error:
        return error.code
    raise AssertionError("these bytes are a record")
