"""The reference with one fault built in, many times over: what the harness has to find.

Owns the list. Each variant replaces exactly one part of the reference (one rule of the arbiter, one method
of the agent, a device or a store); each names the property that it breaks and the report in the field that it
repeats. None of it is for copying.
"""

from typing import Final

from harness.ablation import Ablation

from .authority import AUTHORITY
from .binding import BINDING
from .bounded import BOUNDED
from .deciding import DECIDING
from .durable import DURABLE
from .execution import EXECUTION
from .unverified import UNVERIFIED

ABLATIONS: Final[tuple[Ablation, ...]] = (
    *DECIDING,
    *EXECUTION,
    *BINDING,
    *AUTHORITY,
    *UNVERIFIED,
    *BOUNDED,
    *DURABLE,
)
