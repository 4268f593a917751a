import sqlite3
from collections.abc import Callable, Iterator

import pytest

from harness.collector import OpenCheck
from harness.errors import Inconclusive
from security.probe.injection.asking import Seen, Vector
from security.probe.injection.sql_answers import judge_by_answers
from security.probe.injection.sql_errors import database_error
from security.probe.injection.sql_statements import judge_by_statements
from security.probe.site import Statement

Send = Callable[[str], Seen]


@pytest.fixture
def database() -> Iterator[sqlite3.Connection]:
    connection = sqlite3.connect(":memory:", isolation_level=None)
    connection.execute("CREATE TABLE goods (id INTEGER, name TEXT)")
    connection.executemany("INSERT INTO goods VALUES (?, ?)", [(number, f"Mug {number}") for number in range(5)])
    yield connection
    connection.close()


def answering(database: sqlite3.Connection, template: str, answer: Callable[[list[object] | None], Seen]) -> Send:
    """A server that writes texts into `template`, and tells no more than `answer` makes of rows, or of an error."""

    def send(text: str) -> Seen:
        try:
            rows = database.execute(template.replace("{text}", text)).fetchall()
        except sqlite3.Error:
            rows = None
        return answer(rows)

    return send


def findings(send: Send) -> list[str]:
    check = OpenCheck("injection.sql", 1)
    judge_by_answers(check, [Vector("goods_find name", send, "name")])
    assert check.examined == 1
    return [finding.rule for finding in check.findings]


def listed(rows: list[object] | None) -> Seen:
    return Seen(ok=True, text=str(rows or []))


def accepted(rows: list[object] | None) -> Seen:
    return Seen(ok=rows is not None, text="" if rows is None else "done")


@pytest.mark.parametrize(
    ("template", "answer", "rule"),
    [
        ("SELECT * FROM goods WHERE name = '{text}'", listed, "sql-condition"),
        ("SELECT * FROM goods WHERE (name LIKE '%{text}%') ORDER BY id", listed, "sql-condition"),
        ("SELECT * FROM goods WHERE id = {text} LIMIT 3", listed, "sql-condition"),
        ("INSERT INTO goods VALUES (7, '{text}')", accepted, "sql-quotes"),
    ],
)
def test_sql_is_found_by_what_little_an_answer_shows(
    database: sqlite3.Connection, template: str, answer: Callable[[list[object] | None], Seen], rule: str
) -> None:
    assert findings(answering(database, template, answer)) == [rule]


def test_an_error_of_the_database_is_found(database: sqlite3.Connection) -> None:
    def send(text: str) -> Seen:
        try:
            return listed(database.execute(f"SELECT * FROM goods WHERE name = '{text}'").fetchall())
        except sqlite3.Error as error:
            return Seen(ok=False, text=f"sqlite3.{type(error).__name__}: {error}")

    assert findings(send) == ["sql-error"]


def test_a_bound_parameter_is_none(database: sqlite3.Connection) -> None:
    rows = "SELECT * FROM goods WHERE name LIKE ?"
    assert findings(lambda text: listed(database.execute(rows, (f"%{text}%",)).fetchall())) == []


def with_echo(text: str) -> Seen:
    return Seen(ok=False, text=f"nothing is called {text!r}, {len(text)} letters")


def refusing_quotes(text: str) -> Seen:
    return Seen(ok=False, text="must be letters" if "'" in text else f"no {text[:20]}")


def with_search(text: str) -> Seen:
    found = [word for word in ("or", "like", "0") if word in text.lower().split()]
    return Seen(ok=True, text=f"{len(found)} found: {found}")


def with_errors_in_its_data(_text: str) -> Seen:
    return Seen(ok=True, text="How to mend: sqlite3.OperationalError")


@pytest.mark.parametrize("send", [with_echo, refusing_quotes, with_search, with_errors_in_its_data])
def test_a_server_without_sql_is_not_taken_for_one(send: Send) -> None:
    assert findings(send) == []


@pytest.mark.parametrize(
    "text",
    [
        '(sqlite3.OperationalError) near "probe": syntax error',
        'unrecognized token: "\'"',
        'ERROR: syntax error at or near "probe"',
        "You have an error in your SQL syntax; check the manual",
        "ORA-01756: quoted string not properly terminated",
        "Unclosed quotation mark after the character string",
    ],
)
def test_databases_are_known_by_their_errors(text: str) -> None:
    assert database_error(text)


@pytest.mark.parametrize("text", ["", "There is no order of this id", "syntax error in your search", "Order ORA-1"])
def test_other_errors_are_not_a_databases(text: str) -> None:
    assert database_error(text) is None


class Logged:
    """A server whose statements are logged, the text bound or written into them."""

    def __init__(self, *, bound: bool, deaf: bool = False) -> None:
        self.log: list[Statement] = []
        self._bound = bound
        self._deaf = deaf

    def send(self, text: str) -> Seen:
        if not self._deaf:
            statement = "SELECT ?" if self._bound else f"SELECT '{text.upper()}'"
            self.log.append(Statement(statement, repr((text,)) if self._bound else "()"))
        return Seen(ok=True, text="")

    def judge(self) -> OpenCheck:
        check = OpenCheck("injection.sql", 1)
        judge_by_statements(check, lambda: list(self.log), [Vector("goods_find name", self.send, "name")], self.send)
        return check


def test_a_text_in_a_statement_is_found_once_for_its_place() -> None:
    (finding,) = Logged(bound=False).judge().findings
    assert finding.location == "goods_find name"


def test_a_text_among_parameters_is_evidence_that_it_arrived() -> None:
    check = Logged(bound=True).judge()
    assert check.findings == []
    assert "those of 1 places arrived as parameters: goods_find name" in check.evidence[-1]


def test_a_log_of_statements_that_tells_nothing_is_no_pass(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("security.probe.injection.sql_statements.SECONDS", 0.05)
    with pytest.raises(Inconclusive, match="it does not tell"):
        Logged(bound=True, deaf=True).judge()


def test_a_server_that_answers_the_same_whatever_is_sent_is_no_pass() -> None:
    vector = Vector("goods_find name", lambda _: Seen(ok=True, text="{}", shown="{}"), "name", usual="{}")
    with pytest.raises(Inconclusive, match="nothing shows that a text reaches anything"):
        judge_by_answers(OpenCheck("injection.sql", 1), [vector])


def test_a_search_that_finds_nothing_shows_that_its_text_arrives() -> None:
    check = OpenCheck("injection.sql", 1)
    judge_by_answers(
        check, [Vector("goods_find name", lambda _: Seen(ok=True, text="[]", shown="[]"), "name", "[Mug]")]
    )
    assert check.findings == []
