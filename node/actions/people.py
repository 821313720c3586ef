"""The people who log in to the pages: admit one, give a role or a one-time link, dismiss, list; their orders.

Names and roles of this node's own, not of the charter: nothing of them is ever written into a lane. There is
always a steward left, once there was one.
"""

import re
import secrets
from hashlib import sha256
from itertools import count
from typing import Annotated

from msgspec import Meta

from node.actions.order_book import PAGE_MAX, OrderSummary, summary_of
from node.actions.shapes import Answer, IdText, Request, id_of
from node.core import Node
from node.errors import NodeError
from node.locale import ENGLISH, catalog
from node.writer.transaction import Transaction
from protocol.identity.keys import to_base32
from protocol.lanes.charter.members import Role
from storage import people
from storage.people import Person
from storage.views.orders import find_orders
from storage.views.reading import StateReader

NAME_CHARACTERS_MAX = 60
LINK_HOURS = 24
LINK_HOURS_MAX = 168
LINK_PATH = "/login/"  # of the page that redeems a link; the token stands behind it
TOKEN_BYTES = 32

_ID_BYTES = 16
_HOUR_MS = 3_600_000
_LINK_KEPT_MS = 30 * 24 * _HOUR_MS  # so long it can be said of a link that it has expired
_TOKEN = re.compile(r"[a-z2-7]{52}")


class PersonDraft(Request, frozen=True, kw_only=True):
    """Somebody to admit."""

    name: Annotated[str, Meta(min_length=1, max_length=NAME_CHARACTERS_MAX)]
    role: Role = "member"


class PersonName(Request, frozen=True, kw_only=True):
    """One person."""

    person_id: IdText


class PeopleQuery(Request, frozen=True, kw_only=True):
    """Nothing to say: everybody."""


class PersonAnswer(Answer, frozen=True, kw_only=True):
    """One person; `dismissed_ms` is there for one who may log in no more."""

    person_id: str
    name: str
    role: Role
    created_ms: int
    has_password: bool
    dismissed_ms: int | None = None


class PeopleAnswer(Answer, frozen=True, kw_only=True):
    """Everybody in the order in which they came, dismissed ones too."""

    people: list[PersonAnswer]


class RoleDraft(Request, frozen=True, kw_only=True):
    """The role that a person is to have."""

    person_id: IdText
    role: Role


class LoginLinkDraft(Request, frozen=True, kw_only=True):
    """For whom a link is made, and how long it waits to be used."""

    person_id: IdText
    hours: Annotated[int, Meta(ge=1, le=LINK_HOURS_MAX)] = LINK_HOURS


class FirstLinkDraft(Request, frozen=True, kw_only=True):
    """The language in which the first steward is named."""

    language: str = ENGLISH


class LoginLinkToken(Answer, frozen=True, kw_only=True):
    """The token of a link, and the page behind it: it is not stored, and is not shown again."""

    token: str
    path: str
    expires_ms: int


class PersonOrderName(Request, frozen=True, kw_only=True):
    """An order of our community, and the person who placed it."""

    person_id: IdText
    order_id: IdText


class NotedAnswer(Answer, frozen=True, kw_only=True):
    """Whether this was said for the first time."""

    is_new: bool


class PersonOrdersQuery(Request, frozen=True, kw_only=True):
    """The orders of one person, newest first; `before_ms` begins a further page."""

    person_id: IdText
    before_ms: int | None = None
    limit: Annotated[int, Meta(ge=1, le=PAGE_MAX)] = 50


class PersonOrder(Answer, frozen=True, kw_only=True):
    """One order of a person; `order` is missing where it was noted, and never placed."""

    order_id: str
    noted_ms: int
    order: OrderSummary | None = None


class PersonOrdersAnswer(Answer, frozen=True, kw_only=True):
    """A page of a person's orders; the next one is before the last `noted_ms`."""

    orders: list[PersonOrder]


async def admit_person(node: Node, request: PersonDraft) -> PersonAnswer:
    """Let somebody log in from now on. Refuses a name that is taken, in whatever letters."""
    name = " ".join(request.name.split())
    if not 1 <= len(name) <= NAME_CHARACTERS_MAX or not name.isprintable():
        raise NodeError("person_name_refused")

    def job(transaction: Transaction) -> PersonAnswer:
        if people.person_named(transaction.connection, name) is not None:
            raise NodeError("person_name_taken", name)
        return person_answer(_admit(transaction, name, request.role))

    return await node.write(job)


async def list_people(node: Node, request: PeopleQuery) -> PeopleAnswer:
    """List everybody, dismissed ones too."""

    def question(read: StateReader) -> PeopleAnswer:
        return PeopleAnswer(people=[person_answer(person) for person in people.all_people(read.connection)])

    return await node.look(question)


async def change_role(node: Node, request: RoleDraft) -> PersonAnswer:
    """Give a person another role; it holds from their next request on."""
    person_id = id_of(request.person_id)

    def job(transaction: Transaction) -> PersonAnswer:
        person = active_person(transaction, person_id)
        if request.role != "steward":
            _keep_a_steward(transaction, person)
        people.set_role(transaction.connection, person_id, request.role)
        return person_answer(active_person(transaction, person_id))

    return await node.write(job)


async def dismiss_person(node: Node, request: PersonName) -> PersonAnswer:
    """Let a person in no more: password, links and sessions end at once. The name is free again."""
    person_id = id_of(request.person_id)

    def job(transaction: Transaction) -> PersonAnswer:
        _keep_a_steward(transaction, active_person(transaction, person_id))
        people.dismiss_person(transaction.connection, person_id, node.clock.now())
        person = people.person_of(transaction.connection, person_id)
        assert person is not None
        return person_answer(person)

    return await node.write(job)


async def make_login_link(node: Node, request: LoginLinkDraft) -> LoginLinkToken:
    """Make a link that logs a person in, once."""
    person_id = id_of(request.person_id)

    def job(transaction: Transaction) -> LoginLinkToken:
        return _make_link(transaction, active_person(transaction, person_id), request.hours)

    return await node.write(job)


async def first_login_link(node: Node, request: FirstLinkDraft) -> LoginLinkToken:
    """Make a link for the steward who came first; where there is none, admit one, named by that word.

    For whoever sits at the machine itself.
    """
    word = catalog(request.language).gettext("Steward")

    def job(transaction: Transaction) -> LoginLinkToken:
        stewards = people.people_with_role(transaction.connection, "steward")
        steward = stewards[0] if stewards else _admit(transaction, _free_name(transaction, word), "steward")
        return _make_link(transaction, steward, LINK_HOURS)

    return await node.write(job)


async def note_order_of_person(node: Node, request: PersonOrderName) -> NotedAnswer:
    """Say who placed an order; again is harmless, and another person for the same order is a conflict."""
    person_id, order_id = id_of(request.person_id), id_of(request.order_id)

    def job(transaction: Transaction) -> NotedAnswer:
        active_person(transaction, person_id)
        known = people.person_of_order(transaction.connection, order_id)
        if known is None:
            people.note_order(transaction.connection, order_id, person_id, node.clock.now())
        elif known != person_id:
            raise NodeError("conflict", "somebody else placed this order")
        return NotedAnswer(is_new=known is None)

    return await node.write(job)


async def is_order_of_person(node: Node, request: PersonOrderName) -> bool:
    """Tell whether a person placed an order: then it is theirs to see and to cancel."""
    order_id = id_of(request.order_id)
    known = await node.look(lambda read: people.person_of_order(read.connection, order_id))
    return known == id_of(request.person_id)


async def orders_of_person(node: Node, request: PersonOrdersQuery) -> PersonOrdersAnswer:
    """List the orders that a person placed."""
    person_id = id_of(request.person_id)

    def question(read: StateReader) -> PersonOrdersAnswer:
        noted = people.orders_of(read.connection, person_id, before_ms=request.before_ms, limit=request.limit)
        rows = find_orders(read.connection, node.community, [order_id for order_id, _ in noted])
        return PersonOrdersAnswer(
            orders=[
                PersonOrder(
                    order_id=to_base32(order_id),
                    noted_ms=noted_ms,
                    order=summary_of(read, rows[order_id]) if order_id in rows else None,
                )
                for order_id, noted_ms in noted
            ]
        )

    return await node.look(question)


def person_answer(person: Person) -> PersonAnswer:
    """Return a person as answers show one: without what the password is checked with."""
    return PersonAnswer(
        person_id=to_base32(person.person_id),
        name=person.name,
        role=person.role,  # type: ignore[arg-type]  # written from the same literal
        created_ms=person.created_ms,
        has_password=person.password_hash is not None,
        dismissed_ms=person.dismissed_ms,
    )


def active_person(transaction: Transaction, person_id: bytes) -> Person:
    """Return somebody who may log in, or raise `NodeError` `not_found`."""
    person = people.person_of(transaction.connection, person_id)
    if person is None or person.dismissed_ms is not None:
        raise NodeError("not_found", "no such person")
    return person


def new_token() -> str:
    """Return 256 random bits in text."""
    return to_base32(secrets.token_bytes(TOKEN_BYTES))


def token_hash(kind: str, token: str) -> bytes | None:
    """Return what is stored of a token of a kind; None for what cannot be one."""
    if _TOKEN.fullmatch(token) is None:
        return None
    return sha256(f"wildgrass/v1/{kind}\n{token}".encode()).digest()


def _admit(transaction: Transaction, name: str, role: Role) -> Person:
    person = Person(
        person_id=secrets.token_bytes(_ID_BYTES), name=name, role=role, created_ms=transaction.clock.now()
    )
    people.admit_person(transaction.connection, person)
    return person


def _free_name(transaction: Transaction, word: str) -> str:
    """The word itself, or with the first number under which nobody is known."""
    names = (word if number == 1 else f"{word} {number}" for number in count(1))
    return next(name for name in names if people.person_named(transaction.connection, name) is None)


def _keep_a_steward(transaction: Transaction, leaving: Person) -> None:
    stewards = people.people_with_role(transaction.connection, "steward")
    if [steward.person_id for steward in stewards] == [leaving.person_id]:
        raise NodeError("last_steward")


def _make_link(transaction: Transaction, person: Person, hours: int) -> LoginLinkToken:
    now_ms = transaction.clock.now()
    token = new_token()
    hashed = token_hash("login-link", token)
    assert hashed is not None
    people.forget_login_links(transaction.connection, now_ms - _LINK_KEPT_MS)
    link = people.LoginLink(
        token_hash=hashed, person_id=person.person_id, expires_ms=now_ms + hours * _HOUR_MS
    )
    people.add_login_link(transaction.connection, link)
    return LoginLinkToken(token=token, path=LINK_PATH + token, expires_ms=link.expires_ms)
