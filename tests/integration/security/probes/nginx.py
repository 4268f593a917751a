"""A real nginx, set up as docs/SETUP.md says, before a server on loopback."""

import contextlib
import grp
import os
import pwd
import re
import secrets
import shutil
import socket
import ssl
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from harness.process import ChildProcess, Command, ProcessError, child_environment, running
from harness.repository import REPOSITORY
from tests.integration.security.probes.certificate import make_certificate

PROGRAM = shutil.which("nginx", path=f"{os.environ.get('PATH', os.defpath)}:/usr/sbin")
READY_SECONDS = 10.0
ATTEMPTS = 5
GUIDE = REPOSITORY / "docs" / "SETUP.md"
# One worker, so that all clients share its connections to the server; files below its own folder alone. nginx gives up
# slow clients after 60 s by itself; tests cannot wait for that.
MAIN = """\
daemon off;
worker_processes 1;
pid nginx.pid;
error_log stderr;
{user}
events {{ worker_connections 512; }}
http {{
    access_log off;
    client_header_timeout 2s;
    client_body_timeout 2s;
    {temporary}
{site}
}}
"""
TEMPORARY = ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")


def require_nginx() -> str:
    """The program; the test is skipped without it, and fails where CI should have installed it."""
    if PROGRAM is None:
        reason = "nginx is not installed (Debian's package nginx; .ci/run installs it)"
        if os.environ.get("CI"):
            pytest.fail(reason)
        pytest.skip(reason)
    return PROGRAM


def takes_bare_line_feeds() -> bool:
    """Whether it is older than 1.29.4, which refuses a line feed alone in chunks, as its list of changes says."""
    told = subprocess.run([require_nginx(), "-v"], capture_output=True, text=True, check=True, timeout=10).stderr
    version = re.search(r"nginx/(\d+)\.(\d+)\.(\d+)", told)
    assert version is not None, told
    return tuple(map(int, version.groups())) < (1, 29, 4)


@contextlib.contextmanager
def nginx_before(server: str, folder: Path, monkeypatch: pytest.MonkeyPatch, *, more: str = "") -> Iterator[str]:
    """Yield the address (https://127.0.0.1:PORT) of an nginx before `server` (HOST:PORT); it is gone afterwards.

    `more` is put beside the guide's settings of the proxy. Its certificate is believed until the test ends.
    """
    program = require_nginx()
    folder.mkdir()
    certificate, key = make_certificate(folder)
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
    for attempt in range(ATTEMPTS):
        port = _free_port()
        (folder / "nginx.conf").write_text(_configuration(server, port, certificate, key, more))
        arguments = (program, "-p", str(folder), "-e", "stderr", "-c", str(folder / "nginx.conf"))
        command = Command(f"nginx-{secrets.token_hex(4)}", arguments, child_environment({}, os.environ), folder)
        with running(command, logs=folder) as child:
            try:
                _wait_for(child, port, certificate)
            except ProcessError:
                if attempt + 1 < ATTEMPTS and "Address already in use" in child.stderr.read_text("utf-8"):
                    continue
                raise
            yield f"https://127.0.0.1:{port}"
            return


def _configuration(server: str, port: int, certificate: Path, key: Path, more: str) -> str:
    """The guide's site with this machine's names in it."""
    (site,) = re.findall(r"```nginx\n(.*?)```", GUIDE.read_text("utf-8"), re.DOTALL)
    for found, own in {
        "127.0.0.1:8080": server,
        "listen 443 ssl;": f"listen 127.0.0.1:{port} ssl;",
        "mcp.example.com;": "127.0.0.1;",
        "/etc/ssl/mcp.example.com/fullchain.pem": str(certificate),
        "/etc/ssl/mcp.example.com/privkey.pem": str(key),
        'proxy_set_header Connection "";': f'proxy_set_header Connection "";\n    {more}',
    }.items():
        assert site.count(found) == 1, found
        site = site.replace(found, own)
    name, group = pwd.getpwuid(os.getuid()).pw_name, grp.getgrgid(os.getgid()).gr_name
    return MAIN.format(
        user=f"user {name} {group};" if os.getuid() == 0 else "",
        temporary=" ".join(f"{each}_temp_path {each}_temp;" for each in TEMPORARY),
        site=site,
    )


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port: int = listener.getsockname()[1]
    return port


def _wait_for(child: ChildProcess, port: int, certificate: Path) -> None:
    """Return when our own certificate is shown on the port: whoever else took it does not have that."""
    context, deadline = ssl.create_default_context(cafile=certificate), time.monotonic() + READY_SECONDS
    while True:
        with (
            contextlib.suppress(OSError),
            socket.create_connection(("127.0.0.1", port), timeout=1) as plain,
            context.wrap_socket(plain, server_hostname="127.0.0.1"),
        ):
            return
        if child.exit_code is not None:
            raise child.failure("ended before it was ready")
        if time.monotonic() > deadline:
            raise child.failure(f"was not ready within {READY_SECONDS:g} s")
        time.sleep(0.05)
