"""Logging in and out, and the own account: password, and the browsers in which one is logged in.

A one-time link is shown first and redeemed by a button: what fetches links to preview them must not use it up.
"""

from collections.abc import Mapping

from aiohttp import hdrs

from node.actions.first_run import FirstRunQuery, show_first_run
from node.actions.people import NAME_CHARACTERS_MAX, PersonAnswer, PersonName
from node.actions.sessions import (
    LinkName,
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
    redeem_login_link,
    session_id_of,
    set_password,
    show_login_link,
    show_password_rule,
)
from node.errors import NodeError, report
from node.locale import marked as _
from node.pages.answering import Answer, GoTo, Page
from node.pages.forms import FormRefused
from node.pages.language import way_back
from node.pages.site import Asked, PageRoute
from node.pages.visit import SESSION_COOKIE, SESSION_SECONDS
from node.passwords import PASSWORD_CHARACTERS_MAX

_PASSWORD_FAULTS = {"password_refused": "password", "password_wrong": "old", "login_paused": "old"}
_BROWSERS = ("Edg", "OPR", "MicroMessenger", "Firefox", "Chrome", "Safari")
_BROWSER_NAMES = {"Edg": "Edge", "OPR": "Opera", "MicroMessenger": "WeChat"}
_SYSTEMS = ("Android", "iPhone", "iPad", "HarmonyOS", "Windows", "Mac OS X", "Linux")


def session_cookie(token: str) -> tuple[str, str, int]:
    """Return the cookie that keeps somebody logged in."""
    return SESSION_COOKIE, token, SESSION_SECONDS


def user_agent(asked: Asked) -> str:
    """Return what the browser says that it is."""
    return asked.http.headers.get(hdrs.USER_AGENT, "")


def say_browser(user_agent_text: str) -> str:
    """Return browser and system as people call them, or what was said where neither is known."""
    browser = next((name for name in _BROWSERS if name in user_agent_text), "")
    system = next((name for name in _SYSTEMS if name in user_agent_text), "")
    return " · ".join(filter(None, (_BROWSER_NAMES.get(browser, browser), system))) or user_agent_text[:60]


async def show_login(asked: Asked) -> Answer:
    """Ask for name and password; whoever is logged in goes on."""
    back = way_back(asked.query("back", "/"))
    return GoTo(back) if asked.visit.person else _login_page(asked, {}, back=back)


async def take_login(asked: Asked) -> Answer:
    """Log in with name and password."""
    form, back = asked.form, way_back(asked.form["back"] or "/")
    request = LogIn(
        name=form["name"][: NAME_CHARACTERS_MAX + 1],
        password=form.verbatim("password")[: PASSWORD_CHARACTERS_MAX + 1],
        user_agent=user_agent(asked),
        remote=asked.http.remote or "",
    )
    try:
        opened = await log_in(asked.node, request)
    except NodeError as error:
        if error.code not in ("login_refused", "login_paused"):
            raise
        said = report(error, language=asked.visit.language)
        return _login_page(asked, {"said": said}, back=back, status=said.status)
    return GoTo(back, (session_cookie(opened.token),))


def _login_page(asked: Asked, values: Mapping[str, object], *, back: str, status: int = 200) -> Page:
    page_values = {"section": "account", "said": None, "name": asked.form["name"], "back": back, **values}
    return Page("login.html", page_values, status)


async def show_link(asked: Asked) -> Page:
    """Say who is about to be logged in; only the button does it."""
    person = await show_login_link(asked.node, LinkName(token=asked.path["token"]))
    return Page("login_link.html", {"section": "account", "person": person})


async def redeem_link(asked: Asked) -> GoTo:
    """Use the link up; a steward goes on with the first run where it is not over."""
    request = LinkVisit(token=asked.path["token"], user_agent=user_agent(asked))
    opened = await redeem_login_link(asked.node, request)
    step = (await show_first_run(asked.node, FirstRunQuery())).step
    is_setting_up = opened.person.role == "steward" and step not in (None, "done")
    return GoTo("/welcome" if is_setting_up else "/account", (session_cookie(opened.token),))


async def take_logout(asked: Asked) -> GoTo:
    """End this session."""
    if asked.visit.session_token is not None:
        await log_out(asked.node, SessionToken(token=asked.visit.session_token))
    return GoTo("/", ((SESSION_COOKIE, "", 0),))


async def show_account(asked: Asked) -> Page:
    """Show who one is and where one is logged in."""
    return await _account_page(asked, {})


async def take_password(asked: Asked) -> Page | GoTo:
    """Set the password; every other session ends."""
    form, person = asked.form, _person(asked)
    password = form.verbatim("password")
    if password != form.verbatim("again"):
        form.refuse("again", _("The two are not the same."))
    try:
        form.check()
        draft = PasswordDraft(
            person_id=person.person_id,
            password=password,
            session=asked.visit.session_token or "",
            old=form.verbatim("old")[: PASSWORD_CHARACTERS_MAX + 1],
            remote=asked.http.remote or "",
        )
        await set_password(asked.node, draft)
    except FormRefused as refused:
        return await _account_page(asked, refused.faults)
    except NodeError as error:
        if error.code not in _PASSWORD_FAULTS:
            raise
        said = report(error, language=asked.visit.language)
        fault = " ".join(filter(None, (said.sentence, said.next_step, said.detail)))
        return await _account_page(asked, {_PASSWORD_FAULTS[error.code]: fault})
    return GoTo("/account?done=password")


async def take_session_end(asked: Asked) -> GoTo:
    """End one of the own sessions, elsewhere or here."""
    session_id, person = asked.form["session_id"], _person(asked)
    await end_session(asked.node, SessionName(person_id=person.person_id, session_id=session_id))
    return GoTo("/account")


async def _account_page(asked: Asked, faults: dict[str, str]) -> Page:
    person_id, session = _person(asked).person_id, asked.visit.session_token or ""
    sessions = (await list_sessions(asked.node, PersonName(person_id=person_id))).sessions
    rule = await show_password_rule(asked.node, PasswordQuery(person_id=person_id, session=session))
    values = {
        "section": "account",
        "faults": faults,
        "sessions": [(one, say_browser(one.user_agent)) for one in sessions],
        "here_id": session_id_of(session),
        "needs_old_password": rule.needs_old,
        "is_done": asked.query("done") == "password" and not faults,
        "password_characters_max": PASSWORD_CHARACTERS_MAX,
    }
    return Page("account.html", values, 422 if faults else 200)


def _person(asked: Asked) -> PersonAnswer:
    person = asked.visit.person
    assert person is not None, "the address needs a member"
    return person


ACCOUNT_PAGES = (
    PageRoute(method="GET", path="/login", show=show_login),
    PageRoute(method="POST", path="/login", show=take_login),
    PageRoute(method="GET", path="/login/{token}", show=show_link),
    PageRoute(method="POST", path="/login/{token}", show=redeem_link),
    PageRoute(method="POST", path="/logout", show=take_logout),
    PageRoute(method="GET", path="/account", show=show_account, needs="member"),
    PageRoute(method="POST", path="/account/password", show=take_password, needs="member"),
    PageRoute(method="POST", path="/account/sessions", show=take_session_end, needs="member"),
)
