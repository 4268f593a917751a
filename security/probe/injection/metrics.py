"""Metrics stay readable and bounded: what clients send is no label."""

from collections.abc import Sequence

from harness.collector import OpenCheck
from harness.errors import Inconclusive
from security.probe.injection.asking import asking
from security.probe.injection.exposition import ExpositionError, Series, parse
from security.probe.injection.markers import Markers
from security.probe.injection.raw import send_raw
from security.probe.injection.vectors import argument_vectors, each_name, header_vectors
from security.probe.pages import ask
from security.probe.probe import probe
from security.probe.site import Need, Site

TEXT, IN_HEADERS = '{mark}"} 1\nprobe_forged{a="b\\', '{mark}"} 1 # {a="b\\'
NAMES = 60
"""How many tools that do not exist are called at the end: where names count, as many labels are new."""
PATH = "/metrics"
PLAIN = "text/plain; version=0.0.4"


@probe(
    "injection.metrics",
    "What clients send is no label of a metric and breaks no line of them",
    "A09:2025",
    "A05:2025",
    needs=(Need.ADMIN,),
)
def metrics(check: OpenCheck, site: Site) -> None:
    """Send what breaks the text format everywhere, and read the metrics strictly."""
    if _read(site) is None:
        check.not_applicable(f"there is no {PATH}")
        return
    markers = Markers()
    with asking(site) as (asker, samples):
        for vector in each_name(argument_vectors(asker, samples)):
            vector.send(TEXT.replace("{mark}", markers.new()))
            check.examined += 1
        for vector in header_vectors(site, asker, samples):
            vector.send(IN_HEADERS.replace("{mark}", markers.new()))
            check.examined += 1
        check.examined += send_raw(site, TEXT, lambda _: markers.new())
        try:
            before = parse(_read(site) or "")
            for _ in range(NAMES):
                asker.call(markers.new(), {})
            after = parse(_read(site) or "")
        except ExpositionError as error:
            check.find(
                "metrics-syntax",
                f"after hostile texts {PATH} cannot be read: {error}; a scrape of it fails, or takes forged figures",
                location=PATH,
                references=("CWE-116", "CWE-117"),
                key="syntax",
            )
            return
    check.evidence.append(f"{len(before)} series before {NAMES} unknown tools were called, {len(after)} after")
    _judge(check, before, after, markers)


def _judge(check: OpenCheck, before: Sequence[Series], after: Sequence[Series], markers: Markers) -> None:
    named = {
        (series.metric, label) for series in after for label, value in series.labels if markers.found(label + value)
    }
    for metric, label in sorted(named):
        check.find(
            "metrics-label",
            f"the label {label} of {metric} holds what clients sent: whoever calls makes series without end",
            location=metric,
            references=("CWE-770", "CWE-117"),
            key=f"{metric} {label}",
        )
    known = {(label, value) for series in before for label, value in series.labels}
    new = {(label, value) for series in after for label, value in series.labels} - known
    if not named and len(new) >= NAMES:
        check.find(
            "metrics-growth",
            f"{NAMES} names that clients made up brought {len(new)} new values of labels: their number has no bound",
            location=PATH,
            references=("CWE-770",),
            key="growth",
        )


def _read(site: Site) -> str | None:
    """What /metrics says; None where it is not there. Raises Inconclusive where it says nothing."""
    answer = ask(site, PATH, {"Accept": PLAIN, "Authorization": f"Bearer {site.admin_token}"})
    if answer.status == 404:
        return None
    if answer.status != 200:
        raise Inconclusive(f"{PATH} answered {answer.status} to the admin token")
    return answer.body.decode(errors="surrogateescape")
