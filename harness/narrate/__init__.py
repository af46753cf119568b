"""Plans, events and traces in words: what every report says about a run.

Owns the wording. Everything here is a pure function from plain data to text; colour, width detection and
files belong to whoever prints.
"""

from harness.narrate.events import event_phrase
from harness.narrate.listing import listing
from harness.narrate.page import Line, Span, Tone, plain
from harness.narrate.plans import deviation_phrase, plan_sentence
from harness.narrate.selection import boundary_places
from harness.narrate.units import duration, ordinal, plural

__all__ = (
    "Line",
    "Span",
    "Tone",
    "boundary_places",
    "deviation_phrase",
    "duration",
    "event_phrase",
    "listing",
    "ordinal",
    "plain",
    "plan_sentence",
    "plural",
)
