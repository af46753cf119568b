"""The records of the out-of-process contract, number 1, as they stand on one line each.

Owns the shape of every line in both directions. Field names are snake_case, times are integer nanoseconds,
enumerations are the texts of :mod:`harness.model`; results of commands are in :mod:`harness.stdio.results`.

Invariant: what an adapter writes is checked here and nowhere else. An unknown field is refused, because it is
a misspelt one; the complaint names it.
"""

from collections.abc import Mapping
from typing import Annotated, Any, Final, Literal, TypeAlias, get_args

from pydantic import BaseModel, ConfigDict, Field, JsonValue, TypeAdapter, ValidationError

from harness.model import (
    CallId,
    Choice,
    Decision,
    Forgery,
    HostName,
    OnUnauthorised,
    Person,
    PersonId,
    Policy,
    RequestId,
    Role,
    Style,
    ToolCall,
)

CONTRACT: Final = 1
"""The number of this contract; it changes when an adapter written for the last one would no longer work."""
LINE_BYTES_MAX: Final = 8 * 1024 * 1024


class LineError(ValueError):
    """A line of an adapter breaks the contract; the text says how, in one sentence."""


class Line(BaseModel):
    """One line; unknown fields are refused."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class SentencedClaim(Line):
    """The sentence with which an implementation promises a guarantee, and where it stands."""

    sentence: str = Field(min_length=1)
    link: str = ""


Clock: TypeAlias = Literal["real", "virtual"]


class ManifestRecord(Line):
    """What an adapter says of what it wraps; ``offers`` maps the name of each guarantee to its claim."""

    name: str = Field(pattern=r"^[a-z0-9][a-z0-9._-]{0,63}$")
    version: str
    summary: str
    homepage: str = ""
    offers: dict[str, SentencedClaim]
    style: Style = Style.INLINE
    on_unauthorised: OnUnauthorised = OnUnauthorised.IGNORE
    clocks: tuple[Clock, ...] = ("real",)
    forges: bool = False
    """Whether devices carry out ``forge``."""
    takes: dict[str, str] = {}
    """The options that a user may set, by name, with what each means; they come with ``hello``."""


class Greeting(Line):
    """The result of ``hello``."""

    contract: int
    manifest: ManifestRecord


class Endpoint(Line):
    """A service of the run that an adapter may connect to; ``port`` 0 with an empty host: the vendor's."""

    model_config = ConfigDict(extra="allow", frozen=True)

    host: str
    port: int


Services: TypeAlias = Mapping[str, JsonValue]
"""Named endpoints; ``ably`` is ``{host, port, tls, token, client_id}``, others are an adapter's own."""


class CallRecord(Line):
    """A gated tool call without the application's own code, which is asked for by line."""

    id: CallId
    tool: str
    arguments: dict[str, JsonValue]
    policy: Policy
    session: str
    tenant: str
    requester: PersonId | None
    deadline_ns: int | None
    batch: str | None

    @classmethod
    def of(cls, call: ToolCall) -> "CallRecord":
        """Return the record of a call."""
        return cls.model_construct(
            **{name: getattr(call, name) for name in cls.model_fields if name != "arguments"},
            arguments=dict(call.arguments),
        )


class PersonRecord(Line):
    """Whose device this is."""

    id: PersonId
    tenant: str
    sessions: tuple[str, ...]

    @classmethod
    def of(cls, person: Person) -> "PersonRecord":
        """Return the record of a person."""
        return cls(id=person.id, tenant=person.tenant, sessions=person.sessions)


# -- harness to adapter: commands, answered by the line {"id": ..., "ok": ...} or {"id": ..., "error": ...}


class Command(Line):
    """What every command has; ids count from 1 within one process."""

    id: int


class Hello(Command):
    """The first line that a process gets."""

    do: Literal["hello"] = "hello"
    contract: int = CONTRACT
    harness: str
    clock: Clock
    options: dict[str, str] = {}
    seed: int | None = None
    """Under the virtual clock all randomness of the process comes from it."""


class Boot(Command):
    """Be the agent of this host; what a former life left is in the two folders."""

    do: Literal["boot"] = "boot"
    host: HostName
    incarnation: int
    directory: str
    shared: str
    now_ns: int
    agent_token: str
    services: dict[str, JsonValue] = {}


class Join(Command):
    """Be this device of this person."""

    do: Literal["join"] = "join"
    host: HostName
    incarnation: int
    directory: str
    now_ns: int
    person: PersonRecord
    token: str
    services: dict[str, JsonValue] = {}


class Call(Command):
    """Run one gated tool call to its end; the result is its outcome."""

    do: Literal["call"] = "call"
    call: CallRecord


class Cancel(Command):
    """Cancel a call; the result is whether that took effect."""

    do: Literal["cancel"] = "cancel"
    call: CallId


class Pending(Command):
    """Say what this screen shows as waiting for an answer."""

    do: Literal["pending"] = "pending"


class Respond(Command):
    """Press the button; the result is what the device was told."""

    do: Literal["respond"] = "respond"
    request: RequestId
    decision: Decision


class SettledCommand(Command):
    """Say how this screen shows a request that is no longer pending."""

    do: Literal["settled"] = "settled"
    request: RequestId


class Forge(Command):
    """Send a forged message past the screens."""

    do: Literal["forge"] = "forge"
    forgery: Forgery


class Close(Command):
    """End in good order: answer, then exit with code 0."""

    do: Literal["close"] = "close"


class RunUntil(Line):
    """Virtual clock only: work through everything that is due by ``now_ns``, then say that you are idle."""

    do: Literal["run"] = "run"
    now_ns: int
    skew_ns: int = 0
    """How far this host's wall clock is ahead of ``now_ns``, which counts from the start of the run."""


AnyCommand: TypeAlias = (
    Hello | Boot | Join | Call | Cancel | Pending | Respond | SettledCommand | Forge | Close
)
COMMANDS: Final[Mapping[str, type[Command]]] = {
    cls.model_fields["do"].default: cls for cls in get_args(AnyCommand)
}


class AskAnswered(Line):
    """The answer to a line that asked; ``tool_failed`` says that the application's own tool raised."""

    answer: str
    ok: JsonValue = None


class AskRefused(Line):
    """Why a line that asked is not answered."""

    answer: str
    error: str
    tool_failed: bool = False


# -- adapter to harness


class Answered(Line):
    """The answer to a command."""

    id: int
    ok: JsonValue = None


class Refused(Line):
    """Why a command could not be carried out; reported as a failure of the adapter."""

    id: int
    error: str


class BeforeGate(Line):
    """Asks to run the application's code above the gate."""

    ask: Literal["before_gate"]
    id: str
    call: CallId
    arguments: dict[str, JsonValue]
    approved: bool


class Effect(Line):
    """Asks to carry out the side effect; answered with the tool's result."""

    ask: Literal["effect"]
    id: str
    call: CallId
    arguments: dict[str, JsonValue]


class Verify(Line):
    """Asks whom a token speaks for; refused with the reason where it speaks for nobody."""

    ask: Literal["verify"]
    id: str
    token: str


class AskStanding(Line):
    """Asks for the directory's present record of a person, null where there is none."""

    ask: Literal["standing"]
    id: str
    person: PersonId


class FreshToken(Line):
    """Asks for a fresh token of the identity provider: the person's on a device, the agent's on an agent."""

    ask: Literal["token"]
    id: str


class AskAblyToken(Line):
    """Asks to exchange a token of the identity provider for an Ably JWT, answered ``{text, client_id}``."""

    ask: Literal["ably_token"]
    id: str
    token: str


Ask: TypeAlias = BeforeGate | Effect | Verify | AskStanding | FreshToken | AskAblyToken


class SawRequest(Line):
    """Reports that a request was made known."""

    observed: Literal["request_published"]
    request: RequestId
    call: CallId
    arguments: dict[str, JsonValue]


class SawDecision(Line):
    """Reports that a decision took effect; ``arguments`` are those it binds."""

    observed: Literal["decision_taken"]
    request: RequestId
    choice: Choice
    person: PersonId | None = None
    role: Role | None = None
    arguments: dict[str, JsonValue] | None = None
    call: CallId | None = None


class SawExpiry(Line):
    """Reports that a request ended because its deadline passed."""

    observed: Literal["request_expired"]
    request: RequestId
    call: CallId | None = None


class SawScreen(Line):
    """Says that this device's screen changed. Once said, the harness relies on being told."""

    observed: Literal["screen_changed"]


Observed: TypeAlias = SawRequest | SawDecision | SawExpiry | SawScreen


class Idle(Line):
    """Virtual clock only: nothing is ready; the next timer is due at ``next_ns``, null for none."""

    idle: Literal[True]
    next_ns: int | None


class SocketTarget(Line):
    """Where a tunnelled socket goes."""

    host: str
    port: int


class SocketLine(Line):
    """Virtual clock only: something of a tunnelled socket, either direction; one field beside ``socket``."""

    socket: int
    open: SocketTarget | None = None
    opened: bool | None = None
    data: str | None = None
    """Bytes in base64."""
    end: bool | None = None
    destroy: bool | None = None
    error: str | None = None


FromAdapter: TypeAlias = Answered | Refused | Ask | Observed | Idle | SocketLine

_ASKS: Final[TypeAdapter[Ask]] = TypeAdapter(Annotated[Ask, Field(discriminator="ask")])
_OBSERVED: Final[TypeAdapter[Observed]] = TypeAdapter(Annotated[Observed, Field(discriminator="observed")])


def read_line(record: JsonValue) -> FromAdapter:
    """Return what a line of an adapter says; raises LineError naming what is wrong with it."""
    if not isinstance(record, dict):
        raise LineError(f"a line holds {type(record).__name__} where a JSON object is due")
    try:
        return _read(record)
    except ValidationError as error:
        raise LineError(told(error)) from None


def _read(record: dict[str, Any]) -> FromAdapter:
    if "ask" in record:
        return _ASKS.validate_python(record)
    if "observed" in record:
        return _OBSERVED.validate_python(record)
    if "socket" in record:
        return SocketLine.model_validate(record)
    if "idle" in record:
        return Idle.model_validate(record)
    if "id" in record and "error" in record:
        return Refused.model_validate(record)
    if "id" in record and "ok" in record:
        return Answered.model_validate(record)
    names = ", ".join(sorted(record)) or "no field"
    raise LineError(
        f"a line with {names} is no line of the contract: an answer has id and ok (or error), "
        "anything else ask or observed"
    )


def told(error: ValidationError) -> str:
    """Return what pydantic found as one sentence: the first two places and what is wrong there."""
    found = error.errors(include_url=False)
    parts = [f"{'.'.join(map(str, it['loc'])) or 'the record'}: {_said(it['msg'])}" for it in found[:2]]
    more = f" (and {len(found) - 2} more)" if len(found) > 2 else ""  # noqa: PLR2004 - what was left out
    return "; ".join(parts) + more


def _said(message: str) -> str:
    return "there is no such field" if message.startswith("Extra inputs") else message
