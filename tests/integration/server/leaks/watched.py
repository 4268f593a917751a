"""A server whose every trace is looked through, and the parties that call it with pieces of the corpus."""

import contextlib
import json
import shutil
import zlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from tests.integration.server.bench import Bench, Shop, Upstream, settings_of, start_bench
from tests.integration.server.leaks.corpus import PART, STORE_NAME, Hand, Piece, deal
from tests.integration.server.leaks.places import HARMLESS_HOST, Place, kept, leaks, look
from tests.integration.server.leaks.scene import Arguments, Scene, Troubles
from tests.integration.server.leaks.tracing import Tracer
from tests.integration.server.sentry_receiver import Receiver

# It logs all it can, reports every request, and caches nothing.
SETTINGS = {
    "LOG_LEVEL": "debug",
    "SENTRY_TRACES_SAMPLE_RATE": "1",
    "ALLOWED_HOSTS": f"127.0.0.1,localhost,{HARMLESS_HOST}",
    "QUERY_TOKEN_ENABLED": "true",
    "HTTP_MAX_RETRIES": "0",
    "CACHE_TTL_ORDERS_SECONDS": "0",
    "CACHE_TTL_PRODUCTS_SECONDS": "0",
    "CACHE_TTL_STORE_SECONDS": "0",
    "DESTRUCTIVE_CAP_PER_HOUR": "1000000",
}


@dataclass(frozen=True)
class Party:
    """A tenant with a shop, and all that is to stay with it: the pieces dealt to it, and its own secrets."""

    scene: Scene
    own: Sequence[Piece]

    @property
    def pieces(self) -> list[Piece]:
        """What may be told to nobody else; its own secrets not even to itself."""
        return [*self.scene.held.pieces, *self.scene.sent.pieces, *self.own]


@dataclass(frozen=True)
class Watched:
    """A running server with two parties. `folder` is what it takes for the machine's place of temporary files."""

    bench: Bench
    receiver: Receiver
    folder: Path
    parties: tuple[Party, Party]
    tracer: Tracer = field(repr=False)

    @property
    def owner(self) -> Scene:
        """The first party's."""
        return self.parties[0].scene

    @contextlib.contextmanager
    def replaced(self, module: str, folder: Path, **settings: str) -> "Iterator[Watched]":
        """Yield the same with another server on its database, one that is broken on purpose or has other settings.

        The first is stopped, if nobody has killed it.
        """
        self.bench.process.stop()
        environment = {**self.bench.environment, **settings}
        with start_bench(self.bench.upstream, environment, folder, module) as bench:
            first, second = (replace(party, scene=replace(party.scene, bench=bench)) for party in self.parties)
            yield replace(self, bench=bench, parties=(first, second))

    def leaks(self, more: Mapping[str, Place] | None = None, log: str = "") -> list[str]:
        """What came out anywhere, `more` places and the log of another process included."""
        self.bench.upstream.control.clear_faults()
        tenant = self.bench.new_tenant("harmless")  # whom no limit and no brake has met
        places = look(self.bench, tenant, self.receiver, self.folder, log)
        return leaks(self.tracer, {**places, **(more or {})})

    def left(self) -> list[str]:
        """The same of a server that has stopped, after `mark`."""
        return leaks(self.tracer, kept(self.bench, self.receiver, self.folder))

    def in_answers(self, answers: "Answers", party: Party) -> list[str]:
        """Pieces in what `party` was told that are not its own to see, and its own in errors it has not sent there."""
        own = {*party.scene.held.pieces, *party.scene.sent.pieces}
        whole = "\n".join(answer.text for answer in answers.told)
        wrong = [trace for trace in self.tracer.trace({"an answer": whole}) if trace.piece not in own]
        for answer in answers.told:
            if answer.is_error:
                found = self.tracer.trace({f"an error of {answer.tool}": answer.text})
                wrong += [each for each in found if not any(each.piece.text in text for text in answer.repeatable)]
        return list(map(str, wrong))


@dataclass(frozen=True)
class Answer:
    """What one call was told. `repeatable` are the texts of the call that an error may repeat."""

    tool: str
    text: str
    is_error: bool
    repeatable: frozenset[str] = frozenset()


@dataclass
class Answers:
    """All that a party was told."""

    told: list[Answer] = field(default_factory=list)

    def add(self, tool: str, answer: Arguments, repeatable: set[str]) -> str | None:
        """Keep an answer of a tool; the code of the error that it is, None for a success."""
        text = json.dumps(answer, ensure_ascii=False)
        self.told.append(Answer(tool, text, "error" in answer, frozenset(repeatable)))
        return str(answer["error"]["code"]) if "error" in answer else None


def own_secrets(bench: Bench, shop: Shop) -> list[Piece]:
    """What a server was given or has made for a shop, as pieces; of its key the part that is secret."""
    settings = bench.upstream.request(shop.account, "GET", "/store")["store"]["settings"]
    known = {
        "the tenant's key": shop.tenant.key.partition(".")[2],
        "the store's API key": shop.account.api_key,
        "the store's SMTP password": settings["smtp_password"],
        "the master key": bench.environment["MASTER_KEY"],
        "the operator's token": bench.environment["ADMIN_TOKEN"],
        "the DSN": bench.environment["SENTRY_DSN"].removeprefix("http://"),
    }
    return [Piece(what, text, min(PART, len(text))) for what, text in known.items()]


def open_party(bench: Bench, troubles: Troubles, held: Hand, sent: Hand) -> Party:
    """A new tenant with a store that has this name of the corpus."""
    shop = bench.open_shop(held.draw(STORE_NAME))
    return Party(Scene(bench, shop, held, sent, troubles), own_secrets(bench, shop))


@contextlib.contextmanager
def watching(
    upstream: Upstream, receiver: Receiver, database: Path, folder: Path, module: str = "server", **settings: str
) -> Iterator[Watched]:
    """Yield a watched server on a copy of a database; `module` may be one that is broken on purpose."""
    temporary = folder / "temporary"
    temporary.mkdir()
    environment = settings_of(
        upstream,
        Path(shutil.copy(database, folder / "app.db")),
        **{**SETTINGS, "SENTRY_DSN": receiver.dsn, "TMPDIR": str(temporary), **settings},
    )
    with start_bench(upstream, environment, folder, module) as bench:
        troubles = Troubles(upstream.control)
        # Other pieces than another test's, of which an account that comes again may still have some.
        hands = deal(4, zlib.crc32(str(folder).encode()))
        parties = (open_party(bench, troubles, *hands[:2]), open_party(bench, troubles, *hands[2:]))
        tracer = Tracer(piece for party in parties for piece in party.pieces)
        yield Watched(bench, receiver, temporary, parties, tracer)


Watch = Callable[..., Watched]
