import pytest

from harness.errors import UsageError
from security.selection import choose, require_known

IDS = ("code", "authentication.absent-key", "authentication.timing", "limits.keys")


def test_without_a_choice_everything_is_chosen() -> None:
    assert choose((), IDS) == set(IDS)


def test_a_check_or_a_whole_group_is_chosen_by_name() -> None:
    assert choose(("code", "authentication"), IDS) == {"code", "authentication.absent-key", "authentication.timing"}
    assert choose(("authentication.timing",), IDS) == {"authentication.timing"}


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
        choose((name,), IDS)


def test_what_may_be_inconclusive_is_a_check_s_whole_id() -> None:
    require_known(("code", "limits.keys"), IDS)
    with pytest.raises(UsageError, match=r"--allow-inconclusive limit\.keys: .*did you mean limits\.keys\?"):
        require_known(("code", "limit.keys"), IDS)
    with pytest.raises(UsageError, match="lists them"):
        require_known(("x",), IDS)
