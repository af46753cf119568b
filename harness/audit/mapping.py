"""The mapping file: how records of a foreign log become events.

Owns the file's form and its validation, and nothing of the reading. A mapping is TOML; an unknown key is
refused, and so is a kind or a field that no event has. ``docs/check.md`` documents it.
"""

import tomllib
from enum import StrEnum
from pathlib import Path
from types import MappingProxyType
from typing import Final, Literal, TypeAlias

from pydantic import BaseModel, ConfigDict, Field, JsonValue, ValidationError, model_validator

from harness.model import OnUnauthorised, Style

FORMAT: Final = "hitl-mapping"
SHIPPED: Final = Path(__file__).parent / "mappings"
"""Mappings that come with the harness; they are asked for by name."""

Scalar: TypeAlias = str | int | float | bool | None


class MappingError(ValueError):
    """A mapping file cannot be used; the text names the file, the place and the mend."""


class Unit(StrEnum):
    """In what times are given."""

    S = "s"
    MS = "ms"
    US = "us"
    NS = "ns"
    ISO = "iso"
    """ISO 8601 with an offset, as in 2026-11-22T10:00:00Z."""


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Value(_Part):
    """Where the value of a field is: at a path of the record, or given here; a text alone is a path.

    ``values`` translates what the log says, written as text, into what the harness says.
    """

    path: str | None = None
    value: JsonValue = None
    values: dict[str, JsonValue] = Field(default_factory=dict)
    default: JsonValue = None

    @model_validator(mode="before")
    @classmethod
    def _path_alone(cls, given: object) -> object:
        return {"path": given} if isinstance(given, str) else given

    @model_validator(mode="after")
    def _one_of_both(self) -> "Value":
        if (self.path is None) == (self.value is None):
            raise ValueError("give either path or value")
        return self


class Rule(_Part):
    """One kind of event: which records it is made from, and where its fields are.

    ``when`` gives paths and the values that they must have, or a list of which one must be had. ``time``
    overrides where the event's time is.
    """

    kind: str
    when: dict[str, Scalar | tuple[Scalar, ...]] = Field(default_factory=dict)
    time: str | None = None
    fields: dict[str, Value]

    @model_validator(mode="after")
    def _known(self) -> "Rule":
        fields = MAPPABLE.get(self.kind)
        if fields is None:
            raise ValueError(f"no event of kind {self.kind!r} can be mapped: {', '.join(MAPPABLE)}")
        unknown = sorted(self.fields.keys() - fields.all)
        if unknown:
            raise ValueError(
                f"{self.kind} has no field {', '.join(unknown)}: {', '.join(sorted(fields.all))}"
            )
        missing = sorted(fields.required - self.fields.keys())
        if missing:
            raise ValueError(f"{self.kind} needs {', '.join(missing)}")
        return self


class Input(_Part):
    """The shape of the log.

    ``form``: a JSON value a line, or one JSON document. ``records`` is the path to the list of records in
    each, empty where the value is the record or a list of them. ``id`` names what makes a record one record:
    a repetition counts once. ``written`` is when a record was written, where that is later than its time: a
    log sorted by time lacks what was written before its first line. ``lossy`` says that records may be
    missing, as where spans are sampled. ``attributes`` are lists of keys and values as in OpenTelemetry.
    """

    form: Literal["lines", "document"] = "lines"
    records: str = ""
    order: Literal["oldest-first", "newest-first", "by-time"] = "oldest-first"
    time: str
    unit: Unit
    id: str | None = None
    written: str | None = None
    lossy: bool = False
    attributes: tuple[str, ...] = ()


class Semantics(_Part):
    """What the implementation declares about itself, as in a manifest."""

    style: Style = Style.INLINE
    on_unauthorised: OnUnauthorised = OnUnauthorised.IGNORE


class Mapping(_Part):
    """A whole mapping file."""

    format: Literal["hitl-mapping"]
    version: Literal[1]
    input: Input
    semantics: Semantics = Semantics()
    event: tuple[Rule, ...] = Field(min_length=1)

    @model_validator(mode="after")
    def _has_a_beginning(self) -> "Mapping":
        kinds = {rule.kind for rule in self.event}
        if not kinds & BEGINNINGS:
            beginnings = " or ".join(sorted(BEGINNINGS))
            raise ValueError(f"map {beginnings}: only a request that begins in the log is judged")
        for kind, names, other, needed in _TOGETHER:
            for rule in self.event:
                if rule.kind == kind and names & rule.fields.keys() and not self.maps(other, needed):
                    wanted = ", ".join(sorted(names & rule.fields.keys())) or "answer"
                    raise ValueError(f"{kind} with {wanted} needs {other} with {needed}")
        return self

    def maps(self, kind: str, *fields: str) -> bool:
        """Return whether some rule makes events of ``kind``, and all those that do fill ``fields``."""
        rules = [rule for rule in self.event if rule.kind == kind]
        return bool(rules) and all(name in rule.fields for rule in rules for name in fields)


class Fields:
    """The fields of one kind of event that a mapping can fill."""

    def __init__(self, required: str, optional: str) -> None:
        self.required = frozenset(required.split())
        self.all = self.required | frozenset(optional.split())


BEGINNINGS: Final = frozenset({"tool-called", "request-published"})
"""Kinds that show when a request began."""

MAPPABLE: Final = MappingProxyType(
    {
        "tool-called": Fields(
            "call",
            "host tool arguments session tenant requester deadline batch attempt "
            "minimum_role hierarchy quorum requester_may_decide edits_allowed",
        ),
        "request-published": Fields("request", "host call arguments"),
        "answer-sent": Fields(
            "request person choice", "host answer call device shown arguments reason role tenant"
        ),
        "receipt-given": Fields("answer status", "host winner choice note"),
        "decision-taken": Fields("request choice", "host call person role arguments"),
        "request-expired": Fields("request", "host call"),
        "body-entered": Fields("call approved", "host arguments"),
        "effect-executed": Fields("call", "host arguments failed"),
        "outcome-reported": Fields("call status", "host choice decided_by role reason"),
        "cancel-requested": Fields("call", "host"),
        "cancel-confirmed": Fields("call cancelled", "host"),
    }
)
"""The kinds of events that a log can show, with their fields; what is missing is filled in soundly."""

_TOGETHER: Final = (
    ("tool-called", frozenset({"minimum_role"}), "tool-called", "hierarchy"),
    ("tool-called", frozenset({"minimum_role"}), "answer-sent", "role"),
    ("tool-called", frozenset({"requester_may_decide"}), "tool-called", "requester"),
    ("receipt-given", frozenset({"answer"}), "answer-sent", "answer"),
)
"""What makes sense only together: fields of a kind, and the field of a kind that they need."""


def read_mapping(name: str) -> Mapping:
    """Return the mapping that comes with the harness under ``name``, or the one in the file called so.

    Raises MappingError.
    """
    path = SHIPPED / f"{name}.toml"
    if "/" in name or not path.is_file():
        path = Path(name)
    try:
        return Mapping.model_validate(tomllib.loads(path.read_text(encoding="utf-8")))
    except OSError as error:
        raise MappingError(
            f"{name}: cannot be read: {error.strerror}. Give a mapping file, or one of "
            f"{', '.join(shipped_mappings())}."
        ) from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise MappingError(f"{name}: not a TOML file: {error}.") from error
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        where = ".".join(str(part) for part in first["loc"] if part != "Value")
        text = first["msg"].removeprefix("Value error, ")
        raise MappingError(f"{name}: {where or 'the file'}: {text}.") from error


def shipped_mappings() -> list[str]:
    """Return the names of the mappings that come with the harness."""
    return sorted(path.stem for path in SHIPPED.glob("*.toml"))
