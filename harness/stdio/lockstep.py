"""Lockstep: an adapter process inside a simulation, which works only at its virtual instants.

Owns when a process is stepped: in the instant in which something is said to it, and in the instants at which
one of its timers is due. A step writes what there is to say, lets the process work at the present time until
it is idle, and takes in what it wrote; meanwhile the world stands still. So the process is one more callback
of its host, whose order among others the plan's schedule decides.

Invariant: a process whose host lost power is never stepped again, and none outlives the run.
"""

import asyncio
from typing import cast

from pydantic_core import to_json

from harness.sim import Host, SimLoop, at_end_of_run
from harness.stdio.messages import Idle, RunUntil, SocketLine
from harness.stdio.session import Session
from harness.stdio.stepped import SteppedProcess
from harness.stdio.tunnel import TunnelError, Tunnels


class Lockstep:
    """The transport of a session with a process in virtual time; made by :func:`keep_step`."""

    def __init__(self, process: SteppedProcess, host: Host, session: Session) -> None:
        self._process = process
        self._host = host
        self._life = host.life
        self._session = session
        self._loop = cast("SimLoop", asyncio.get_running_loop())
        self._unsaid = bytearray()
        self._due = False
        self._idle = True
        self._over = False
        self._timer: asyncio.TimerHandle | None = None
        self._tunnels = Tunnels(self._say_of_socket, host.spawn)

    @property
    def last_words(self) -> tuple[str, ...]:
        """The last lines of its standard error."""
        return self._process.last_words

    def write(self, data: bytes) -> None:
        """Say something in this instant; everything that is said in it before the step goes together."""
        if self._over:
            return
        self._unsaid += data
        if not self._due:
            self._due = True
            self._loop.call_soon(self._step, context=self._life.context.copy())

    def kill(self) -> None:
        """End the process at once and let go of everything; nobody is told."""
        self._over = True
        self._stop_timer()
        self._process.kill()

    def take(self, line: Idle | SocketLine) -> None:
        """Take in a line of the virtual clock."""
        if isinstance(line, Idle):
            self._idle = True
            self._set_timer(line.next_ns)
            return
        try:
            self._tunnels.take(line)
        except TunnelError as error:
            self._session.off_contract(str(error))

    def _step(self) -> None:
        if self._over:
            return
        self._due = False
        self._idle = False
        self._stop_timer()
        run = RunUntil(now_ns=self._loop.now_ns, skew_ns=self._life.skew_ns)
        lines = bytes(self._unsaid) + to_json(run) + b"\n"
        self._unsaid.clear()
        try:
            for data in self._process.exchange(lines, self._is_done):
                self._session.received(data)
        except TimeoutError as error:
            self._end(str(error))
        else:
            if not self._is_done():
                self._end(self._process.wait())

    def _is_done(self) -> bool:
        return self._idle or self._over

    def _end(self, how: str) -> None:
        self.kill()
        self._session.exited(how)

    def _say_of_socket(self, line: SocketLine) -> None:
        self.write(to_json(line, exclude_none=True) + b"\n")

    def _set_timer(self, at_ns: int | None) -> None:
        if at_ns is not None:
            context = self._life.context.copy()
            self._timer = self._loop.call_at_ns(at_ns, self._timer_due, (), context)

    def _stop_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _timer_due(self) -> None:
        self._timer = None
        self._step()


def keep_step(process: SteppedProcess, host: Host, session: Session) -> Lockstep:
    """Drive ``process`` on ``host``, for ``session``, until the host or the run ends."""
    lockstep = Lockstep(process, host, session)
    session.connect(lockstep)
    session.on_lockstep = lockstep.take
    host.on_power_loss(lambda: session.kill("lost power"))
    at_end_of_run(process.kill)
    return lockstep
