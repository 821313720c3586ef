"""Real nodes on loopback: TLS, WebSocket, sessions, replication, and what happens when one of it fails."""

import asyncio
import ssl
from hashlib import sha256

import aiohttp
import pytest
from aiohttp import web

from node.errors import NodeError
from node.federation.certificate import dialing_context, listening_context
from node.federation.dialer import open_connection
from node.federation.intake import Intake
from node.federation.link import FEDERATION_PATH
from node.federation.links import Links
from node.federation.listener import Listener, make_handler
from protocol.errors import SessionError
from protocol.exchange.addresses import Address, parse_address, parse_address_record
from protocol.exchange.discovery_events import Dial, Known
from protocol.exchange.frames import (
    Bye,
    Frame,
    Ping,
    SealedObject,
    decode_frame,
    encode_frame,
)
from protocol.exchange.session import OwnSide, PeerIdentity, bind_proxied
from protocol.limits import FRAME_BYTES_MAX, RANGE_PLACES_MAX
from tests.exchange.villages import entries
from tests.federation.loopback import LoopbackNode, LoopbackStore, free_port, low_port, make_vault, until


async def hear(websocket: aiohttp.ClientWebSocketResponse) -> Frame:
    message = await websocket.receive(timeout=10)
    assert message.type is aiohttp.WSMsgType.BINARY
    return decode_frame(message.data)


def own_side(word: str) -> OwnSide:
    vault = make_vault(word)
    return OwnSide(
        vault.genesis_record, PeerIdentity(vault.community, vault.transport.public), vault.transport.sign
    )


async def test_a_lane_comes_over_and_news_follows() -> None:
    """B dials A, fetches A's lane, and hears of the next record without asking."""
    async with LoopbackNode("a") as a, LoopbackNode("b", a) as b:
        a.append(entries(1000))
        await until(lambda: b.holds(a.lane()) == entries(1000))
        a.append(entries(2, 1000))
        await until(lambda: b.holds(a.lane()) == entries(1002))
        assert a.federation.connected() == {b.community}
        assert b.federation.connected() == {a.community}


async def test_who_dials_us_is_not_followed_for_it() -> None:
    """A does not fetch B's lanes until A's steward wants them."""
    async with LoopbackNode("a") as a, LoopbackNode("b", a) as b:
        b.append(entries(5))
        await until(lambda: a.federation.connected() == {b.community})
        assert await a.store.trust_of(b.community) == "found"
        a.store.set_trust(b.community, "followed")
        await a.federation.trust_changed(b.community)
        await until(lambda: a.holds(b.lane()) == entries(5))


async def test_three_nodes_follow_each_other() -> None:
    """Each has its own lane, each ends with all three, and the lanes of C reach A through B alone."""
    async with LoopbackNode("b") as b, LoopbackNode("a", b) as a, LoopbackNode("c", b) as c:
        for node in (a, b, c):
            node.append(entries(300, first=ord(node.vault.genesis.name["en"]) * 1000))
        await until(lambda: b.federation.connected() == {a.community, c.community})
        for one in (a, b, c):
            for other in (a, b, c):
                if one is not other:
                    one.store.genesis_keys[other.community] = other.vault.log_keys[0].public
                    one.store.set_trust(other.community, "followed")
        for one in (a, b, c):
            for other in (a, b, c):
                if one is not other:
                    await one.federation.trust_changed(other.community)
        lanes = [node.lane() for node in (a, b, c)]
        await until(lambda: all(one.holds(lane) for one in (a, b, c) for lane in lanes))
        for lane in lanes:
            assert a.holds(lane) == b.holds(lane) == c.holds(lane)


async def test_two_who_dial_each_other_keep_one_session() -> None:
    """Crossed sessions are settled the same way at both ends, and the lanes come over."""
    port = free_port()
    async with LoopbackNode("a", f"127.0.0.1:{port}") as a, LoopbackNode("b", a, port=port) as b:
        a.append(entries(10))
        b.append(entries(20))
        await until(lambda: b.holds(a.lane()) == entries(10) and a.holds(b.lane()) == entries(20))
        assert len(a.federation.connected()) == len(b.federation.connected()) == 1


async def test_a_node_that_comes_back_is_dialled_again() -> None:
    """A goes away and returns on the same port; B finds it and catches up."""
    port = free_port()
    async with LoopbackNode("b", f"127.0.0.1:{port}") as b:
        async with LoopbackNode("a", port=port) as a:
            a.append(entries(10))
            await until(lambda: b.holds(a.lane()) == entries(10))
        await until(lambda: not b.federation.connected())
        back = LoopbackNode("a", port=port)
        back.store = a.store
        async with back:
            back.append(entries(2, 10))
            await until(lambda: b.holds(a.lane()) == entries(12))
            assert b.store.met_at == [a.address] * 2


async def test_a_node_that_dials_itself_gives_it_up() -> None:
    """One's own address among the peers is noticed by the first greeting, and not dialled again."""
    port = free_port()
    async with LoopbackNode("a", f"127.0.0.1:{port}", port=port) as a:
        await until(lambda: bool(a.store.kept))
        dialling = [task for task in asyncio.all_tasks() if task.get_name() == f"dial {a.address}"]
        await asyncio.wait(dialling, timeout=10)
        assert [task.done() for task in dialling] == [True]
        assert a.federation.connected() == frozenset()
        assert a.store.met_at == []
        assert [task for task in asyncio.all_tasks() if task.get_name() == f"dial {a.address}"] == []


async def test_another_community_at_a_known_address_is_refused() -> None:
    """Who was expected is not who answers: no session, and nothing is told."""
    async with LoopbackNode("a") as a:
        stranger = make_vault("somebody else").community
        assert await dial_once("b", a.address, expected=stranger) == "session_community_mismatch"
        assert a.federation.connected() == frozenset()


async def dial_once(word: str, address: str, *, expected: bytes | None = None) -> str:
    """Dial an address once as the community of that word, and return the code with which it ended."""
    links = Links(own_side(word), LoopbackStore(make_vault(word)))
    dialled = Dial(1, parse_address(address), expected, is_wanted=False)
    async with open_connection(parse_address(address), may_be_near=True) as connection:
        link = await links.hold(
            connection.websocket, "dialer", connection.binding, dialled=dialled, intake=connection.intake
        )
    assert link is not None
    assert link.end is not None
    return link.end.code


async def test_a_man_in_the_middle_is_found_out() -> None:
    """Somebody with a certificate of their own relays every word between A and B: B hangs up."""
    async with LoopbackNode("a") as a:

        async def relay(request: web.Request) -> web.WebSocketResponse:
            outside = web.WebSocketResponse()
            await outside.prepare(request)
            host, port = a.listening.bound
            async with open_connection(Address("direct", host, port), may_be_near=True) as inside:

                async def carry(source: object, target: object) -> None:
                    async for message in source:  # type: ignore[attr-defined]  # either end of a WebSocket
                        await target.send_bytes(message.data)  # type: ignore[attr-defined]  # as above

                async with asyncio.TaskGroup() as tasks:
                    ways = [
                        tasks.create_task(carry(outside, inside.websocket)),
                        tasks.create_task(carry(inside.websocket, outside)),
                    ]
                    await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
                    for way in ways:
                        way.cancel()
            return outside

        app = web.Application()
        app.router.add_get(FEDERATION_PATH, relay)
        runner = web.AppRunner(app, shutdown_timeout=0.1)
        await runner.setup()
        port = free_port()
        site = web.TCPSite(runner, "127.0.0.1", port, ssl_context=listening_context(b"\x66" * 32))
        await site.start()
        code = await dial_once("b", f"127.0.0.1:{port}", expected=a.community)
        assert code == "session_certificate_mismatch"
        assert a.federation.connected() == frozenset()
        await runner.cleanup()


async def test_nothing_older_than_tls_1_3_is_spoken() -> None:
    """A dialer that knows only TLS 1.2 does not get as far as a WebSocket."""
    async with LoopbackNode("a") as a, aiohttp.ClientSession() as client:
        old = dialing_context()
        old.minimum_version, old.maximum_version = ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_2
        with pytest.raises(aiohttp.ClientConnectorError):
            await client.ws_connect(f"wss://{a.address}{FEDERATION_PATH}", ssl=old)
        with pytest.raises(aiohttp.ClientError):
            await client.ws_connect(f"ws://{a.address}{FEDERATION_PATH}")


@pytest.mark.parametrize(
    ("message", "code"),
    [
        (b"\xc1", "frame_malformed"),
        (encode_frame(Ping(1)), "frame_unexpected"),
        (bytes(FRAME_BYTES_MAX + 1), "frame_too_large"),
        ("hello", "frame_malformed"),
    ],
    ids=["garbage", "too early", "too large", "text"],
)
async def test_a_stranger_who_talks_nonsense_is_told_and_let_go(message: bytes | str, code: str) -> None:
    """The last frame says why, and the node goes on."""
    async with LoopbackNode("a") as a, aiohttp.ClientSession() as client:
        websocket = await client.ws_connect(f"wss://{a.address}{FEDERATION_PATH}", ssl=dialing_context())
        await (websocket.send_str(message) if isinstance(message, str) else websocket.send_bytes(message))
        assert await hear(websocket) == Bye(code)
        await websocket.close()
        async with LoopbackNode("b", a) as b:
            await until(lambda: b.federation.connected() == {a.community})


async def test_no_more_strangers_than_there_is_room_for_may_dawdle() -> None:
    """Connections that never greet are bounded; the next one is told so at once."""
    async with LoopbackNode("a") as a, aiohttp.ClientSession() as client:
        url = f"wss://{a.address}{FEDERATION_PATH}"
        dawdling = [await client.ws_connect(url, ssl=dialing_context()) for _ in range(RANGE_PLACES_MAX)]
        turned_away = await client.ws_connect(url, ssl=dialing_context())
        assert await hear(turned_away) == Bye("session_full")
        for websocket in (*dawdling, turned_away):
            await websocket.close()


async def test_a_blocked_community_gets_no_session() -> None:
    """Its proof holds, and it is still not let in; one that is blocked later loses its session."""
    async with LoopbackNode("a") as a:
        blocked = make_vault("b").community
        a.store.trusts[blocked] = "blocked"
        assert await dial_once("b", a.address) == "session_blocked"
        async with LoopbackNode("c", a) as c:
            await until(lambda: a.federation.connected() == {c.community})
            a.store.trusts[c.community] = "blocked"
            await a.federation.trust_changed(c.community)
            await until(lambda: c.community not in a.federation.connected())


async def test_a_proxied_listener_is_bound_to_its_host() -> None:
    """Behind a proxy the host that was dialled stands in the transcript: another host's session fails."""
    links = Links(own_side("a"), LoopbackStore(make_vault("a")))
    app = web.Application()
    ends: list[str] = []

    async def accept(websocket: web.WebSocketResponse, intake: Intake) -> None:
        link = await links.hold(websocket, "listener", bind_proxied("shop.example"), intake=intake)
        assert link is not None
        assert link.end is not None
        ends.append(link.end.code)

    app.router.add_get(FEDERATION_PATH, make_handler(accept))
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    port = free_port()
    await web.TCPSite(runner, "127.0.0.1", port).start()
    dialer = Links(own_side("b"), LoopbackStore(make_vault("b")))
    async with aiohttp.ClientSession() as client:
        url = f"ws://127.0.0.1:{port}{FEDERATION_PATH}"
        await dialer.hold(await client.ws_connect(url), "dialer", bind_proxied("other.example"))
        websocket = await client.ws_connect(url)
        holding = asyncio.ensure_future(dialer.hold(websocket, "dialer", bind_proxied("shop.example")))
        await until(lambda: bool(dialer.communities))
        dialer.close_all("session_stopping")
        await holding
    await runner.cleanup()
    assert ends == ["session_proof_invalid", "session_stopping"]


async def test_sealed_parts_are_handed_over_and_fetched() -> None:
    """Many at a time, in as many frames as it takes; what nobody here may read is not taken."""
    async with LoopbackNode("a") as a, LoopbackNode("b", a) as b:
        await until(lambda: bool(a.federation.connected() and b.federation.connected()))
        objects = [SealedObject(bytes([number]) * 32, bytes(300_000), ()) for number in range(20)]
        objects.append(SealedObject(b"\xff" * 32, b"for nobody here", ()))
        names = [item.commitment for item in objects]
        kept = await b.federation.questions.give_sealed(a.community, objects)
        assert kept == tuple(names[:-1])
        assert [a.store.sealed[name] for name in kept] == objects[:-1]
        found = await b.federation.questions.get_sealed(a.community, names)
        assert list(found) == objects[:-1]
        with pytest.raises(SessionError) as refusal:
            await b.federation.questions.give_sealed(a.community, objects[-1:])
        assert (refusal.value.code, refusal.value.detail) == ("request_refused", "sealed_not_admitted")
        with pytest.raises(SessionError) as refusal:
            await b.federation.questions.give_sealed(b"?" * 32, objects[:1])
        assert refusal.value.code == "session_lost"


async def test_a_file_comes_in_parts_and_is_checked() -> None:
    """A file larger than a frame arrives whole; a false or too large one is refused."""
    async with LoopbackNode("a") as a, LoopbackNode("b", a) as b:
        await until(lambda: bool(b.federation.connected()))
        content = bytes(range(256)) * 10_000
        digest = sha256(content).digest()
        a.store.blobs = {digest: content, b"?" * 32: b"another file"}
        questions = b.federation.questions
        assert await questions.get_blob(a.community, digest, bytes_max=len(content)) == content
        for name, bytes_max, code in (
            (digest, len(content) - 1, "answer_mismatch"),
            (b"?" * 32, 99, "answer_mismatch"),
            (b"!" * 32, 99, "request_refused"),
        ):
            with pytest.raises(SessionError) as refusal:
                await questions.get_blob(a.community, name, bytes_max=bytes_max)
            assert refusal.value.code == code


async def test_a_broken_store_stops_no_session() -> None:
    """A's disk is full: B is told so, keeps the session, and what was lost comes when there is room."""
    async with LoopbackNode("a") as a, LoopbackNode("b", a) as b:
        await until(lambda: bool(a.federation.connected() and b.federation.connected()))
        a.store.is_broken = True
        with pytest.raises(SessionError) as refusal:
            await b.federation.questions.give_sealed(a.community, [SealedObject(b"h" * 32, b"x", ())])
        assert refusal.value.detail == "store_unavailable"
        a.store.is_broken = False
        b.store.is_broken = True
        a.append(entries(600))
        b.store.is_broken = False
        a.append(entries(1, 600))
        await until(lambda: b.holds(a.lane()) == entries(601))
        assert b.federation.connected() == {a.community}


async def test_an_address_that_is_added_is_dialled_and_followed() -> None:
    """While the node runs, a steward names an address: who answers there is followed."""
    async with LoopbackNode("a") as a, LoopbackNode("b") as b:
        a.append(entries(7))
        with pytest.raises(NodeError) as refusal:
            await b.federation.add_address("nowhere", None)
        assert refusal.value.code == "request_field_refused"
        await b.federation.add_address(a.address, None)
        await until(lambda: b.holds(a.lane()) == entries(7))
        b.append(entries(3))
        await a.federation.add_address(b.address, b.community)  # connected already: no second session
        await until(lambda: a.holds(b.lane()) == entries(3))
        assert len(a.federation.connected()) == 1


async def test_an_address_in_the_settings_that_is_none_stops_the_start_with_a_sentence() -> None:
    """Nothing is left behind, and the sentence names the setting's value."""
    node = LoopbackNode("a", "127.0.0.1:0")
    with pytest.raises(NodeError) as refusal:
        await node.__aenter__()
    assert refusal.value.code == "setting_refused"
    assert "127.0.0.1:0" in str(refusal.value)
    node.listening.socket.close()


async def test_peers_that_were_reached_before_are_dialled_at_the_start() -> None:
    """Only the community that was there is accepted there; what the settings name needs no id."""
    async with LoopbackNode("a") as a:
        a.append(entries(4))
        b = LoopbackNode("b")
        b.store.known_before = [
            Known(a.community, "added", 0, trust="followed", hints=(parse_address(a.address),))
        ]
        b.store.trusts[a.community] = "followed"
        async with b:
            await until(lambda: b.holds(a.lane()) == entries(4))
            assert b.federation.connected() == {a.community}


async def test_peers_clocks_are_told_while_they_are_connected() -> None:
    """The median of the followed peers' clocks is near ours here, and nothing is left of it afterwards."""
    async with LoopbackNode("a") as a:
        async with LoopbackNode("b", a) as b:
            await until(lambda: bool(b.federation.connected()))
            assert abs(b.store.clock_offsets[-1]) < 5_000
        await until(lambda: not a.federation.connected())
        assert a.store.clock_offsets[-1] == 0


async def test_the_federation_stops_in_time_whatever_hangs() -> None:
    """Open sessions, half-open ones and dials into nowhere do not hold up the end."""
    async with aiohttp.ClientSession() as client:
        a = LoopbackNode("a", f"127.0.0.1:{free_port()}")
        async with a, LoopbackNode("b", a) as b:
            silent = await client.ws_connect(f"wss://{a.address}{FEDERATION_PATH}", ssl=dialing_context())
            a.append(entries(2000))
            await until(lambda: bool(b.holds(a.lane())))
            started = asyncio.get_running_loop().time()
        assert asyncio.get_running_loop().time() - started < 3.0
        assert await hear(silent) == Bye("session_stopping")
        await silent.close()


async def test_looking_around_does_not_hold_up_start_or_stop() -> None:
    """Announcing takes seconds; a node that is stopped in the middle of it stops at once."""
    started = asyncio.get_running_loop().time()
    async with LoopbackNode("a", mdns="true") as a:
        assert asyncio.get_running_loop().time() - started < 1.0
        assert a.federation.neighbours == ()
        assert a.federation.mdns_failure == ""
    assert asyncio.get_running_loop().time() - started < 3.0


async def test_a_listener_answers_nothing_but_its_one_path() -> None:
    """No page, no file, no other WebSocket."""
    vault = make_vault("a")

    async def accept(_websocket: web.WebSocketResponse, _intake: Intake) -> None: ...

    node = LoopbackNode("a")
    listener = Listener(node.listening.socket, listening_context(vault.transport_seed), accept, 8)
    async with asyncio.TaskGroup() as tasks, aiohttp.ClientSession() as client:
        await listener.start(tasks)
        for path, status in (("/", 404), (FEDERATION_PATH, 400), ("/federation/v2", 404)):
            async with client.get(f"https://{node.address}{path}", ssl=dialing_context()) as answer:
                assert answer.status == status
        await listener.stop()


async def test_a_node_behind_a_proxy_is_bound_to_the_host_of_its_record() -> None:
    """The proxy hands sessions over without TLS; dialled by another host, the proof does not hold."""
    port = low_port()
    proxied = {"listen_proxied": f"127.0.0.1:{port}", "reached_at": "wss://shop.example"}
    async with LoopbackNode("a", **proxied) as a, aiohttp.ClientSession() as client:
        await until(lambda: a.community in a.store.kept)
        told = parse_address_record(a.store.kept[a.community].record)
        assert told.addresses == (Address("proxied", "shop.example", 443),)
        dialer = Links(own_side("b"), LoopbackStore(make_vault("b")))
        url = f"ws://127.0.0.1:{port}{FEDERATION_PATH}"
        await dialer.hold(await client.ws_connect(url), "dialer", bind_proxied("other.example"))
        assert a.federation.connected() == frozenset()
        websocket = await client.ws_connect(url)
        holding = asyncio.ensure_future(dialer.hold(websocket, "dialer", bind_proxied("shop.example")))
        await until(lambda: bool(a.federation.connected()))
        dialer.close_all("session_stopping")
        await holding
    node = LoopbackNode("a", reached_at="wss://shop.example")
    with pytest.raises(NodeError) as refusal:
        await node.__aenter__()
    assert refusal.value.code == "setting_refused"
    node.listening.socket.close()
