"""What a server under test says is text in every report: whatever it holds, the report keeps its shape."""

import io
import json
import re
from collections.abc import Callable
from html.parser import HTMLParser
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import pytest
from markdown_it import MarkdownIt

from harness.record import Finding, Measurement, RunRecord, Series, Target
from harness.report import html, junit, markdown, sarif
from harness.report.terminal import print_summary
from harness.verdict import CheckStatus
from tests.unit.harness.report.conftest import make_record, one

HARMLESS = "words"
HOSTILE = {
    "line ends": "one\ntwo\r\nthree\u2028four\x85five\x0bsix",
    "a terminal's commands": "\x1b[2J\x1b]0;title\x07\x9b31m\x08\x08\x7f\x00",
    "reversed text": "\u202egnp.exe\u2066\u2069",
    "HTML": "</td></style><script>alert(1)</script><img src=x onerror=alert(1)><!-- &lt;b&gt; -->",
    "a quote's end": "\" onload='x' data-check=\"forged\" '",
    "XML's end": "]]></failure></testcase><testcase name='forged'/><![CDATA[",
    "a heading": "x\n# PASSED\n\n## Checks\n",
    "a list and a rule": "x\n- **done**\n\n---\n\n1. one\n> two",
    "a link and an image": "[x](javascript:alert(1)) ![x](http://evil.example/x) <http://evil.example> [x]: /y",
    "code": "`x` ```\n~~~\nx\n    indented",
    "emphasis": "*a* _b_ **c** ~~d~~ \\*e\\*",
    "a table's edge": "| a | b |\n|---|---|\n| c \\| d |",
    "exposition": 'x"} 1\nforged_total{a="b"} 1\n# TYPE forged_total counter\n# EOF',
    "a JSON line": '"}\n{"event": "forged", "status": "passed"}',
    "placeholders": "{0} {} %s {{x}} {% x %} $x ${x} [red]x[/red] :smile:",
}
MUTE = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069]")
WORDS = {"text", "text_special"}
Shape = Callable[[RunRecord], list[Any]]


def of(text: str) -> RunRecord:
    """A record that holds the text wherever one may come from elsewhere."""
    findings = tuple(
        Finding(fingerprint=f"f{number}", rule=text, message=text, location=text, references=(text,), accepted=accepted)
        for number, accepted in enumerate(("", text))
    )
    statuses = (CheckStatus.FAILED, CheckStatus.WAIVED, CheckStatus.INCONCLUSIVE, CheckStatus.SKIPPED)
    checks = (
        one(
            status, f"check-{status.value}", title=text, reason=text, evidence=(text,), findings=findings,
            failures=(text,) if status is CheckStatus.FAILED else (), tool=text, categories=("A05:2025",),
        )
        for status in statuses
    )  # fmt: skip
    return make_record(
        *checks,
        target=Target(name=text, url=text, release=text),
        arguments={"only": text},
        measurements=(Measurement(name="m", value=1, unit=text, labels={"tool": text}),),
        series=(Series(name=text, unit=text, points=((0.0, 1.0),)),),
    )


def page_shape(record: RunRecord) -> list[Any]:
    """Every tag of the page with the names of its attributes."""
    found: list[Any] = []

    class Tags(HTMLParser):
        def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
            found.append((tag, [name for name, _ in attrs]))

        def handle_comment(self, data: str) -> None:
            found.append("comment")

    Tags().feed(html.render(record))
    return found


def markdown_shape(record: RunRecord) -> list[Any]:
    """What a Markdown parser makes of it, words left out."""
    tokens = MarkdownIt("commonmark").enable(["table", "strikethrough"]).parse(markdown.render(record))
    return [
        (token.type, token.tag, [child.type for child in token.children or () if child.type not in WORDS])
        for token in tokens
    ]


def junit_shape(record: RunRecord) -> list[Any]:
    """Every element with the names of its attributes."""
    return [(each.tag, sorted(each.keys())) for each in ET.fromstring(junit.render(record)).iter()]


def sarif_shape(record: RunRecord) -> list[Any]:
    """Every place in the log, and what kind of value stands there; where a finding lies may be told in two ways."""

    def places(value: Any, path: str) -> list[Any]:
        if "location" in path.lower():
            return []
        if isinstance(value, dict):
            return [each for name, member in value.items() for each in places(member, f"{path}/{name}")]
        if isinstance(value, list):
            return [each for index, member in enumerate(value) for each in places(member, f"{path}/{index}")]
        return [(path, type(value))]

    return places(json.loads(sarif.render(record)), "")


def summary(record: RunRecord, stdout: io.StringIO) -> str:
    print_summary(record, Path("reports") / record.id, stdout, {"TERM": "xterm", "NO_COLOR": "1"})
    return stdout.getvalue()


class Terminal(io.StringIO):
    """Looks like a terminal."""

    def isatty(self) -> bool:
        return True


SHAPES: dict[str, Shape] = {
    "page": page_shape,
    "Markdown": markdown_shape,
    "JUnit": junit_shape,
    "SARIF": sarif_shape,
}


@pytest.mark.parametrize("text", HOSTILE.values(), ids=HOSTILE)
@pytest.mark.parametrize("shape", SHAPES.values(), ids=SHAPES)
def test_no_text_changes_a_report_s_shape(shape: Shape, text: str) -> None:
    assert shape(of(text)) == shape(of(HARMLESS))


@pytest.mark.parametrize("text", HOSTILE.values(), ids=HOSTILE)
@pytest.mark.parametrize("render", [html.render, markdown.render, junit.render, sarif.render])
def test_no_report_holds_characters_that_act(render: Callable[[RunRecord], str], text: str) -> None:
    assert not MUTE.search(render(of(text)))


@pytest.mark.parametrize("text", HOSTILE.values(), ids=HOSTILE)
def test_the_summary_on_a_terminal_holds_no_command_but_its_own(text: str) -> None:
    printed = re.sub(r"\x1b\[[0-9;]*m", "", summary(of(text), Terminal()))
    assert not MUTE.search(printed)


@pytest.mark.parametrize("text", HOSTILE.values(), ids=HOSTILE)
def test_no_text_is_a_line_of_its_own_in_the_summary(text: str) -> None:
    began = {line.split()[0] for line in summary(of(HARMLESS), io.StringIO()).splitlines() if line[:1].strip()}
    for line in summary(of(text), io.StringIO()).splitlines():
        assert not line[:1].strip() or line.split()[0] in began, line
