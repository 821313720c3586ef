"""Addresses that a node dials and where somebody lies: what they are told, and nobody else is harmed."""

import asyncio
from collections.abc import Awaitable, Callable

import pytest

from protocol.exchange import session
from protocol.exchange.frames import Bye, Frame, Proof
from protocol.limits import FRAME_BYTES_MAX
from tests.federation.hostile_peer import CONTINUATION, HostilePeer, hostile_listener, web_frame
from tests.federation.loopback import make_vault
from tests.federation.sieges import siege

MALLORY = make_vault("mallory")
OTHER = make_vault("somebody else")


def code_of(frame: Frame) -> str:
    return frame.code if isinstance(frame, Bye) else type(frame).__name__


async def with_another_certificate(peer: HostilePeer) -> str:
    """A relay in the middle: it says who it would like to be, behind a key of its own."""
    return code_of(await peer.answer_hello(OTHER, bound_to=MALLORY.transport.public))


async def with_a_false_proof(peer: HostilePeer) -> str:
    return code_of(
        await peer.answer_hello(MALLORY, bound_to=MALLORY.transport.public, tamper=lambda _: Proof(bytes(64)))
    )


async def with_a_frame_too_large(peer: HostilePeer) -> str:
    await peer.send(web_frame(bytes(FRAME_BYTES_MAX + 1), is_masked=False))
    return await peer.hear_bye()


async def with_a_length_that_never_comes(peer: HostilePeer) -> str:
    await peer.send(web_frame(b"", length=2**40, is_masked=False))
    return await peer.hear_bye()


async def with_a_hello_without_an_end(peer: HostilePeer) -> str:
    """A fragment after the other, each a byte: the time for a handshake is not begun anew."""
    await peer.send(web_frame(b"\x98", is_last=False, is_masked=False))
    dribbling = asyncio.ensure_future(
        peer.dribble(web_frame(b"x", opcode=CONTINUATION, is_last=False, is_masked=False) * 2_000)
    )
    code = await peer.hear_bye()
    dribbling.cancel()
    await asyncio.wait([dribbling])
    return code


LIES: dict[str, tuple[Callable[[HostilePeer], Awaitable[str]], str]] = {
    "another's certificate": (with_another_certificate, "session_certificate_mismatch"),
    "a false proof": (with_a_false_proof, "session_proof_invalid"),
    "a frame too large": (with_a_frame_too_large, "frame_too_large"),
    "a length that never comes": (with_a_length_that_never_comes, ""),
    "a hello without an end": (with_a_hello_without_an_end, "session_timeout"),
}


@pytest.mark.parametrize("name", LIES)
async def test_whoever_is_dialled_and_lies_is_told_so_and_left(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With its code where a frame could be read; who it claims to be is not met, and the honest peer replicates."""
    lie, code = LIES[name]
    if name == "a hello without an end":
        monkeypatch.setattr(session, "HANDSHAKE_MS", 500)
    async with hostile_listener(MALLORY, lie) as (address, outcomes), siege(address) as there:
        async with asyncio.timeout(30):
            assert await outcomes.get() == code
        await there.replicate()
        assert len(there.victim.store.met_at) == 1, "the honest peer alone has been met"
        assert there.victim.federation.connected() == {there.honest.community}
