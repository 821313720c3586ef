"""The first run of a community founded in the pages: its beginning, how far the steward has come, the kit.

Progress is one setting of the node. Every step may be passed over and come back to; a restart loses none.
"""

import hmac
import unicodedata
from typing import Annotated, Literal

from msgspec import Meta

from node.actions.policies import DEFAULT_POLICY
from node.actions.shapes import Answer, Request
from node.core import Node
from node.files import KIT_FILE
from node.locale import ENGLISH
from node.vault.kit import lines_of_kit, words_in_kit
from node.writer.transaction import Transaction
from protocol.amounts.split import policy_id
from protocol.lanes.charter.policies import PolicyAdopted
from protocol.lanes.kind import CHARTER
from storage.settings import put_setting, setting

Step = Literal["kit", "shop", "neighbours", "ready", "done"]
STEPS: tuple[Step, ...] = ("kit", "shop", "neighbours", "ready", "done")

_STEP_SETTING = "first_run_step"
_LANGUAGE_SETTING = "language"
_WORD_CHARACTERS_MAX = 40


class Beginning(Request, frozen=True, kw_only=True):
    """The language in which the community was founded."""

    language: str = ENGLISH


class FirstRunQuery(Request, frozen=True, kw_only=True):
    """Nothing to say."""


class FirstRunAnswer(Answer, frozen=True, kw_only=True):
    """The step that comes next; None where the community was not founded in the pages."""

    step: Step | None = None


class PassedStep(Request, frozen=True, kw_only=True):
    """The step that is behind the steward now, done or passed over."""

    step: Step


class KitQuery(Request, frozen=True, kw_only=True):
    """Nothing to say."""


class KitAnswer(Answer, frozen=True, kw_only=True):
    """What the page to print says above the words, they themselves, and what below.

    Without words, they are no longer on this node.
    """

    above: list[str] = []
    words: list[str] = []
    below: list[str] = []


class NumberedWord(Request, frozen=True, kw_only=True):
    """One word of the kit; numbers begin with 1."""

    number: int
    word: Annotated[str, Meta(max_length=_WORD_CHARACTERS_MAX)]


class KitProof(Request, frozen=True, kw_only=True):
    """Some words of the kit, read from the paper."""

    words: Annotated[list[NumberedWord], Meta(min_length=2, max_length=24)]


class KitChecked(Answer, frozen=True, kw_only=True):
    """The numbers of the words that are others; where there are none, the node keeps the words no more."""

    wrong: list[int]


async def begin_first_run(node: Node, request: Beginning) -> FirstRunAnswer:
    """Adopt the default policy, speak the founder's language, and begin with the kit; again is harmless."""

    def job(transaction: Transaction) -> FirstRunAnswer:
        known = setting(transaction.connection, _STEP_SETTING)
        if known is None:
            if transaction.get("adopted_policy", (node.community, policy_id(DEFAULT_POLICY))) is None:
                transaction.say(CHARTER, PolicyAdopted(policy=DEFAULT_POLICY, adopted_by="founder"))
            put_setting(transaction.connection, _LANGUAGE_SETTING, request.language)
            put_setting(transaction.connection, _STEP_SETTING, STEPS[0])
        return FirstRunAnswer(step=_step(known) or STEPS[0])

    return await node.write(job)


async def show_first_run(node: Node, request: FirstRunQuery) -> FirstRunAnswer:
    """Say which step comes next."""
    return FirstRunAnswer(step=_step(await node.read(lambda read: setting(read.connection, _STEP_SETTING))))


async def pass_step(node: Node, request: PassedStep) -> FirstRunAnswer:
    """Go on behind a step; whoever looks back at an earlier one loses nothing."""
    after = STEPS.index(request.step) + 1

    def job(transaction: Transaction) -> FirstRunAnswer:
        known = _step(setting(transaction.connection, _STEP_SETTING))
        if known is None:
            return FirstRunAnswer()
        step = STEPS[max(min(after, len(STEPS) - 1), STEPS.index(known))]
        put_setting(transaction.connection, _STEP_SETTING, step)
        return FirstRunAnswer(step=step)

    return await node.write(job)


async def show_kit(node: Node, request: KitQuery) -> KitAnswer:
    """Return the kit as long as it waits in the folder to be printed."""
    text = _kit_text(node)
    if text is None:
        return KitAnswer()
    above, below = lines_of_kit(text)
    return KitAnswer(above=above, words=words_in_kit(text), below=below)


async def confirm_kit(node: Node, request: KitProof) -> KitChecked:
    """Compare words read from the paper; where all are right, remove the kit from the folder.

    Where it is gone already there is nothing to compare, and nothing is wrong.
    """
    text = _kit_text(node)
    if text is None:
        return KitChecked(wrong=[])
    words = words_in_kit(text)
    wrong = [given.number for given in request.words if not _is_word(words, given)]
    if not wrong:
        (node.vault.folder / KIT_FILE).unlink(missing_ok=True)
    return KitChecked(wrong=wrong)


def _kit_text(node: Node) -> str | None:
    try:
        return (node.vault.folder / KIT_FILE).read_text("utf-8")
    except FileNotFoundError:
        return None


def _is_word(words: list[str], given: NumberedWord) -> bool:
    typed = unicodedata.normalize("NFKC", given.word).strip().lower()
    is_there = 1 <= given.number <= len(words)
    return is_there and hmac.compare_digest(typed.encode(), words[given.number - 1].encode())


def _step(known: str | None) -> Step | None:
    return next((step for step in STEPS if step == known), None)
