"""What detect-secrets gets from us: detectors of tokens that it misses, and where its guesses are to be dropped.

Loaded by detect-secrets, in the scanners' environment, by the path of this file. Its own filters silence whole lines
(every `client = connect("KEY")` is one to it), a token of a known shape included; here they hold for guesses alone.
"""

import re
from collections.abc import Iterator, Mapping

from detect_secrets.core.potential_secret import PotentialSecret
from detect_secrets.filters import heuristic
from detect_secrets.plugins.base import BasePlugin
from detect_secrets.plugins.high_entropy_strings import HighEntropyStringsPlugin
from detect_secrets.plugins.keyword import DENYLIST, KeywordDetector

# Digests that package managers write into their locks.
_DIGEST = re.compile(r"--hash=sha256:|\"integrity\": \"sha(256|384|512)-|\bsha256:[0-9a-f]{64}")
# The same whole and of its own length: next to one of them, and in place of one, a line may hold something else.
_BASE64 = "[A-Za-z0-9+/]"
_WHOLE_DIGEST = re.compile(
    r"--hash=sha256:[0-9a-f]{64}(?![0-9a-f])"
    rf"|\"integrity\": \"sha(256-{_BASE64}{{43}}=|384-{_BASE64}{{64}}|512-{_BASE64}{{86}}==)\""
)
# The least that any detector looks for: a long word, a name for a secret, an address, a quoted number in hexadecimal.
_CANDIDATE = re.compile(
    rf"[A-Za-z0-9_./+=:@~-]{{20}}|PRIVATE KEY|PuTTY|://|(?i:{'|'.join(DENYLIST)})|['\"][0-9a-fA-F]{{8}}"
)
_PLACEHOLDER = re.compile(r"(?i)your[-_ ]")
_SHAPES: Mapping[str, tuple[str, ...]] = {
    # server/tenancy/keys.py makes them.
    "Quartermaster tenant key": (r"qm_[a-z2-7]{16}\.[A-Za-z0-9_-]{43}(?![A-Za-z0-9_-])",),
    # Under a passphrase: better than none, and still not for a repository.
    "Encrypted private key": ("BEGIN ENCRYPTED" + " PRIVATE KEY",),
    # Services that write in front what it is, in shapes that detect-secrets' own detectors do not know. One each: who
    # reads of a finding must know where to revoke it.
    "Fine-grained token of GitHub": (r"github_pat_[A-Za-z0-9]{22}_[A-Za-z0-9]{59}",),
    "Access token of GitLab": (r"gl(?:pat|ptt|rt|cbt|dt|ft|soat|agent|oas|imt)-[A-Za-z0-9_-]{20,}",),
    "Key of Anthropic": (r"sk-ant-[a-z0-9]+-[A-Za-z0-9_-]{80,}",),
    "Key of OpenAI": (r"sk-(?:proj|svcacct|admin)-[A-Za-z0-9_-]{40,}",),
    "Token of Hugging Face": (r"hf_[A-Za-z]{34}",),
    "Token of npm": (r"npm_[A-Za-z0-9]{36}",),
    "Token of Docker": (r"dckr_(?:pat|oat)_[A-Za-z0-9_-]{27,}",),
    "Key of Google": (
        r"AIza[A-Za-z0-9_-]{35}",
        r"GOCSPX-[A-Za-z0-9_-]{28}",
    ),
    "App token of Slack": (r"xapp-\d-[A-Z0-9]+-\d+-[a-f0-9]{64}",),
    "Key of Stripe": (r"(?:sk|rk)_(?:live|test)_[A-Za-z0-9]{24,}",),
    "Secret of a webhook (Stripe, Svix)": (r"whsec_[A-Za-z0-9+/=]{32,}",),
    "Token of Shopify": (r"shp(?:at|ca|pa|ss)_[a-fA-F0-9]{32}",),
    "Token of DigitalOcean": (r"do[opr]_v1_[a-f0-9]{64}",),
    "Token of Databricks": (r"dapi[a-f0-9]{32}(?![a-f0-9])",),
    "Token of Grafana": (r"glsa_[A-Za-z0-9]{32}_[a-f0-9]{8}",),
    "Token of HashiCorp Vault": (r"hv[sbr]\.[A-Za-z0-9_-]{24,}",),
    "Key of Linear": (r"lin_api_[A-Za-z0-9]{40}",),
    "Token of Notion": (r"ntn_[A-Za-z0-9]{46}",),
    "Token of Sentry": (r"sntry[su]_[A-Za-z0-9+/=_-]{40,}",),
    # As it was until 2018. The DSN of today has no secret part: Sentry says that it may be public, and it is let be.
    "DSN of Sentry with its secret": (r"https?://[0-9a-f]{32}:[0-9a-f]{32}@[A-Za-z0-9.:-]+/[^\s\"'<>]*\d",),
    "Key of Tailscale": (r"tskey-(?:auth|api|client)-[A-Za-z0-9]+-[A-Za-z0-9]{20,}",),
    "Secret key of age": (r"AGE-SECRET-KEY-1[A-Z0-9]{58}",),
}
PATTERNS = {
    kind: tuple(re.compile(rf"(?<![A-Za-z0-9]){shape}") for shape in shapes) for kind, shapes in _SHAPES.items()
}
"""What the tokens of each kind look like, with no letter or digit before them."""
ANY_KIND = "Token of a known shape"


class KnownTokens(BasePlugin):  # type: ignore[misc]  # no types: detect-secrets is in an environment of its own
    """A detector of every kind in PATTERNS: to call one for each kind takes most of the time of a scan."""

    secret_type = ANY_KIND

    def analyze_string(self, string: str) -> Iterator[str]:
        """The tokens in a line, of whatever kind."""
        return (token for _, token in _known(string))

    def analyze_line(self, filename: str, line: str, line_number: int = 0, **_: object) -> set[PotentialSecret]:
        """The tokens in a line, each with its kind."""
        return {PotentialSecret(kind, filename, token, line_number) for kind, token in _known(line)}


def _known(line: str) -> Iterator[tuple[str, str]]:
    """The tokens in a line and the kind of each."""
    for kind, patterns in PATTERNS.items():
        for each in patterns:
            for found in each.finditer(line):
                yield kind, found[0]


def is_without_candidate(line: str) -> bool:
    """Whether no detector can find anything in a line: seven in eight are such, and none needs to go over them."""
    return not _CANDIDATE.search(_WHOLE_DIGEST.sub("", line))


def is_wrong_guess(secret: str, line: str, plugin: BasePlugin) -> bool:
    """Whether what a detector found by a variable's name or by entropy alone is not taken for a secret."""
    if not isinstance(plugin, KeywordDetector | HighEntropyStringsPlugin):
        return False
    return bool(
        _DIGEST.search(line)
        or _PLACEHOLDER.match(secret)
        or heuristic.is_indirect_reference(line)
        or heuristic.is_likely_id_string(secret, line, plugin)
        or heuristic.is_not_alphanumeric_string(secret)
        or heuristic.is_potential_uuid(secret)
        or heuristic.is_prefixed_with_dollar_sign(secret)
        or heuristic.is_sequential_string(secret)
        or heuristic.is_templated_secret(secret)
    )
