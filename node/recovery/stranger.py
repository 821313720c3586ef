"""Asks peers for key boxes as somebody whom nobody knows, with a signature by the recovery key (section 25.5).

answers = await ask_for_boxes(["192.0.2.7:8471"], recovery_key)
"""

import asyncio
import secrets
from collections.abc import Sequence
from dataclasses import dataclass, field

import aiohttp
from aiohttp import WSMsgType

from node.errors import NodeError
from node.federation.dialer import Connection, open_connection
from node.federation.link import receive
from node.writer.clock import system_clock
from protocol.errors import SessionError
from protocol.exchange.addresses import Address, parse_address
from protocol.exchange.frames import (
    NONCE_BYTES,
    Answer,
    Recovered,
    Recovery,
    RecoveryAsk,
    RecoveryChallenge,
    RecoveryProve,
    Request,
    encode_frame,
)
from protocol.exchange.identify import identify
from protocol.exchange.session import (
    Admit,
    Close,
    CloseAsked,
    Connected,
    Deliver,
    Event,
    MessageReceived,
    OwnSide,
    PeerIdentity,
    SendMessage,
    Session,
)
from protocol.identity.genesis import make_genesis
from protocol.identity.keys import SEED_BYTES, SigningKey, log_key_hash
from protocol.identity.recovery import recovery_message
from protocol.identity.sealing import ReaderKey
from protocol.log.merkle import leaf_hash
from protocol.log.record import encode_record

ANSWER_SECONDS = 20.0


@dataclass(frozen=True, slots=True)
class BoxAnswer:
    """What came of asking one address: the community there and what it keeps for us, or why nothing came."""

    address: str
    peer: bytes | None = None
    found: tuple[Recovered, ...] = ()
    code: str = ""


async def ask_for_boxes(addresses: Sequence[str], recovery_key: SigningKey) -> list[BoxAnswer]:
    """Ask all addresses side by side and return what each one said; raises `NodeError` for a malformed one."""
    try:
        parsed = [parse_address(text) for text in addresses]
    except ValueError as error:
        raise NodeError("request_field_refused", str(error)) from error
    return await asyncio.gather(*(_ask(address, recovery_key) for address in parsed))


async def _ask(address: Address, recovery_key: SigningKey) -> BoxAnswer:
    own = _nobody()
    try:
        async with (
            asyncio.timeout(ANSWER_SECONDS),
            open_connection(address, may_be_near=True) as connection,
        ):
            talk = _Talk(connection, own)
            keeper = await talk.open()
            challenge = await talk.ask(RecoveryAsk(1, recovery_key.public))
            if not isinstance(challenge, RecoveryChallenge):
                return BoxAnswer(address.text, keeper, code="recovery_refused")
            message = recovery_message(keeper=keeper, asker=own.identity.community, nonce=challenge.nonce)
            proof = RecoveryProve(2, recovery_key.public, recovery_key.sign(message))
            answer = await talk.ask(proof)
            await talk.tell(CloseAsked("session_stopping"))
            if not isinstance(answer, Recovery):
                return BoxAnswer(address.text, keeper, code="recovery_refused")
            return BoxAnswer(address.text, keeper, answer.communities)
    except SessionError as error:
        return BoxAnswer(address.text, code=error.code)
    except (OSError, TimeoutError, aiohttp.ClientError):
        return BoxAnswer(address.text, code="session_lost")


@dataclass
class _Talk:
    """A session without a node behind it: two questions and their answers, whatever else the peer says."""

    connection: Connection
    own: OwnSide
    _frames: list[object] = field(default_factory=list)
    _admit: Admit | None = None

    def __post_init__(self) -> None:
        self._session = Session(
            "dialer",
            self.own,
            self.connection.binding,
            nonce=secrets.token_bytes(NONCE_BYTES),
            time_ms=system_clock(),
            identify=identify,
        )

    async def open(self) -> bytes:
        """Shake hands, and return the community at the other end."""
        await self.tell(Connected())
        while self._admit is None:
            await self._receive()
        return self._admit.identity.community

    async def ask(self, request: Request) -> Answer:
        """Send a request and return its answer."""
        await self.connection.websocket.send_bytes(encode_frame(request))
        while True:
            for frame in self._frames:
                if isinstance(frame, Answer) and frame.number == request.number:
                    return frame
            self._frames.clear()
            await self._receive()

    async def tell(self, event: Event) -> None:
        """Tell the session, and do what it says; raises `SessionError` where it ends before it should."""
        for effect in self._session.handle(event, int(asyncio.get_running_loop().time() * 1000)):
            if isinstance(effect, SendMessage):
                await self.connection.websocket.send_bytes(effect.raw)
            elif isinstance(effect, Admit):
                self._admit = effect
            elif isinstance(effect, Deliver):
                self._frames.append(effect.frame)
            elif isinstance(effect, Close) and not isinstance(event, CloseAsked):
                raise SessionError(effect.code if not effect.by_peer else "session_lost", effect.detail)

    async def _receive(self) -> None:
        message = await receive(self.connection.websocket, self.connection.intake)
        if message.type is not WSMsgType.BINARY:
            raise SessionError("session_lost")
        await self.tell(MessageReceived(message.data))
        self.connection.intake.taken(len(message.data))


def _nobody() -> OwnSide:
    """A community for this occasion, with keys that are forgotten after it."""
    log, witness, transport, recovery, later = (SigningKey(secrets.token_bytes(SEED_BYTES)) for _ in range(5))
    genesis = make_genesis(
        name={"en": "Recovering"},
        currency="EUR",
        log=log,
        witness=witness,
        transport=transport,
        sealing_key=ReaderKey(secrets.token_bytes(SEED_BYTES)).public,
        next_log_key_hash=log_key_hash(later.public),
        recovery=[recovery],
        recovery_threshold=1,
    )
    record = encode_record("community.founded", genesis, time_ms=system_clock())
    return OwnSide(record, PeerIdentity(leaf_hash(record), transport.public), transport.sign)
