"""What each command of the out-of-process contract returns, and the JSON schema of the whole contract.

Owns how a result becomes a record of :mod:`harness.model`, and the schema that ``hitl schema stdio`` prints.
"""

from collections.abc import Mapping
from dataclasses import fields
from typing import Any, Final, get_args

from pydantic import BaseModel, JsonValue, TypeAdapter, ValidationError
from pydantic.json_schema import models_json_schema

from harness.model import Card, Outcome, Receipt, Settled
from harness.stdio.messages import (
    COMMANDS,
    CONTRACT,
    Answered,
    Ask,
    AskAnswered,
    AskRefused,
    Greeting,
    Idle,
    LineError,
    Observed,
    Refused,
    RunUntil,
    SocketLine,
    told,
)

_REF: Final = "#/$defs/{model}"
_RESULTS: Final[Mapping[str, TypeAdapter[Any]]] = {
    "hello": TypeAdapter(Greeting),
    "boot": TypeAdapter(None),
    "join": TypeAdapter(None),
    "call": TypeAdapter(Outcome),
    "cancel": TypeAdapter(bool),
    "pending": TypeAdapter(tuple[Card, ...]),
    "respond": TypeAdapter(Receipt),
    "settled": TypeAdapter(Settled | None),
    "forge": TypeAdapter(None),
    "close": TypeAdapter(None),
}
_RESULT_CLASSES: Final[Mapping[str, type[Any]]] = {
    "call": Outcome,
    "pending": Card,
    "respond": Receipt,
    "settled": Settled,
}


def read_result(do: str, ok: JsonValue) -> Any:
    """Return the result of command ``do`` as the harness knows it; raises LineError."""
    cls = _RESULT_CLASSES.get(do)
    for record in ok if isinstance(ok, list) else [ok]:
        if cls is not None and isinstance(record, dict):
            unknown = sorted(record.keys() - {it.name for it in fields(cls)})
            if unknown:
                known = ", ".join(it.name for it in fields(cls))
                raise LineError(f"the result of {do} has a field {unknown[0]!r}; it may have: {known}")
    try:
        return _RESULTS[do].validate_python(ok)
    except ValidationError as error:
        raise LineError(f"the result of {do} does not fit: {told(error)}") from None


def stdio_schema() -> dict[str, Any]:
    """Return the JSON schema of the contract: what each side may write, and what each command returns."""
    to_adapter: list[type[BaseModel]] = [*COMMANDS.values(), RunUntil, AskAnswered, AskRefused, SocketLine]
    from_adapter: list[type[BaseModel]] = [Answered, Refused, *get_args(Ask), *get_args(Observed)]
    from_adapter += [Idle, SocketLine]
    models: list[type[BaseModel]] = list(dict.fromkeys([*to_adapter, *from_adapter, Greeting]))
    places, common = models_json_schema([(model, "validation") for model in models], ref_template=_REF)
    definitions = dict(common["$defs"])
    results: dict[str, Any] = {}
    for do, adapter in _RESULTS.items():
        schema = adapter.json_schema(ref_template=_REF)
        definitions |= schema.pop("$defs", {})
        results[do] = schema
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": f"The out-of-process contract of hitl-harness, number {CONTRACT}",
        "description": "One JSON object a line, UTF-8, at most 8 MiB; stderr is for logs.",
        "to_adapter": {"anyOf": [places[model, "validation"] for model in to_adapter]},
        "from_adapter": {"anyOf": [places[model, "validation"] for model in from_adapter]},
        "results": results,
        "$defs": definitions,
    }
