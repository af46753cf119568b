"""The bodies of requests as the SDK sends them, and the views that are answered.

Owns the JSON on the wire, field for field as the contract of the npm package has it. What is not needed here
(blobs, messages, feedback) is left out.
"""

from typing import Any

from pydantic import BaseModel, JsonValue, TypeAdapter

from .jobs import Gate, Job
from .store import Run


class FunctionConfig(BaseModel):
    """How a function may be tried."""

    retryCountOnStall: int = 0  # noqa: N815 - the SDK's spelling
    timeoutSeconds: float = 30  # noqa: N815 - as above


class FunctionBody(BaseModel):
    """One registered function."""

    name: str
    config: FunctionConfig = FunctionConfig()


class MachineBody(BaseModel):
    """Registration of a machine: of its key alone, or with a service."""

    service: str | None = None
    functions: list[FunctionBody] = []


class FunctionReference(BaseModel):
    """A function by name."""

    service: str
    function: str


class StatusChange(BaseModel):
    """The function that is to be called when a run's status changes."""

    function: FunctionReference


class RunBody(BaseModel):
    """A new run; its agent calls the one attached function with ``input``."""

    attachedFunctions: list[FunctionReference]  # noqa: N815 - the SDK's spelling
    input: dict[str, JsonValue] = {}
    context: Gate
    metadata: dict[str, str] = {}
    onStatusChange: StatusChange | None = None  # noqa: N815 - the SDK's spelling


class ResultBody(BaseModel):
    """The result of a function."""

    result: JsonValue = None
    resultType: str  # noqa: N815 - the SDK's spelling


class ApprovalBody(BaseModel):
    """An answer; ``reason`` is the hardened control plane's."""

    approved: bool
    reason: str = ""


_GATE = TypeAdapter(Gate)


def call_for_machine(job: Job) -> dict[str, Any]:
    """Return a call as a machine polls it."""
    return {
        "id": job.id,
        "function": job.function,
        "input": job.input,
        "authContext": None,
        "runContext": _GATE.dump_python(job.gate, mode="json"),
        "approved": bool(job.approved),
    }


def call_in_timeline(job: Job) -> dict[str, Any]:
    """Return a call as a run's timeline lists it."""
    return {
        "id": job.id,
        "status": job.status.value,
        "targetFn": job.function,
        "service": job.service,
        "resultType": job.result_type,
        "approved": job.approved,
        "approvalRequested": job.approval_requested,
    }


def call_in_full(job: Job, audit: JsonValue) -> dict[str, Any]:
    """Return a call as somebody reads it."""
    return call_in_timeline(job) | {
        "executingMachineId": job.machine,
        "targetArgs": job.input,
        "result": job.result,
        "context": _GATE.dump_python(job.gate, mode="json"),
        "decision": audit,
    }


def run_in_list(run: Run, job: Job) -> dict[str, Any]:
    """Return a run as a listing has it."""
    status = "done" if job.over else "paused"
    return {"id": run.id, "name": f"run {run.id}", "status": status, "metadata": run.metadata}


def run_in_full(run: Run, job: Job, audit: JsonValue) -> dict[str, Any]:
    """Return a run as its caller reads it; its result is that of its one call, as its agent passes it on."""
    result = call_in_full(job, audit) if job.over else None
    return run_in_list(run, job) | {"failureReason": None, "result": result}
