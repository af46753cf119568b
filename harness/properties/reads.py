"""The groups of events that properties read, so that each says what it rests on without a list of everything.

Owns the names of the groups. Removing any event of a class that a property does not list changes no
verdict of it; a test holds every property to that.
"""

from typing import Any, Final, TypeAlias

from harness.trace import (
    AdapterFailed,
    AnswerSent,
    DecisionTaken,
    DeviationFired,
    DeviceJoined,
    EffectExecuted,
    ForgerySent,
    HostCrashed,
    HostRestarted,
    OutcomeReported,
    Quiet,
    ReceiptGiven,
    RequestPublished,
    ScreenShown,
    StandingChanged,
    ToolCalled,
)

Reads: TypeAlias = tuple[type[Any], ...]

TIES: Final[Reads] = (ToolCalled, RequestPublished, ScreenShown, AnswerSent, Quiet)
"""What tells which call an event is about, and whether the trace has an end."""
DECISIONS: Final[Reads] = (*TIES, ReceiptGiven, DecisionTaken, EffectExecuted, OutcomeReported)
"""What shows that a call was decided."""
STANDING: Final[Reads] = (DeviceJoined, StandingChanged)
"""Where people belong, and what the identity provider changed."""
FORGERIES: Final[Reads] = (DeviceJoined, ForgerySent)
"""What hostile clients sent, and who they are."""
HOSTS: Final[Reads] = (HostCrashed, HostRestarted, AdapterFailed)
"""What excuses something that is missing at the end."""
FAULTS: Final[Reads] = (*HOSTS, DeviationFired)
"""What may have lost something on its way, or locked somebody out."""
