"""People come in by a link or a password, stay a while, and go; the clock is the test's own."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path

import pytest

from node.actions.people import (
    FirstLinkDraft,
    LoginLinkDraft,
    PeopleQuery,
    PersonAnswer,
    PersonDraft,
    PersonName,
    PersonOrderName,
    PersonOrdersQuery,
    RoleDraft,
    admit_person,
    change_role,
    dismiss_person,
    first_login_link,
    is_order_of_person,
    list_people,
    make_login_link,
    note_order_of_person,
    orders_of_person,
)
from node.actions.sessions import (
    LINK_PROVES_MS,
    SEEN_STEP_MS,
    SESSION_MS,
    SESSIONS_MAX,
    LinkVisit,
    LogIn,
    PasswordDraft,
    PasswordQuery,
    SessionName,
    SessionToken,
    end_session,
    list_sessions,
    log_in,
    log_out,
    person_of_session,
    redeem_login_link,
    session_id_of,
    set_password,
    show_password_rule,
)
from node.config import read_sources
from node.core import Node
from node.errors import NodeError
from node.login_limits import NAME_FAILURES_MAX, NETWORK_FAILURES_MAX, WINDOW_MS
from node.opening import opened_node
from node.passwords import PASSWORD_CHARACTERS_MAX, WAITING_MAX
from node.vault import found_community, open_vault
from storage.people import all_people

HOUR_MS = 3_600_000
PASSWORD = "正确的马 battery staple"
ADDRESS = "192.0.2.7"


class HandClock:
    """Milliseconds since 1970 that stand still until a test moves them."""

    def __init__(self) -> None:
        self.now_ms = 1_790_000_000_000

    def __call__(self) -> int:
        return self.now_ms

    def skip(self, step_ms: int) -> None:
        self.now_ms += step_ms


OpenNode = Callable[[], AbstractAsyncContextManager[Node]]


@pytest.fixture
def clock() -> HandClock:
    return HandClock()


@pytest.fixture(params=["sqlite", "postgresql"])
def open_timed(request: pytest.FixtureRequest, tmp_path: Path, clock: HandClock) -> OpenNode:
    """`open_timed()` opens a node whose time is the test's."""

    @asynccontextmanager
    async def open_it() -> AsyncIterator[Node]:
        found_community(
            tmp_path,
            name={"en": "Spring", "zh-Hans": "春草"},
            currency="EUR",
            words_language="en",
            now_ms=clock.now_ms,
            keep_kit=lambda kit: None,
        )
        flags: dict[str, str] = {"folder": str(tmp_path)}
        if request.param == "sqlite":
            async with _opened(flags, tmp_path, clock) as node:
                yield node
            return
        with request.getfixturevalue("postgres_server").database() as url:
            async with _opened({**flags, "database_url": url}, tmp_path, clock) as node:
                yield node

    return open_it


def _opened(flags: dict[str, str], folder: Path, clock: HandClock) -> AbstractAsyncContextManager[Node]:
    settings = read_sources(flags=flags, environment={}).settings()
    return opened_node(settings, open_vault(folder), on_advance=lambda advance: None, clock=clock)


async def admitted(node: Node, name: str = "Lin", role: str = "member") -> PersonAnswer:
    return await admit_person(node, PersonDraft(name=name, role=role))  # type: ignore[arg-type]  # a Role


async def link_of(node: Node, person: PersonAnswer, hours: int = 24) -> LinkVisit:
    made = await make_login_link(node, LoginLinkDraft(person_id=person.person_id, hours=hours))
    assert len(made.token) == 52
    assert made.path == f"/login/{made.token}"
    return LinkVisit(token=made.token, user_agent="Firefox")


async def entered(node: Node, person: PersonAnswer) -> SessionToken:
    opened = await redeem_login_link(node, await link_of(node, person))
    return SessionToken(token=opened.token)


async def code_of(work: object) -> str:
    with pytest.raises(NodeError) as refused:
        await work  # type: ignore[misc]  # an action's coroutine
    return refused.value.code


async def test_a_link_opens_one_session_and_says_why_it_opens_no_second(
    open_timed: OpenNode, clock: HandClock
) -> None:
    """Used, expired, foreign and malformed links each have their own code."""
    async with open_timed() as node:
        lin = await admitted(node, "林小红", "shopkeeper")
        visit = await link_of(node, lin)
        opened = await redeem_login_link(node, visit)
        assert opened.person == lin
        assert opened.expires_ms == clock.now_ms + SESSION_MS
        assert await person_of_session(node, SessionToken(token=opened.token)) == lin
        assert await code_of(redeem_login_link(node, visit)) == "link_used"
        late = await link_of(node, lin, hours=2)
        clock.skip(2 * HOUR_MS)
        assert await code_of(redeem_login_link(node, late)) == "link_expired"
        assert await code_of(redeem_login_link(node, visit)) == "link_used"
        for token in ("a" * 52, "", "A" * 52, "\udc80" * 52, opened.token, visit.token + "a"):
            assert await code_of(redeem_login_link(node, LinkVisit(token=token))) == "link_unknown"
        clock.skip(31 * 24 * HOUR_MS)
        await link_of(node, lin)
        assert await code_of(redeem_login_link(node, late)) == "link_unknown"


async def test_of_two_who_redeem_one_link_at_once_one_gets_in(open_timed: OpenNode) -> None:
    """Eight at once: one session, seven times `link_used`."""
    async with open_timed() as node:
        lin = await admitted(node)
        visit = await link_of(node, lin)
        answers = await asyncio.gather(
            *(redeem_login_link(node, visit) for _ in range(8)), return_exceptions=True
        )
        refused = [answer for answer in answers if isinstance(answer, NodeError)]
        assert [error.code for error in refused] == ["link_used"] * 7
        assert len((await list_sessions(node, PersonName(person_id=lin.person_id))).sessions) == 1


async def test_a_session_lasts_while_it_is_used(open_timed: OpenNode, clock: HandClock) -> None:
    """Each use moves the end, noted once an hour; 30 days without use end it."""
    async with open_timed() as node:
        lin = await admitted(node)
        token, who = await entered(node, lin), PersonName(person_id=lin.person_id)
        opened_ms = clock.now_ms
        clock.skip(SEEN_STEP_MS - 1)
        assert await person_of_session(node, token) == lin
        assert (await list_sessions(node, who)).sessions[0].seen_ms == opened_ms
        clock.skip(1)
        assert await person_of_session(node, token) == lin
        seen = (await list_sessions(node, who)).sessions[0]
        assert (seen.opened_ms, seen.seen_ms) == (opened_ms, opened_ms + SEEN_STEP_MS)
        clock.skip(SESSION_MS - 1)
        assert await person_of_session(node, token) == lin
        clock.skip(SESSION_MS)
        assert await person_of_session(node, token) is None
        assert (await list_sessions(node, who)).sessions == []


async def test_sessions_are_listed_and_ended_one_by_one(open_timed: OpenNode, clock: HandClock) -> None:
    """Nobody ends another person's session; too many sessions push out the oldest."""
    async with open_timed() as node:
        lin, bo = await admitted(node), await admitted(node, "Bo")
        phone, desk = await entered(node, lin), await entered(node, lin)
        listed = (await list_sessions(node, PersonName(person_id=lin.person_id))).sessions
        assert {session.session_id for session in listed} == {
            session_id_of(phone.token),
            session_id_of(desk.token),
        }
        assert {session.user_agent for session in listed} == {"Firefox"}
        phone_id = session_id_of(phone.token)
        assert phone_id is not None
        foreign = SessionName(person_id=bo.person_id, session_id=phone_id)
        assert (await end_session(node, foreign)).ended == 0
        own = SessionName(person_id=lin.person_id, session_id=phone_id)
        assert [(await end_session(node, own)).ended for _ in range(2)] == [1, 0]
        assert await person_of_session(node, phone) is None
        assert (await log_out(node, SessionToken(token="nonsense"))).ended == 0
        assert [(await log_out(node, desk)).ended for _ in range(2)] == [1, 0]
        assert session_id_of("nonsense") is None
        assert await person_of_session(node, SessionToken(token="nonsense")) is None
        tokens = []
        for _ in range(SESSIONS_MAX + 2):
            clock.skip(1)
            tokens.append(await entered(node, lin))
        people = [await person_of_session(node, token) for token in tokens]
        assert people == [None, None, *[lin] * SESSIONS_MAX]


async def test_name_and_password_open_a_session(open_timed: OpenNode) -> None:
    """However the name is written; a wrong name, a wrong password and no password at all are one answer."""
    async with open_timed() as node:
        lin, bo = await admitted(node, "Lin 小红"), await admitted(node, "Bo")
        here, elsewhere = await entered(node, lin), await entered(node, lin)
        changed = await set_password(
            node, PasswordDraft(person_id=lin.person_id, password=PASSWORD, session=here.token)
        )
        assert changed.has_password
        assert await person_of_session(node, here) == changed
        assert await person_of_session(node, elsewhere) is None
        opened = await log_in(node, LogIn(name=" LIN 小红", password=PASSWORD, user_agent="a\nb\udc80" * 99))
        assert opened.person == changed
        for name, password in (
            ("Lin 小红", PASSWORD + "!"),
            ("Lin 小红", "short"),
            ("nobody", PASSWORD),
            ("\udc80", PASSWORD),
            (bo.name, PASSWORD),
        ):
            assert await code_of(log_in(node, LogIn(name=name, password=password))) == "login_refused"
        await dismiss_person(node, PersonName(person_id=bo.person_id))
        for password in ("1234567", "x" * (PASSWORD_CHARACTERS_MAX + 1)):
            draft = PasswordDraft(person_id=lin.person_id, password=password)
            assert await code_of(set_password(node, draft)) == "password_refused"
        gone = PasswordDraft(person_id=bo.person_id, password=PASSWORD)
        assert await code_of(set_password(node, gone)) == "not_found"
        kept = await node.read(lambda read: all_people(read.connection))
        assert all(PASSWORD not in repr(person) for person in kept)


async def test_a_new_password_needs_the_old_one_or_a_fresh_link(
    open_timed: OpenNode, clock: HandClock
) -> None:
    """The session of somebody's link proves who they are for an hour, and nobody else's does."""
    async with open_timed() as node:
        lin, bo = await admitted(node), await admitted(node, "Bo")
        await set_password(node, PasswordDraft(person_id=lin.person_id, password=PASSWORD))
        opened = await log_in(node, LogIn(name="Lin", password=PASSWORD))
        clock.skip(1)
        link, other = await entered(node, lin), await entered(node, bo)

        def draft(password: str, session: str = opened.token, **old: str) -> PasswordDraft:
            return PasswordDraft(person_id=lin.person_id, password=password, session=session, **old)

        for refused in (
            draft("another one"),
            draft("another one", old="wrong guess"),
            draft("another one", "x"),
        ):
            assert await code_of(set_password(node, refused)) == "password_wrong"
        assert await code_of(set_password(node, draft("another one", other.token))) == "password_wrong"
        clock.skip(LINK_PROVES_MS)
        rule = await show_password_rule(node, PasswordQuery(person_id=lin.person_id, session=link.token))
        assert not rule.needs_old
        await set_password(node, draft("another one", link.token))
        clock.skip(1)
        rule = await show_password_rule(node, PasswordQuery(person_id=lin.person_id, session=link.token))
        assert rule.needs_old
        at_once = [draft(f"number {number} of two", link.token, old="another one") for number in range(2)]
        told = await asyncio.gather(*(set_password(node, one) for one in at_once), return_exceptions=True)
        assert sorted(getattr(one, "code", "set") for one in told) == ["password_wrong", "set"]
        for _ in range(NAME_FAILURES_MAX):
            await code_of(set_password(node, draft("another one", link.token, old="wrong guess")))
        assert await code_of(set_password(node, draft(PASSWORD, link.token, old="x"))) == "login_paused"


async def test_guessing_is_paused_and_a_success_begins_anew(open_timed: OpenNode, clock: HandClock) -> None:
    """Five wrong guesses pause the name for everybody; another name goes on until the network is paused."""
    async with open_timed() as node:
        lin = await admitted(node)
        await set_password(node, PasswordDraft(person_id=lin.person_id, password=PASSWORD))
        right = LogIn(name="Lin", password=PASSWORD, remote=ADDRESS)
        wrong = LogIn(name="lin", password="wrong guess", remote=ADDRESS)
        for _ in range(NAME_FAILURES_MAX - 1):
            assert await code_of(log_in(node, wrong)) == "login_refused"
        assert (await log_in(node, right)).person.name == "Lin"
        guesses = await asyncio.gather(*(code_of(log_in(node, wrong)) for _ in range(NAME_FAILURES_MAX + 3)))
        assert sorted(guesses) == ["login_paused"] * 3 + ["login_refused"] * NAME_FAILURES_MAX
        assert await code_of(log_in(node, right)) == "login_paused"
        clock.skip(WINDOW_MS)
        assert (await log_in(node, right)).person.name == "Lin"
        for number in range(NETWORK_FAILURES_MAX):
            node.login_limits.begin(f"name {number}", f"192.0.2.{number}", clock.now_ms)
        assert await code_of(log_in(node, right)) == "login_paused"
        assert (await log_in(node, LogIn(name="Lin", password=PASSWORD, remote="2001:db8::1"))).token


async def test_too_many_at_once_are_sent_away_without_a_failure_on_their_name(open_timed: OpenNode) -> None:
    """The queue before the one derivation is short; who finds it full has not guessed."""
    async with open_timed() as node:
        lin = await admitted(node)
        await set_password(node, PasswordDraft(person_id=lin.person_id, password=PASSWORD))
        queue = [asyncio.ensure_future(node.passwords.is_right(PASSWORD, None)) for _ in range(WAITING_MAX)]
        await asyncio.sleep(0)  # lets every one of them take its place
        for number in range(NAME_FAILURES_MAX + 1):
            attempt = LogIn(name="Lin", password="guess", remote=f"198.51.{number}.1")
            assert await code_of(log_in(node, attempt)) == "inbox_full"
        for waiting in queue[1:]:
            waiting.cancel()
        assert await queue[0] is False
        assert (await log_in(node, LogIn(name="Lin", password=PASSWORD))).person.name == "Lin"


async def test_a_dismissed_person_is_out_at_once_and_the_name_is_free(
    open_timed: OpenNode, clock: HandClock
) -> None:
    """Session, link and password end together; a new person of that name is somebody else."""
    async with open_timed() as node:
        lin = await admitted(node)
        await set_password(node, PasswordDraft(person_id=lin.person_id, password=PASSWORD))
        session, visit = await entered(node, lin), await link_of(node, lin)
        gone = await dismiss_person(node, PersonName(person_id=lin.person_id))
        assert gone.dismissed_ms is not None
        assert not gone.has_password
        assert await person_of_session(node, session) is None
        assert await code_of(redeem_login_link(node, visit)) == "link_unknown"
        assert await code_of(log_in(node, LogIn(name="Lin", password=PASSWORD))) == "login_refused"
        for refused in (
            make_login_link(node, LoginLinkDraft(person_id=lin.person_id)),
            change_role(node, RoleDraft(person_id=lin.person_id, role="steward")),
            dismiss_person(node, PersonName(person_id=lin.person_id)),
            make_login_link(node, LoginLinkDraft(person_id="a" * 26)),
        ):
            assert await code_of(refused) == "not_found"
        clock.skip(1)
        again = await admitted(node, "LIN")
        assert again.person_id != lin.person_id
        assert (await list_people(node, PeopleQuery())).people == [gone, again]


async def test_the_last_steward_stays(open_timed: OpenNode) -> None:
    """Neither dismissed nor demoted until there is another one; a new role holds in open sessions."""
    async with open_timed() as node:
        lin, bo = await admitted(node, "Lin", "steward"), await admitted(node, "Bo")
        demotion = RoleDraft(person_id=lin.person_id, role="member")
        assert await code_of(dismiss_person(node, PersonName(person_id=lin.person_id))) == "last_steward"
        assert await code_of(change_role(node, demotion)) == "last_steward"
        assert (await change_role(node, RoleDraft(person_id=lin.person_id, role="steward"))) == lin
        session = await entered(node, bo)
        promoted = await change_role(node, RoleDraft(person_id=bo.person_id, role="steward"))
        assert await person_of_session(node, session) == promoted
        assert (await change_role(node, demotion)).role == "member"
        assert await code_of(dismiss_person(node, PersonName(person_id=bo.person_id))) == "last_steward"


async def test_names_are_one_line_and_each_belongs_to_one_person(open_timed: OpenNode) -> None:
    """Spaces are trimmed; what cannot be shown or is taken is refused."""
    async with open_timed() as node:
        lin = await admitted(node, "  Lin   小红 ")
        assert lin.name == "Lin 小红"
        assert await code_of(admitted(node, "ＬＩＮ 小红")) == "person_name_taken"
        for name in ("", "  ", "x" * 61, "a\x00b", "a\u202eb", "\udc80"):
            assert await code_of(admitted(node, name)) == "person_name_refused"
        both = await asyncio.gather(admitted(node, "Bo"), admitted(node, "bo"), return_exceptions=True)
        assert [type(answer) for answer in both].count(NodeError) == 1


async def test_the_first_link_makes_a_steward_and_later_ones_find_it(
    open_timed: OpenNode, clock: HandClock
) -> None:
    """Named by the word for steward; a member of that name is somebody else."""
    async with open_timed() as node:
        await admitted(node, "steward")
        made = await asyncio.gather(*(first_login_link(node, FirstLinkDraft()) for _ in range(3)))
        opened = [await redeem_login_link(node, LinkVisit(token=link.token)) for link in made]
        assert {session.person.person_id for session in opened} == {opened[0].person.person_id}
        assert (opened[0].person.name, opened[0].person.role) == ("Steward 2", "steward")
        clock.skip(1)
        await admitted(node, "Zoe", "steward")
        again = await first_login_link(node, FirstLinkDraft(language="zh-Hans"))
        assert (await redeem_login_link(node, LinkVisit(token=again.token))).person == opened[0].person


async def test_the_first_steward_is_named_in_the_language_that_was_asked_for(open_timed: OpenNode) -> None:
    """管事人, where the terminal speaks Chinese."""
    async with open_timed() as node:
        link = await first_login_link(node, FirstLinkDraft(language="zh-Hans"))
        assert (await redeem_login_link(node, LinkVisit(token=link.token))).person.name == "管事人"


async def test_a_person_finds_the_orders_they_placed(open_timed: OpenNode, clock: HandClock) -> None:
    """Noted once, by one person; an order that was never placed is listed without its state."""
    async with open_timed() as node:
        lin, bo = await admitted(node), await admitted(node, "Bo")
        orders = [letter * 25 + "a" for letter in "abc"]
        for order_id in orders:
            clock.skip(1)
            noted = PersonOrderName(person_id=lin.person_id, order_id=order_id)
            assert (await note_order_of_person(node, noted)).is_new
            assert not (await note_order_of_person(node, noted)).is_new
            assert await is_order_of_person(node, noted)
        theirs = PersonOrderName(person_id=bo.person_id, order_id=orders[0])
        assert await code_of(note_order_of_person(node, theirs)) == "conflict"
        assert not await is_order_of_person(node, theirs)
        page = (await orders_of_person(node, PersonOrdersQuery(person_id=lin.person_id, limit=2))).orders
        assert [order.order_id for order in page] == orders[:0:-1]
        assert page[0].order is None
        query = PersonOrdersQuery(person_id=lin.person_id, before_ms=page[-1].noted_ms)
        assert [order.order_id for order in (await orders_of_person(node, query)).orders] == orders[:1]
        assert (await orders_of_person(node, PersonOrdersQuery(person_id=bo.person_id))).orders == []
