"""What runs on the terminal: a program that prompts for each request, as the published approver does.

Owns the prompts. It is a script of its own, started on a pseudo-terminal; requests come as JSON lines on one
inherited descriptor, responses leave on another, so that the terminal has nothing but what a person sees and
types. With genie-tooling installed its own ``CliApprovalPlugin`` prompts; without it, the same questions are
asked here: anything but yes is a denial, and the time limit holds for the first question only.
"""

import asyncio
import importlib
import json
import os
import sys
from functools import partial
from typing import Any

APPROVE = "Approve? (yes/no/y/n): "
COMMENT = "Optional reason/comment for approval: "
WHY = "Reason for denial (required if not approved): "
_SHOWN_MAX = 500


class PromptApprover:
    """The questions of the command-line approver."""

    plugin_id = "cli_approval_plugin_v1"

    async def setup(self, config: dict[str, Any] | None = None) -> None:
        """Take no configuration."""

    async def request_approval(self, request: dict[str, Any]) -> dict[str, Any]:
        """Ask on the terminal."""
        response = {"request_id": request["request_id"], "approver_id": "cli_user"}
        sys.stdout.write(
            "\n--- HUMAN APPROVAL REQUIRED ---\n"
            f"Request ID: {request['request_id']}\n"
            f"Prompt: {request['prompt']}\n"
            f"Data/Action: {str(request['data_to_approve'])[:_SHOWN_MAX]}\n"
        )
        try:
            answer = await asyncio.wait_for(_typed(APPROVE), request.get("timeout_seconds") or None)
            if answer.lower() in ("yes", "y"):
                return response | {"status": "approved", "reason": await _typed(COMMENT) or None}
            reason = await _typed(WHY)
            while not reason:
                reason = await _typed("Reason for denial: ")
        except TimeoutError:
            sys.stdout.write("\nApproval request timed out.\n")
            return {"request_id": request["request_id"], "status": "timeout", "reason": "no answer in time"}
        except EOFError:
            return {"request_id": request["request_id"], "status": "error", "reason": "end of input"}
        return response | {"status": "denied", "reason": reason}


async def _typed(question: str) -> str:
    line = await asyncio.get_running_loop().run_in_executor(None, partial(input, question))
    return line.strip()


def _approver() -> Any:
    try:
        published = importlib.import_module("genie_tooling.hitl.impl.cli_approval")
    except ModuleNotFoundError:
        return PromptApprover()
    return published.CliApprovalPlugin()


async def serve(requests: int, responses: int) -> None:
    """Answer one request after another until no more come."""
    approver = _approver()
    await approver.setup({})
    loop = asyncio.get_running_loop()
    with os.fdopen(requests) as lines:
        while line := await loop.run_in_executor(None, lines.readline):
            response = await approver.request_approval(json.loads(line))
            os.write(responses, json.dumps(response).encode() + b"\n")
    sys.stdout.flush()
    os._exit(0)  # a thread may still wait at a prompt that nobody will answer


if __name__ == "__main__":
    asyncio.run(serve(int(sys.argv[1]), int(sys.argv[2])))
