"""The control plane: requests in, answers out, and two kinds of timers. No I/O but its store's.

Owns polls that wait, calls that stall and calls that expire. Requests are told apart by the number of the
connection on which they came; one connection has one request at a time. What may happen to a call is in
:mod:`.jobs`, who may do it in :mod:`.rulings`.

Invariant: what an answer says is in the store before the answer leaves. Times are nanoseconds.
"""

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, TypeAlias, TypeVar

from pydantic import BaseModel, JsonValue, ValidationError

from harness.adapter import Directory, Identity, Observer
from harness.http.values import Request, Response
from harness.model import CallId, Choice, RequestId

from . import bodies, jobs
from .jobs import Gate, Job, Step
from .rights import Machine, NobodyError, caller, is_of, names_one_person
from .rulings import Answer, Rulings
from .store import Function, Run, Store

NS_PER_S: Final = 1_000_000_000
POLLED_MAX: Final = 20
"""How many calls one poll takes at most."""

Body = TypeVar("Body", bound=BaseModel)


class RefusedError(Exception):
    """A request that is answered with an error."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status


@dataclass(frozen=True, slots=True)
class Pace:
    """How long a poll without calls waits, and how soon a machine shall poll again, as deployed."""

    long_poll_ns: int
    retry_after_s: float


@dataclass(frozen=True, slots=True)
class Reply:
    """What goes out on a connection."""

    connection: int
    response: Response


@dataclass(frozen=True, slots=True)
class _Poll:
    """A machine that waits for calls."""

    cluster: str
    service: str
    machine: str
    limit: int
    until_ns: int


@dataclass(frozen=True, slots=True)
class _Asked:
    """One request, taken apart. ``place`` has the variable parts of its path."""

    connection: int
    request: Request
    who: Machine | Identity
    place: tuple[str, ...]
    now_ns: int

    @classmethod
    def by(
        cls, connection: int, request: Request, who: Machine | Identity, place: tuple[str, ...], now_ns: int
    ) -> "_Asked":
        """Return a request within a cluster that ``who`` may read; raises RefusedError."""
        if place and not is_of(who, place[0]):
            raise RefusedError(404, "no such cluster")
        return cls(connection, request, who, place, now_ns)

    def member(self) -> Identity:
        """Return the person who asks; raises RefusedError where it is a machine."""
        if isinstance(self.who, Machine):
            raise RefusedError(401, "people only")
        return self.who

    def machine_id(self) -> str:
        """Return the name of the machine that asks; raises RefusedError where it is none."""
        name = self.request.headers.get("x-machine-id", "")
        if not isinstance(self.who, Machine) or not name:
            raise RefusedError(401, "machines only, with their id")
        return name

    def body(self, kind: type[Body]) -> Body:
        """Return the body; raises RefusedError where it is no such thing."""
        try:
            return kind.model_validate_json(self.request.body or b"{}")
        except ValidationError as error:
            raise RefusedError(400, str(error)) from None


Handler: TypeAlias = Callable[["Plane", _Asked], Response | None]


@dataclass(slots=True)
class Plane:
    """One control plane over a store that others may open too."""

    store: Store
    rulings: Rulings
    pace: Pace
    directory: Directory
    observe: Observer
    _polls: dict[int, _Poll] = field(default_factory=dict)

    def request(self, connection: int, request: Request, now_ns: int) -> tuple[Reply, ...]:
        """Take a request; its answer, and those of polls that it ended, come back now or later."""
        try:
            handler, place = _route(request)
            who = caller(self.directory, request.headers.get("authorization", ""))
            response = handler(self, _Asked.by(connection, request, who, place, now_ns))
        except NobodyError as error:
            response = _json(401, {"message": str(error)})
        except RefusedError as error:
            response = _json(error.status, {"message": str(error)})
        own = () if response is None else (Reply(connection, response),)
        return (*own, *self._served(now_ns))

    def lost(self, connection: int) -> None:
        """Take note that a connection is gone."""
        if self.rulings.forgets_lost_polls:
            self._polls.pop(connection, None)

    def tick(self, now_ns: int) -> tuple[Reply, ...]:
        """Do what is due: calls that stalled or expired, and polls that waited long enough."""
        for job in tuple(self.store.open_jobs()):
            if job.overdue(now_ns) and job.stage in self.rulings.table[Step.EXPIRE]:
                self._advance(job, jobs.expired(self.rulings.table, job))
            elif job.stalled(now_ns) and job.stage in self.rulings.table[Step.STALL]:
                self._advance(job, jobs.stalled(self.rulings.table, job))
        ended = [number for number, poll in self._polls.items() if poll.until_ns <= now_ns]
        served = self._served(now_ns)
        given = {reply.connection for reply in served}
        return (*served, *(self._polled(number, []) for number in ended if number not in given))

    def next_deadline_ns(self) -> int | None:
        """Return when something will be due, None where nothing will."""
        return min((*(poll.until_ns for poll in self._polls.values()), *self._jobs_due()), default=None)

    def _jobs_due(self) -> Iterator[int]:
        table = self.rulings.table
        for job in self.store.open_jobs():
            if job.gate.deadline_ns is not None and job.stage in table[Step.EXPIRE]:
                yield job.gate.deadline_ns
            if job.taken_ns is not None and job.stage in table[Step.STALL]:
                yield job.taken_ns + job.timeout_ns

    # -- polls

    def polling(self) -> list[int]:
        """Return the connections on which machines wait for calls, in the order in which they came."""
        return list(self._polls)

    def _served(self, now_ns: int) -> tuple[Reply, ...]:
        """Hand waiting calls to waiting machines, in the order in which both came."""
        if not self._polls:
            return ()
        waiting = [job for job in self.store.open_jobs() if job.stage in self.rulings.table[Step.TAKE]]
        if not waiting:
            return ()
        replies = []
        for number, poll in tuple(self._polls.items()):
            taken = self._take(poll, waiting, now_ns)
            if taken:
                replies.append(self._polled(number, taken))
        return tuple(replies)

    def _take(self, poll: _Poll, waiting: list[Job], now_ns: int) -> list[Job]:
        taken: list[Job] = []
        for job in tuple(waiting):
            if (job.cluster, job.service) != (poll.cluster, poll.service) or len(taken) == poll.limit:
                continue
            after = jobs.taken(self.rulings.table, job, poll.machine, now_ns)
            if after is not None and self.store.replace(job, after):
                waiting.remove(job)
                taken.append(after)
        return taken

    def _polled(self, number: int, taken: list[Job]) -> Reply:
        self._polls.pop(number, None)
        response = _json(200, [bodies.call_for_machine(job) for job in taken])
        pause = ("Retry-After", f"{self.pace.retry_after_s:g}")
        return Reply(number, Response(200, (*response.headers, pause), response.body))

    # -- changes

    def _advance(self, before: Job, after: Job | None) -> bool:
        """Write a change, then report it; False where there is none or somebody else was first."""
        notice = None if after is None or before.over or not after.over else self._notice(after)
        if after is None or not self.store.replace(before, after, notice):
            return False
        request, call = RequestId(after.id), CallId(after.gate.call)
        if after.approval_requested and not before.approval_requested:
            self.observe.request_published(request, call, after.input)
        if after.approved is not before.approved and after.decision is not None:
            vote = after.decision
            self.observe.decision_taken(
                request, vote.choice, person=vote.person, role=vote.role, arguments=after.input, call=call
            )
        if after.end is jobs.End.EXPIRED and before.end is None:
            self.observe.request_expired(request, call=call)
        return True

    def _notice(self, ended: Job) -> Job | None:
        """Return the call by which somebody is told that a run is done, None where nobody asked for it."""
        run = self.store.run(ended.cluster, ended.run)
        if run is None or run.told is None or run.job != ended.id:
            return None
        service, name = run.told
        body: dict[str, JsonValue] = {"runId": run.id, "status": "done"}
        return self._call(self.store.next_number(), run, service, name, body, ended.gate)

    def _call(
        self, number: int, run: Run, service: str, name: str, body: dict[str, JsonValue], gate: Gate
    ) -> Job | None:
        """Return a new call of a registered function, None where there is no such function."""
        offered = self.store.functions(run.cluster, service) or ()
        function = next((it for it in offered if it.name == name), None)
        if function is None:
            return None
        return Job(
            id=f"call{number:06}",
            cluster=run.cluster,
            run=run.id,
            service=service,
            function=name,
            input=body,
            gate=gate,
            timeout_ns=int(function.timeout_s * NS_PER_S),
            attempts_left=function.retries_on_stall + 1,
        )

    def _job(self, asked: _Asked) -> Job:
        cluster, job_id = asked.place
        job = self.store.job(cluster, job_id)
        if job is None or not self._shown(asked, job):
            raise RefusedError(404, "no such call")
        return job

    def _shown(self, asked: _Asked, job: Job) -> bool:
        return isinstance(asked.who, Machine) or self.rulings.shows(asked.who, job)

    # -- requests of machines

    def create_machine(self, asked: _Asked) -> Response:
        """Register a machine; with a service, what it offers."""
        if not isinstance(asked.who, Machine):
            raise RefusedError(401, "machines only")
        body = asked.body(bodies.MachineBody)
        if body.service is not None:
            functions = tuple(
                Function(it.name, it.config.timeoutSeconds, it.config.retryCountOnStall)
                for it in body.functions
            )
            self.store.register(asked.who.cluster, body.service, functions)
        return _json(200, {"clusterId": asked.who.cluster})

    def poll(self, asked: _Asked) -> Response | None:
        """Hand out calls, at once or when there are some; a service that never registered is told so."""
        cluster, query = asked.place[0], asked.request.query
        service = query.get("service", "")
        if self.store.functions(cluster, service) is None:
            return _json(410, {"message": f"service {service} is not registered"})
        limit = query.get("limit", "10")
        if not limit.isdecimal() or not 0 < int(limit) <= POLLED_MAX:
            raise RefusedError(400, f"limit is a number up to {POLLED_MAX}")
        until_ns = asked.now_ns + self.pace.long_poll_ns
        self._polls[asked.connection] = _Poll(cluster, service, asked.machine_id(), int(limit), until_ns)
        return None

    def create_result(self, asked: _Asked) -> Response:
        """Take the result of a function: an approval request, or the end of the call."""
        machine, body = asked.machine_id(), asked.body(bodies.ResultBody)
        job = self._job(asked)
        if body.resultType != "interrupt":
            self._advance(job, self._finished(job, machine, body))
        elif isinstance(body.result, Mapping) and body.result.get("type") == "approval":
            self._advance(job, self.rulings.ask(job, machine))
        else:
            raise RefusedError(400, "unsupported interrupt type")
        return Response(204)

    def _finished(self, job: Job, machine: str, body: bodies.ResultBody) -> Job | None:
        return jobs.finished(self.rulings.table, job, machine, body.resultType, body.result)

    # -- requests of callers

    def create_run(self, asked: _Asked) -> Response:
        """Start a run, whose agent makes one call of the attached function."""
        cluster, body = asked.place[0], asked.body(bodies.RunBody)
        known = self.rulings.known_run(self.store.runs(cluster), body.metadata)
        if known is not None:
            return _json(201, {"id": known.id})
        if len(body.attachedFunctions) != 1:
            raise RefusedError(400, "attach one function")
        (wanted,) = body.attachedFunctions
        change = None if body.onStatusChange is None else body.onStatusChange.function
        told = None if change is None else (change.service, change.function)
        number = self.store.next_number()
        run = Run(f"run{number:06}", cluster, f"call{number:06}", body.metadata, told)
        job = self._call(number, run, wanted.service, wanted.function, body.input, body.context)
        if job is None:
            raise RefusedError(404, "tool not found")
        self.store.add(run, job)
        return _json(201, {"id": run.id})

    def list_runs(self, asked: _Asked) -> Response:
        """List the newest runs; ``metadata`` filters by a label, as ``key:value``."""
        cluster = asked.place[0]
        key, _, value = asked.request.query.get("metadata", "").partition(":")
        listed = []
        for run in self.store.runs(cluster):
            job = self.store.job(cluster, run.job)
            wanted = not key or run.metadata.get(key) == value
            if job is not None and wanted and self._shown(asked, job):
                listed.append(bodies.run_in_list(run, job))
        return _json(200, listed[: self.rulings.runs_page])

    def _run(self, asked: _Asked) -> tuple[Run, Job]:
        cluster, run_id = asked.place
        run = self.store.run(cluster, run_id)
        job = None if run is None else self.store.job(cluster, run.job)
        if run is None or job is None or not self._shown(asked, job):
            raise RefusedError(404, "no such run")
        return run, job

    def get_run(self, asked: _Asked) -> Response:
        """Return a run, with its result once it is done."""
        run, job = self._run(asked)
        return _json(200, bodies.run_in_full(run, job, self.rulings.audit(job)))

    def get_timeline(self, asked: _Asked) -> Response:
        """Return the calls of a run."""
        _, job = self._run(asked)
        return _json(200, {"jobs": [bodies.call_in_timeline(job)]})

    def get_call(self, asked: _Asked) -> Response:
        """Return a call."""
        job = self._job(asked)
        return _json(200, bodies.call_in_full(job, self.rulings.audit(job)))

    # -- decisions

    def approve(self, asked: _Asked) -> Response:
        """Take an answer."""
        person, body = asked.member(), asked.body(bodies.ApprovalBody)
        job = self.store.job(*asked.place)
        if job is None:
            raise RefusedError(404, "no such call")
        choice = Choice.APPROVED if body.approved else Choice.REJECTED
        personal = names_one_person(asked.request.headers["authorization"])
        answer = Answer(person, personal, choice, body.reason)
        ruling = self.rulings.answer(self.directory, job, answer, asked.now_ns)
        self._advance(job, ruling.after)
        return _json(ruling.status, ruling.body)

    def cancel(self, asked: _Asked) -> Response:
        """Cancel a call."""
        job = self._job(asked)
        ruling = self.rulings.cancel(job, asked.now_ns)
        self._advance(job, ruling.after)
        return _json(ruling.status, ruling.body)


_ROUTES: Final[tuple[tuple[str, tuple[str | None, ...], Handler], ...]] = (
    ("POST", ("machines",), Plane.create_machine),
    ("GET", ("clusters", None, "calls"), Plane.poll),
    ("GET", ("clusters", None, "calls", None), Plane.get_call),
    ("POST", ("clusters", None, "calls", None, "result"), Plane.create_result),
    ("POST", ("clusters", None, "calls", None, "approval"), Plane.approve),
    ("POST", ("clusters", None, "calls", None, "cancel"), Plane.cancel),
    ("POST", ("clusters", None, "runs"), Plane.create_run),
    ("GET", ("clusters", None, "runs"), Plane.list_runs),
    ("GET", ("clusters", None, "runs", None), Plane.get_run),
    ("GET", ("clusters", None, "runs", None, "timeline"), Plane.get_timeline),
)
"""Method, path (None: a variable part), and what answers it."""


def _route(request: Request) -> tuple[Handler, tuple[str, ...]]:
    for method, pattern, handler in _ROUTES:
        if method != request.method or len(pattern) != len(request.path):
            continue
        pairs = tuple(zip(pattern, request.path, strict=True))
        if all(fixed is None or fixed == part for fixed, part in pairs):
            return handler, tuple(part for fixed, part in pairs if fixed is None)
    raise RefusedError(404, "no such endpoint")


def _json(status: int, body: JsonValue | Any) -> Response:
    if body is None:
        return Response(status)
    return Response(status, (("Content-Type", "application/json"),), json.dumps(body).encode())
