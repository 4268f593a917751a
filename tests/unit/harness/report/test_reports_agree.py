"""Every report says the same as the record it was made from."""

import io
import re
from collections import Counter
from collections.abc import Callable
from html.parser import HTMLParser
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest
from pydantic import JsonValue

from harness.categories import CATEGORIES
from harness.record import RunRecord
from harness.report import html, junit, markdown
from harness.report.coverage import make_matrix
from harness.report.digest import MOST_FINDINGS, make_digest, open_findings
from harness.report.terminal import MOST_ALIKE, print_summary
from harness.report.terminal import MOST_FINDINGS as SHOWN
from harness.verdict import CheckStatus, Status
from tests.unit.harness.report.conftest import make_record, one

ARecord = Callable[[str], RunRecord]


class Page(HTMLParser):
    """Every start tag of a page with its attributes, and its text."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str]]] = []
        self.text: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, {name: value or "" for name, value in attrs}))

    def handle_data(self, data: str) -> None:
        self.text.append(data)

    def values(self, attribute: str) -> list[str]:
        return [attributes[attribute] for _, attributes in self.tags if attribute in attributes]


def summary(record: RunRecord) -> str:
    stdout = io.StringIO()
    print_summary(record, Path("reports") / record.id, stdout)
    return stdout.getvalue()


def not_checked(record: RunRecord) -> list[str]:
    statuses = {CheckStatus.INCONCLUSIVE, CheckStatus.SKIPPED}
    return [check.id for check in record.checks if check.status in statuses]


def test_the_page_has_every_check_with_its_status(record: RunRecord) -> None:
    rows = [each for _, each in Page(html.render(record)).tags if "data-check" in each]
    assert Counter((row["data-check"], row["data-status"]) for row in rows) == Counter(
        (check.id, check.status) for check in record.checks
    )


def test_the_page_lists_everything_that_was_not_checked(record: RunRecord) -> None:
    page = Page(html.render(record))
    assert sorted(page.values("data-not-checked")) == sorted(not_checked(record))
    assert ("NOT CHECKED" in page.text) == bool(not_checked(record))


def test_the_page_has_every_part_measurement_series_and_file(record: RunRecord) -> None:
    page = Page(html.render(record))
    assert page.values("data-part") == [part.name for part in record.parts]
    assert page.values("data-measurement") == [each.check_id for each in record.measurements]
    assert page.values("data-series") == [each.name for each in record.series]
    assert page.values("data-artifact") == [each.path for each in record.artifacts]


def test_the_page_states_the_verdict_in_words(record: RunRecord) -> None:
    assert record.status.upper() in Page(html.render(record)).text


def test_the_page_asks_nothing_of_anyone(record: RunRecord) -> None:
    text = html.render(record)
    page = Page(text)
    loading = {"script", "link", "img", "iframe", "object", "embed", "video", "audio", "base", "form", "use", "image"}
    assert not loading & {tag for tag, _ in page.tags}
    for tag, attributes in page.tags:
        assert not {"src", "srcset", "style", "action", "xlink:href"} & set(attributes)
        assert not [name for name in attributes if name.startswith("on")]
        if "href" in attributes:
            assert tag == "a"
    style = text[text.index("<style>") : text.index("</style>")]
    assert not re.search(r"url\(|@import|https?:", style)


def test_links_lead_to_files_beside_the_page_or_to_web_references(record: RunRecord) -> None:
    for link in Page(html.render(record)).values("href"):
        assert re.match(r"\./|record\.json$|https?://", link), link


def test_every_table_column_has_a_header(record: RunRecord) -> None:
    page = html.render(record)
    for table in re.findall(r"<table.*?</table>", page, re.DOTALL):
        assert '<th scope="col"' in table
        assert "<td" not in table.split("</thead>")[0]


def test_every_chart_has_words(record: RunRecord) -> None:
    for tag, attributes in Page(html.render(record)).tags:
        if tag == "svg":
            assert attributes.get("aria-label") or attributes.get("aria-hidden") == "true"


def test_junit_counts_what_the_record_counts(record: RunRecord) -> None:
    root = ET.fromstring(junit.render(record))
    counts = Counter(check.status for check in record.checks)
    allowed = sum(
        check.status is CheckStatus.INCONCLUSIVE and check.id in record.allowed_inconclusive for check in record.checks
    )
    cases = root.findall("testsuite/testcase")
    by_id = [case for case in cases if case.get("name") != "verdict"]
    assert Counter(case.get("name") for case in by_id) == Counter(check.id for check in record.checks)
    assert (
        len(root.findall("testsuite/testcase/failure")) == counts[CheckStatus.FAILED] == int(root.get("failures", ""))
    )
    errors = [case for case in by_id if case.find("error") is not None]
    assert len(errors) == counts[CheckStatus.INCONCLUSIVE] - allowed
    skipped = counts[CheckStatus.SKIPPED] + counts[CheckStatus.NOT_APPLICABLE] + counts[CheckStatus.WAIVED] + allowed
    assert len(root.findall("testsuite/testcase/skipped")) == skipped == int(root.get("skipped", ""))
    assert int(root.get("tests", "")) == len(cases)


def test_junit_is_green_only_when_the_run_passed(record: RunRecord) -> None:
    root = ET.fromstring(junit.render(record))
    red = int(root.get("failures", "")) + int(root.get("errors", ""))
    assert (red == 0) == (record.status is Status.PASSED)


def test_markdown_has_a_row_per_check_and_the_verdict(record: RunRecord) -> None:
    text = markdown.render(record)
    assert record.status.upper() in text.splitlines()[0]
    table = text.partition("## Checks")[2].partition("## ")[0]
    assert len(re.findall(r"^\| ", table, re.MULTILINE)) == (len(record.checks) + 2 if record.checks else 0)
    assert ("## NOT CHECKED" in text) == bool(not_checked(record))


def test_the_summary_names_every_check_that_failed_or_could_not_be_measured(record: RunRecord) -> None:
    """What was left out on request is known to whoever asked: beyond a few its number is told, and reports name it."""
    text = summary(record)
    assert record.status.upper() in text
    assert ("NOT CHECKED" in text) == bool(not_checked(record))
    left_out = [check.id for check in record.checks if check.status is CheckStatus.SKIPPED]
    few = left_out if len(left_out) <= MOST_ALIKE else []
    told = {CheckStatus.FAILED, CheckStatus.INCONCLUSIVE}
    for name in [*few, *(check.id for check in record.checks if check.status in told)]:
        assert re.search(rf" {re.escape(name)}(: |,|\n)", text)
    if left_out and not few:
        assert f"{len(left_out)} checks (left out on request)" in text
    assert f"reports/{record.id}/report.html" in text


def test_the_summary_in_a_file_has_no_control_character(record: RunRecord) -> None:
    assert not re.search(r"[\x00-\x09\x0b-\x1f\x7f]", summary(record))


def test_the_digest_says_what_to_do_unless_all_is_well(record: RunRecord) -> None:
    assert bool(make_digest(record).to_do) == (record.status is not Status.PASSED)


def test_no_report_lets_hostile_text_act(a_record: ARecord) -> None:
    record = a_record("hostile")
    assert not re.search(r"<(script|img)", html.render(record))
    assert not re.search(r"<(script|img)", markdown.render(record))
    page = Page(html.render(record))
    assert "javascript:alert(1)" not in page.values("href")
    assert "./javascript%3Aalert%281%29" in page.values("href")
    assert "https://example.com/a?b=<c>" in page.values("href")
    for line in markdown.render(record).splitlines():
        if line.startswith("|"):
            assert len(re.findall(r"(?<!\\)\|", line)) in {5, 6}


def test_findings_beyond_those_shown_are_counted(a_record: ARecord) -> None:
    record = a_record("hostile")
    assert len(record.checks[0].findings) > MOST_FINDINGS
    for text in ("".join(Page(html.render(record)).text), markdown.render(record)):
        assert f"and {len(record.checks[0].findings) - MOST_FINDINGS} more" in text


def test_the_page_has_every_finding_of_every_check(record: RunRecord) -> None:
    names = Page(html.render(record)).values("data-finding")
    assert sorted(names) == sorted(found.fingerprint for check in record.checks for found in check.findings)


def test_findings_come_worst_first_and_accepted_ones_apart(a_record: ARecord) -> None:
    record = a_record("an audit")
    counting = ["worst", *(f"m{number}" for number in range(6)), "mild"]
    assert [found.fingerprint for found in open_findings(record.checks[0])] == counting
    assert Page(html.render(record)).values("data-finding") == [*counting, "known", "old", "low"]
    assert re.findall(r"message (\w+) at", markdown.render(record)) == counting


def test_the_summary_lists_the_worst_findings_and_counts_the_rest(a_record: ARecord) -> None:
    text = summary(a_record("an audit"))
    worst = "      critical  a/worst.py:3 RULE [worst]\n        message worst\n      medium    a/m0.py:3 RULE [m0]\n"
    assert f"    8 findings\n{worst}" in text
    assert text.count("        message ") == SHOWN
    assert f"      and {8 - SHOWN} more in the report\n" in text


def test_what_is_accepted_is_told_each_with_its_fingerprint_and_reason_also_where_more_was_found(
    a_record: ARecord,
) -> None:
    """A waiver must be seen where its check fails for something else as well."""
    record = a_record("an audit")
    told = summary(record).partition("\nWaived\n")[2].partition("\nWhat to do\n")[0]
    assert told.splitlines() == [
        "  code: Title of code",
        "    1 finding",
        "      a/known.py:3 RULE [known]",
        "        known",
        "  hosts: Title of hosts",
        "    1 finding",
        "      a/old.py:3 RULE [old]",
        "        accepted by ops",
    ]
    bullets = markdown.render(record).partition("## Waived\n\n")[2].partition("\n\n")[0]
    assert bullets.splitlines()[:2] == ["- **Title of code**: 1 finding", "  - RULE at a/known.py:3 (known): known"]


def test_what_to_do_repeats_the_options_that_were_given(a_record: ARecord) -> None:
    words: list[JsonValue] = ["audit", "--target", "staging", "--only", "code", "--baseline", "an old/record.json"]
    record = a_record("an audit").model_copy(update={"arguments": {"command": words, "target": "staging"}})
    again = "./inv audit --target staging --only code --baseline 'an old/record.json'"
    assert make_digest(record).to_do == (
        f"Mend code, then run: {again}",
        f"Find out why dependencies gave no answer: {again}",
    )


def test_where_nothing_that_was_asked_applies_it_says_why_and_what_to_ask(a_record: ARecord) -> None:
    record = a_record("nothing applies")
    assert record.status is Status.INCONCLUSIVE
    digest = make_digest(record)
    assert digest.headline == "Nothing was shown: nothing that was asked has an answer, 1 NOT CHECKED"
    assert digest.to_do == (
        "Running it again would show no more (workflows: there is no workflow). Ask for more: ./inv audit",
    )


def test_where_what_was_asked_may_be_without_an_answer_it_is_to_be_found_out_why(a_record: ARecord) -> None:
    record = a_record("nothing but what is allowed")
    assert record.status is Status.INCONCLUSIVE
    assert make_digest(record).to_do == ("Find out why dark gave no answer: ./inv nightly",)


def test_an_ampersand_is_legible_without_a_viewer_and_no_entity_in_one(a_record: ARecord) -> None:
    check = one(CheckStatus.SKIPPED, "left", reason="this & that, a&b; &amp; and &#64;")
    text = markdown.render(make_record(check))
    assert r"this & that, a&amp;b; &amp;amp; and &amp;#64;" in text


def test_the_matrix_has_every_category_and_what_its_checks_say(a_record: ARecord) -> None:
    matrix = make_matrix(a_record("an audit"))
    said = {each.id: (each.summary, each.status) for coverage in matrix.values() for each in coverage}
    assert list(said) == list(CATEGORIES)
    assert said["A05:2025"] == ("1 of 1 ran, 1 failed, 8 found, 1 accepted", CheckStatus.FAILED)
    assert said["A04:2025"] == ("2 of 3 ran, 1 NOT CHECKED, 1 failed, 8 found, 1 accepted", CheckStatus.FAILED)
    assert said["A03:2025"] == ("0 of 1 ran, 1 NOT CHECKED", CheckStatus.INCONCLUSIVE)
    assert said["API2:2023"] == ("0 of 1 ran, 1 NOT CHECKED", CheckStatus.SKIPPED)
    assert said["MCP:dns-rebinding"] == ("1 of 1 ran, 1 accepted", CheckStatus.WAIVED)
    assert said["A01:2025"] == ("no check covers it", None)


def test_page_and_markdown_have_the_matrix_where_a_check_covers_a_category(record: RunRecord) -> None:
    covered = any(check.categories for check in record.checks)
    assert Page(html.render(record)).values("data-category") == (list(CATEGORIES) if covered else [])
    table = markdown.render(record).partition("## Security categories")[2].partition("## ")[0]
    assert len(re.findall(r"^\| ", table, re.MULTILINE)) == (len(CATEGORIES) + 2 if covered else 0)


def test_a_night_links_its_parts_reports_and_logs(a_record: ARecord) -> None:
    links = Page(html.render(a_record("a night"))).values("href")
    assert "./../20261123T030003.000Z-load-0123abcd/report.html" in links
    assert "./../20261123T030003.000Z-load-0123abcd/record.json" in links
    assert "./logs/audit.stderr.log" in links


def test_a_night_says_how_to_run_the_part_again(a_record: ARecord) -> None:
    to_do = make_digest(a_record("a night")).to_do
    assert to_do == (
        "Mend load.call_duration.p95, then run: ./inv load --small",
        "Find out why audit.ran gave no answer: ./inv audit",
    )


def test_a_limit_is_drawn_where_it_lies_on_the_bar_s_own_scale(a_record: ARecord) -> None:
    page = html.render(a_record("a night"))
    bar = float(re.search(r'class="fill" y="4" width="([\d.]+)"', page)[1])  # type: ignore[index]
    limit = float(re.search(r'class="tick" x1="([\d.]+)"', page)[1])  # type: ignore[index]
    assert limit / bar == pytest.approx(0.5 / 0.8, rel=1e-3)


def test_failures_come_worst_first(a_record: ARecord) -> None:
    record = a_record("every status")
    worst = record.checks[3].model_copy(update={"severity": "critical"})
    changed = record.model_copy(update={"checks": (*record.checks[:3], worst, *record.checks[4:])})
    assert make_digest(changed).failed[0].id == worst.id


def test_what_was_left_out_for_one_reason_is_told_once_in_the_summary(a_record: ARecord) -> None:
    """Forty lines of it would hide what failed; its number is told, and what lacks an answer for another reason."""
    shown = summary(a_record("mostly left out"))
    assert shown.count("left out: --only names code") == 1
    assert "9 checks (left out on request)" in shown
    assert "skipped       9 more" in shown
    assert "Title of code" in shown
    assert "because of dark" in shown
