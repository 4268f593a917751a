import pytest

from harness.errors import Inconclusive
from security.scan.pip_audit import spell


def test_each_version_of_a_name_is_asked_for_under_a_spelling_of_its_own() -> None:
    assert spell({("jinja2", "2.4.1"), ("jinja2", "3.1.6"), ("idna", "3")}) == [
        "idna==3",
        "jinja2==2.4.1",
        "Jinja2==3.1.6",
    ]


def test_more_versions_than_spellings_are_refused() -> None:
    with pytest.raises(Inconclusive, match="7zip-2 is locked in 7 versions"):
        spell(("7zip-2", str(number)) for number in range(7))
