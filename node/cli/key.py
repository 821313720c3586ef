"""`wildgrass key`: how the community's keys stand, a new log key, further recovery sheets and their signatures."""

from datetime import UTC, datetime
from gettext import gettext as _
from pathlib import Path
from typing import Any

import click

from node.cli.output import table
from node.cli.recover import read_entropy
from node.cli.session import Session, command, group
from node.client import in_path
from node.locale import LANGUAGES

WORDS_FILE = click.option(
    "--words-file",
    type=click.Path(path_type=Path, dir_okay=False, exists=True),
    help=_("Read the words from this file instead of asking for them."),
)
_YES = click.option("--yes", is_flag=True, help=_("Do it without asking once more."))


@command("show", help=_("Show the open epoch, who may replace its keys, and what waits."))
@click.option("--community", help=_("Another community's instead of our own."))
def show(session: Session, community: str | None) -> None:
    """Show."""
    answer = session.ask("GET", "/keys" + (f"?community={in_path(community)}" if community else ""))
    lines = [
        _("Epoch {epoch}. {threshold} of {count} recovery sheets may replace the keys.").format(
            epoch=answer["epoch"],
            threshold=answer["recovery_threshold"],
            count=len(answer["recovery_keys"]),
        )
    ]
    if answer["recovery_threshold"] == 1:
        lines.append(
            _("Whoever holds one sheet can take the community over. Share it out: wildgrass key sheet")
        )
    if answer["is_prepared"]:
        lines.append(_("A note waits for signatures; nothing is written until it is combined or cancelled."))
    lines += [line for note in answer["contested"] for line in _contested(note)]
    rows = [[community, str(count)] for community, count in answer["uncopied_parts"].items()]
    if rows:
        lines += table([_("Community"), _("Private parts it does not keep yet")], rows)
    session.show(answer, *lines)


@command(
    "rotate", help=_("Open the next epoch with the recovery words; the key used until now is dead then.")
)
@WORDS_FILE
@_YES
def rotate(session: Session, *, words_file: Path | None, yes: bool) -> None:
    """Say what will happen, then do it."""
    if not (yes or session.is_json):
        click.echo(_("This closes the epoch: all lanes go on under a new key, which your words derive."))
        click.echo(_("The sheet with the words stays as it is. Whoever holds a copy of this machine's keys"))
        click.echo(_("cannot write for the community any more. Orders on their way are not affected."))
        click.confirm(_("Go on?"), abort=True)
    words = _words(words_file)
    answer = session.ask("POST", "/keys/rotation", {"words": words})
    session.show(answer, _("Epoch {epoch} is open.").format(epoch=answer["epoch"]))


@command("sheet", help=_("Make a further recovery sheet, on the machine of whoever is to hold it."))
@click.option("--language", type=click.Choice(LANGUAGES), default="en", help=_("The language of the words."))
def sheet(session: Session, language: str) -> None:
    """Make the words, show them once, and name the key that goes into the note."""
    import secrets

    from node.vault.kit import ENTROPY_BYTES, words_of_entropy
    from protocol.identity.keys import SigningKey, to_base32
    from protocol.identity.recovery import derive_recovery_seeds

    entropy = secrets.token_bytes(ENTROPY_BYTES)
    key = to_base32(SigningKey(derive_recovery_seeds(entropy, next_epoch=1).recovery).public)
    words = words_of_entropy(entropy, language)
    session.show(
        {"words": words, "recovery_key": key},
        _("Write these words on paper. They are not kept anywhere and not shown again:"),
        "",
        f"  {words}",
        "",
        _("Give the steward this recovery key, which is no secret:"),
        f"  {key}",
    )


@command("prepare", help=_("Prepare a note that gives the community another set of recovery sheets."))
@WORDS_FILE
@click.option(
    "--threshold", type=int, required=True, help=_("How many sheets together may replace the keys.")
)
@click.option(
    "--recovery-key", "keys", multiple=True, required=True, help=_("The key of a sheet; name each.")
)
@click.option(
    "--out", type=click.Path(path_type=Path, dir_okay=False), required=True, help=_("Write the note here.")
)
@_YES
def prepare(
    session: Session, *, words_file: Path | None, threshold: int, keys: tuple[str, ...], out: Path, yes: bool
) -> None:
    """Say what will happen, then make the note."""
    from node.files import write_new

    if not (yes or session.is_json):
        click.echo(
            _("From now on {threshold} of these {count} sheets are needed to replace the keys.").format(
                threshold=threshold, count=len(keys)
            )
        )
        click.echo(_("Nothing is written until the note comes back signed or is cancelled."))
        click.confirm(_("Go on?"), abort=True)
    fields = {"words": _words(words_file), "threshold": threshold, "recovery_keys": list(keys)}
    answer = session.ask("POST", "/keys/note", fields)
    write_new(out, answer["note"].encode())
    session.show(
        answer,
        _("The note is in {file}. Every new sheet signs it: wildgrass key sign {file}").format(file=out),
        _("Then bring it back: wildgrass key combine {file}").format(file=out),
    )


@command("sign", help=_("Sign a prepared note with the words of a recovery sheet; no node is needed."))
@click.argument("file", type=click.Path(path_type=Path, dir_okay=False, exists=True))
@WORDS_FILE
@_YES
def sign(session: Session, *, file: Path, words_file: Path | None, yes: bool) -> None:
    """Show what the note says, then sign it in its place."""
    from node.files import write_private
    from protocol.identity.keys import SigningKey, to_base32
    from protocol.identity.recovery import derive_recovery_seeds
    from protocol.identity.successor import add_recovery_signature, parse_successor
    from protocol.log.note import parse_note

    raw = file.read_bytes()
    note = parse_successor(parse_note(raw).text)
    if not (yes or session.is_json):
        click.echo(
            _("This note closes epoch {epoch} of the community {id}.").format(
                epoch=note.epoch, id=to_base32(note.community)
            )
        )
        if note.recovery is not None:
            click.echo(
                _("Then {threshold} of {count} sheets may replace its keys.").format(
                    threshold=note.recovery.threshold, count=len(note.recovery.keys)
                )
            )
        click.confirm(_("Sign it?"), abort=True)
    key = SigningKey(derive_recovery_seeds(read_entropy(words_file), next_epoch=1).recovery)
    write_private(file, add_recovery_signature(raw, key))
    session.show(
        {"epoch": note.epoch, "recovery_key": to_base32(key.public)},
        _("Signed. Send {file} on to the next holder, or back to the steward.").format(file=file),
    )


@command("combine", help=_("Close the epoch with the prepared note, now that it is signed."))
@click.argument("file", type=click.Path(path_type=Path, dir_okay=False, exists=True))
def combine(session: Session, file: Path) -> None:
    """Combine."""
    answer = session.ask("POST", "/keys/note/signed", {"note": file.read_text(encoding="utf-8")})
    session.show(answer, _("Epoch {epoch} is open.").format(epoch=answer["epoch"]))


@command("cancel", help=_("Give a prepared note up, and write again."))
def cancel(session: Session) -> None:
    """Cancel."""
    session.show(session.ask("DELETE", "/keys/note"), _("Given up. The node writes again."))


@command("choose", help=_("Choose one of two notes of a community that contradict each other."))
@click.argument("community")
@click.argument("note")
def choose(session: Session, community: str, note: str) -> None:
    """Choose."""
    answer = session.ask("POST", "/keys/choice", {"community": community, "note": note})
    session.show(answer, _("Chosen. This node follows the community on accordingly."))


def _contested(note: dict[str, Any]) -> list[str]:
    """What one of several notes says that contradict each other."""
    lanes = ", ".join(f"{lane} {size}" for lane, size in note["lanes"].items())
    moment = datetime.fromtimestamp(note["time_ms"] / 1_000, tz=UTC).isoformat(timespec="minutes")
    said = (
        _("signed by enough recovery sheets")
        if note["authority"] == "quorum"
        else _("signed by the next log key")
    )
    return [
        _("Contested: {name}").format(name=note["note"]),
        f"  {moment}, {said}; {lanes or _('no records kept')}",
    ]


def _words(words_file: Path | None) -> str:
    """The words as they were typed, checked before they leave for the node."""
    from node.vault.kit import words_of_entropy

    return words_of_entropy(read_entropy(words_file), "en")


key = group(
    "key",
    _("Show, rotate and recover the community's keys; make and sign for recovery sheets."),
    show,
    rotate,
    sheet,
    prepare,
    sign,
    combine,
    cancel,
    choose,
)
