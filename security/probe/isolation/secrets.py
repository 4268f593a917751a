"""No answer to the owner itself holds a secret that the server keeps: results go to models, and into their logs."""

from harness.client import Client
from harness.client.wire import LATEST_LEGACY
from harness.collector import OpenCheck
from harness.errors import Inconclusive
from security.probe.calls import Samples, sample_calls
from security.probe.isolation.answers import answers
from security.probe.isolation.asking import Patient
from security.probe.isolation.neighbours import Party, refuse_gaps, secrets_of
from security.probe.isolation.secret_texts import names_among, told
from security.probe.messages import connect_in
from security.probe.probe import probe
from security.probe.site import Site

REFERENCES = ("CWE-200", "CWE-522")


@probe(
    "isolation.secrets",
    "No answer holds a secret that the server keeps",
    "A01:2025",
    "API3:2023",
    "MCP:output-sanitization",
)
def secrets(check: OpenCheck, site: Site) -> None:
    """Look in all answers, in both eras, for the secrets that are known, and for members that are named like one."""
    kept, keys = _kept(site), _keys(site)
    known = {what: secret for what, secret in kept.items() if secret}
    with site.connect() as connected:
        client = Patient(connected)
        samples = sample_calls(site, client)
        _judge_all(check, client, samples, {**known, **keys})
        modern = client.version != LATEST_LEGACY
    earlier = connect_in(site, LATEST_LEGACY) if modern else None
    if earlier is not None:
        with earlier:
            _judge_all(check, Patient(earlier), samples, {**known, **keys})
    check.evidence.append(f"{check.examined} answers{', of both eras' if earlier else ''}")
    _tell_known(check, kept)
    if check.findings:
        return
    if not samples.calls:
        why = next(iter(samples.failures.values()), "there is no tool")
        raise Inconclusive(f"no call of the owner's succeeds: {why}")
    refuse_gaps(check, Party(site.owner, client, samples))


def _judge_all(check: OpenCheck, client: Client, samples: Samples, hidden: dict[str, str]) -> None:
    for answer in answers(client, samples):
        check.examined += 1
        for what in told(answer.text, hidden):
            message = f"{answer.place} tells {what}: whoever reads the answer, or a copy of it, can use it"
            _find_once(check, "secret-in-answer", message, answer.place, what)
        for name in names_among(answer.values):
            message = f"{answer.place} gives {name}, unmasked: by its name that is a secret"
            _find_once(check, "secret-by-name", message, answer.place, name)


def _find_once(check: OpenCheck, rule: str, message: str, place: str, what: str) -> None:
    if not any(each.message == message for each in check.findings):
        check.find(rule, message, location=place, references=REFERENCES, key=f"{rule} {place} {what}")


def _kept(site: Site) -> dict[str, str]:
    """What the server keeps to itself, by what it is; empty where it is not known here."""
    return {
        "the admin token": site.admin_token or "",
        "a store's API key": site.upstream.api_key if site.upstream else "",
        "the key that signs deliveries to the webhook": site.webhook.api_key if site.webhook else "",
    }


def _keys(site: Site) -> dict[str, str]:
    """The keys of both tenants, and the longest part of each."""
    tenants = {"the owner's key": site.owner, "the stranger's key": site.stranger}
    return {
        f"{what}{' (its longest part)' if place else ''}": secret
        for what, tenant in tenants.items()
        for place, secret in enumerate(secrets_of(tenant) if tenant else ())
    }


def _tell_known(check: OpenCheck, kept: dict[str, str]) -> None:
    if unknown := [what for what, secret in kept.items() if not secret]:
        check.evidence.append(
            f"not known here: {', '.join(unknown)}; of what is not known only members that are named like a secret"
            " (api_key, password, secret, token, …) were looked for"
        )
    if known := [what for what, secret in kept.items() if secret]:
        check.evidence.append(f"looked for: {', '.join(known)}, and keys of tenants")
