"""Logging in to the pages, by a one-time link or by name and password; sessions, and how they end.

Whoever holds a session's token is that person until it ends: it stands in the browser's cookie, and its hash
here. A session ends after 30 days without use, with the person's dismissal, or when somebody ends it. Whoever
finds a browser open cannot change the password: that needs the old one, or a link used within the hour.
"""

import secrets
from collections.abc import Callable
from contextlib import suppress

from node.actions.people import PersonAnswer, PersonName, active_person, new_token, person_answer, token_hash
from node.actions.shapes import Answer, IdText, Request, id_of
from node.core import Node
from node.errors import NodeError
from node.passwords import has_length
from node.writer.transaction import Transaction
from protocol.identity.keys import to_base32
from storage import people
from storage.errors import StorageError
from storage.people import Person, WebSession
from storage.views.reading import StateReader

SESSION_MS = 30 * 86_400_000
SEEN_STEP_MS = 3_600_000  # how exactly it is known when a session was last used
LINK_PROVES_MS = 3_600_000  # so long after a link was used the old password need not be known
SESSIONS_MAX = 20  # of one person; one more ends the one that was used least recently

_USER_AGENT_CHARACTERS_MAX = 200
_ID_BYTES = 16


class LinkVisit(Request, frozen=True, kw_only=True):
    """The token of a link, and the browser that came with it."""

    token: str
    user_agent: str = ""


class LinkName(Request, frozen=True, kw_only=True):
    """The token of a link that is only looked at."""

    token: str


class LogIn(Request, frozen=True, kw_only=True):
    """Name and password as they were typed; `remote` is the address they came from."""

    name: str
    password: str
    user_agent: str = ""
    remote: str = ""


class PasswordDraft(Request, frozen=True, kw_only=True):
    """A new password; every session ends but the one of the token `session`. `old` is the one until now."""

    person_id: IdText
    password: str
    session: str = ""
    old: str = ""
    remote: str = ""


class PasswordQuery(Request, frozen=True, kw_only=True):
    """A person, and the token of the session that asks."""

    person_id: IdText
    session: str = ""


class PasswordRule(Answer, frozen=True, kw_only=True):
    """Whether the old password has to be named for a new one."""

    needs_old: bool


class SessionToken(Request, frozen=True, kw_only=True):
    """What the browser's cookie holds."""

    token: str


class OpenedSession(Answer, frozen=True, kw_only=True):
    """A new session: its token is not stored, and is not shown again."""

    token: str
    expires_ms: int
    person: PersonAnswer


class SessionAnswer(Answer, frozen=True, kw_only=True):
    """One browser in which a person is logged in; `seen_ms` is exact to the hour."""

    session_id: str
    user_agent: str
    opened_ms: int
    seen_ms: int
    expires_ms: int


class SessionsAnswer(Answer, frozen=True, kw_only=True):
    """Sessions, the one last seen first."""

    sessions: list[SessionAnswer]


class SessionName(Request, frozen=True, kw_only=True):
    """One session of a person."""

    person_id: IdText
    session_id: IdText


class EndedAnswer(Answer, frozen=True, kw_only=True):
    """How many sessions ended."""

    ended: int


async def show_login_link(node: Node, request: LinkName) -> PersonAnswer:
    """Say whom a link would log in, without using it up. Refuses as `redeem_login_link` does."""
    hashed, now_ms = token_hash("login-link", request.token), node.clock.now()

    def question(read: StateReader) -> PersonAnswer:
        link = people.login_link_of(read.connection, hashed) if hashed else None
        person = people.person_of(read.connection, link.person_id) if link else None
        if link is None or person is None:
            raise NodeError("link_unknown")
        if link.used_ms is not None:
            raise NodeError("link_used")
        if link.expires_ms <= now_ms:
            raise NodeError("link_expired")
        return person_answer(person)

    return await node.look(question)


async def redeem_login_link(node: Node, request: LinkVisit) -> OpenedSession:
    """Use a link up and open a session. Refuses with `link_unknown`, `link_used` or `link_expired`."""
    hashed = token_hash("login-link", request.token)

    def job(transaction: Transaction) -> OpenedSession:
        now_ms = transaction.clock.now()
        link = people.login_link_of(transaction.connection, hashed) if hashed else None
        if link is None:
            raise NodeError("link_unknown")
        if link.used_ms is None and link.expires_ms <= now_ms:
            raise NodeError("link_expired")
        if not people.use_login_link(transaction.connection, link.token_hash, now_ms):
            raise NodeError("link_used")
        person = active_person(transaction, link.person_id)
        return _open_session(transaction, person, request.user_agent, now_ms)

    return await node.write(job)


async def log_in(node: Node, request: LogIn) -> OpenedSession:
    """Open a session for whoever knows name and password. Refuses with `login_refused` or `login_paused`.

    A wrong name, a wrong password and a person without a password are one answer, after one derivation.
    """
    attempt = node.login_limits.begin(people.name_key(request.name), request.remote, node.clock.now())
    try:
        person = await _person_named(node, request.name)
        kept = person.password_hash if person else None
        is_right = await node.passwords.is_right(request.password, kept)
    except (NodeError, StorageError, MemoryError):
        node.login_limits.take_back(attempt)
        raise
    if person is None or not is_right:
        raise NodeError("login_refused")
    node.login_limits.forgive(attempt)
    person_id = person.person_id

    def job(transaction: Transaction) -> OpenedSession:
        now = people.person_of(transaction.connection, person_id)
        if now is None or now.password_hash != kept:  # changed or dismissed while it was derived
            raise NodeError("login_refused")
        return _open_session(transaction, now, request.user_agent, transaction.clock.now())

    return await node.write(job)


async def set_password(node: Node, request: PasswordDraft) -> PersonAnswer:
    """Give a person a new password, and end every session of theirs but the one that asks.

    Refuses with `password_refused`, `password_wrong`, or `login_paused` after too many wrong ones.
    """
    person_id = id_of(request.person_id)
    if not has_length(request.password):
        raise NodeError("password_refused")
    query = PasswordQuery(person_id=request.person_id, session=request.session)
    person, needs_old = await node.look(_password_question(query, node.clock.now()))
    if needs_old:
        await _check_old_password(node, request, person)
    kept = await node.passwords.make_hash(request.password)

    def job(transaction: Transaction) -> PersonAnswer:
        if active_person(transaction, person_id).password_hash != person.password_hash:
            raise NodeError("password_wrong")  # changed elsewhere while this one was derived
        people.set_password_hash(transaction.connection, person_id, kept)
        people.end_sessions_of(
            transaction.connection, person_id, but=token_hash("web-session", request.session)
        )
        return person_answer(active_person(transaction, person_id))

    return await node.write(job)


async def show_password_rule(node: Node, request: PasswordQuery) -> PasswordRule:
    """Say whether a person has to name the old password to get a new one."""
    _person, needs_old = await node.look(_password_question(request, node.clock.now()))
    return PasswordRule(needs_old=needs_old)


async def person_of_session(node: Node, request: SessionToken) -> PersonAnswer | None:
    """Return who is logged in with a token, or None; that the session is in use is noted once an hour."""
    hashed = token_hash("web-session", request.token)
    if hashed is None:
        return None
    now_ms = node.clock.now()
    found = node.sessions.find(hashed, now_ms) or await _find_session(node, hashed, now_ms)
    if found is None:
        return None
    person, session = found
    if now_ms - session.seen_ms >= SEEN_STEP_MS:
        with suppress(NodeError, StorageError):  # a full disk logs nobody out
            await node.write(lambda transaction: _note_seen(transaction, hashed, now_ms))
    return person_answer(person)


async def list_sessions(node: Node, request: PersonName) -> SessionsAnswer:
    """List the sessions of a person."""
    person_id, now_ms = id_of(request.person_id), node.clock.now()

    def question(read: StateReader) -> SessionsAnswer:
        found = people.sessions_of(read.connection, person_id, now_ms)
        return SessionsAnswer(sessions=[_session_answer(session) for session in found])

    return await node.look(question)


async def end_session(node: Node, request: SessionName) -> EndedAnswer:
    """End one session of a person; one that has ended already is none."""
    person_id, session_id = id_of(request.person_id), id_of(request.session_id)

    def job(transaction: Transaction) -> EndedAnswer:
        ending = [
            session.token_hash
            for session in people.sessions_of(transaction.connection, person_id, transaction.clock.now())
            if secrets.compare_digest(session.token_hash[:_ID_BYTES], session_id)
        ]
        return EndedAnswer(ended=sum(people.end_session(transaction.connection, one) for one in ending))

    return await node.write(job)


async def log_out(node: Node, request: SessionToken) -> EndedAnswer:
    """End the session of a token; one that has ended already is none."""
    hashed = token_hash("web-session", request.token)
    if hashed is None:
        return EndedAnswer(ended=0)
    return await node.write(
        lambda transaction: EndedAnswer(ended=int(people.end_session(transaction.connection, hashed)))
    )


def session_id_of(token: str) -> str | None:
    """Return the id under which `list_sessions` names the session of a token: half of the token's hash."""
    hashed = token_hash("web-session", token)
    return to_base32(hashed[:_ID_BYTES]) if hashed else None


def _password_question(request: PasswordQuery, now_ms: int) -> Callable[[StateReader], tuple[Person, bool]]:
    """The person, and whether a password is set that a fresh link does not stand in for."""
    person_id, hashed = id_of(request.person_id), token_hash("web-session", request.session)

    def question(read: StateReader) -> tuple[Person, bool]:
        person = people.person_of(read.connection, person_id)
        if person is None or person.dismissed_ms is not None:
            raise NodeError("not_found", "no such person")
        has_link = hashed is not None and people.is_session_of_link(
            read.connection, hashed, person_id, now_ms - LINK_PROVES_MS
        )
        return person, person.password_hash is not None and not has_link

    return question


async def _check_old_password(node: Node, request: PasswordDraft, person: Person) -> None:
    """Guesses count as those at the log-in do: one name has one number of them, wherever they are made."""
    attempt = node.login_limits.begin(people.name_key(person.name), request.remote, node.clock.now())
    try:
        is_right = await node.passwords.is_right(request.old, person.password_hash)
    except (NodeError, MemoryError):
        node.login_limits.take_back(attempt)
        raise
    if not is_right:
        raise NodeError("password_wrong")
    node.login_limits.forgive(attempt)


async def _person_named(node: Node, name: str) -> Person | None:
    if not name.isprintable():  # nobody is called so, and no database takes every such text
        return None
    return await node.look(lambda read: people.person_named(read.connection, name))


def _open_session(transaction: Transaction, person: Person, user_agent: str, now_ms: int) -> OpenedSession:
    people.end_expired_sessions(transaction.connection, now_ms)
    for oldest in people.sessions_of(transaction.connection, person.person_id, now_ms)[SESSIONS_MAX - 1 :]:
        people.end_session(transaction.connection, oldest.token_hash)
    token = new_token()
    hashed = token_hash("web-session", token)
    assert hashed is not None
    session = WebSession(
        token_hash=hashed,
        person_id=person.person_id,
        user_agent=_shortened(user_agent),
        opened_ms=now_ms,
        seen_ms=now_ms,
        expires_ms=now_ms + SESSION_MS,
    )
    people.open_session(transaction.connection, session)
    return OpenedSession(token=token, expires_ms=session.expires_ms, person=person_answer(person))


async def _find_session(node: Node, hashed: bytes, now_ms: int) -> tuple[Person, WebSession] | None:
    writes = node.store.writes
    found = await node.look(lambda read: people.person_in_session(read.connection, hashed, now_ms))
    if found is not None:
        node.sessions.keep(found, writes)
    return found


def _note_seen(transaction: Transaction, hashed: bytes, now_ms: int) -> None:
    people.note_session_seen(transaction.connection, hashed, seen_ms=now_ms, expires_ms=now_ms + SESSION_MS)


def _shortened(user_agent: str) -> str:
    """What a stranger's header says, as far as it can be kept and shown."""
    shown = "".join(sign for sign in user_agent[:_USER_AGENT_CHARACTERS_MAX] if sign.isprintable())
    return shown.strip()


def _session_answer(session: WebSession) -> SessionAnswer:
    return SessionAnswer(
        session_id=to_base32(session.token_hash[:_ID_BYTES]),
        user_agent=session.user_agent,
        opened_ms=session.opened_ms,
        seen_ms=session.seen_ms,
        expires_ms=session.expires_ms,
    )
