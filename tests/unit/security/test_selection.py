import pytest

from harness.errors import UsageError
from security.job import BESIDE as JOB_S
from security.selection import choose, require_known

BESIDE = {"files": "whenever a scanner is asked"}
IDS = ("code", "authentication.absent-key", "authentication.timing", "limits.keys")


def test_without_a_choice_everything_is_chosen() -> None:
    assert choose((), IDS, BESIDE) == set(IDS)


def test_a_check_or_a_whole_group_is_chosen_by_name() -> None:
    assert choose(("code", "authentication"), IDS, BESIDE) == {
        "code",
        "authentication.absent-key",
        "authentication.timing",
    }
    assert choose(("authentication.timing",), IDS, BESIDE) == {"authentication.timing"}


@pytest.mark.parametrize(
    ("name", "hint"),
    [
        ("authentification", "did you mean authentication?"),
        ("limit.keys", "did you mean limits.keys?"),
        ("x", "groups:"),
    ],
)
def test_an_unknown_name_is_refused_with_a_hint(name: str, hint: str) -> None:
    with pytest.raises(UsageError, match=hint.replace("?", r"\?")):
        choose((name,), IDS, BESIDE)


def test_a_check_on_the_audit_itself_is_refused_with_when_it_is_made() -> None:
    with pytest.raises(
        UsageError, match="--only files: that check is made whenever a scanner is asked, and not by its"
    ):
        choose(("files",), IDS, BESIDE)


def test_every_check_of_a_report_that_cannot_be_asked_for_says_when_it_is_made() -> None:
    assert set(JOB_S) >= {"files", "sbom", "target", "waivers", "run", "reports"}


def test_what_may_be_inconclusive_is_a_check_s_whole_id() -> None:
    require_known(("code", "limits.keys"), IDS)
    with pytest.raises(UsageError, match=r"--allow-inconclusive limit\.keys: .*did you mean limits\.keys\?"):
        require_known(("code", "limit.keys"), IDS)
    with pytest.raises(UsageError, match="lists them"):
        require_known(("x",), IDS)
