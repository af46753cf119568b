"""The harness's desk for one host of a run: asks answered from the environment, observations reported.

Owns how the contract's asks and observations map to what an adapter in this process is handed. Calls are
known by id over all processes of a run, because a worker may carry out what another process was asked for.
"""

from collections.abc import Awaitable, Callable, Coroutine, Generator, Mapping
from dataclasses import asdict, dataclass
from functools import partial
from typing import Any

from jwt import InvalidTokenError
from pydantic import JsonValue

from harness.adapter import Environment, Machine
from harness.model import Arguments, CallId, ToolCall, ToolFailedError
from harness.stdio.messages import (
    Ask,
    AskAblyToken,
    AskStanding,
    BeforeGate,
    Effect,
    FreshToken,
    Observed,
    SawDecision,
    SawExpiry,
    SawRequest,
    SawScreen,
    Verify,
)
from harness.stdio.session import AskError


@dataclass(frozen=True, slots=True)
class MachineDesk:
    """Serves the process of one host; ``fresh_token`` is the person's or the agent's, as the host is."""

    environment: Environment
    machine: Machine
    calls: Mapping[CallId, ToolCall]
    fresh_token: Callable[[], str]

    def spawn(self, work: Coroutine[Any, Any, None], name: str) -> object:
        """Start a task on the host."""
        return self.machine.host.spawn(work, name)

    def failed(self, where: str, error: str) -> None:
        """Report a fault of the adapter."""
        self.machine.observe.adapter_failed(where, error)

    def observed(self, record: Observed) -> None:
        """Report what the adapter observed."""
        observe = self.machine.observe
        match record:
            case SawRequest(request=request, call=call, arguments=arguments):
                observe.request_published(request, call, arguments)
            case SawDecision():
                observe.decision_taken(
                    record.request,
                    record.choice,
                    person=record.person,
                    role=record.role,
                    arguments=record.arguments,
                    call=record.call,
                )
            case SawExpiry(request=request, call=expired):
                observe.request_expired(request, call=expired)
            case SawScreen():
                observe.screen_changed()

    def answer(self, ask: Ask) -> JsonValue | Awaitable[JsonValue]:
        """Return the answer of an ask, or what it can be awaited from; raises AskError."""
        directory = self.environment.directory
        try:
            match ask:
                case BeforeGate(call=call, arguments=arguments, approved=approved):
                    return _Later(partial(_entered, self._call(call), arguments, approved=approved))
                case Effect(call=call, arguments=arguments):
                    return _Later(partial(_executed, self._call(call), arguments))
                case Verify(token=token):
                    return _plain(directory.verify(token))
                case AskStanding(person=person):
                    return _plain(directory.standing(person))
                case FreshToken():
                    return self.fresh_token()
                case AskAblyToken(token=token):
                    return _plain(self.environment.ably.token(token))
        except InvalidTokenError as error:
            raise AskError(f"the token is refused: {error}") from error

    def _call(self, call: CallId) -> ToolCall:
        if call not in self.calls:
            known = ", ".join(self.calls) or "none"
            raise AskError(f"no process of this run was given a call {call!r}; known: {known}")
        return self.calls[call]


@dataclass(frozen=True, slots=True)
class _Later:
    """Work that begins when it is awaited, and leaves nothing behind where its host dies before that."""

    begin: Callable[[], Coroutine[Any, Any, JsonValue]]

    def __await__(self) -> Generator[Any, Any, JsonValue]:
        return self.begin().__await__()


async def _entered(call: ToolCall, arguments: Arguments, *, approved: bool) -> None:
    await call.before_gate(arguments, approved)


async def _executed(call: ToolCall, arguments: Arguments) -> JsonValue:
    try:
        return await call.effect(arguments)
    except ToolFailedError as error:
        raise AskError(str(error), tool_failed=True) from error


def _plain(record: Any) -> JsonValue:
    return None if record is None else asdict(record)
