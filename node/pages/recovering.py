"""Bringing a community back in the first pages, instead of founding one: words, two addresses, and how far it is.

The recovery goes on while nobody looks; the page that shows it comes back by itself every two seconds. After a kill
the next start leads to this page again: the words are on no disk, so they are typed once more, and what was fetched
is not fetched again.
"""

import asyncio
from collections.abc import Awaitable, Callable

from node.config import Settings
from node.errors import REFUSALS, NodeError, report
from node.locale import marked as _
from node.pages.answering import Page
from node.pages.forms import Form, FormRefused
from node.recovery.fetching import Progress
from node.recovery.marker import read_marker
from node.recovery.recovering import recover
from node.vault.kit import entropy_of_words

WORDS_CHARACTERS_MAX = 1_000
ADDRESSES_CHARACTERS_MAX = 8_000


class RecoveryRun:
    """One recovery at a time, started from a form; `when_done` is awaited when the community is back."""

    def __init__(self, settings: Settings, when_done: Callable[[], Awaitable[None]]) -> None:
        """Take the settings of the node whose folder it fills."""
        self._settings = settings
        self._when_done = when_done
        self._progress: Progress | None = None
        self._failure: BaseException | None = None
        self._task: asyncio.Task[None] | None = None

    @property
    def is_running(self) -> bool:
        """Whether the community is being brought back just now."""
        return self._task is not None and not self._task.done()

    def start(self, form: Form, language: str) -> None:
        """Begin; raises `FormRefused` where the words are no words, or fewer than two addresses are named."""
        words = form.text("words", characters_max=WORDS_CHARACTERS_MAX, is_required=True)
        addresses = form.text("addresses", characters_max=ADDRESSES_CHARACTERS_MAX, is_required=True).split()
        form.check()
        try:
            entropy = entropy_of_words(words)
        except NodeError as error:
            said = report(error, language=language)
            form.refuse("words", f"{said.sentence} {said.next_step}")
            form.check()
            return
        if len(set(addresses)) < 2:  # noqa: PLR2004  they are compared with each other
            form.refuse("addresses", _("Name at least two."))
            form.check()
        if not self.is_running:
            self._failure = self._progress = None
            self._task = asyncio.create_task(self._run(entropy, addresses))

    def page(self, form: Form, faults: dict[str, str], language: str) -> Page:
        """Show the form, or how far it is."""
        left = read_marker(self._settings.folder)
        values = {
            "form": form,
            "is_unfinished": left is not None,
            "addresses": form["addresses"] or "\n".join(left.addresses if left else ()),
            "faults": faults,
            "is_running": self.is_running,
            "progress": self._progress,
            "failure": report(self._failure, language=language) if self._failure else None,
            "words_max": WORDS_CHARACTERS_MAX,
            "addresses_max": ADDRESSES_CHARACTERS_MAX,
        }
        return Page("founding_recovery.html", values, 422 if faults else 200)

    async def stop(self) -> None:
        """End what runs; it goes on at the next try."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait([self._task])

    async def _run(self, entropy: bytes, addresses: list[str]) -> None:
        try:
            await recover(self._settings, entropy, addresses, tell=self._tell)
        except REFUSALS as error:
            self._failure = error
            return
        await self._when_done()

    def _tell(self, progress: Progress) -> None:
        self._progress = progress


def posted(run: RecoveryRun, form: Form, language: str) -> Page:
    """Start what the form asks for, and show how far it is, or what is wrong with the form."""
    try:
        run.start(form, language)
    except FormRefused as refused:
        return run.page(form, refused.faults, language)
    return run.page(Form({}, {}), {}, language)
