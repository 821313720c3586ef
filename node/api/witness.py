"""The witness over HTTP, for tools made for transparency logs: C2SP `add-checkpoint` (PROTOCOL.md section 27.4).

witness_routes(node)  # plain routes for build_app
"""

import time

from aiohttp import hdrs, web

from node.api.frame import PlainRoute
from node.core import Node
from node.lane_exchange import may_serve
from node.peering import NodePeering
from node.witnessing import cosigned_note
from protocol.errors import ProtocolError
from protocol.exchange.frames import Cosigned, CosignGet
from protocol.exchange.heads import read_note, state_offer
from protocol.exchange.rates import Bucket, Ranges
from protocol.limits import ADD_CHECKPOINT_BYTES_MAX, ADD_CHECKPOINTS_BURST, ADD_CHECKPOINTS_SECOND
from protocol.log.note import KEY_ID_BYTES, NoteSignature
from protocol.log.origin import witness_name
from protocol.log.witness import parse_add_checkpoint
from storage.views.reading import StateReader

TEXT = "text/plain"
SIZE_TEXT = "text/x.tlog.size"
THIS_MACHINE = "127.0.0.1"  # who asks over a local socket has no address
_STATUSES = {
    "origin_malformed": 404,
    "checkpoint_empty_root": 422,
    "id_malformed": 404,
    "witness_log_unknown": 404,
    "note_not_signed": 403,
    "note_signature_invalid": 403,
    "witness_proof_refused": 422,
    "witness_size_mismatch": 409,
}
_MALFORMED = 400


def witness_routes(node: Node) -> list[PlainRoute]:
    """Return the way to ask for a cosignature, and to look what was cosigned last."""
    served = _Witness(node)
    return [
        PlainRoute(
            method="POST",
            path="/add-checkpoint",
            handler=served.add_checkpoint,
            summary="Cosign a checkpoint that grew out of what was cosigned last (C2SP tlog-witness).",
            content_type=TEXT,
        ),
        PlainRoute(
            method="GET",
            path="/witness/{origin_hash:[0-9a-f]{64}}/checkpoint",
            handler=served.checkpoint,
            summary="What this node cosigned last of the public lane whose origin has this SHA-256.",
            content_type=TEXT,
        ),
    ]


class _Witness:
    def __init__(self, node: Node) -> None:
        self._node = node
        self._ranges = Ranges(lambda now_ms: Bucket(ADD_CHECKPOINTS_SECOND, ADD_CHECKPOINTS_BURST, now_ms))

    async def add_checkpoint(self, request: web.Request) -> web.StreamResponse:
        """Answer with a signature line, or with the status that the witness protocol gives."""
        wait_ms = self._wait_ms(request.remote or THIS_MACHINE)
        if wait_ms:
            return _too_many(wait_ms)
        if (request.content_length or 0) > ADD_CHECKPOINT_BYTES_MAX:
            raise web.HTTPRequestEntityTooLarge(ADD_CHECKPOINT_BYTES_MAX, request.content_length or 0)
        body = await request.content.read(ADD_CHECKPOINT_BYTES_MAX + 1)
        try:
            asked = parse_add_checkpoint(body)
            head = state_offer(read_note(asked.note))
        except ProtocolError as error:
            return _refusal(error.code)
        question = CosignGet(0, head, asked.old_size, asked.proof)
        answer = await NodePeering(self._node).cosign(question)
        if not isinstance(answer, Cosigned):
            return _refusal(answer.code, answer.about)
        raw = answer.signature
        name = witness_name(self._node.community)
        line = NoteSignature(name, raw[:KEY_ID_BYTES], raw[KEY_ID_BYTES:]).line
        return web.Response(text=line, content_type=TEXT)

    def _wait_ms(self, remote: str) -> int:
        """Count a question of an address range; return how long to wait where it has asked for too much, else 0."""
        now_ms = time.monotonic_ns() // 1_000_000
        bucket = self._ranges.of(remote, now_ms)
        wait_ms = bucket.wait_ms(1, now_ms)
        if not wait_ms:
            bucket.take(1, now_ms)
        return wait_ms

    async def checkpoint(self, request: web.Request) -> web.StreamResponse:
        """Show the note that was cosigned last, of lanes that anybody may read."""
        origin_hash = bytes.fromhex(request.match_info["origin_hash"])

        def question(read: StateReader) -> bytes | None:
            found = cosigned_note(read, self._node.community, origin_hash)
            is_public = found is not None and may_serve(read, found[0], b"")
            return found[1] if found is not None and is_public else None

        note = await self._node.read(question)
        if note is None:
            raise web.HTTPNotFound
        headers = {hdrs.CACHE_CONTROL: "no-cache"}
        return web.Response(body=note, content_type=TEXT, charset="utf-8", headers=headers)


def _too_many(wait_ms: int) -> web.Response:
    headers = {hdrs.RETRY_AFTER: str(-(-wait_ms // 1_000))}
    status = web.HTTPTooManyRequests.status_code
    return web.Response(status=status, text="rate_exceeded\n", content_type=TEXT, headers=headers)


def _refusal(code: str, size: str = "") -> web.Response:
    status = _STATUSES.get(code, _MALFORMED)
    if code == "witness_size_mismatch":
        return web.Response(status=status, text=f"{size}\n", content_type=SIZE_TEXT)
    return web.Response(status=status, text=f"{code}\n", content_type=TEXT)
