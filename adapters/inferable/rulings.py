"""What becomes of an answer, a cancellation and a lost connection: as the vendor has it, and hardened.

Owns the two sets of rules. The vendor's control plane lets whoever manages the cluster decide, answers winner
and loser with the same empty success, and cancels without looking. The hardened one judges every answer by
the policy of its call and by what the directory says now, and tells everybody what became of their answer.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Protocol

from pydantic import JsonValue

from harness.adapter import Directory, Identity
from harness.model import Choice, Receipt, ReceiptStatus

from . import jobs
from .jobs import End, Job, Stage, Table, Vote
from .rights import MANAGERS
from .store import Run

RUNS_PAGE: Final = 50
"""How many runs the vendor's control plane lists at most."""


@dataclass(frozen=True, slots=True)
class Ruling:
    """The call after a request, None where nothing changes, and what the client is told."""

    after: Job | None
    status: int
    body: JsonValue = None


@dataclass(frozen=True, slots=True)
class Answer:
    """An answer to a call: who gave it, verified, what it says, and whether its token is one person's."""

    person: Identity
    personal: bool
    choice: Choice
    reason: str


class Rulings(Protocol):
    """One control plane's rules."""

    @property
    def table(self) -> Table:
        """What may happen at which stage."""

    @property
    def runs_page(self) -> int | None:
        """How many runs a listing has at most, None for all."""

    @property
    def forgets_lost_polls(self) -> bool:
        """Whether a poll ends with its connection, so that no call is handed to nobody."""

    def ask(self, job: Job, machine: str) -> Job | None:
        """Return a call whose function, on ``machine``, asks for approval."""

    def answer(self, directory: Directory, job: Job, answer: Answer, now_ns: int) -> Ruling:
        """Return what becomes of an answer."""

    def cancel(self, job: Job, now_ns: int) -> Ruling:
        """Return what becomes of a cancellation."""

    def shows(self, person: Identity, job: Job) -> bool:
        """Return whether a member of the cluster is shown a call."""

    def known_run(self, runs: Sequence[Run], metadata: dict[str, str]) -> Run | None:
        """Return the run that a request for a new one is a repetition of."""

    def audit(self, job: Job) -> JsonValue:
        """Return what is said about who decided a call."""


@dataclass(frozen=True, slots=True)
class VendorRulings:
    """As the vendor's control plane has it."""

    runs_page: int | None = RUNS_PAGE
    forgets_lost_polls: bool = False

    @property
    def table(self) -> Table:
        """What may happen at which stage."""
        return jobs.PUBLISHED

    def ask(self, job: Job, machine: str) -> Job | None:
        """Ask, whoever says so and whatever became of the call meanwhile."""
        del machine
        return jobs.asked(self.table, job)

    def answer(self, directory: Directory, job: Job, answer: Answer, now_ns: int) -> Ruling:
        """Let managers of the cluster decide; winner and loser are told the same."""
        del directory, now_ns
        if answer.person.role not in MANAGERS:
            return Ruling(None, 401, {"message": "only who manages the cluster may decide"})
        return Ruling(_decided(self.table, job, _vote(answer)), 204)

    def cancel(self, job: Job, now_ns: int) -> Ruling:
        """Cancel, whatever the call is doing."""
        del now_ns
        return Ruling(jobs.cancelled(self.table, job), 204)

    def shows(self, person: Identity, job: Job) -> bool:
        """Show every call of the cluster to all of its members."""
        del person, job
        return True

    def known_run(self, runs: Sequence[Run], metadata: dict[str, str]) -> Run | None:
        """Start a new run for every request."""
        del runs, metadata
        return None

    def audit(self, job: Job) -> JsonValue:
        """Return None: who decided is not kept."""
        del job
        return None


@dataclass(frozen=True, slots=True)
class HardenedRulings:
    """With authority by call, truthful receipts, deadlines, a quorum and idempotent requests."""

    runs_page: int | None = None
    forgets_lost_polls: bool = True

    @property
    def table(self) -> Table:
        """What may happen at which stage."""
        return jobs.HARDENED

    def ask(self, job: Job, machine: str) -> Job | None:
        """Ask where that machine still has the call."""
        return jobs.asked(self.table, job) if job.machine == machine else None

    def answer(self, directory: Directory, job: Job, answer: Answer, now_ns: int) -> Ruling:
        """Decide by the first admitted answer that suffices, before the deadline."""
        if not self.shows(answer.person, job) or not (job.approval_requested or job.over):
            return _told(None, ReceiptStatus.UNKNOWN_REQUEST)
        refused = _objection(directory, job, answer)
        if refused:
            return _told(None, ReceiptStatus.UNAUTHORISED, note=refused)
        if job.stage is Stage.ASKING and job.overdue(now_ns):
            return _told(jobs.expired(self.table, job), ReceiptStatus.EXPIRED)
        if job.stage is not Stage.ASKING:
            return _too_late(job)
        return self._counted(directory, job, _vote(answer))

    def _counted(self, directory: Directory, job: Job, vote: Vote) -> Ruling:
        tallied = jobs.counted(job, vote)
        agreeing = [it for it in tallied.votes if _vouched_for(directory, job, it)]
        if vote.choice is Choice.APPROVED and len(agreeing) < job.gate.policy.quorum:
            return _told(tallied, ReceiptStatus.COUNTED)
        return _told(_decided(self.table, job, vote), ReceiptStatus.DECIDED, vote)

    def cancel(self, job: Job, now_ns: int) -> Ruling:
        """Cancel a call that is not decided."""
        if job.overdue(now_ns):
            after = jobs.expired(self.table, job)
            return Ruling(after, 200, {"cancelled": False})
        after = jobs.cancelled(self.table, job)
        done = after is not None or job.end is End.CANCELLED
        return Ruling(after, 200, {"cancelled": done})

    def shows(self, person: Identity, job: Job) -> bool:
        """Show a call to the people of its session."""
        return person.tenant == job.gate.tenant and job.gate.session in person.sessions

    def known_run(self, runs: Sequence[Run], metadata: dict[str, str]) -> Run | None:
        """Take the caller's name for a call as the key of its request."""
        key = metadata.get("call")
        return next((run for run in runs if key is not None and run.metadata.get("call") == key), None)

    def audit(self, job: Job) -> JsonValue:
        """Return who decided, in which role, what, and why."""
        vote = job.decision
        if vote is None:
            return None
        return {"person": vote.person, "role": vote.role, "choice": vote.choice.value, "reason": vote.reason}


def _vote(answer: Answer) -> Vote:
    return Vote(answer.person.person, answer.person.role, answer.choice, answer.reason)


def _decided(table: Table, job: Job, vote: Vote) -> Job | None:
    return (jobs.approved if vote.choice is Choice.APPROVED else jobs.denied)(table, job, vote)


def _objection(directory: Directory, job: Job, answer: Answer) -> str:
    """Return why somebody may not decide a call, nothing where they may."""
    policy = job.gate.policy
    if not answer.personal:
        return "the token does not name one person"
    if not policy.admits(answer.person.role):
        return f"this call asks for {policy.minimum_role} or above"
    if not _vouched_for(directory, job, _vote(answer)):
        return "the directory no longer admits this person to this call"
    if not policy.requester_may_decide and answer.person.person == job.gate.requester:
        return "the requester may not decide"
    return ""


def _vouched_for(directory: Directory, job: Job, vote: Vote) -> bool:
    standing = directory.standing(vote.person)
    return (
        standing is not None
        and standing.active
        and standing.tenant == job.gate.tenant
        and job.gate.policy.admits(standing.role)
    )


def _too_late(job: Job) -> Ruling:
    if job.end is End.CANCELLED:
        return _told(None, ReceiptStatus.CANCELLED)
    if job.end is End.EXPIRED:
        return _told(None, ReceiptStatus.EXPIRED)
    if job.decision is None:
        return _told(None, ReceiptStatus.UNKNOWN_REQUEST, note="the call no longer asks")
    return _told(None, ReceiptStatus.ALREADY_DECIDED, job.decision)


def _told(after: Job | None, status: ReceiptStatus, winner: Vote | None = None, note: str = "") -> Ruling:
    receipt = Receipt(status, note=note)
    if winner is not None:
        receipt = Receipt(status, winner.person, winner.choice, note)
    body: JsonValue = {
        "status": receipt.status.value,
        "winner": receipt.winner,
        "choice": None if receipt.choice is None else receipt.choice.value,
        "note": receipt.note,
    }
    return Ruling(after, 200, body)
