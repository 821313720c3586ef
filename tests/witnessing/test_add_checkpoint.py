"""C2SP add-checkpoint: the status codes and bodies that tools made for transparency logs expect."""

from hashlib import sha256
from pathlib import Path

import pytest
from aiohttp import TCPConnector, web
from aiohttp.test_utils import TestClient, TestServer

from node.api.frame import Gate, build_app
from node.api.witness import witness_routes
from node.core import Node
from protocol.errors import LogError
from protocol.identity.keys import SigningKey
from protocol.limits import ADD_CHECKPOINT_BYTES_MAX, ADD_CHECKPOINTS_BURST
from protocol.log.checkpoint import Checkpoint, make_checkpoint_note
from protocol.log.cosignature import cosignature_times
from protocol.log.lines import to_base64
from protocol.log.note import COSIGNATURE_V1, VerifierKey, parse_note, parse_signature_lines
from protocol.log.origin import witness_name
from protocol.log.witness import AddCheckpoint, parse_add_checkpoint
from tests.witnessing.test_cosigning_nodes import asker_for, village

HASH = to_base64(b"h" * 32).encode()


async def admits_nobody(_token: str, _community: bytes, _lane: str) -> bool:
    return False


def served(node: Node) -> web.Application:
    gate = Gate(api_token="a" * 52, may_read=admits_nobody, is_open=lambda: True)
    return build_app((), node, gate=gate, plain=witness_routes(node))


async def test_other_tools_have_their_checkpoints_cosigned(tmp_path: Path) -> None:
    """What is asked for is a line by the witness's key; the reading side shows the whole note."""
    async with village(tmp_path, "Orchard", "Mill") as (orchard, mill):
        asker = await asker_for(orchard, mill)
        size = max(asker.roots)
        name = witness_name(mill.node.community)
        key = VerifierKey(name, COSIGNATURE_V1, mill.node.genesis.witness_key)

        def body(at: int, old: int, *, root: bytes | None = None, key: SigningKey | None = None) -> bytes:
            checkpoint = Checkpoint(asker.origin.text, at, root or asker.roots[at])
            return b"old %d\n\n" % old + make_checkpoint_note(checkpoint, key or asker.key)

        async with TestClient(TestServer(served(mill.node))) as client:
            told = await client.post("/add-checkpoint", data=body(size, size))
            assert (told.status, told.content_type) == (200, "text/plain")
            (line,) = parse_signature_lines(await told.text())
            note = parse_note(body(size, size).partition(b"\n\n")[2])
            assert set(cosignature_times(note.with_signatures(line), [key])) == {key}
            again = await client.post("/add-checkpoint", data=body(size, size))
            assert await again.text() == line.line, "within seconds nothing is signed anew"

            mismatch = await client.post("/add-checkpoint", data=body(size, 1))
            assert (mismatch.status, mismatch.content_type) == (409, "text/x.tlog.size")
            assert await mismatch.text() == f"{size}\n"
            other = SigningKey(b"\x03" * 32)
            unknown = b"old 0\n\ncoop.example/log\n1\n" + HASH + b"\n\n\xe2\x80\x94 coop.example/log " + HASH
            refused = {
                body(size, size + 1): 400,
                body(size, size, key=other): 403,
                body(size, size, root=b"\1" * 32): 422,
                body(size + 1, size, root=b"\1" * 32): 422,
                unknown + b"\n": 404,
                b"": 400,
                b"old x\n\n" + body(size, size)[8:]: 400,
                b"x" * (ADD_CHECKPOINT_BYTES_MAX + 1): 413,
            }
            for asked, status in refused.items():
                assert (await client.post("/add-checkpoint", data=asked)).status == status, asked[:80]

            place = sha256(asker.origin.text.encode()).hexdigest()
            shown = await client.get(f"/witness/{place}/checkpoint")
            assert shown.status == 200
            assert set(cosignature_times(parse_note(await shown.read()), [key])) == {key}
            assert (await client.get(f"/witness/{'0' * 64}/checkpoint")).status == 404


async def test_one_address_range_cannot_have_the_witness_work_for_it_alone(tmp_path: Path) -> None:
    """Past its share it is told to come back, whatever it asks; another range is answered meanwhile."""
    async with (
        village(tmp_path, "Mill") as (mill,),
        TestServer(served(mill.node)) as server,
        TestClient(server, connector=TCPConnector(local_addr=("127.0.0.1", 0))) as greedy,
        TestClient(server, connector=TCPConnector(local_addr=("127.0.1.1", 0))) as other,
    ):
        statuses = []
        while 429 not in statuses and len(statuses) < 4 * ADD_CHECKPOINTS_BURST:
            told = await greedy.post("/add-checkpoint", data=b"")
            statuses.append(told.status)
        assert statuses[:ADD_CHECKPOINTS_BURST] == [400] * ADD_CHECKPOINTS_BURST
        assert (told.status, told.headers["Retry-After"], await told.text()) == (
            429,
            "1",
            "rate_exceeded\n",
        )
        assert (await other.post("/add-checkpoint", data=b"")).status == 400


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"old 1\n",
        b"old 1\nnote",
        b"old 01\n\nnote",
        b"old -1\n\nnote",
        b"new 1\n\nnote",
        b"old 1\n" + HASH[:-4] + b"\n\nnote",
        b"old 1\n" + to_base64(b"h" * 31).encode() + b"\n\nnote",
        b"old 1\n\xff\n\nnote",
        b"old 1\n" + (HASH + b"\n") * 64 + b"\nnote",
    ],
)
def test_a_body_that_is_none_is_refused(body: bytes) -> None:
    """Each wrong form raises a code and nothing else."""
    with pytest.raises(LogError):
        parse_add_checkpoint(body)


def test_a_body_is_read_as_it_was_written() -> None:
    """Sizes, hashes in order, and the note with all its own empty lines."""
    hashes = [bytes([number]) * 32 for number in range(63)]
    lines = b"".join(to_base64(each).encode() + b"\n" for each in hashes)
    note = b"origin\n1\nroot\n\n\xe2\x80\x94 line\n"
    assert parse_add_checkpoint(b"old 7\n" + lines + b"\n" + note) == AddCheckpoint(7, tuple(hashes), note)
    assert parse_add_checkpoint(b"old 0\n\n" + note) == AddCheckpoint(0, (), note)
