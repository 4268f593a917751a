"""What detect-secrets says of its copies becomes one finding for one token in one place, and none that is repeated."""

import json

from harness.verdict import Severity
from security.scan.detect_secrets import KEY_TYPE, MARKED, NAMES, PLAIN, WORDS, Plant, judge
from security.scan.masked_names import digest
from security.scan.scanner import Judgement, Output

KEY = "the planted key"
# Never anybody's.
TOKEN = "npm" + "_" + "aB3dE6gH9j" * 3 + "aB3dE6"
PLANT = Plant(
    KEY,
    marked={f"{MARKED}/a.yaml.txt": "a.yaml"},
    plain={f"{PLAIN}/a.yaml": "a.yaml"},
    words={f"{WORDS}/b.bin.txt": "b.bin"},
    too_large=(),
    names=("a.yaml", "b.bin", f"keys/{TOKEN}.txt"),
)


def results(*found: tuple[str, str, str, int]) -> Judgement:
    """Of (copy, type, secret, line), and the planted key wherever it must be."""
    made: dict[str, list[dict[str, object]]] = {}
    for copy, kind, secret, line in (*((copy, KEY_TYPE, KEY, 99) for copy in PLANT.planted), *found):
        entry = {"type": kind, "hashed_secret": digest(secret), "line_number": line}
        made.setdefault(copy, []).append(entry)
    return judge(Output(0, json.dumps({"results": made, "plugins_used": []}), ""), PLANT, ("tests",))


def test_a_token_that_both_readings_of_a_file_show_is_told_where_the_first_has_it() -> None:
    judgement = results(
        (f"{MARKED}/a.yaml.txt", "Token of npm", TOKEN, 2),
        (f"{PLAIN}/a.yaml", "Token of npm", TOKEN, 1),
        (f"{PLAIN}/a.yaml", "Secret Keyword", TOKEN, 2),
    )
    found = [(each.rule, each.location, each.severity) for each in judgement.findings]
    assert found == [("Token of npm", "a.yaml:2", Severity.HIGH), ("Secret Keyword", "a.yaml:2", Severity.MEDIUM)]
    assert judgement.doubt == ""


def test_each_token_of_a_file_without_lines_has_a_name_of_its_own() -> None:
    copy = f"{WORDS}/b.bin.txt"
    judgement = results((copy, "Token of npm", TOKEN, 1), (copy, "AWS Access Key", TOKEN, 1), (copy, "x", "another", 2))
    assert {each.location for each in judgement.findings} == {"b.bin"}
    assert len({each.subject for each in judgement.findings}) == 2


def test_a_name_is_told_without_the_secret_in_it() -> None:
    (found,) = results((NAMES, "Token of npm", TOKEN, 3)).findings
    assert (found.location, found.message) == ("keys/npm_…3dE6.txt", "Token of npm, in the file's name")
    assert TOKEN not in repr(found)
