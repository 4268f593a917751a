"""Templates of service units: what is put in for the ratings, and what cannot be told before it is known."""

import pytest

from harness.errors import Inconclusive
from security.scan.unit_files import fill


@pytest.mark.parametrize(
    ("text", "filled"),
    [
        ("[Service]\nUMask=0077\n", "[Service]\nUMask=0077\n"),
        ("# {{ managed }}\n; {{ managed }}\n", "# {{ managed }}\n; {{ managed }}\n"),
        ("{# of\n two lines #}\nUMask=0077\n", "\n\nUMask=0077\n"),
        ("ExecStart={{ root }}/bin/shop --port {{ port }}\n", "ExecStart=/placeholder/bin/shop --port /placeholder\n"),
        ("User={{ user }}\nGroup = {{ group }}\n", "User=placeholder\nGroup = placeholder\n"),
        ("MemoryMax={{ memory }}\nUMask=0077", "\nUMask=0077"),
        ("Environment=A=1 \\\n  B={{ b }} \\\n  C=2\nUMask=0077\n", "\n\n\nUMask=0077\n"),
    ],
    ids=["nothing", "comments", "a note", "a command", "users", "another setting", "lines that go on"],
)
def test_values_are_put_in_and_lines_keep_their_numbers(text: str, filled: str) -> None:
    assert fill(text) == filled


@pytest.mark.parametrize(
    "line",
    [
        "{% if alone %}",
        "# {% if alone %}",
        "PrivateNetwork={{ alone }}",
        "ReadWritePaths=/a\nSystemCallFilter=@system-service \\\n  {{ more }}",
        " RestrictAddressFamilies = AF_INET {{ more }}",
        "NoNewPrivileges={{ no }}",
        "{{ hardening }}",
        "{{ name }}=yes",
        "[{{ section }}]",
    ],
)
def test_what_hardening_depends_on_cannot_be_told(line: str) -> None:
    with pytest.raises(Inconclusive, match=r"^what it becomes depends on .* line \d:"):
        fill(f"[Service]\n{line}\nUMask=0077\n")


def test_the_line_that_decides_is_named() -> None:
    with pytest.raises(Inconclusive, match="line 4"):
        fill("{# a\nnote #}\n[Service]\nUMask={{ mask }}\n")
