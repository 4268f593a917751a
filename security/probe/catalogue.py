"""Every probe there is, in the order of their checks."""

from security.probe.authentication.absent_key import absent_key
from security.probe.authentication.brute_force import brute_force
from security.probe.authentication.key_in_query import key_in_query
from security.probe.authentication.malformed_key import malformed_key
from security.probe.authentication.mixed_key import mixed_key
from security.probe.authentication.session import session
from security.probe.authentication.timing import timing
from security.probe.authentication.webhook import webhook
from security.probe.authentication.withdrawn_key import withdrawn_key
from security.probe.configuration.errors import errors
from security.probe.configuration.headers import headers
from security.probe.configuration.local_binding import local_binding
from security.probe.configuration.public_pages import public_pages
from security.probe.configuration.tls import tls
from security.probe.injection.log import log
from security.probe.injection.metrics import metrics
from security.probe.injection.prompt import prompt
from security.probe.injection.prompt_in_data import prompt_in_data
from security.probe.injection.request_forgery import request_forgery
from security.probe.injection.sql import sql
from security.probe.injection.sql_headers import sql_headers
from security.probe.injection.sql_second_order import sql_second_order
from security.probe.isolation.cache import cache
from security.probe.isolation.error_texts import error_texts
from security.probe.isolation.idempotency import idempotency
from security.probe.isolation.pages import pages
from security.probe.isolation.public_output import public_output
from security.probe.isolation.secrets import secrets
from security.probe.isolation.stored_secrets import stored_secrets
from security.probe.isolation.tools import tools
from security.probe.isolation.writes import writes
from security.probe.limits.allowance import allowance
from security.probe.limits.batch import batch
from security.probe.limits.clock_edges import clock_edges
from security.probe.limits.connections import connections
from security.probe.limits.eras import eras
from security.probe.limits.invalid import invalid
from security.probe.limits.keys import keys
from security.probe.limits.methods import methods as limited_methods
from security.probe.limits.neighbour import neighbour
from security.probe.limits.pipelining import pipelining
from security.probe.limits.refill import refill
from security.probe.limits.spoofed_address import spoofed_address
from security.probe.limits.variants import variants
from security.probe.probe import Probe
from security.probe.protocol.cross_origin import cross_origin
from security.probe.protocol.desync import desync
from security.probe.protocol.duplicate_keys import duplicate_keys
from security.probe.protocol.encoding import encoding
from security.probe.protocol.framing import framing
from security.probe.protocol.header_mismatch import header_mismatch
from security.probe.protocol.large_body import large_body
from security.probe.protocol.methods import methods
from security.probe.protocol.nesting import nesting
from security.probe.protocol.numbers import numbers
from security.probe.protocol.rebinding import rebinding
from security.probe.protocol.repeated_headers import repeated_headers
from security.probe.protocol.slow_body import slow_body
from security.probe.protocol.version_confusion import version_confusion
from security.probe.surface.lock import lock

PROBES: tuple[Probe, ...] = (
    absent_key,
    malformed_key,
    withdrawn_key,
    mixed_key,
    key_in_query,
    session,
    timing,
    brute_force,
    webhook,
    tools,
    cache,
    error_texts,
    idempotency,
    pages,
    public_output,
    secrets,
    stored_secrets,
    writes,
    allowance,
    refill,
    spoofed_address,
    variants,
    connections,
    pipelining,
    eras,
    limited_methods,
    invalid,
    batch,
    keys,
    neighbour,
    clock_edges,
    sql,
    sql_second_order,
    sql_headers,
    log,
    metrics,
    prompt,
    prompt_in_data,
    request_forgery,
    slow_body,
    header_mismatch,
    version_confusion,
    large_body,
    nesting,
    duplicate_keys,
    encoding,
    numbers,
    desync,
    framing,
    repeated_headers,
    rebinding,
    cross_origin,
    methods,
    headers,
    tls,
    errors,
    public_pages,
    local_binding,
    lock,
)
