"""The community's keys, for stewards: how they stand, a recovery drill, a new log key, and what waits or is contested.

The recovery words are typed into a form of this page and used once; they are neither kept nor shown again.
"""

from functools import partial

from node.actions.keys import (
    CancellationQuery,
    KeysQuery,
    NoteChoice,
    RehearsalDraft,
    RehearsedAnswer,
    RotationDraft,
    cancel_note,
    choose_note,
    rehearse_recovery,
    rotate_keys,
    show_keys,
)
from node.errors import NodeError, report
from node.pages.answering import GoTo, Page
from node.pages.forms import FormRefused
from node.pages.measures import say_lane
from node.pages.site import Asked, PageRoute
from protocol.errors import ProtocolError
from protocol.identity.keys import HASH_BYTES, from_base32, to_base32

WORDS_CHARACTERS_MAX = 1_000
_WORDS_FAULTS = ("words_refused", "words_of_another")


async def show_own_keys(asked: Asked) -> Page:
    """Show the epoch, who may replace its keys, and the forms."""
    return await _page(asked, {})


async def take_rehearsal(asked: Asked) -> Page:
    """Try a recovery with the words, and show what it would bring back."""
    try:
        words = _words(asked, "drill")
        done = await rehearse_recovery(asked.node, RehearsalDraft(words=words))
    except FormRefused as refused:
        return await _page(asked, refused.faults)
    except NodeError as error:
        return await _page(asked, _fault(asked, "drill", error))
    return await _page(asked, {}, done)


async def take_rotation(asked: Asked) -> Page | GoTo:
    """Open the next epoch with the words."""
    try:
        words = _words(asked, "rotation")
        await rotate_keys(asked.node, RotationDraft(words=words))
    except FormRefused as refused:
        return await _page(asked, refused.faults)
    except NodeError as error:
        return await _page(asked, _fault(asked, "rotation", error))
    return GoTo("/keys?said=rotated")


async def take_cancellation(asked: Asked) -> GoTo:
    """Give the prepared note up."""
    await cancel_note(asked.node, CancellationQuery())
    return GoTo("/keys?said=cancelled")


async def show_choice(asked: Asked) -> Page:
    """Show what each of a community's notes says that contradict each other."""
    community = _community(asked.query("community"), asked)
    keys = await show_keys(asked.node, KeysQuery(community=community))
    values = {
        "section": "account" if community == to_base32(asked.node.community) else "neighbours",
        "about": community,
        "keys": keys,
        "lane_name": partial(say_lane, language=asked.visit.language),
    }
    return Page("key_choice.html", values)


async def take_choice(asked: Asked) -> GoTo:
    """Hold to one of a community's notes that contradict each other."""
    community = _community(asked.form["community"], asked)
    known = (await show_keys(asked.node, KeysQuery(community=community))).contested
    if asked.form["note"] not in {note.note for note in known}:
        raise NodeError("note_other")
    await choose_note(asked.node, NoteChoice(community=community, note=asked.form["note"]))
    is_own = community == to_base32(asked.node.community)
    return GoTo("/keys?said=chosen" if is_own else f"/neighbours#c-{community}")


def _community(named: str, asked: Asked) -> str:
    """The community that a page or form names, else our own; raises `NodeError` `not_found` for no id."""
    if not named:
        return to_base32(asked.node.community)
    try:
        return to_base32(from_base32(named, HASH_BYTES))
    except ProtocolError as error:
        raise NodeError("not_found", named[:60]) from error


def _words(asked: Asked, name: str) -> str:
    words = asked.form.text(name, characters_max=WORDS_CHARACTERS_MAX, is_required=True)
    asked.form.check()
    return words


def _fault(asked: Asked, name: str, error: NodeError) -> dict[str, str]:
    if error.code not in _WORDS_FAULTS:
        raise error
    said = report(error, language=asked.visit.language)
    return {name: f"{said.sentence} {said.next_step}"}


async def _page(asked: Asked, faults: dict[str, str], rehearsed: RehearsedAnswer | None = None) -> Page:
    values = {
        "section": "account",
        "faults": faults,
        "keys": await show_keys(asked.node, KeysQuery()),
        "rehearsed": rehearsed,
        "said": asked.query("said"),
        "characters_max": WORDS_CHARACTERS_MAX,
    }
    return Page("keys.html", values, 422 if faults else 200)


KEY_PAGES = (
    PageRoute(method="GET", path="/keys", show=show_own_keys, needs="steward"),
    PageRoute(method="POST", path="/keys/rehearsal", show=take_rehearsal, needs="steward"),
    PageRoute(method="POST", path="/keys/rotation", show=take_rotation, needs="steward"),
    PageRoute(method="POST", path="/keys/cancellation", show=take_cancellation, needs="steward"),
    PageRoute(method="GET", path="/keys/choice", show=show_choice, needs="steward"),
    PageRoute(method="POST", path="/keys/choice", show=take_choice, needs="steward"),
)
