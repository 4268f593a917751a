"""docs/ENVIRONMENTS.md: every setting, its value in each environment, and what is refused."""

from __future__ import annotations

from typing import Final

from server.environments import ENVIRONMENTS, RECOMMENDED, SECTIONS, recommended
from server.reference.describe import allowed, meaning, shown_default
from server.reference.markdown import code, page, table
from server.rules import GENERAL, PRODUCTION
from server.settings import SECRET_SETTINGS, file_variable
from server.tools.declaration import WriteTool
from server.tools.registry import ALL

DETECTION = """\
`ENVIRONMENT` is the only variable that says where a server is: `development` (also when it is not set), `staging` or
`production`. Nothing else is looked at: no host name, no file, no address. What it changes: **production refuses unsafe
values at start**, all of them in one message (exit code 2), and logs, metrics and `/health/detailed` carry its name.
Everything else that differs between environments is a setting of its own, recommended below.

Settings come from the environment alone; an empty variable counts as unset, and a secret may be in a file that
`NAME_FILE` names. In production such a file must not be readable by every user."""
CHECK = """\
`python -m server check` shows the environment that was detected, each setting with its value (secrets hidden) and
whether it was set or is the default, and verifies the time-out chain, the data directory, the free disk space, the
database and its revision, and that the master key opens what is sealed there. `--json` prints the same as JSON. Exit
code 0: all holds; 1: something does not; 2: the settings cannot be read or are refused."""
TEMPLATES = """\
[`deploy/env`](../deploy/env) holds a template for each environment, with every setting at its recommended value and the
secrets empty. Copy it, fill those in, and load it:

- systemd: `EnvironmentFile=/etc/quartermaster/environment` in the unit;
- docker: `docker run --env-file .env.production …`;
- a shell: `set -a; . ./.env.development; set +a`, then `python -m server serve`.

The values are written so that all three read them alike: no quotes, no blanks, comments on lines of their own."""

UNCOUNTED: Final = """\
Each update is recorded with what was there before, which `writes revert` restores. Against a client that floods updates
there are `RATE_LIMIT_RPM`, which bounds its calls, and the read-only brake, which stops them within a second."""


def environments_page() -> str:
    """The page."""
    differing = [name for names in SECTIONS.values() for name in names if name in RECOMMENDED]
    return page(
        "Environments",
        "reference environments",
        "## How the environment is detected",
        DETECTION,
        "## What `check` shows",
        CHECK,
        "## Templates",
        TEMPLATES,
        "## Where the environments differ",
        "What is not listed here has one recommended value, its default. An empty value stands for nothing set.",
        table(
            ("variable", *ENVIRONMENTS, "why"),
            [
                (
                    code(name.upper()),
                    *(code(recommended(name, environment)) for environment in ENVIRONMENTS),
                    RECOMMENDED[name].why,
                )
                for name in differing
            ],
        ),
        "## Every setting",
        *(block for section, names in SECTIONS.items() for block in _section(section, names)),
        "## What the hourly cap counts",
        *_capped(),
        "## Refused in every environment",
        "Besides values of the wrong kind or out of their range:",
        "\n".join(f"- {code(rule.setting.upper())} {rule.demand}" for rule in GENERAL),
    )


def _section(section: str, names: tuple[str, ...]) -> tuple[str, str]:
    heads = ("variable", "meaning", "values", "default", *ENVIRONMENTS, "what production refuses")
    return f"### {section}", table(heads, [_row(name) for name in names])


def _capped() -> tuple[str, ...]:
    """Which tools DESTRUCTIVE_CAP_PER_HOUR counts, as they declare it."""
    tools = [tool for tool in ALL if isinstance(tool, WriteTool)]
    counted = [code(tool.name) for tool in tools if tool.capped]
    counted += [
        f"{code(tool.name)} when {code(tool.capped_field)} is among the changes" for tool in tools if tool.capped_field
    ]
    others = [code(tool.name) for tool in tools if not (tool.capped or tool.capped_field)]
    return (
        f"`DESTRUCTIVE_CAP_PER_HOUR` counts the objects that these tools touch: {', '.join(sorted(counted))}.",
        f"It does not count those of {', '.join(sorted(others))}, nor other updates of one object. {UNCOUNTED}",
    )


def _row(name: str) -> tuple[str, ...]:
    values = [code(recommended(name, environment)) for environment in ENVIRONMENTS]
    demands = [rule.demand for rule in PRODUCTION if rule.setting == name]
    if name in SECRET_SETTINGS:
        values = ["yours"] * len(ENVIRONMENTS)
        demands.append(f"a {file_variable(name)} that every user can read")
    return (
        code(name.upper()),
        meaning(name),
        allowed(name),
        code(shown_default(name)),
        *values,
        "; ".join(demands),
    )
