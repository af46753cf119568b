"""The application's own code in a simulated world: what stands above the gate, and the side effect.

Owns the two callbacks of every tool call, and with them the counts that make re-invocation visible
without trusting an implementation's own account. Both are boundary steps: the plan may have the host
lose power right after them.
"""

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field

from harness.model import Arguments, CallId, HostName, JsonValue, ToolCall, ToolFailedError
from harness.plan import CallSpec
from harness.sim import Host, current_host, halt_if_dead
from harness.trace import BodyEntered, EffectExecuted
from harness.world.recorder import Recorder


@dataclass(slots=True)
class ToolBench:
    """Makes the tool calls of one run and counts what really happens."""

    recorder: Recorder
    failing: frozenset[CallId]
    here: Callable[[], Host | None] = current_host
    entries: Counter[CallId] = field(default_factory=Counter)
    occurrences: Counter[CallId] = field(default_factory=Counter)

    def tool_call(self, spec: CallSpec, deadline_ns: int | None) -> ToolCall:
        """Return ``spec`` as an adapter is handed it."""

        async def before_gate(arguments: Arguments, approved: bool) -> None:  # noqa: FBT001 - the contract
            await self._enter(spec.id, arguments, approved=approved)

        async def effect(arguments: Arguments) -> JsonValue:
            return await self._execute(spec, arguments)

        return ToolCall(
            id=spec.id,
            tool=spec.tool,
            arguments=spec.arguments,
            policy=spec.policy,
            session=spec.session,
            tenant=spec.tenant,
            requester=spec.requester,
            deadline_ns=deadline_ns,
            batch=spec.batch,
            before_gate=before_gate,
            effect=effect,
        )

    async def _enter(self, call: CallId, arguments: Arguments, *, approved: bool) -> None:
        host = self._host()
        await halt_if_dead()
        self.entries[call] += 1
        at, entry = self.recorder.now_ns(), self.entries[call]
        self.recorder.add(BodyEntered(at, HostName(host.name), call, entry, approved, arguments))
        host.boundary("body entered")
        await halt_if_dead()

    async def _execute(self, spec: CallSpec, arguments: Arguments) -> JsonValue:
        host = self._host()
        await halt_if_dead()
        self.occurrences[spec.id] += 1
        at, occurrence, failed = self.recorder.now_ns(), self.occurrences[spec.id], spec.id in self.failing
        self.recorder.add(EffectExecuted(at, HostName(host.name), spec.id, occurrence, arguments, failed))
        host.boundary("effect")
        await halt_if_dead()
        if failed:
            raise ToolFailedError(f"{spec.tool} failed")
        return {"done": spec.id}

    def _host(self) -> Host:
        host = self.here()
        assert host is not None, "adapter code runs on a host"
        return host
