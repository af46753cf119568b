"""Attaching: where in a channel's log a new attachment starts, and what it is sent for a start.

Owns the three ways to begin (at the present, after a serial, some messages back) and the serial that ATTACHED
carries for each. Pure but for the attachment it places. Does not grant modes (``hub`` does).
"""

from itertools import groupby

from harness.channel.attachments import Attachment, AttachOptions, deliver
from harness.channel.errors import ErrorInfo, error_info
from harness.channel.events import Attached, Deliver
from harness.channel.log import ChannelLog
from harness.channel.messages import Message, MessageAction
from harness.channel.serials import channel_serial_of


def start(
    attachment: Attachment, serial: str | None, previous: Attachment | None, now_ms: int
) -> tuple[Attached, tuple[Deliver, ...]]:
    """Place a new attachment in the log: continue after ``serial``, rewind, or start at the present.

    Returns Attached and the backlog that follows it.
    """
    log = attachment.log
    if serial is not None:
        return _continue(attachment, serial, now_ms)
    attachment.after_serial = log.mark(now_ms)
    rewound, error = ((), None) if previous else _rewound(log, attachment.options, now_ms)
    wanted = [message for message in rewound if attachment.wants(message.connection_id)]
    for message in wanted:
        attachment.contact(message)
    backlog = _rewind_deliveries(attachment.channel, wanted)
    return _attached(attachment, attachment.after_serial, backlog, error, resumed=False), tuple(backlog)


def _continue(attachment: Attachment, serial: str, now_ms: int) -> tuple[Attached, tuple[Deliver, ...]]:
    """Resume after ``serial`` (spec RTL4c1), also on a transport that was attached before.

    The client's serial is what counts, not what was sent: a client discards messages while it attaches
    (RTL17), so those under way must come again. One that reads on meanwhile has to recognise them by their
    serials.

    With RESUMED, ATTACHED carries the serial that delivery starts after: a transport lost between it and
    the backlog then loses nothing. Without, it carries the present, the bound for history up to the attach.
    """
    log = attachment.log
    present = log.mark(now_ms)
    replay = log.replay(serial, now_ms)
    attachment.after_serial = replay.after_serial if replay.frames else present
    backlog: list[Deliver] = []
    conflated: dict[str, str] = {}
    for frame in replay.frames if attachment.subscribes else ():
        if not attachment.wants(frame.connection_id):
            continue
        operation = frame.messages[0]
        if operation.version and operation.version.serial <= conflated.get(operation.serial, ""):
            continue
        if operation.action is not MessageAction.CREATE and attachment.needs_whole(frame):
            latest = log.message(operation.serial, now_ms)
            if latest.version:
                conflated[operation.serial] = latest.version.serial
            backlog.append(deliver(attachment.channel, frame, (latest,)))
        else:
            backlog.append(deliver(attachment.channel, frame, frame.messages))
    resumed = replay.error is None
    carried = replay.after_serial if resumed and backlog else present
    return _attached(attachment, carried, backlog, replay.error, resumed=resumed), tuple(backlog)


def _attached(
    attachment: Attachment,
    serial: str,
    backlog: list[Deliver] | tuple[()],
    error: ErrorInfo | None,
    *,
    resumed: bool,
) -> Attached:
    return Attached(
        attachment.channel,
        serial,
        attachment.modes,
        attachment.options.applied,
        resumed,
        bool(backlog),
        error,
    )


def _rewound(
    log: ChannelLog, options: AttachOptions, now_ms: int
) -> tuple[tuple[Message, ...], ErrorInfo | None]:
    if options.rewind_count is not None:
        return (log.newest(options.rewind_count, now_ms) if options.rewind_count else ()), None
    if options.rewind_ms is None:
        return (), None
    found = log.since(now_ms - options.rewind_ms, now_ms)
    if len(found) <= options.rewind_limit:
        return found, None
    cut = error_info(90004, f"the rewind was cut to its newest {options.rewind_limit} messages")
    return found[-options.rewind_limit :], cut


def _rewind_deliveries(channel: str, messages: list[Message]) -> list[Deliver]:
    """Return the messages in the frames that they were published in."""
    deliveries: list[Deliver] = []
    for channel_serial, group in groupby(messages, key=lambda message: channel_serial_of(message.serial)):
        together = tuple(group)
        first = together[0]
        frame_id = (first.id or "").rpartition(":")[0]
        deliveries.append(
            Deliver(channel, channel_serial, frame_id, first.connection_id, first.timestamp_ms, together)
        )
    return deliveries
