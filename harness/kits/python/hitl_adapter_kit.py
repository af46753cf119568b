"""The kit for adapters in Python: one file, the standard library only, Python 3.9 or newer.

``serve(manifest=..., boot_agent=..., join_device=...)`` speaks contract number 1 of hitl-harness over
standard input and output, so that an adapter is two classes of ordinary asyncio code:

* ``boot_agent(host)`` returns an object with ``async call_tool(call) -> dict`` and, if calls can be
  cancelled, ``async cancel(call_id) -> bool``;
* ``join_device(host)`` returns one with ``async pending() -> list``, ``async respond(request, decision) ->
  dict`` and ``async settled(request) -> dict or None``.

Records are dicts with the contract's field names; ``hitl schema stdio`` prints them all. What is printed goes
to standard error, so that only the contract is on standard output.
"""

from __future__ import annotations

import asyncio
import dataclasses
import http
import http.client
import inspect
import json
import os
import sys
import time
import traceback
import urllib.parse
from collections.abc import AsyncIterator, Callable, Coroutine
from pathlib import Path
from typing import Any

CONTRACT = 1
_RESPOND_S = 45  # the harness waits for 60
_LINE_BYTES_MAX = 9 * 1024 * 1024


class ToolFailed(Exception):
    """The application's own tool failed while it carried out the side effect."""


class Refused(Exception):
    """The harness refuses what was asked for; the text says why."""


class Observe:
    """Where to report what the implementation does, at the instant at which it takes effect."""

    def __init__(self, send: Callable[..., None]) -> None:
        self._send = send

    def request_published(self, request: str, call: str, arguments: dict[str, Any]) -> None:
        """Report that the request for ``call`` was made known under the id ``request``."""
        self._send(observed="request_published", request=request, call=call, arguments=arguments)

    def decision_taken(self, request: str, choice: str, **more: Any) -> None:
        """Report that a decision took effect; ``more`` may name person, role, arguments and call."""
        self._send(observed="decision_taken", request=request, choice=choice, **more)

    def request_expired(self, request: str, call: str | None = None) -> None:
        """Report that a request ended because its deadline passed."""
        self._send(observed="request_expired", request=request, call=call)

    def screen_changed(self) -> None:
        """Say that this device's screen changed."""
        self._send(observed="screen_changed")


class Host:
    """The host that this process is: where it keeps things, and what it may ask and report."""

    def __init__(self, served: _Served, record: dict[str, Any]) -> None:
        self._served = served
        self._started = record["now_ns"], time.monotonic_ns()
        self.name: str = record["host"]
        self.incarnation: int = record["incarnation"]
        self.directory = Path(record["directory"])
        self.shared = Path(record.get("shared") or record["directory"])
        self.services: dict[str, Any] = record["services"]
        self.agent_token: str = record.get("agent_token", "")
        self.person: dict[str, Any] = record.get("person", {})
        self.token: str = record.get("token", "")
        self.options: dict[str, str] = served.options
        self.observe = Observe(served.send)

    def kept(self, key: str) -> Any:
        """Return what an agent kept under ``key``, in earlier lives and elsewhere too; None for nothing."""
        try:
            return json.loads(self._place_of(key).read_text(encoding="utf-8"))
        except FileNotFoundError:
            return None

    def keep_once(self, key: str, value: Any) -> bool:
        """Keep ``value`` under ``key`` for all agents, unless one kept something; return whether it was this.

        It is on disk when this returns. Of several at once one succeeds.
        """
        fresh = self._place_of(f"{key} {self.name} {os.getpid()}")
        write_durably(fresh, json.dumps(value))
        try:
            os.link(fresh, self._place_of(key))
        except FileExistsError:
            return False
        finally:
            fresh.unlink()
        return True

    def _place_of(self, key: str) -> Path:
        return self.shared / urllib.parse.quote(f"{key}.json", safe="")

    def channel(self, call: Call) -> Channel:
        """Return the channel of the session in which a call is made."""
        return Channel(self, call.tenant, call.session)

    def watch(self, saw: Callable[[Channel, str, dict[str, Any]], object]) -> None:
        """Call ``saw(channel, name, record)`` for every message of this device's sessions, in order.

        After each the screen is said to have changed.
        """
        for session in self.person["sessions"]:
            in_background(self._watch(Channel(self, self.person["tenant"], session), saw))

    async def _watch(self, channel: Channel, saw: Callable[[Channel, str, dict[str, Any]], object]) -> None:
        async for name, record in channel.follow():
            saw(channel, name, record)
            self.observe.screen_changed()

    def now_ns(self) -> int:
        """Return this host's wall clock in nanoseconds since the start of the run."""
        then, mark = self._started
        return then + time.monotonic_ns() - mark

    async def verify(self, token: str) -> dict[str, Any]:
        """Return whom a token speaks for; raises Refused with the reason where it speaks for nobody."""
        return await self._served.ask("verify", token=token)

    async def identity(self, token: str) -> dict[str, Any] | None:
        """Return whom a token speaks for, None where it speaks for nobody."""
        try:
            return await self.verify(token)
        except Refused:
            return None

    async def standing(self, person: str) -> dict[str, Any] | None:
        """Return the directory's present record of a person, None where there is none."""
        return await self._served.ask("standing", person=person)

    async def fresh_token(self) -> str:
        """Return a fresh token of the identity provider: the person's on a device, else the agent's."""
        return await self._served.ask("token")

    async def ably_token(self, token: str) -> dict[str, str]:
        """Exchange a token for an Ably JWT, as ``{"text": ..., "client_id": ...}``; raises Refused."""
        return await self._served.ask("ably_token", token=token)


@dataclasses.dataclass(frozen=True)
class Call:
    """A gated tool call, with the application's own code as two coroutines."""

    id: str
    tool: str
    arguments: dict[str, Any]
    policy: dict[str, Any]
    session: str
    tenant: str
    requester: str | None
    deadline_ns: int | None
    batch: str | None
    _served: _Served = dataclasses.field(repr=False)

    async def before_gate(self, arguments: dict[str, Any], approved: bool) -> None:  # noqa: FBT001 - as told
        """Run the application's code above the gate."""
        await self._served.ask("before_gate", call=self.id, arguments=arguments, approved=approved)

    async def effect(self, arguments: dict[str, Any]) -> Any:
        """Carry out the side effect and return the tool's result; raises ToolFailed."""
        return await self._served.ask("effect", call=self.id, arguments=arguments)

    async def carry_out(self, arguments: dict[str, Any]) -> str:
        """Carry out the side effect and return the status of the outcome: executed, or failed."""
        try:
            await self.effect(arguments)
        except ToolFailed:
            return "failed"
        return "executed"


class Channel:
    """One session's channel on the run's Ably service, over its REST interface and nothing else.

    A request is repeated until it is answered; ``Refused`` is raised where the answer is no. Tokens that ran
    out are renewed.
    """

    def __init__(self, host: Host, tenant: str, session: str) -> None:
        self._host = host
        self._ably = host.services["ably"]
        self._token: str | None = self._ably["token"]
        self._path = f"/channels/approvals:{tenant}:{session}/messages"

    async def publish(self, name: str, record: dict[str, Any], once: str | None = None) -> None:
        """Publish a record under a name; of several with the same ``once`` the channel keeps the first."""
        message = {"name": name, "data": json.dumps(record)}
        if once is not None:
            message["id"] = f"{once}:{name}"
        await self._request("POST", self._path, json.dumps(message))

    async def follow(self, every_s: float = 0.1) -> AsyncIterator[tuple[str, dict[str, Any]]]:
        """Yield the name and the record of every message in order, old ones first, for ever."""
        seen = 0
        while True:
            found = await self._request("GET", f"{self._path}?direction=forwards&limit=1000")
            for message in found[seen:]:
                try:
                    record = json.loads(message["data"])
                except (KeyError, TypeError, ValueError):
                    continue  # not one of ours
                if isinstance(record, dict):
                    yield message.get("name", ""), record
            seen = max(seen, len(found))
            await asyncio.sleep(every_s)

    async def _request(self, method: str, path: str, body: str | None = None) -> Any:
        renewed = False
        while True:
            try:
                status, answer = await asyncio.to_thread(self._once, method, path, body)
            except (OSError, ValueError, http.client.HTTPException):
                await asyncio.sleep(0.1)
                continue
            if status < http.HTTPStatus.BAD_REQUEST:
                return answer
            if status != http.HTTPStatus.UNAUTHORIZED or renewed:
                raise Refused(f"{method} {path}: {answer}")
            renewed = True
            self._token = (await self._host.ably_token(await self._host.fresh_token()))["text"]

    def _once(self, method: str, path: str, body: str | None) -> tuple[int, Any]:
        connect = http.client.HTTPSConnection if self._ably["tls"] else http.client.HTTPConnection
        link = connect(self._ably["host"] or "rest.ably.io", self._ably["port"], timeout=2)
        headers = {"Authorization": f"Bearer {self._token}", "Content-Type": "application/json"}
        try:
            link.request(method, path, body, headers)
            reply = link.getresponse()
            return reply.status, json.loads(reply.read())
        finally:
            link.close()


def write_durably(path: Path, text: str) -> None:
    """Replace a file in one step that a crash cannot tear."""
    fresh = path.with_name(f"{path.name}.new")
    with fresh.open("w", encoding="utf-8") as out:
        out.write(text)
        out.flush()
        os.fsync(out.fileno())
    fresh.replace(path)


def admits(policy: dict[str, Any], role: str | None) -> bool:
    """Return whether ``role`` reaches the minimum of a policy; unknown roles never do."""
    least, order = policy["minimum_role"], policy["hierarchy"]
    if least is None:
        return True
    return least in order and role in order and order.index(role) >= order.index(least)


_BACKGROUND: dict[asyncio.Future[Any], None] = {}


def in_background(work: Coroutine[Any, Any, Any]) -> None:
    """Run a coroutine beside everything else; what it raises is printed on standard error."""
    task = asyncio.ensure_future(work)
    _BACKGROUND[task] = None
    task.add_done_callback(_finished)


def _finished(task: asyncio.Future[Any]) -> None:
    _BACKGROUND.pop(task)
    if not task.cancelled() and task.exception() is not None:
        print(f"in the background: {task.exception()!r}", file=sys.stderr)


class _Served:
    """The conversation of this process with the harness."""

    def __init__(self, manifest: Any, boot_agent: Any, join_device: Any, out: int) -> None:
        self.options: dict[str, str] = {}
        self._manifest = manifest
        self._boot_agent, self._join_device = boot_agent, join_device
        self._out = out
        self._life: Any = None
        self._asked: dict[str, asyncio.Future[Any]] = {}
        self._asks = 0
        self._tasks: dict[asyncio.Task[None], None] = {}

    def send(self, **record: Any) -> None:
        """Write one line."""
        line = memoryview(json.dumps(record, separators=(",", ":")).encode() + b"\n")
        while line:
            line = line[os.write(self._out, line) :]

    async def ask(self, name: str, **fields: Any) -> Any:
        """Ask the harness and return its answer; raises ToolFailed or Refused."""
        self._asks += 1
        ask = f"a{self._asks}"
        self._asked[ask] = asyncio.get_running_loop().create_future()
        self.send(ask=name, id=ask, **fields)
        return await self._asked[ask]

    async def run(self) -> None:
        """Serve until standard input ends."""
        loop = asyncio.get_running_loop()
        reader = asyncio.StreamReader(limit=_LINE_BYTES_MAX)
        await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
        while True:
            line = await reader.readline()
            if not line:
                os._exit(0)
            record = json.loads(line)
            if "answer" in record:
                self._answered(record)
            else:
                task = loop.create_task(self._carry_out(record))
                self._tasks[task] = None
                task.add_done_callback(self._tasks.pop)

    def _answered(self, record: dict[str, Any]) -> None:
        waiting = self._asked.pop(record["answer"], None)
        if waiting is None or waiting.done():
            return
        if "error" not in record:
            waiting.set_result(record.get("ok"))
        elif record.get("tool_failed"):
            waiting.set_exception(ToolFailed(record["error"]))
        else:
            waiting.set_exception(Refused(record["error"]))

    async def _carry_out(self, record: dict[str, Any]) -> None:
        try:
            ok = await self._result(record)
        except Exception as error:
            traceback.print_exc()
            self.send(id=record["id"], error=f"{type(error).__name__}: {error}")
            return
        self.send(id=record["id"], ok=ok)
        if record["do"] == "close":
            sys.stderr.flush()
            os._exit(0)

    async def _result(self, record: dict[str, Any]) -> Any:
        carry_out = getattr(self, f"_do_{record['do']}", None)
        if carry_out is None:
            raise ValueError(f"the kit does not know the command {record['do']!r}")
        return await carry_out(record)

    async def _do_hello(self, record: dict[str, Any]) -> Any:
        self.options = record.get("options", {})
        manifest = self._manifest(self.options) if callable(self._manifest) else self._manifest
        return {"contract": CONTRACT, "manifest": manifest}

    async def _do_boot(self, record: dict[str, Any]) -> None:
        self._life = await _awaited(self._boot_agent(Host(self, record)))

    async def _do_join(self, record: dict[str, Any]) -> None:
        self._life = await _awaited(self._join_device(Host(self, record)))

    async def _do_call(self, record: dict[str, Any]) -> Any:
        return await self._life.call_tool(Call(**record["call"], _served=self))

    async def _do_cancel(self, record: dict[str, Any]) -> bool:
        return await self._life.cancel(record["call"]) if hasattr(self._life, "cancel") else False

    async def _do_pending(self, record: dict[str, Any]) -> Any:
        del record
        return await self._life.pending()

    async def _do_respond(self, record: dict[str, Any]) -> Any:
        """Let the device say what it was told; one that waits for longer than a person would says unknown."""
        told = asyncio.ensure_future(self._life.respond(record["request"], record["decision"]))
        await asyncio.wait({told}, timeout=_RESPOND_S)
        if told.done():
            return told.result()
        in_background(_awaited(told))
        return {"status": "unknown"}

    async def _do_settled(self, record: dict[str, Any]) -> Any:
        return await self._life.settled(record["request"])

    async def _do_forge(self, record: dict[str, Any]) -> Any:
        return await self._life.forge(record["forgery"])

    async def _do_close(self, record: dict[str, Any]) -> Any:
        del record
        return await self._life.close() if hasattr(self._life, "close") else None


async def _awaited(value: Any) -> Any:
    return await value if inspect.isawaitable(value) else value


def serve(manifest: Any, boot_agent: Callable[[Host], Any], join_device: Callable[[Host], Any]) -> None:
    """Serve the harness until it says close or its end of the pipe is closed; never returns.

    ``manifest`` is a dict, or a function of the options that the user passed.
    """
    out = os.dup(1)
    os.dup2(2, 1)
    asyncio.run(_Served(manifest, boot_agent, join_device, out).run())
