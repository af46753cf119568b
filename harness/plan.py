"""A plan: the calm world plus a short list of deviations. Its JSON file is the whole reproduction.

Owns the plan's records, the JSON form (read, written, schema) and the one
interface through which scenarios draw, :class:`Chooser`.

Invariant: a plan is immutable plain data, and there is no other source of choice in a run. The calm
world is first-in first-out scheduling, constant latency, people who answer once and faults that never
happen; everything else is a :data:`Deviation`, so that shrinking means dropping deviations and
shrinking what is left. All times are integer virtual nanoseconds from the start of the run, or
durations, as each field says.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Annotated, Any, Final, Protocol, TypeVar

from pydantic import Field, TypeAdapter, ValidationError

from harness.deviations import Deviation
from harness.model import (
    Arguments,
    CallId,
    Choice,
    DeviceId,
    HostName,
    PersonId,
    Policy,
    Role,
    canonical_json,
)

FORMAT: Final = "hitl-plan"
VERSION: Final = 1
MS: Final = 1_000_000
SECOND: Final = 1_000 * MS
MINUTE: Final = 60 * SECOND
DAY: Final = 86_400 * SECOND

SERVICE_HOST: Final = HostName("channel")
"""The host on which the channel service runs; it may be cut off but never loses acknowledged messages."""
AGENT_HOST: Final = HostName("agent")
"""The host of the only agent of most plans."""

T = TypeVar("T")


class PlanError(ValueError):
    """A plan cannot be read or makes no sense; the text names where and what to do."""


@dataclass(frozen=True, slots=True)
class DeviceSpec:
    """A device of a person; its host bears the device's name. It comes up at ``joins_ns``."""

    id: DeviceId
    joins_ns: int = 0


@dataclass(frozen=True, slots=True)
class AnswerSpec:
    """One answer a person means to give: once a card for ``call`` is on ``device``, think, press.

    ``device`` None means whichever of the person's devices shows the card first.
    """

    call: CallId
    choice: Choice = Choice.APPROVED
    device: DeviceId | None = None
    think_ns: int = SECOND
    edits: Arguments | None = None
    reason: str = ""


@dataclass(frozen=True, slots=True)
class PersonSpec:
    """A person, their verified role (None: the token bears none), devices and intended answers."""

    id: PersonId
    role: Role | None
    devices: tuple[DeviceSpec, ...]
    answers: tuple[AnswerSpec, ...] = ()
    tenant: str = "acme"
    sessions: tuple[str, ...] = ("main",)


@dataclass(frozen=True, slots=True)
class CallSpec:
    """One gated tool call: which agent makes it, when, and under which policy.

    ``timeout_ns`` is the deadline counted from the request; None never expires.
    """

    id: CallId
    tool: str = "publish_blog_post"
    arguments: Arguments = field(default_factory=dict)
    agent: HostName = AGENT_HOST
    at_ns: int = 0
    policy: Policy = field(default_factory=Policy)
    timeout_ns: int | None = None
    requester: PersonId | None = None
    session: str = "main"
    tenant: str = "acme"
    batch: str | None = None
    fails: bool = False


@dataclass(frozen=True, slots=True)
class Plan:
    """The calm world of one run and its deviations.

    ``seed`` feeds only what the code under test draws from (``random``, ``uuid``, ``secrets``).
    ``backlog`` is how many unrelated messages the channel already holds when the run starts.
    """

    scenario: str
    people: tuple[PersonSpec, ...]
    calls: tuple[CallSpec, ...]
    agents: tuple[HostName, ...] = (AGENT_HOST,)
    deviations: tuple[Annotated[Deviation, Field(discriminator="kind")], ...] = ()
    latency_ns: int = 5 * MS
    backlog: int = 0
    seed: int = 0

    def but(self, *deviations: Deviation) -> "Plan":
        """Return this plan with ``deviations`` in place of its own."""
        return replace(self, deviations=deviations)


_PLAN: Final[TypeAdapter[Plan]] = TypeAdapter(Plan)


def plan_json(plan: Plan) -> str:
    """Return the plan's canonical JSON on one line."""
    return canonical_json(plan_record(plan))


def plan_record(plan: Plan) -> dict[str, Any]:
    """Return the plan as plain JSON data, defaults spelled out, with its format and version."""
    record = _PLAN.dump_python(plan, mode="json")
    return {"format": FORMAT, "version": VERSION, **record}


def read_plan(text: str, *, name: str = "plan") -> Plan:
    """Read a plan's JSON; ``name`` is how error texts call the source.

    Raises PlanError for text that is no JSON, another format or version, or an ill-formed field.
    """
    try:
        record = json.loads(text)
    except ValueError as error:
        raise PlanError(f"{name}: not JSON: {error}. A plan is the plan.json of a run folder.") from error
    return plan_from_record(record, name=name)


def plan_from_record(record: object, *, name: str = "plan") -> Plan:
    """Validate plain JSON data as a plan; raises PlanError as :func:`read_plan` does."""
    if not isinstance(record, dict) or record.get("format") != FORMAT:
        raise PlanError(f'{name}: no plan: "format": "{FORMAT}" is missing.')
    if record.get("version") != VERSION:
        raise PlanError(
            f"{name}: plan version {record.get('version')!r} is not {VERSION}, which this harness reads. "
            "Install the harness that wrote it.",
        )
    fields = {key: value for key, value in record.items() if key not in ("format", "version")}
    unknown = sorted(fields.keys() - set(Plan.__dataclass_fields__))
    if unknown:
        raise PlanError(f"{name}: a plan has no field {', '.join(map(repr, unknown))}.")
    try:
        plan = _PLAN.validate_python(fields)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        where = ".".join(str(part) for part in first["loc"])
        raise PlanError(f"{name}: {where}: {first['msg']}.") from error
    check_plan(plan, name=name)
    return plan


def check_plan(plan: Plan, *, name: str = "plan") -> None:
    """Raise PlanError where a plan names a person, device, call or host that it does not have."""
    devices: list[str] = [device.id for person in plan.people for device in person.devices]
    calls: list[str] = [call.id for call in plan.calls]
    agents: list[str] = list(plan.agents)
    hosts = {*agents, *devices, SERVICE_HOST}
    for what, names in (("device", devices), ("call", calls), ("agent", agents)):
        if len(set(names)) != len(names):
            raise PlanError(f"{name}: two of its {what}s have one name.")
    known: dict[str, set[str]] = {"device": set(devices), "call": set(calls)}
    known["person"] = {person.id for person in plan.people}
    known |= dict.fromkeys(("host", "source", "target", "one", "other"), hosts)
    known["agent"] = set(agents)
    for place, deviation in enumerate(plan.deviations):
        for field_name, allowed in known.items():
            value = getattr(deviation, field_name, None)
            if value is not None and value not in allowed:
                raise PlanError(
                    f"{name}: deviations.{place}: {deviation.kind} names the {field_name} {value!r}, "
                    "which the plan does not have.",
                )


def plan_schema() -> dict[str, Any]:
    """Return the JSON schema of a plan."""
    schema = _PLAN.json_schema()
    schema["properties"] |= {"format": {"const": FORMAT}, "version": {"const": VERSION}}
    schema["required"] = ["format", "version", *schema.get("required", [])]
    schema["title"] = f"{FORMAT} {VERSION}"
    return schema


class Chooser(Protocol):
    """The one way a scenario draws. Every driver shrinks towards the first option and the low end."""

    def integer(self, low: int, high: int) -> int:
        """Return an integer from ``low`` to ``high``, both included."""

    def pick(self, options: Sequence[T]) -> T:
        """Return one of ``options``, which is not empty."""

    def some(self, options: Sequence[T], at_most: int) -> tuple[T, ...]:
        """Return up to ``at_most`` distinct items of ``options`` in their order; shrinks to none."""
