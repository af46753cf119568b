"""Runs of an approval over the real ably SDK for JavaScript in lockstep, and a digest of each of them.

Run as a module, with the folder of ``node_modules`` as its argument, it prints the digests as JSON, so that
they can be compared between processes. A digest covers the trace, network movements included, and every byte
that the processes were told and wrote; only the folder of the run, which is named by the machine, is not.
"""

import hashlib
import json
import sys
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, Final
from unittest.mock import patch

from harness.adapter import Manifest
from harness.casting import call, person
from harness.deviations import CrashAtTime, CutLink, Deviation, ResetLink, SeededSchedule
from harness.model import HostName
from harness.plan import AGENT_HOST, SECOND, SERVICE_HOST, AnswerSpec, Plan
from harness.run import Run, execute
from harness.stdio.adapter import StdioAdapter
from harness.stdio.launch import Launch
from harness.stdio.stepped import SteppedProcess

SCRIPT: Final = Path(__file__).with_name("approvals_over_ably.mjs")
SDK: Final = "ably@2.28.0"
PHONE: Final = HostName("alice-phone")


def plan_of(*deviations: Deviation, think_ns: int = SECOND) -> Plan:
    """Return a plan: alice has three devices and approves on her phone."""
    alice = person("alice", [AnswerSpec(call().id, think_ns=think_ns)], devices=3)
    return Plan("by hand", (alice,), (call(),), deviations=deviations)


PLANS: Final[Mapping[str, Plan]] = {
    "calm": plan_of(),
    "reset": plan_of(ResetLink(PHONE, SERVICE_HOST, SECOND // 2)),
    "cut": plan_of(CutLink(PHONE, SERVICE_HOST, SECOND // 2, 10 * SECOND)),
    "shuffled": plan_of(SeededSchedule(3)),
    "crashed": plan_of(CrashAtTime(PHONE, SECOND // 2, SECOND // 4)),
    "agent crashed": plan_of(CrashAtTime(AGENT_HOST, SECOND // 2, SECOND // 4)),
    "agent reset": plan_of(ResetLink(AGENT_HOST, SERVICE_HOST, SECOND // 2)),
}


def adapter_with(modules: Path) -> StdioAdapter:
    """Return the adapter, whose packages are installed in a folder."""
    launch = Launch(("node", str(SCRIPT)), environment={"HITL_NODE_MODULES": str(modules)})
    return StdioAdapter(launch, Manifest("approvals-over-ably", "1", "The SDK in lockstep", "", {}))


def digested(adapter: StdioAdapter, plan: Plan) -> tuple[Run, str]:
    """Execute a plan; return the run and the digest of all of it."""
    told = hashlib.sha256()
    exchange = SteppedProcess.exchange

    def noted(self: SteppedProcess, lines: bytes, is_idle: Callable[[], bool]) -> Iterator[bytes]:
        told.update(_placeless(lines))
        for data in exchange(self, lines, is_idle):
            told.update(data)
            yield data

    with patch.object(SteppedProcess, "exchange", noted):
        done = execute(adapter, plan)
    return done, f"{done.trace.digest()} {told.hexdigest()}"


def _placeless(lines: bytes) -> bytes:
    return b"\n".join(map(_without_folders, lines.split(b"\n")))


def _without_folders(line: bytes) -> bytes:
    if b'"directory"' not in line:
        return line
    record: dict[str, Any] = json.loads(line)
    return json.dumps({**record, "directory": "", "shared": ""}).encode()


def main() -> None:
    """Print the digest of every plan."""
    adapter = adapter_with(Path(sys.argv[1]))
    try:
        print(json.dumps({name: digested(adapter, plan)[1] for name, plan in PLANS.items()}))  # noqa: T201 - its output
    finally:
        adapter.stock.drain()


if __name__ == "__main__":
    main()
