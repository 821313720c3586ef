"""`wildgrass peer rule` and `wildgrass peer blocks`: whom to follow and whom to shut out, without a click each."""

from gettext import gettext as _
from pathlib import Path

import click

from node.cli.options import given
from node.cli.output import table
from node.cli.session import Session, command, group, read_file
from node.client import in_path


@command("add", help=_("Follow whoever is all of this; with --keep, keep only such market lanes."))
@click.option("--community", help=_("This community."))
@click.option("--sector", help=_("Who sells in this sector."))
@click.option("--region", help=_("Who is in this region, as in ISO 3166: CN, or CN-33."))
@click.option("--keep", is_flag=True, help=_("Keep only the sector's lanes, of this community or of all."))
def add(
    session: Session, community: str | None, sector: str | None, region: str | None, *, keep: bool
) -> None:
    """Add."""
    effect = "keep" if keep else "follow"
    fields = given(effect=effect, community=community, sector=sector, region=region)
    session.show(session.ask("POST", "/rules", fields), _("The rule holds from now on."))


@command("list", help=_("List the rules."))
def list_rules(session: Session) -> None:
    """List."""
    answer = session.ask("GET", "/rules")
    effects = {"follow": _("follow"), "keep": _("keep")}
    rows = [
        [
            each["rule"],
            effects.get(each["effect"], each["effect"]),
            each.get("sector", ""),
            each.get("region", ""),
            each.get("community", ""),
        ]
        for each in answer["rules"]
    ]
    session.show(answer, *table([_("Rule"), _("Effect"), _("Sector"), _("Region"), _("Community")], rows))


@command("remove", help=_("Remove a rule; whom it followed stays followed."))
@click.argument("number")
def remove(session: Session, number: str) -> None:
    """Remove."""
    session.show(session.ask("DELETE", f"/rules/{in_path(number)}"), _("The rule is gone."))


@command("import", help=_("Block everybody on a CSV list: columns community and, if wanted, note."))
@click.argument("path", type=click.Path(dir_okay=False, allow_dash=True))
@click.option("--dry-run", is_flag=True, help=_("Say what it would do, and do nothing."))
def import_list(session: Session, path: str, *, dry_run: bool) -> None:
    """Import."""
    text = read_file(path).decode("utf-8", "replace")
    answer = session.ask("POST", "/blocks", {"text": text, "dry_run": dry_run})
    translated = _  # under this name no catalog looks for a sentence: the reasons have theirs already
    lines = [
        _("Line {line}: {reason}").format(line=error["line"], reason=translated(error["reason"]))
        for error in answer["errors"]
    ]
    if lines:
        lines.append(_("Nobody was blocked. Correct these lines and try again."))
    else:
        words = (
            _("Would block {count}; {already} are blocked already.")
            if dry_run
            else _("Blocked {count}; {already} were blocked already.")
        )
        lines.append(words.format(count=answer["blocked"], already=answer["already"]))
    session.show(answer, *lines)
    if answer["errors"]:
        raise click.exceptions.Exit(1)


@command("export", help=_("Write who is blocked as CSV, to hand on."))
@click.option(
    "--file", "path", type=click.Path(dir_okay=False), help=_("Into this file; without it to the screen.")
)
def export_list(session: Session, path: str | None) -> None:
    """Export."""
    answer = session.ask("GET", "/blocks")
    if path is None:
        session.show(answer, *answer["csv"].splitlines())
        return
    with Path(path).open("x", encoding="utf-8", newline="") as file:
        file.write(answer["csv"])
    session.show(answer, _("{count} communities are on the list.").format(count=len(answer["blocked"])))


rule = group("rule", _("Rules for whom to follow and what to keep."), add, list_rules, remove)
blocks = group("blocks", _("Lists of blocked communities as CSV."), import_list, export_list)
