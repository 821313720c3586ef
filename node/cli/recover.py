"""`wildgrass recover`: bring a community back with its recovery words and any two peers."""

from gettext import gettext as _
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from node.cli.founding import is_person_there
from node.cli.output import in_words
from node.cli.session import Session, command

if TYPE_CHECKING:
    from node.recovery.fetching import Progress


@command(
    "recover", help=_("Bring a community back with its recovery words and two peers; run again, it goes on.")
)
@click.option(
    "--peer",
    "peers",
    multiple=True,
    required=True,
    help=_("Address of a peer, host:port, or an invite link of it. Name at least two."),
)
@click.option(
    "--words-file",
    type=click.Path(path_type=Path, dir_okay=False, exists=True),
    help=_("Read the words from this file instead of asking for them."),
)
@click.option(
    "--drill",
    is_flag=True,
    help=_("Try it beside the running node, change nothing, and say what would be lost."),
)
def recover(session: Session, *, peers: tuple[str, ...], words_file: Path | None, drill: bool) -> None:
    """Recover, and say how to go on."""
    import asyncio

    if drill:
        _rehearse(session, words_file)
        return

    from node.operations.lifecycle import claim_folder
    from node.operations.logs import configure_logging
    from node.recovery.recovering import recover as bring_back

    settings = session.sources().settings()
    configure_logging("debug" if settings.log_level == "debug" else "warning")
    entropy = read_entropy(words_file)
    told: list[str] = []

    def tell(progress: "Progress") -> None:
        line = _line(progress)
        if not session.is_json and told[-1:] != [line]:
            told[:] = [line]
            click.echo(line)

    with claim_folder(settings.folder):
        done = asyncio.run(bring_back(settings, entropy, peers, tell=tell))
    answer = {
        "community": done.community,
        "epoch": done.epoch,
        "records": done.records,
        "missing_parts": done.missing_parts,
        "folder": str(settings.folder),
    }
    session.show(
        answer,
        _("{name} is back with {count} records. The keys of the lost machine are dead from now on.").format(
            name=in_words(done.name), count=done.records
        ),
        *([_missing(done.missing_parts)] if done.missing_parts else []),
        _("Start it with: wildgrass up"),
    )


def _rehearse(session: Session, words_file: Path | None) -> None:
    from node.cli.output import table
    from node.vault.kit import words_of_entropy

    words = words_of_entropy(read_entropy(words_file), "en")
    answer = session.ask("POST", "/keys/rehearsal", {"words": words})
    rows = [[peer["address"], _box(peer), str(peer["records"])] for peer in answer["peers"]]
    verdict = (
        _("These words and peers would bring the community back.")
        if answer["would_succeed"] and answer["is_identical"]
        else _("A recovery would not succeed now: fewer than two peers give back the keys.")
    )
    session.show(
        answer,
        *table([_("Peer"), _("Keys"), _("Records")], rows),
        _("Fetched and verified: {done} of {total} records.").format(
            done=answer["fetched_records"], total=answer["records"]
        ),
        _("At no connected peer yet: {records} records, {parts} private parts of orders.").format(
            records=answer["unsaved_records"], parts=answer["uncopied_parts"]
        ),
        verdict,
    )


def _box(peer: dict[str, Any]) -> str:
    if peer["has_box"]:
        return _("newest") if peer["is_box_current"] else _("an older copy")
    return _("unreachable") if peer.get("code") else _("none")


def read_entropy(words_file: Path | None) -> bytes:
    """Return what the words stand for: out of a file, or asked for without showing them."""
    from node.errors import NodeError
    from node.vault.kit import entropy_of_words

    if words_file is not None:
        return entropy_of_words(words_file.read_text(encoding="utf-8"))
    if not is_person_there():
        raise NodeError("words_refused", "0")
    return entropy_of_words(str(click.prompt(_("Recovery words, in their order"), hide_input=True)))


def _line(progress: "Progress") -> str:
    sentences = {
        "identity": _("Asking the peers for the encrypted keys: {done} of {total} answered."),
        "lanes": _("Records fetched and verified: {done} of {total}."),
        "sealed": _("Private parts of orders fetched: {done}."),
        "epoch": _("Closing the epoch of the lost machine."),
    }
    return sentences[progress.stage].format(done=progress.done, total=progress.total)


def _missing(count: int) -> str:
    return _(
        "{count} private parts of orders are with none of these peers; others may still bring them."
    ).format(count=count)
