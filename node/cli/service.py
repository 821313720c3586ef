"""`wildgrass service --print`: how to keep the node running, for systemd and for containers."""

import sys
from gettext import gettext as _
from pathlib import Path

import click

from node.cli.session import Session, command
from node.config.keys import FEDERATION_PORT, HTTP_PORT

UNIT = """\
# sudo tee /etc/systemd/system/wildgrass.service, then: sudo systemctl enable --now wildgrass
[Unit]
Description=Wildgrass, a community's own node
Wants=network-online.target time-sync.target
After=network-online.target time-sync.target

[Service]
User={user}
ExecStart={program} up --no-qr
Environment=WILDGRASS_FOLDER={folder}
Restart=on-failure
RestartSec=10
TimeoutStopSec=10
MemoryMax=256M
NoNewPrivileges=yes
PrivateTmp=yes
ProtectSystem=strict
ReadWritePaths={folder}

[Install]
WantedBy=multi-user.target
"""

CONTAINER = """\
# In the project's folder: save as Containerfile, then
#   podman build -t wildgrass . && podman run -v wildgrass:/data -p {http}:{http} -p
{federation}:{federation} wildgrass FROM python:3.13-slim
WORKDIR /opt/wildgrass
COPY requirements.lock pyproject.toml README.md LICENSE PROTOCOL.md ./
COPY node node
COPY protocol protocol
COPY storage storage
RUN pip install --no-cache-dir --no-deps --require-hashes -r requirements.lock \\
 && pip install --no-cache-dir --no-deps --no-build-isolation .
RUN useradd --uid 1000 --home-dir /data --create-home wildgrass
USER wildgrass
VOLUME /data
ENV WILDGRASS_FOLDER=/data/node
EXPOSE {http} {federation}
HEALTHCHECK CMD ["wildgrass", "status"]
STOPSIGNAL SIGTERM
CMD ["wildgrass", "up", "--no-qr"]
"""


@command("service", help=_("Print a systemd unit or a container file for this node."))
@click.option("--print", "print_it", is_flag=True, required=True, help=_("Print it; nothing is installed."))
@click.option("--kind", type=click.Choice(["systemd", "container"]), help=_("Only one of the two."))
def service(session: Session, *, print_it: bool, kind: str | None) -> None:
    """Print what was asked for."""
    assert print_it, "click has checked"
    texts = {"systemd": systemd_unit(session.sources().folder), "container": container_file()}
    chosen = {name: text for name, text in texts.items() if kind in (None, name)}
    session.show(chosen, *chosen.values())


def systemd_unit(folder: Path) -> str:
    """Return the unit for the user and the installation that run this command."""
    import getpass

    program = Path(sys.prefix) / "bin" / "wildgrass"
    return UNIT.format(user=getpass.getuser(), program=_escaped(program), folder=_escaped(folder))


def container_file() -> str:
    """Return the container file."""
    return CONTAINER.format(http=HTTP_PORT, federation=FEDERATION_PORT)


def _escaped(path: Path) -> str:
    """As systemd reads it: blanks in octal, percent signs doubled."""
    return str(path).replace("\\", "\\\\").replace(" ", "\\x20").replace("%", "%%")
