"""How two model vendors spell a tool call, and what of it the approval pattern needs.

Owns the two shapes. OpenAI's function call has a ``call_id`` and its arguments as JSON text; Anthropic's tool
use has an ``id`` and its input as an object. Everything else of the pattern is the same for both.

Invariant: reading a spelled call gives back the same id, name and arguments.
"""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final, TypeAlias

from pydantic import JsonValue

from harness.model import Arguments, CallId, ToolCall

Spelled: TypeAlias = Mapping[str, JsonValue]
"""A tool call as it stands in a model's response."""


@dataclass(frozen=True, slots=True)
class ModelCall:
    """What the pattern needs of a tool call; ``arguments`` is in the vendor's own form."""

    id: str
    name: str
    arguments: JsonValue


@dataclass(frozen=True, slots=True)
class Vendor:
    """One way of spelling tool calls: writing one as the model would, and reading it."""

    name: str
    spell: Callable[[CallId, str, Arguments], Spelled]
    read: Callable[[Spelled], ModelCall]

    def model_call(self, call: ToolCall) -> ModelCall:
        """Return ``call`` as the agent meets it in a model's response."""
        return self.read(self.spell(call.id, call.tool, call.arguments))


def spell_openai(call: CallId, tool: str, arguments: Arguments) -> Spelled:
    """Return an item of the ``output`` of OpenAI's Responses API."""
    return {"type": "function_call", "call_id": call, "name": tool, "arguments": json.dumps(dict(arguments))}


def read_openai(item: Spelled) -> ModelCall:
    """Return what the pattern needs of a function call; its arguments stay JSON text."""
    return ModelCall(str(item["call_id"]), str(item["name"]), item["arguments"])


def spell_anthropic(call: CallId, tool: str, arguments: Arguments) -> Spelled:
    """Return a block of the ``content`` of Anthropic's Messages API."""
    return {"type": "tool_use", "id": call, "name": tool, "input": dict(arguments)}


def read_anthropic(block: Spelled) -> ModelCall:
    """Return what the pattern needs of a tool use; its arguments are an object."""
    return ModelCall(str(block["id"]), str(block["name"]), block["input"])


def read_arguments(arguments: JsonValue) -> Arguments:
    """Return a call's arguments as an object, from either form; empty where they are neither."""
    parsed = json.loads(arguments) if isinstance(arguments, str) else arguments
    return parsed if isinstance(parsed, dict) else {}


OPENAI: Final = Vendor("openai", spell_openai, read_openai)
ANTHROPIC: Final = Vendor("anthropic", spell_anthropic, read_anthropic)
