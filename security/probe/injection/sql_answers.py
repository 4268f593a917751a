"""SQL injection judged from outside: by a database's error texts, by what is true or false to it, and by its pace."""

import random
import secrets
import statistics
from collections.abc import Sequence
from dataclasses import dataclass

from harness.collector import OpenCheck
from harness.errors import Inconclusive
from security.probe.injection.asking import Seen, Vector
from security.probe.injection.sql_errors import database_error
from security.probe.injection.vectors import each_name

MOST_PLACES = 40
"""How many places are asked: a server that only answers cannot be asked without end."""
MOST_TIMED = 15
REPEATS = 6
"""How often a difference must show, the two texts in any order: a busy machine makes any one answer late."""


@dataclass(frozen=True)
class Condition:
    """A text that makes a statement's condition true, or false where {left} is not {right}.

    {word} stands for what nothing is called. The words are random and of one length, so that a server that only quotes,
    cuts, counts or searches for what it is given answers both alike.
    """

    template: str
    digits: bool = False

    def pair(self) -> tuple[str, str, list[str]]:
        """The true text, the false one, and the words in them that answers may repeat."""
        right, left = (_digits() if self.digits else _word() for _ in range(2))
        word = _word()
        true, false = (self.template.format(word=word, left=each, right=right) for each in (right, left))
        return true, false, [true, false, word, right, left]


CONDITIONS = (
    # With LIKE it holds as well where the statement goes on after the text with a % and a quotation mark.
    Condition("{word}' OR '{left}' LIKE '{right}"),
    Condition("0 OR {left}={right}", digits=True),
)
SLOW = {
    "SQLite": ("{word}' OR (SELECT length(hex(randomblob({pace})))) > 0 AND 'a' LIKE 'b", "30000000", "9", 0.15),
    "PostgreSQL": ("{word}' OR (SELECT 1 FROM pg_sleep({pace})) IS NULL OR 'a' LIKE 'b", "0.5", "0", 0.45),
    "MySQL": ("{word}' OR (SELECT 1 FROM (SELECT SLEEP({pace})) s) IS NULL OR 'a' LIKE 'b", "0.5", "0", 0.45),
    "SQL Server": ("{word}'; WAITFOR DELAY '0:0:{pace}'; --", "0.5", "0", 0.45),
}
"""Texts that take a database time, once for a statement and not for each row; how much of it, none, and the
seconds that it comes to at least."""


Told = tuple[str, str]
"""A rule, and what was seen."""


def judge_by_answers(check: OpenCheck, vectors: Sequence[Vector]) -> None:
    """Find each vector whose text a database takes for SQL. What one request shows is repeated before it is told.

    Raises Inconclusive where the answers hang on none of the texts, so that they cannot show what becomes of them.
    """
    asked, timed, usual, reached = _chosen(vectors), 0, list[float](), 0
    for vector in asked:
        word = _word()
        plain = vector.send(word)
        usual.append(plain.seconds)
        check.examined += 1
        reached += _reaches(vector, plain, word)
        told = _tells_errors(vector, plain) or _minds_quotes(vector) or _obeys_conditions(vector, _without(plain, word))
        if told is None and timed < MOST_TIMED:
            timed += 1
            told = _keeps_waiting(vector, statistics.median(usual))
        if told is not None:
            rule, shown = told
            message = f"{vector.name}: {shown}, so whoever calls writes SQL"
            check.find(rule, message, location=vector.name, references=("CWE-89",), key=vector.name)
    check.evidence.append(
        f"asked in {len(asked)} of {len(vectors)} places, each name once: errors, quotation marks and conditions"
        f" in all of them, pace in {timed}; not seen: what was sent to the database"
    )
    if not reached and not check.findings and any(vector.usual is not None for vector in asked):
        raise Inconclusive(
            "every answer is the same whatever is sent: nothing shows that a text reaches anything; ask a target"
            " whose tools find what it stores"
        )


def _reaches(vector: Vector, plain: Seen, word: str) -> bool:
    """Whether a word that nothing is called makes another answer than usual, or comes back."""
    return vector.usual is not None and (not plain.ok or word in plain.text or plain.shown != vector.usual)


def _chosen(vectors: Sequence[Vector]) -> list[Vector]:
    """At most MOST_PLACES where names allow it: those whose name comes first with them, then the others."""
    first = each_name(vectors)
    others = [vector for vector in vectors if vector not in first]
    return [*first, *others[: max(0, MOST_PLACES - len(first))]]


def _tells_errors(vector: Vector, plain: Seen) -> Told | None:
    said = database_error(vector.send(f"{_word()}'\"").text)
    if not said or database_error(plain.text):
        return None
    return "sql-error", f"a quotation mark is answered with a database's error ({said})"


def _minds_quotes(vector: Vector) -> Told | None:
    """Whether one quotation mark spoils the answer, and two, which stand for one in SQL, do not."""
    for _ in range(REPEATS):
        word = _word()
        none, one, two = (_without(vector.send(text), text, word) for text in (word, f"{word}'", f"{word}''"))
        if not none == two != one:
            return None
    return "sql-quotes", f"{REPEATS} times of {REPEATS} one quotation mark spoils the answer, and two do not"


def _obeys_conditions(vector: Vector, plain: tuple[bool, str]) -> Told | None:
    for condition in CONDITIONS:
        true, _, words = condition.pair()
        if _without(vector.send(true), *words) != plain and all(_differs(vector, condition) for _ in range(REPEATS)):
            how = f"{REPEATS} times of {REPEATS}, each with other words"
            return "sql-condition", f"the answer hangs on whether the text is true as SQL ({condition.template}), {how}"
    return None


def _differs(vector: Vector, condition: Condition) -> bool:
    """Whether true and false are answered differently, and false twice alike."""
    true, false, words = condition.pair()
    first, wanted = (_without(vector.send(text), *words) for text in (false, true))
    return first != wanted and _without(vector.send(false), *words) == first


def _without(answer: Seen, *words: str) -> tuple[bool, str]:
    """An answer without what it repeats of the question."""
    text = answer.text
    for word in words:
        for spelt in (word, word.replace('"', '\\"'), repr(word)[1:-1]):
            text = text.replace(spelt, "·")
    return answer.ok, text


def _keeps_waiting(vector: Vector, usual: float) -> Told | None:
    for name, (template, much, none, least) in SLOW.items():

        def seconds(pace: str, template: str = template) -> float:
            return vector.send(template.format(word=_word(), pace=pace)).seconds

        if seconds(much) < usual + least:
            continue
        asked = random.sample([much, none] * REPEATS, 2 * REPEATS)
        took = [(pace, seconds(pace)) for pace in asked]
        fast, slow = ([each for pace, each in took if pace == wanted] for wanted in (none, much))
        if min(slow) > max(*fast, statistics.median(fast) + least):
            shown = f"{REPEATS} times of {REPEATS} the text made {name} wait {least:g} s longer"
            return "sql-pace", f"{shown} than the same text that asks for no waiting"
    return None


def _word() -> str:
    return f"probe{secrets.token_hex(5)}"


def _digits() -> str:
    return str(secrets.randbelow(900_000) + 100_000)
