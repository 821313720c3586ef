"""`wildgrass receipt`: one record with the proof that it stands in its lane, as one small file."""

from gettext import gettext as _
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from node.cli.session import Session, command
from node.cli.sources import opened, token_options

if TYPE_CHECKING:
    from node.audit import Source
    from protocol.log.origin import Origin


@command("receipt", help=_("Write the receipt of one record: number INDEX, from 0, of a lane."))
@click.argument("lane")
@click.argument("index", type=click.IntRange(min=0))
@click.option("--out", "path", type=click.Path(path_type=Path), required=True, help=_("The new file."))
@click.option("--from", "source", help=_("An address or a bundle; without it, the own node."))
@click.option("--community", help=_("Whose lane, where the source holds several."))
@click.option("--epoch", type=int, help=_("Which epoch of the lane; without it, the newest."))
@token_options
def receipt(
    session: Session, *, lane: str, index: int, path: Path, source: str | None, **options: Any
) -> None:
    """Write."""
    from node.audit import KnownKeys, make_receipt, say_seen
    from node.files import write_new
    from protocol.log.origin import Origin
    from protocol.log.proof import parse_proof

    community, epoch = options.pop("community"), options.pop("epoch")
    with opened(session, [source] if source else [], **options) as (found,):
        origin: Origin = _origin(found, lane, community=community, epoch=epoch)
        raw = make_receipt(found, origin, index)
        seen = KnownKeys([found]).seen(origin, parse_proof(raw).checkpoint, index)
    write_new(path, raw)
    answer = {
        "receipt": str(path),
        "origin": origin.text,
        "index": index,
        "size_bytes": len(raw),
        "seen": None if seen is None else {"by": seen.by, "of": seen.of, "threshold": seen.threshold},
    }
    line = _("The receipt is in {path}. Check it with: wildgrass verify {path}").format(path=path)
    session.show(answer, line, *([] if seen is None else [say_seen(seen, _)]))


def _origin(source: "Source", lane: str, *, community: str | None, epoch: int | None) -> "Origin":
    """The one lane of that name which the source holds, the newest epoch where none is asked for."""
    from node.errors import NodeError
    from protocol.audit.bundle import INDEX_PATH, parse_index
    from protocol.identity.keys import to_base32
    from protocol.limits import INDEX_BYTES_MAX

    index = parse_index(source.read(INDEX_PATH, INDEX_BYTES_MAX) or b"")
    found = [
        origin
        for origin in sorted(index)
        if origin.lane == lane
        and community in (None, to_base32(origin.community))
        and epoch in (None, origin.epoch)
    ]
    if not found:
        raise NodeError("not_found", f"{lane}, {source.name}")
    if len({origin.community for origin in found}) > 1:
        raise click.UsageError(
            _("The source holds this lane of several communities; choose with --community.")
        )
    return max(found, key=lambda origin: origin.epoch)
