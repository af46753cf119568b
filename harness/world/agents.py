"""The agent side of a run: processes that boot, the tool calls they are asked for, and cancellation.

Owns what the agent's caller does: it starts each call at its time, repeats those that have no outcome
after the host came back, and cancels. It counts how calls end; it judges nothing.
"""

from collections.abc import Callable
from dataclasses import dataclass, field

import simpy

from harness.adapter import Agent, Implementation, Machine
from harness.model import CallId, HostName, Outcome, ToolCall
from harness.plan import CallSpec
from harness.sim import Host
from harness.trace import CancelConfirmed, CancelRequested, OutcomeReported, ToolCalled
from harness.world.boundary import Boundary
from harness.world.recorder import Recorder
from harness.world.stage import Stage
from harness.world.tools import ToolBench


@dataclass(slots=True)
class GatedCall:
    """One gated call while it runs."""

    spec: CallSpec
    ended: simpy.Event
    tool_call: ToolCall | None = None
    attempts: int = 0
    outcome: Outcome | None = None
    cancel_wanted: bool = False
    also_at: list[HostName] = field(default_factory=list)
    """Agents that were given the call too."""


@dataclass(slots=True)
class AgentSide:
    """The agents of one run; ``machine`` makes what an adapter is handed for a host."""

    sim: Stage
    recorder: Recorder
    boundary: Boundary
    tools: ToolBench
    implementation: Implementation
    machine: Callable[[Host], Machine]
    calls: dict[CallId, GatedCall]
    agents: dict[HostName, Agent] = field(default_factory=dict)

    def boot(self, name: HostName) -> None:
        """Boot the agent process of a host, then make the calls that are due there."""
        host = self.sim.host(name)
        machine = self.machine(host)

        def booted(agent: Agent) -> None:
            self.agents[name] = agent
            for call in self.calls.values():
                if name in (call.spec.agent, *call.also_at) and call.spec.at_ns <= self.sim.now_ns:
                    self._call(agent, host, call)

        self.boundary.run(host, "boot_agent", lambda: self.implementation.boot_agent(machine), booted)

    def power_lost(self, name: HostName) -> None:
        """Forget the process of a host that lost power."""
        self.agents.pop(name, None)

    def begin(self, call_id: CallId) -> None:
        """Make a call for the first time; one whose agent is down is made when the agent is back."""
        call = self.calls[call_id]
        agent = self.agents.get(call.spec.agent)
        if agent is not None and call.attempts == 0:
            self._call(agent, self.sim.host(call.spec.agent), call)

    def hand_out_again(self, call_id: CallId, name: HostName) -> bool:
        """Give a call that was made and has no outcome to another agent too; returns whether it was."""
        call, agent = self.calls[call_id], self.agents.get(name)
        if agent is None or call.outcome is not None or call.attempts == 0:
            return False
        call.also_at.append(name)
        self._call(agent, self.sim.host(name), call)
        return True

    def cancel(self, call_id: CallId) -> bool:
        """Cancel a call that was made and has no outcome; returns whether there was one to cancel."""
        call = self.calls[call_id]
        if call.outcome is not None or call.attempts == 0:
            return False
        call.cancel_wanted = True
        name = call.spec.agent
        self.recorder.add(CancelRequested(self.sim.now_ns, name, call_id))
        agent = self.agents.get(name)
        if agent is not None:
            self._cancel(agent, call)
        return True

    def _cancel(self, agent: Agent, call: GatedCall) -> None:
        name, call_id = call.spec.agent, call.spec.id

        def confirmed(cancelled: bool) -> None:  # noqa: FBT001 - the contract's return value
            call.cancel_wanted = False
            self.recorder.add(CancelConfirmed(self.sim.now_ns, name, call_id, cancelled))

        self.boundary.run(
            self.sim.host(name),
            f"agent.cancel({call_id})",
            lambda: agent.cancel(call_id),
            confirmed,
            returns=bool,
        )

    def _call(self, agent: Agent, host: Host, call: GatedCall) -> None:
        if call.outcome is not None:
            return
        call.attempts += 1
        tool_call = call.tool_call or self._first_attempt(call)
        spec, attempt, name = call.spec, call.attempts, HostName(host.name)
        self.recorder.add(
            ToolCalled(
                at=self.sim.now_ns,
                host=name,
                call=spec.id,
                attempt=attempt,
                tool=spec.tool,
                arguments=spec.arguments,
                policy=spec.policy,
                session=spec.session,
                tenant=spec.tenant,
                requester=spec.requester,
                deadline=tool_call.deadline_ns,
                batch=spec.batch,
            ),
        )

        def ended(outcome: Outcome) -> None:
            first = call.outcome is None
            call.outcome = outcome
            self.recorder.add(
                OutcomeReported(
                    self.sim.now_ns,
                    name,
                    spec.id,
                    attempt,
                    outcome.status,
                    outcome.choice,
                    outcome.decided_by,
                    outcome.role,
                    outcome.reason,
                ),
            )
            if first:
                call.ended.succeed()

        where = f"agent.call_tool({spec.id})"
        self.boundary.run(
            host,
            where,
            lambda: agent.call_tool(tool_call),
            ended,
            returns=Outcome,
            prompt=False,
        )
        if call.cancel_wanted and name == spec.agent:
            self._cancel(agent, call)

    def _first_attempt(self, call: GatedCall) -> ToolCall:
        timeout_ns = call.spec.timeout_ns
        deadline_ns = None if timeout_ns is None else self.sim.now_ns + timeout_ns
        call.tool_call = self.tools.tool_call(call.spec, deadline_ns)
        return call.tool_call
