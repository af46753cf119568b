"""Owns the asyncio face of the simulated loop.

Executors, error reports, sockets by delegation, and what it refuses.

Invariant: every method of `asyncio.AbstractEventLoop` is either simulated or raises `FenceError`; none falls
through to `NotImplementedError`, and none reaches the operating system. Scheduling and time are in `loop`.
"""

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any, Protocol, TypeVar, TypeVarTuple

from harness.sim.fence import LOOP_ROWS, refuse

T = TypeVar("T")
Ts = TypeVarTuple("Ts")

TaskFactory = Callable[..., asyncio.Future[Any]]
ExceptionHandler = Callable[[asyncio.AbstractEventLoop, dict[str, Any]], object]


class Sockets(Protocol):
    """The simulated sockets that a loop delegates to."""

    async def create_connection(self, protocol_factory: Callable[[], Any], **options: Any) -> tuple[Any, Any]:
        """Open a stream, as `loop.create_connection` does."""
        ...

    async def create_server(self, protocol_factory: Callable[[], Any], **options: Any) -> Any:
        """Listen for streams, as `loop.create_server` does."""
        ...

    def getaddrinfo(self, host: Any, port: Any, family: int, kind: int, proto: int, flags: int) -> list[Any]:
        """Look a name up in the synthetic host table."""
        ...

    def getnameinfo(self, address: Any, flags: int) -> tuple[str, str]:
        """Look an address up in the synthetic host table."""
        ...


class LoopFace(asyncio.AbstractEventLoop):
    """What asyncio code may ask of a loop besides scheduling and time."""

    _task_factory: TaskFactory | None
    _exception_handler: ExceptionHandler | None
    _running: bool
    _closed: bool
    _sockets: Callable[[], Sockets]

    # -- errors

    def note_failure(self, context: dict[str, Any]) -> None:
        """Keep what nobody awaited; the loop attributes it to a host and a task."""
        raise NotImplementedError

    def call_exception_handler(self, context: dict[str, Any]) -> None:
        """Report an error that no task awaits.

        To the program's own handler if it set one, else to `sim.failures`.
        """
        if self._exception_handler is None:
            self.note_failure(context)
        else:
            self._exception_handler(self, context)

    def default_exception_handler(self, context: dict[str, Any]) -> None:
        """Keep the error in `sim.failures`; nothing is printed."""
        self.note_failure(context)

    def set_exception_handler(self, handler: ExceptionHandler | None) -> None:
        """Let the program handle errors that no task awaits."""
        self._exception_handler = handler

    def get_exception_handler(self) -> ExceptionHandler | None:
        """Return the program's own handler, if it set one."""
        return self._exception_handler

    # -- tasks and executors

    def set_task_factory(self, factory: TaskFactory | None) -> None:
        """Use the program's own task factory.

        An eager one is refused, because it would run before the policy.
        """
        if factory is not None and getattr(factory, "__qualname__", "").startswith(
            ("eager_task", "create_eager_task")
        ):
            refuse("asyncio.eager_task_factory", LOOP_ROWS["set_task_factory"])
        self._task_factory = factory

    def get_task_factory(self) -> TaskFactory | None:
        """Return the program's own task factory, if it set one."""
        return self._task_factory

    def run_in_executor(self, executor: Any, func: Callable[[*Ts], T], *args: *Ts) -> asyncio.Future[T]:  # noqa: ARG002 - every executor is inline
        """Run `func` inline as a scheduled step of its own and return a future for its result."""
        future: asyncio.Future[T] = self.create_future()

        def run_inline() -> None:
            if future.cancelled():
                return
            try:
                result = func(*args)
            except (SystemExit, KeyboardInterrupt):
                raise
            except BaseException as error:  # noqa: BLE001 - an executor hands every error to the future
                future.set_exception(
                    error.with_traceback(error.__traceback__ and error.__traceback__.tb_next)
                )
            else:
                future.set_result(result)

        self.call_soon(run_inline)
        return future

    def set_default_executor(self, executor: Any) -> None:
        """Accept and ignore: executors are inline."""

    async def shutdown_default_executor(self, timeout: float | None = None) -> None:  # noqa: ASYNC109 - asyncio's signature
        """Nothing to shut down."""

    async def shutdown_asyncgens(self) -> None:
        """Left to the end of the run, which closes asynchronous generators in the order they began."""

    # -- life

    def is_running(self) -> bool:
        """Whether a step is being run."""
        return self._running

    def is_closed(self) -> bool:
        """Whether the run is over."""
        return self._closed

    def get_debug(self) -> bool:
        """Return False: debug mode measures real time."""
        return False

    def set_debug(self, enabled: bool) -> None:  # noqa: FBT001 - asyncio's signature
        """Accept and ignore."""

    def run_until_complete(self, future: Coroutine[Any, Any, T] | Any) -> T:
        """Refused: `Simulation.run` drives the world."""
        if asyncio.iscoroutine(future):
            future.close()
        raise RuntimeError(
            "this loop belongs to a simulation; start coroutines with Simulation.run or Host.spawn"
        )

    # -- sockets

    async def create_connection(
        self, protocol_factory: Any, host: Any = None, port: Any = None, **options: Any
    ) -> Any:
        """Open a simulated stream to a named host."""
        return await self._sockets().create_connection(protocol_factory, host=host, port=port, **options)

    async def create_server(
        self, protocol_factory: Any, host: Any = None, port: Any = None, **options: Any
    ) -> Any:
        """Listen on the current host's simulated network."""
        return await self._sockets().create_server(protocol_factory, host=host, port=port, **options)

    async def getaddrinfo(
        self,
        host: Any,
        port: Any,
        *,
        family: int = 0,
        type: int = 0,  # noqa: A002 - asyncio's signature
        proto: int = 0,
        flags: int = 0,
    ) -> list[Any]:
        """Look a name up in the synthetic host table."""
        return self._sockets().getaddrinfo(host, port, family, type, proto, flags)

    async def getnameinfo(self, sockaddr: Any, flags: int = 0) -> tuple[str, str]:
        """Look an address up in the synthetic host table."""
        return self._sockets().getnameinfo(sockaddr, flags)


def _refusing(name: str, hint: str) -> Callable[..., Any]:
    def refused(self: LoopFace, *args: Any, **options: Any) -> Any:  # noqa: ARG001 - any call is refused alike
        refuse(f"loop.{name}", hint)

    refused.__name__ = name
    refused.__doc__ = f"Refused: {hint}."
    return refused


LoopFace.get_debug = staticmethod(bool)  # type: ignore[method-assign, assignment]  # asked by every task and future: False, without a frame

for _name, _hint in LOOP_ROWS.items():
    if _name != "set_task_factory":
        setattr(LoopFace, _name, _refusing(_name, _hint))
