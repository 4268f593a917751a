"""detect-secrets, really run: every file is shown to be examined, no secret is repeated, trouble is never a pass."""

import base64
import hashlib
import random
from collections.abc import Callable
from pathlib import Path

import pytest

from harness.errors import Inconclusive
from harness.verdict import Severity
from security.scan.detect_secrets import DetectSecrets, new_key, plant_copies
from tests.integration.security.conftest import Scan, trouble

StandIn = Callable[[str, str], Path]
# Put together here, so that nobody finds them in this file. None was ever anybody's.
TOKENS = {
    "tenant key": "qm_" + "abcdefgh234567ab" + "." + "Zx9" * 14 + "Q",
    "GitHub": "github" + "_pat_" + "11ABCDEFG0123456789abc" + "_" + "a1B2c3D4e5" * 5 + "a1B2c3D4e",
    "Anthropic": "sk-" + "ant-api03-" + "aB3dE6gH9j" * 9,
    "OpenAI project": "sk-" + "proj-" + "aB3dE6gH9j" * 5,
    "Slack app": "xapp" + "-1-A0123456789-1234567890123-" + "0123456789abcdef" * 4,
    "Stripe test": "sk" + "_test_" + "aB3dE6gH9jaB3dE6gH9jaB3d",
    "npm": "npm" + "_" + "aB3dE6gH9jaB3dE6gH9jaB3dE6gH9jaB3dE6",
    "Docker": "dckr" + "_pat_" + "aB3dE6gH9jaB3dE6gH9jaB3dE6g",
    "Google": "AI" + "za" + "SyA1234567890abcdefghijklmnopqrstuv",
    "age": "AGE-" + "SECRET-KEY-1" + "Q2W3E4R5T6Y7" * 4 + "Q2W3E4R5T6",
    "Sentry DSN": "https" + "://" + "0123456789abcdef" * 2 + ":" + "fedcba9876543210" * 2 + "@o0.ingest.example.com/42",
    "AWS": "AK" + "IA" + "IOSFODNN7EXAMPL2",
    "private key": "-----BEGIN " + "PRIVATE KEY-----",
    "encrypted private key": "-----BEGIN " + "ENCRYPTED PRIVATE KEY-----",
}


def test_it_stays_quiet_on_a_clean_project(scan_project: Scan, project: Path) -> None:
    (project / "requirements.txt").write_text(f"thing==1.0 \\\n    --hash=sha256:{'0123456789abcdef' * 4}\n")
    digest = "sha512-" + base64.b64encode(hashlib.sha512(b"a package").digest()).decode()
    (project / "package-lock.json").write_text(f'{{\n  "integrity": "{digest}"\n}}\n')
    (project / "guide.md").write_text('    "api_key": "YOUR-API-KEY",\n    api_key = environ["API_KEY"]\n')
    outcome = scan_project(DetectSecrets())
    assert outcome.error is None
    assert outcome.judgement is not None
    assert outcome.judgement.findings == ()
    assert outcome.judgement.examined == 6
    assert outcome.judgement.canary_seen


def test_it_finds_each_token_wherever_it_stands(scan_project: Scan, project: Path) -> None:
    lines = [f'client = connect("{token}")  # pragma: allowlist secret\n' for token in TOKENS.values()]
    (project / "package" / "login.py").write_text("".join(lines))
    (project / "poetry.lock").write_text(f"{TOKENS['tenant key']}\n")
    (project / "style.css").write_text(f"/* {TOKENS['GitHub']} */")
    (project / "deep.yaml").write_text(f"one:\n  - name: {TOKENS['tenant key']}\n")
    (project / ".env").write_text(f"KEY={TOKENS['npm']}")
    outcome = scan_project(DetectSecrets())
    assert outcome.judgement is not None
    found = {each.location for each in outcome.judgement.findings if each.severity is Severity.HIGH}
    expected = {f"package/login.py:{number}" for number in range(1, len(TOKENS) + 1)}
    assert found >= {*expected, "poetry.lock:1", "style.css:1", "deep.yaml:2", ".env:1"}
    assert not [token for token in TOKENS.values() if token in repr(outcome)]


def test_it_finds_tokens_beside_digests_and_in_their_place(scan_project: Scan, project: Path) -> None:
    digest = "sha512-" + base64.b64encode(hashlib.sha512(b"a package").digest()).decode()
    (project / "package-lock.json").write_text(
        f'{{"integrity": "{digest}", "resolved": "{TOKENS["npm"]}"}}\n{{"integrity": "sha512-{TOKENS["AWS"]}"}}\n'
    )
    (project / "requirements.txt").write_text(f"thing==1.0 --hash=sha256:{'0123456789abcdef' * 4} # {TOKENS['AWS']}\n")
    judgement = scan_project(DetectSecrets()).judgement
    assert judgement is not None
    found = {(each.location, each.rule) for each in judgement.findings if each.severity is Severity.HIGH}
    assert found == {
        ("package-lock.json:1", "Token of npm"),
        ("package-lock.json:2", "AWS Access Key"),
        ("requirements.txt:1", "AWS Access Key"),
    }


def test_a_dsn_of_sentry_is_secret_by_its_secret_part_alone(scan_project: Scan, project: Path) -> None:
    secret = TOKENS["Sentry DSN"]
    public = secret.partition(":fedc")[0] + "@o0.ingest.example.com/42"
    (project / "tests").mkdir()
    (project / "tests" / "settings.py").write_text(f'DSN = "{public}"\nOLD_DSN = "{secret}"\n')
    judgement = scan_project(DetectSecrets(samples=("tests",))).judgement
    assert judgement is not None
    assert {(each.rule, each.location, each.severity) for each in judgement.findings} == {
        ("DSN of Sentry with its secret", "tests/settings.py:2", Severity.HIGH)
    }


def test_it_guesses_passwords_but_not_below_samples(scan_project: Scan, project: Path) -> None:
    (project / "package" / "login.py").write_text('password = "correct-horse-7battery"\n')
    (project / "tests").mkdir()
    (project / "tests" / "test_it.py").write_text(f'password = "correct-horse-7battery"\nkey = "{TOKENS["npm"]}"\n')
    judgement = scan_project(DetectSecrets(samples=("tests",))).judgement
    assert judgement is not None
    found = {(each.location, each.severity) for each in judgement.findings}
    assert found == {("package/login.py:1", Severity.MEDIUM), ("tests/test_it.py:2", Severity.HIGH)}
    assert judgement.evidence[1].startswith("not told, because samples stand there: ")
    assert judgement.evidence[1].endswith(" guesses below tests")


def test_settings_without_quotes_are_read_as_settings(scan_project: Scan, project: Path) -> None:
    (project / "service.ini").write_text("[login]\nvalue = 2b00042f7481c7b056c4b410d28f33cf\n")
    judgement = scan_project(DetectSecrets()).judgement
    assert judgement is not None
    assert {each.location for each in judgement.findings} == {"service.ini:2"}


def test_a_file_that_is_no_text_is_named(scan_project: Scan, project: Path) -> None:
    (project / "picture.png").write_bytes(b"\x89PNG\r\n\x1a\n\x00\xff")
    judgement = scan_project(DetectSecrets()).judgement
    assert judgement is not None
    assert judgement.evidence[1].endswith("so searched for tokens of a known shape alone: picture.png")
    assert (judgement.examined, judgement.findings) == (4, ())


def test_it_finds_tokens_in_what_is_no_text_and_in_names(scan_project: Scan, project: Path) -> None:
    (project / "picture.png").write_bytes(b"\x89PNG\x00\xff" + TOKENS["npm"].encode() + b"\xff")
    (project / "wide.txt").write_bytes(f"key: {TOKENS['GitHub']}\n".encode("utf-16"))
    (project / "large.csv").write_text("word, " * 500_000 + TOKENS["private key"] + TOKENS["Docker"])
    (project / "keys").mkdir()
    (project / "keys" / f"of {TOKENS['AWS']}, old.txt").write_text(f"{TOKENS['npm']}\n")
    outcome = scan_project(DetectSecrets())
    assert outcome.judgement is not None
    found = {(each.location, each.rule) for each in outcome.judgement.findings}
    assert found >= {
        ("picture.png", "Token of npm"),
        ("wide.txt", "Fine-grained token of GitHub"),
        ("large.csv", "Token of Docker"),
        ("large.csv", "Private Key"),
    }
    assert ("keys/of AKIA…MPL2, old.txt", "AWS Access Key") in found
    assert ("keys/of AKIA…MPL2, old.txt:1", "Token of npm") in found
    assert not [token for token in TOKENS.values() if token in repr(outcome)]
    assert trouble(outcome) == ""


def test_a_file_of_too_many_words_is_inconclusive(scan_project: Scan, project: Path) -> None:
    (project / "dump.b64").write_text(base64.b64encode(random.Random(1).randbytes(2_000_000)).decode())
    assert trouble(scan_project(DetectSecrets())) == (
        "dump.b64 holds more than can be examined (2 000 000 bytes of words)"
    )


def test_a_file_that_cannot_be_read_is_inconclusive(project: Path, tmp_path: Path) -> None:
    with pytest.raises(Inconclusive, match=r"gone\.txt cannot be read: No such file"):
        plant_copies(project, ["README.md", "gone.txt"], tmp_path, new_key())


def test_without_any_text_file_it_is_inconclusive(scan_project: Scan, project: Path) -> None:
    for path in [path for path in project.rglob("*") if path.is_file()]:
        path.unlink()
    assert "no file to examine" in str(scan_project(DetectSecrets()).error)


def test_a_missing_tool_is_inconclusive(scan_project: Scan, tmp_path: Path) -> None:
    error = str(scan_project(DetectSecrets(), stand_in=tmp_path / "empty" / "bin").error)
    assert error.startswith("detect-secrets is not installed in empty: remove empty")


def test_a_file_that_the_scanner_passes_over_is_inconclusive(
    scan_project: Scan, stand_in: StandIn, programs: Path
) -> None:
    one_less = stand_in("detect-secrets", f'rm marked/README.md; exec {programs}/detect-secrets "$@"')
    assert (
        trouble(scan_project(DetectSecrets(), stand_in=one_less))
        == "1 of 3 files were not examined, README.md among them"
    )


@pytest.mark.parametrize(
    ("script", "reason"),
    [
        ("echo all is well", "has not the form it must have (no JSON; exit code 0)"),
        ("echo '{\"results\": {}}'", "plugins_used: Field required"),
        ('echo \'{"results": {}, "plugins_used": []}\'', "did not find what was planted"),
        ("echo it broke >&2; exit 1", "exit code 1: it broke"),
        ("sleep 60", "did not finish within 1 s"),
    ],
)
def test_output_that_is_no_evidence_is_inconclusive(
    scan_project: Scan, stand_in: StandIn, script: str, reason: str
) -> None:
    outcome = scan_project(DetectSecrets(), stand_in=stand_in("detect-secrets", script), seconds=1)
    assert outcome.judgement is None
    assert reason in str(outcome.error)


def test_the_planted_key_is_a_new_one_each_time() -> None:
    assert new_key() != new_key()
