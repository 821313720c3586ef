"""Witnesses over HTTP: asked as C2SP says, believed as far as a signature goes, and harmless when they are hostile."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from random import Random
from typing import Any

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from node.actions.peers import PeerAddress, add_peer
from node.actions.shops import ShopDraft, publish_shop
from node.actions.witnesses import (
    HttpWitnessDraft,
    Seen,
    WitnessesDraft,
    WitnessesQuery,
    adopt_witnesses,
    list_witnesses,
    seen_of,
)
from node.errors import NodeError
from node.federation.witness_client import WitnessClient
from protocol.errors import LogError, RecordVoid
from protocol.exchange.holding import Blame, KeepCosignatures, SignedHead
from protocol.exchange.http_witnesses import AskWitness, HttpWitnessKnown, WitnessAnswered
from protocol.exchange.replication_events import LaneAdvanced, Send, WakeAt, Woken
from protocol.exchange.witnessing import GrowthProven, ProveGrowth, WitnessesKnown, Witnessing
from protocol.identity.keys import SigningKey
from protocol.lanes.kind import CHARTER, Position
from protocol.limits import (
    WITNESS_ANSWER_BYTES_MAX,
    WITNESS_BACK_OFF_MS,
    WITNESS_BACK_OFF_MS_MAX,
    WITNESS_ROUND_MS,
)
from protocol.log.checkpoint import parse_checkpoint
from protocol.log.cosignature import cosignature_times, make_cosignature
from protocol.log.merkle import leaf_hashes
from protocol.log.note import COSIGNATURE_V1, ED25519, VerifierKey, parse_note
from protocol.log.origin import Origin, witness_name
from protocol.log.witness import AddCheckpoint, make_add_checkpoint, parse_add_checkpoint, read_cosigned
from tests.exchange.memory_store import sign_head
from tests.exchange.villages import KEYS, A, entries, lane_of
from tests.pages.neighbour_nodes import opened_community
from tests.witnessing.test_add_checkpoint import served
from tests.witnessing.test_cosigning_nodes import charter_of, head_of, lines_of

FOOD = lane_of(A)
KEY = SigningKey(b"w" * 32)
NAME = "witness.example/w1"
WITNESS = NAME.encode()
VERIFIER = VerifierKey(NAME, COSIGNATURE_V1, KEY.public)
URL = "https://witness.example/prefix"


def head(size: int) -> SignedHead:
    return sign_head(FOOD, leaf_hashes(entries(size)), KEYS[A])


def advanced(size: int, readers: frozenset[bytes] | None = None) -> LaneAdvanced:
    return LaneAdvanced(FOOD, head(size), True, readers=readers)


def with_witness(size: int, readers: frozenset[bytes] | None = None) -> tuple[Witnessing, list[Any]]:
    machine = Witnessing(Random(1))
    machine.handle(WitnessesKnown(1, {}, (HttpWitnessKnown(VERIFIER, URL),)), 0)
    return machine, machine.handle(advanced(size, readers), 0)


def asks(effects: list[Any]) -> list[AskWitness]:
    return [effect for effect in effects if isinstance(effect, AskWitness)]


def line_over(ask: AskWitness, *, key: SigningKey = KEY, name: str = NAME, time_seconds: int = 7) -> bytes:
    text = parse_note(parse_add_checkpoint(ask.body).note).text
    return make_cosignature(text, name=name, key=key, time_seconds=time_seconds).line.encode()


def said(ask: AskWitness, status: int | None, body: bytes = b"") -> WitnessAnswered:
    return WitnessAnswered(ask.witness, ask.origin, ask.size, status, body)


def kept(effects: list[Any]) -> list[list[str]]:
    notes = [parse_note(effect.head.note) for effect in effects if isinstance(effect, KeepCosignatures)]
    return [[line.name for line in note.signatures[1:]] for note in notes]


def test_a_witness_is_asked_with_the_logs_line_alone_and_its_line_is_kept() -> None:
    """The body is that of add-checkpoint; other lines in the answer, of keys that nobody named, are left out."""
    machine, effects = with_witness(5)
    (ask,) = asks(effects)
    asked = parse_add_checkpoint(ask.body)
    assert (ask.url, asked.old_size, asked.proof) == (URL, 0, ())
    note = parse_note(asked.note)
    assert [line.name for line in note.signatures] == [FOOD.text]
    assert parse_checkpoint(note.text).size == 5
    other = line_over(ask, key=SigningKey(b"o" * 32), name="other.example")
    assert kept(machine.handle(said(ask, 200, other + line_over(ask)), 10)) == [[NAME]]


def test_a_body_of_add_checkpoint_reads_as_it_was_written() -> None:
    """Old size, hashes, an empty line, the note: what the asking side makes the witness side reads."""
    for proof in ((), (b"h" * 32,), tuple(bytes([n]) * 32 for n in range(63))):
        asked = AddCheckpoint(len(proof), proof, head(5).note)
        assert parse_add_checkpoint(make_add_checkpoint(asked)) == asked


def test_a_witness_that_knows_another_size_is_asked_once_more_from_there() -> None:
    """409 with a size: one proof from it in this round; a second 409 is a failure, and the witness rests."""
    machine, effects = with_witness(5)
    (ask,) = asks(effects)
    told = machine.handle(said(ask, 409, b"3\n"), 10)
    assert [each for each in told if isinstance(each, ProveGrowth)] == [ProveGrowth(FOOD, WITNESS, 3, 5)]
    (again,) = asks(machine.handle(GrowthProven(FOOD, WITNESS, 3, 5, (b"h" * 32,)), 20))
    assert parse_add_checkpoint(again.body)[:2] == (3, (b"h" * 32,))
    for body in (b"4\n", b"", b"x\n", b"99\n", b"\xff"):
        twice, effects = with_witness(5)
        (ask,) = asks(effects)
        first = twice.handle(said(ask, 409, b"5\n"), 10)
        (ask,) = asks(first)
        assert asks(twice.handle(said(ask, 409, body), 20)) == []
        assert asks(twice.handle(advanced(6), WITNESS_BACK_OFF_MS // 2)) == []


def test_a_lane_that_is_not_for_anybody_is_not_shown_to_a_stranger() -> None:
    """Over HTTP there is no session that would say who asks: only public lanes go there."""
    machine, effects = with_witness(5, readers=frozenset())
    assert asks(effects) == []
    assert len(asks(machine.handle(advanced(6), 1))) == 1


@pytest.mark.parametrize(
    ("status", "body"),
    [
        (None, b""),
        (200, b""),
        (200, b"no line"),
        (200, b"\xff"),
        (200, "\N{EM DASH} witness.example/w1 AAAA\n".encode()),
        (302, b""),
        (403, b""),
        (404, b""),
        (429, b""),
        (500, b"x" * 100),
    ],
)
def test_a_witness_that_fails_rests_twice_as_long_each_time(status: int | None, body: bytes) -> None:
    """Whatever it says instead of a line, nothing is kept, and it is not asked before its time."""
    machine, effects = with_witness(5)
    now_ms, size, waits = 0, 5, []
    for _ in range(15):
        (ask,) = asks(effects)
        effects = machine.handle(said(ask, status, body), now_ms)
        assert kept(effects) == []
        size += 1
        effects = machine.handle(advanced(size), now_ms)
        assert asks(effects) == []
        begun_ms = now_ms
        while not asks(effects):
            (wake,) = [effect for effect in effects if isinstance(effect, WakeAt)]
            assert wake.at_ms > now_ms
            now_ms = wake.at_ms
            effects = machine.handle(Woken(), now_ms)
        waits.append(now_ms - begun_ms)
    longest = [min(WITNESS_BACK_OFF_MS << number, WITNESS_BACK_OFF_MS_MAX) for number in range(15)]
    assert all(wait * 3 >= most * 2 for wait, most in zip(waits, longest, strict=True))
    assert all(wait <= max(most, WITNESS_ROUND_MS) for wait, most in zip(waits, longest, strict=True))
    assert waits[0] <= WITNESS_BACK_OFF_MS or status != 404
    (ask,) = asks(effects)
    assert kept(machine.handle(said(ask, 200, line_over(ask)), now_ms)) == [[NAME]]


def test_a_forged_line_is_blamed_and_not_kept() -> None:
    """Of another key, of another head, or of no key at all: the charter's key decides."""
    for forged in ({"key": SigningKey(b"f" * 32)}, {"name": "other.example"}):
        machine, effects = with_witness(5)
        (ask,) = asks(effects)
        effects = machine.handle(said(ask, 200, line_over(ask, **forged)), 10)  # type: ignore[arg-type]  # one of two
        assert kept(effects) == []
    _, older = with_witness(4)
    machine, effects = with_witness(5)
    (ask,) = asks(effects)
    effects = machine.handle(said(ask, 200, line_over(asks(older)[0])), 10)
    assert [effect.code for effect in effects if isinstance(effect, Blame)] == ["note_signature_invalid"]
    assert kept(effects) == []


def test_an_answer_that_comes_late_or_unasked_changes_nothing() -> None:
    """Of a round before, of a witness that is not named any more, of a lane that was never asked about."""
    machine, effects = with_witness(5)
    (ask,) = asks(effects)
    other = WitnessAnswered(b"nobody", FOOD, 5, 200, line_over(ask))
    elsewhere = WitnessAnswered(WITNESS, Origin(A, "trade", 0), 5, 200, line_over(ask))
    assert kept([*machine.handle(other, 1), *machine.handle(elsewhere, 1)]) == []
    machine.handle(WitnessesKnown(0, {}), 2)
    effects = machine.handle(said(ask, 200, line_over(ask)), 3)
    assert not [effect for effect in effects if isinstance(effect, KeepCosignatures | Send)]


def test_the_newest_line_of_a_witness_counts() -> None:
    """Several of one key: each has to hold, and the latest time is taken."""
    (ask,) = asks(with_witness(5)[1])
    text = head(5).checkpoint.text
    both = line_over(ask, time_seconds=9) + line_over(ask, time_seconds=7)
    line = read_cosigned(200, both, text=text, witness=VERIFIER)
    assert line.line.encode() == line_over(ask, time_seconds=9)
    with pytest.raises(LogError):
        read_cosigned(
            200, both + line_over(ask, key=SigningKey(b"x" * 32), name="x"), text="x\n", witness=VERIFIER
        )


Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


@asynccontextmanager
async def listening(handler: Handler) -> AsyncIterator[str]:
    """A server on loopback that does whatever it likes with a posted checkpoint."""
    app = web.Application()
    app.router.add_post("/add-checkpoint", handler)
    async with TestServer(app) as server:
        yield str(server.make_url("")).rstrip("/")


async def test_what_a_hostile_witness_answers_is_bounded_in_bytes_and_time() -> None:
    """Too long, endless, unfinished, silent, unpacked, redirected: no answer, at once or after the time that it has."""
    hits: list[str] = []
    is_over = asyncio.Event()

    async def endless(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        while True:
            await response.write(b"x" * 65_536)

    async def stuck(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        await response.write(b"x")
        await is_over.wait()
        return response

    async def silent(_request: web.Request) -> web.StreamResponse:
        await is_over.wait()
        return web.Response()

    async def too_long(_request: web.Request) -> web.StreamResponse:
        return web.Response(body=b"x" * (WITNESS_ANSWER_BYTES_MAX + 1))

    async def target(request: web.Request) -> web.StreamResponse:
        hits.append(request.path)
        return web.Response(text="inside")

    async def bomb(_request: web.Request) -> web.StreamResponse:
        response = web.Response(body=b"\0" * 10_000_000)
        response.enable_compression(web.ContentCoding.gzip)
        return response

    async with WitnessClient(timeout_ms=150) as client:
        for handler in (endless, stuck, silent, too_long):
            async with listening(handler) as url:
                assert await client.add_checkpoint(url, b"old 0\n") == (None, b""), handler.__name__
                is_over.set()
            is_over.clear()
        async with listening(bomb) as url:
            status, body = await client.add_checkpoint(url, b"old 0\n")
            assert len(body) <= WITNESS_ANSWER_BYTES_MAX
        async with listening(target) as inside:

            async def redirect(_request: web.Request) -> web.StreamResponse:
                raise web.HTTPTemporaryRedirect(f"{inside}/add-checkpoint")

            async with listening(redirect) as url:
                status, _ = await client.add_checkpoint(url, b"old 0\n")
            assert (status, hits) == (307, [])
        assert await client.add_checkpoint("http://127.0.0.1:1", b"old 0\n") == (None, b"")


async def test_a_node_has_its_heads_cosigned_over_http_by_another_node(tmp_path: Path) -> None:
    """The line counts in the quorum, is shown as seen by 1 of 1, spreads, and goes on from the size before."""
    async with (
        opened_community(tmp_path / "orchard", "Orchard") as orchard,
        opened_community(tmp_path / "mill", "Mill") as mill,
        TestServer(served(mill.node)) as server,
    ):
        await add_peer(mill.node, PeerAddress(address=orchard.address, community=orchard.id))
        name = witness_name(mill.node.community)
        key = VerifierKey(name, COSIGNATURE_V1, mill.node.genesis.witness_key)
        url = str(server.make_url("")).rstrip("/")
        await adopt_witnesses(
            orchard.node,
            WitnessesDraft(witnesses=[], http_witnesses=[HttpWitnessDraft(vkey=key.vkey, url=url)]),
        )
        origin = charter_of(orchard)

        async def is_cosigned() -> bool:
            found = [await lines_of(origin, each.node) for each in (orchard, mill)]
            return found == [{name}, {name}]

        async def has_charter() -> bool:
            found = await head_of(origin, mill.node)
            return found is not None and found.size >= 2

        await mill.until(has_charter)
        await orchard.until(is_cosigned)
        known = await head_of(origin, orchard.node)
        assert known is not None
        assert set(cosignature_times(parse_note(known.note), [key])) == {key}
        place = Position(origin.community, CHARTER, 0, 0)
        assert await orchard.node.read(lambda read: seen_of(read, [place])) == {
            place: Seen(by=1, of=1, is_witnessed=True)
        }
        listed = await list_witnesses(orchard.node, WitnessesQuery())
        assert [(each.vkey, each.url) for each in listed.http_witnesses] == [(key.vkey, url)]
        assert {lane.lane: set(lane.seen) for lane in listed.lanes}[CHARTER] == {name}
        await publish_shop(orchard.node, ShopDraft(sector="food", name={"en": "Press"}))

        async def has_grown() -> bool:
            found = await head_of(origin, mill.node)
            return found is not None and found.size > known.size

        await mill.until(has_grown)
        grown = await head_of(origin, orchard.node)
        assert grown is not None
        orchard.node.federation_service.ask_witnesses(origin, grown.size)
        await orchard.until(is_cosigned)


async def test_only_well_named_witnesses_are_adopted(tmp_path: Path) -> None:
    """A log's key, an address that is none, one key twice, ourselves: refused, and nothing is said."""
    async with opened_community(tmp_path / "orchard", "Orchard") as orchard:
        own = VerifierKey(
            witness_name(orchard.node.community), COSIGNATURE_V1, orchard.node.genesis.witness_key
        )
        log_key = VerifierKey("log.example", ED25519, KEY.public)
        twice = [HttpWitnessDraft(vkey=VERIFIER.vkey, url=URL)] * 2
        for drafts in (
            [HttpWitnessDraft(vkey=log_key.vkey, url=URL)],
            [HttpWitnessDraft(vkey=VERIFIER.vkey + "x", url=URL)],
            twice,
        ):
            with pytest.raises(NodeError) as refusal:
                await adopt_witnesses(orchard.node, WitnessesDraft(witnesses=[], http_witnesses=drafts))
            assert refusal.value.code == "request_field_refused"
        with pytest.raises(RecordVoid) as void:
            await adopt_witnesses(
                orchard.node,
                WitnessesDraft(witnesses=[], http_witnesses=[HttpWitnessDraft(vkey=own.vkey, url=URL)]),
            )
        assert void.value.code == "witness_is_self"
        assert (await list_witnesses(orchard.node, WitnessesQuery())).threshold == 0
