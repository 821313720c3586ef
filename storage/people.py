"""The people who log in to a node's pages: names, roles, one-time links, sessions, and their own orders.

Private to this community, like everything here: nothing of it is ever written into a lane. Of a token only
its hash is known. Storage has no clock: whether a link or a session still holds is asked with the time.
"""

import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import sqlalchemy as sa

from storage.asking import ask, ask_one
from storage.schema.facts import login_links, orders_of_people, people, web_sessions


@dataclass(frozen=True, slots=True, kw_only=True)
class Person:
    """Somebody who may log in until `dismissed_ms`. Times are milliseconds since 1970."""

    person_id: bytes
    name: str
    role: str
    created_ms: int
    password_hash: str | None = None
    dismissed_ms: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class LoginLink:
    """A link that opens one session for a person, once."""

    token_hash: bytes
    person_id: bytes
    expires_ms: int
    used_ms: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class WebSession:
    """One browser in which a person is logged in."""

    token_hash: bytes
    person_id: bytes
    user_agent: str
    opened_ms: int
    seen_ms: int
    expires_ms: int


class OrderOfPerson(NamedTuple):
    """An order of the community that a person placed, and when that was noted."""

    order_id: bytes
    noted_ms: int


def name_key(name: str) -> str:
    """Return a name as it is compared: without the differences of case, width and spacing."""
    return " ".join(unicodedata.normalize("NFKC", name).casefold().split())


def admit_person(connection: sa.Connection, person: Person) -> None:
    """Keep a new person; whoever calls has seen with `person_named` that the name is free."""
    connection.execute(
        sa.insert(people).values(
            person_id=person.person_id,
            name=person.name,
            name_key=name_key(person.name),
            role=person.role,
            password_hash=person.password_hash,
            created_ms=person.created_ms,
            dismissed_ms=person.dismissed_ms,
        )
    )


def person_of(connection: sa.Connection, person_id: bytes) -> Person | None:
    """Return the person with this id, a dismissed one too, or None."""
    row = connection.execute(sa.select(*_PERSON).where(people.c.person_id == person_id)).one_or_none()
    return None if row is None else Person(**row._mapping)  # noqa: SLF001  SQLAlchemy's public name for it


def person_named(connection: sa.Connection, name: str) -> Person | None:
    """Return who goes by this name now, however it is written, or None."""
    named = (people.c.name_key == name_key(name)) & people.c.dismissed_ms.is_(None)
    row = connection.execute(sa.select(*_PERSON).where(named)).one_or_none()
    return None if row is None else Person(**row._mapping)  # noqa: SLF001  SQLAlchemy's public name for it


def all_people(connection: sa.Connection) -> list[Person]:
    """Return everybody in the order in which they came, dismissed ones too."""
    question = sa.select(*_PERSON).order_by(people.c.created_ms, people.c.person_id)
    return [Person(**row._mapping) for row in connection.execute(question)]  # noqa: SLF001  as above


def people_with_role(connection: sa.Connection, role: str) -> list[Person]:
    """Return who has this role now, in the order in which they came."""
    return [person for person in all_people(connection) if person.role == role and not person.dismissed_ms]


def set_role(connection: sa.Connection, person_id: bytes, role: str) -> None:
    """Give a person another role."""
    connection.execute(sa.update(people).where(people.c.person_id == person_id).values(role=role))


def set_password_hash(connection: sa.Connection, person_id: bytes, password_hash: str) -> None:
    """Keep what a person's password is checked with."""
    change = sa.update(people).where(people.c.person_id == person_id)
    connection.execute(change.values(password_hash=password_hash))


def dismiss_person(connection: sa.Connection, person_id: bytes, now_ms: int) -> None:
    """Let nobody in as this person any more: the password, every link and every session goes."""
    end_sessions_of(connection, person_id)
    connection.execute(sa.delete(login_links).where(login_links.c.person_id == person_id))
    change = sa.update(people).where(people.c.person_id == person_id)
    connection.execute(change.values(dismissed_ms=now_ms, password_hash=None))


def add_login_link(connection: sa.Connection, link: LoginLink) -> None:
    """Keep a new link; token hashes are random, so a second one with the same is a bug of ours."""
    connection.execute(
        sa.insert(login_links).values(
            token_hash=link.token_hash,
            person_id=link.person_id,
            expires_ms=link.expires_ms,
            used_ms=link.used_ms,
        )
    )


def login_link_of(connection: sa.Connection, token_hash: bytes) -> LoginLink | None:
    """Return the link whose token has this hash, a used or expired one too, or None."""
    question = sa.select(login_links).where(login_links.c.token_hash == token_hash)
    row = connection.execute(question).one_or_none()
    return None if row is None else LoginLink(**row._mapping)  # noqa: SLF001  SQLAlchemy's public name for it


def use_login_link(connection: sa.Connection, token_hash: bytes, now_ms: int) -> bool:
    """Use a link up, and tell whether this call was the one that did: of two at once one hears yes."""
    unused = (login_links.c.token_hash == token_hash) & login_links.c.used_ms.is_(None)
    return connection.execute(sa.update(login_links).where(unused).values(used_ms=now_ms)).rowcount == 1


def forget_login_links(connection: sa.Connection, before_ms: int) -> int:
    """Drop the links that expired before a time, and return how many; until then they say why they fail."""
    return connection.execute(sa.delete(login_links).where(login_links.c.expires_ms < before_ms)).rowcount


def open_session(connection: sa.Connection, session: WebSession) -> None:
    """Keep a new session; token hashes are random, so a second one with the same is a bug of ours."""
    connection.execute(
        sa.insert(web_sessions).values(
            token_hash=session.token_hash,
            person_id=session.person_id,
            user_agent=session.user_agent,
            opened_ms=session.opened_ms,
            seen_ms=session.seen_ms,
            expires_ms=session.expires_ms,
        )
    )


def person_in_session(
    connection: sa.Connection, token_hash: bytes, now_ms: int
) -> tuple[Person, WebSession] | None:
    """Return who is logged in with the token of this hash, and the session; None where it has ended."""
    row = ask_one(connection, _IN_SESSION, (token_hash, now_ms))
    if row is None:
        return None
    return Person(**dict(zip(_PERSON_FIELDS, row, strict=False))), WebSession(
        **dict(zip(_SESSION_FIELDS, row[len(_PERSON_FIELDS) :], strict=True))
    )


def is_session_of_link(connection: sa.Connection, token_hash: bytes, person_id: bytes, since_ms: int) -> bool:
    """Tell whether a person's session was opened by a link since then: link and session bear one moment."""
    question = (
        sa.select(web_sessions.c.token_hash)
        .join(
            login_links,
            (login_links.c.person_id == web_sessions.c.person_id)
            & (login_links.c.used_ms == web_sessions.c.opened_ms),
        )
        .where(
            web_sessions.c.token_hash == token_hash,
            web_sessions.c.person_id == person_id,
            web_sessions.c.opened_ms >= since_ms,
        )
    )
    return connection.execute(question).first() is not None


def sessions_of(connection: sa.Connection, person_id: bytes, now_ms: int) -> list[WebSession]:
    """Return the sessions of a person that have not expired, the one last seen first."""
    question = (
        sa.select(web_sessions)
        .where(web_sessions.c.person_id == person_id, web_sessions.c.expires_ms > now_ms)
        .order_by(web_sessions.c.seen_ms.desc(), web_sessions.c.opened_ms.desc(), web_sessions.c.token_hash)
    )
    return [WebSession(**row._mapping) for row in connection.execute(question)]  # noqa: SLF001  as above


def note_session_seen(connection: sa.Connection, token_hash: bytes, *, seen_ms: int, expires_ms: int) -> None:
    """Say that a session was used, and that it lasts until `expires_ms`; one that has ended stays so."""
    change = sa.update(web_sessions).where(
        web_sessions.c.token_hash == token_hash, web_sessions.c.seen_ms < seen_ms
    )
    connection.execute(change.values(seen_ms=seen_ms, expires_ms=expires_ms))


def end_session(connection: sa.Connection, token_hash: bytes) -> bool:
    """End one session, and tell whether there was one."""
    ended = connection.execute(sa.delete(web_sessions).where(web_sessions.c.token_hash == token_hash))
    return ended.rowcount == 1


def end_sessions_of(connection: sa.Connection, person_id: bytes, *, but: bytes | None = None) -> int:
    """End the sessions of a person, but for the one with the token hash `but`, and return how many."""
    ending = sa.delete(web_sessions).where(web_sessions.c.person_id == person_id)
    if but is not None:
        ending = ending.where(web_sessions.c.token_hash != but)
    return connection.execute(ending).rowcount


def end_expired_sessions(connection: sa.Connection, now_ms: int) -> int:
    """Drop the sessions of everybody that have expired, and return how many."""
    return connection.execute(sa.delete(web_sessions).where(web_sessions.c.expires_ms <= now_ms)).rowcount


def note_order(connection: sa.Connection, order_id: bytes, person_id: bytes, now_ms: int) -> None:
    """Say who placed an order; whoever calls has seen with `person_of_order` that nobody is noted."""
    values = {"order_id": order_id, "person_id": person_id, "noted_ms": now_ms}
    connection.execute(sa.insert(orders_of_people).values(values))


def person_of_order(connection: sa.Connection, order_id: bytes) -> bytes | None:
    """Return the id of who placed an order, or None where nobody is noted."""
    question = sa.select(orders_of_people.c.person_id).where(orders_of_people.c.order_id == order_id)
    return connection.execute(question).scalar()


def orders_of(
    connection: sa.Connection, person_id: bytes, *, before_ms: int | None, limit: int
) -> Sequence[OrderOfPerson]:
    """Return the orders that a person placed, the newest first; `before_ms` begins a further page."""
    older, values = ("", [person_id]) if before_ms is None else (_NOTED_BEFORE, [person_id, before_ms])
    return [OrderOfPerson(*row) for row in ask(connection, _ORDERS_OF.format(older), [*values, limit])]


_ORDERS_OF = (
    "SELECT order_id, noted_ms FROM orders_of_people WHERE person_id = ?{}"
    " ORDER BY noted_ms DESC, order_id LIMIT ?"
)
_NOTED_BEFORE = " AND noted_ms < ?"
_PERSON_FIELDS = ("person_id", "name", "role", "created_ms", "password_hash", "dismissed_ms")
_SESSION_FIELDS = ("token_hash", "person_id", "user_agent", "opened_ms", "seen_ms", "expires_ms")
_PERSON = [people.c[field] for field in _PERSON_FIELDS]
_IN_SESSION = (  # the fields in their order; every page asks it
    "SELECT people.person_id, name, role, created_ms, password_hash, dismissed_ms,"
    " token_hash, web_sessions.person_id, user_agent, opened_ms, seen_ms, expires_ms"
    " FROM web_sessions JOIN people ON people.person_id = web_sessions.person_id"
    " WHERE web_sessions.token_hash = ? AND web_sessions.expires_ms > ? AND people.dismissed_ms IS NULL"
)
