"""What the probes say through a real nginx, asked as a remote target is; each verdict with why it is true."""

from collections.abc import Mapping
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from harness.record import Check
from harness.sandbox.client import SandboxClient
from harness.targets import LocalTarget
from security.selection import group_of
from tests.integration.parts import StartTarget
from tests.integration.security.foreign.verdicts import FAILED, NOT_APPLICABLE, OPEN, PASSED, Verdict
from tests.integration.security.probes import nginx
from tests.integration.security.probes.nginx import nginx_before, takes_bare_line_feeds
from tests.integration.security.probes.outside import audit
from tests.integration.security.probes.vulnerable_site import open_vulnerable

# Python warns of whoever offers an old version; the probe of TLS must.
pytestmark = pytest.mark.filterwarnings("ignore:ssl.TLSVersion:DeprecationWarning")
UNLIMITED = {"RATE_LIMIT_RPM": "1000000", "WRONG_KEYS_PER_MINUTE": "1000000"}
LIMIT = 300
TARGET = Verdict(PASSED, "it answers through nginx, and lists its tools")
BARE_LINE_FEEDS = Verdict(FAILED, "nginx before 1.29.4 takes a line feed alone for the end of a chunk's line", 2)
STRICT = Verdict(PASSED, "nginx refuses every shape")
DESYNC = Verdict(PASSED, "nginx words every request anew, with a length of its own")
OWN: Mapping[str, Verdict] = {
    "target": TARGET,
    "authentication.absent-key": Verdict(PASSED, "the server's 401 comes through"),
    "authentication.malformed-key": Verdict(PASSED, "nginx passes keys on as they are, or refuses their bytes"),
    "authentication.withdrawn-key": Verdict(NOT_APPLICABLE, "its keys are made elsewhere", says="issues them"),
    "authentication.mixed-key": Verdict(PASSED, "half of one key and half of another is none"),
    "authentication.key-in-query": Verdict(PASSED, "nginx passes the query on, and the server looks at the header"),
    "authentication.timing": Verdict(PASSED, "nginx adds the same to both", noisy=True),
    "authentication.brute-force": Verdict(FAILED, "it was set up to count nobody's attempts", 1),
    "authentication.webhook": Verdict(NOT_APPLICABLE, "its signing key is not known", says="webhook whose signing key"),
    "authentication.session": Verdict(NOT_APPLICABLE, "the server opens none", says="opens no session"),
    "isolation.public-output": Verdict(PASSED, "of its pages nginx lets only readiness through"),
    "protocol.slow-body": Verdict(
        FAILED, "nginx limits the head as a whole, and of a body only the pauses", 1, "a body"
    ),
    "protocol.header-mismatch": Verdict(PASSED, "nginx passes the protocol's headers on, and the server compares"),
    "protocol.version-confusion": Verdict(PASSED, "the server's 400 comes through"),
    "protocol.large-body": Verdict(PASSED, "nginx answers 413, to a length, to chunks, and to what is announced"),
    "protocol.nesting": Verdict(PASSED, "the body reaches the server, which refuses it"),
    "protocol.duplicate-keys": Verdict(PASSED, "the body reaches the server, which refuses it"),
    "protocol.encoding": Verdict(PASSED, "the body reaches the server, which refuses it"),
    "protocol.numbers": Verdict(PASSED, "the server goes on"),
    "protocol.desync": DESYNC,
    "protocol.framing": BARE_LINE_FEEDS,
    "protocol.repeated-headers": Verdict(PASSED, "nginx refuses some itself, and passes the others on as they are"),
    "protocol.rebinding": Verdict(PASSED, "nginx passes Host on, and the server refuses it"),
    "protocol.cross-origin": Verdict(PASSED, "neither sends a CORS header"),
    "protocol.methods": Verdict(PASSED, "nginx answers TRACE with 405, and the server the others"),
    "configuration.headers": Verdict(PASSED, "nginx adds what belongs to TLS, and all to its own 404"),
    "configuration.tls": Verdict(PASSED, "Debian's OpenSSL and nginx speak TLS 1.2 and 1.3 alone"),
    "configuration.errors": Verdict(PASSED, "without server_tokens nginx tells its name alone"),
    "configuration.local-binding": Verdict(PASSED, "this nginx listens at one address of loopback"),
    "configuration.public-pages": Verdict(PASSED, "metrics and detailed health are not let through"),
}
LIMITED: Mapping[str, Verdict] = {
    "target": TARGET,
    "authentication.brute-force": Verdict(PASSED, "to the server all come from nginx; the owner is let in still"),
    **dict.fromkeys(
        ("limits.allowance", "limits.spoofed-address", "limits.variants", "limits.connections", "limits.pipelining"),
        Verdict(PASSED, "the server counts by tenant, whatever the connection and the headers"),
    ),
    "limits.neighbour": Verdict(PASSED, "another tenant's flood takes no connection away for long"),
    "limits.refill": Verdict(NOT_APPLICABLE, "it would take a tenant of its own", says="issues them"),
    "limits.keys": Verdict(NOT_APPLICABLE, "it would take further keys", says="issues them"),
}
GUESSING: Mapping[str, Verdict] = {"target": TARGET, "protocol.desync": DESYNC, "protocol.framing": BARE_LINE_FEEDS}
CARELESS: Mapping[str, Verdict] = {
    "target": TARGET,
    "protocol.desync": Verdict(FAILED, "the server goes by the coding that nginx took the body out of", 2),
    "protocol.framing": Verdict(PASSED, "to who sent it, the request has one answer, or none"),
}
PASS_CODING_ON = "proxy_set_header Transfer-Encoding $http_transfer_encoding;"


def require(checks: Mapping[str, Check], verdicts: Mapping[str, Verdict]) -> None:
    """Each check's status, findings and reason are those of its verdict."""
    if not takes_bare_line_feeds():
        verdicts = {name: STRICT if verdict is BARE_LINE_FEEDS else verdict for name, verdict in verdicts.items()}
    told = {name: (checks[name].status, len(checks[name].findings)) for name in verdicts}
    for name, verdict in verdicts.items():
        if verdict.noisy and told[name] == (OPEN, 0) and "too noisy" in checks[name].reason:
            told[name] = verdict.status, verdict.findings
    wanted = {name: (verdict.status, verdict.findings) for name, verdict in verdicts.items()}
    assert told == wanted, {name: checks[name].reason for name in verdicts if told[name] != wanted[name]}
    for name, verdict in verdicts.items():
        assert verdict.says in checks[name].reason


def keys_of(target: LocalTarget) -> list[str]:
    return [str(target.token), target.new_tenant("other"), target.admin_token]


def test_the_verdicts_on_our_own_server_are_true_through_nginx(
    start_target: StartTarget, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("security.probe.protocol.slow_body.PATIENCE_SECONDS", 6.0)
    target = start_target(settings=UNLIMITED)
    with SandboxClient(target.sandbox.base_url) as sandbox:
        sandbox.bucket(enabled=False)
    asked = {name for name in OWN if name != "target"}
    with nginx_before(urlsplit(target.base_url).netloc, tmp_path / "nginx", monkeypatch) as url:
        checks = audit(tmp_path / "repository", url, keys_of(target), sorted(asked))
    require(checks, OWN)
    groups = {"protocol", "authentication", "configuration"}
    assert {name for name in checks if group_of(name) in groups} <= asked


def test_limits_are_kept_and_served_through_nginx(
    start_target: StartTarget, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    target = start_target(settings={"RATE_LIMIT_RPM": str(LIMIT)})
    with nginx_before(urlsplit(target.base_url).netloc, tmp_path / "nginx", monkeypatch) as url:
        asked = [name for name in LIMITED if name != "target"]
        more = f"rate_limit_rpm = {LIMIT}\n"
        require(audit(tmp_path / "repository", url, keys_of(target), asked, more), LIMITED)


@pytest.mark.parametrize(
    ("more", "verdicts"), [("", GUESSING), (PASS_CODING_ON, CARELESS)], ids=["as-in-the-guide", "coding-passed-on"]
)
def test_nginx_protects_a_server_that_guesses_unless_it_is_told_to_pass_the_coding_on(
    more: str, verdicts: Mapping[str, Verdict], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with open_vulnerable("lax-framing", logs=tmp_path) as site:
        assert site.stranger is not None
        keys = [str(site.owner.key), str(site.stranger.key), str(site.admin_token)]
        with nginx_before(urlsplit(site.base_url).netloc, tmp_path / "nginx", monkeypatch, more=more) as url:
            checks = audit(tmp_path / "repository", url, keys, ["protocol.desync", "protocol.framing"])
    require(checks, verdicts)


@pytest.mark.parametrize(("ci", "outcome"), [("", pytest.skip.Exception), ("1", pytest.fail.Exception)])
def test_without_nginx_nothing_is_told_but_in_ci_that_is_a_failure(
    ci: str, outcome: type[BaseException], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(nginx, "PROGRAM", None)
    monkeypatch.setenv("CI", ci)
    with pytest.raises(outcome, match="nginx is not installed"):
        nginx.require_nginx()
