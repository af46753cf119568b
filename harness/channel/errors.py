"""Error values of the channel service: one table of codes, one value type, two exceptions.

Owns the number-to-status table, so that a code never leaves with the wrong HTTP status.
The numbers are Ably's published error codes, so that a wire protocol can pass them on unchanged.
This module does not decide when an error applies; the module that owns a rule does.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

STATUS_BY_CODE: Final[Mapping[int, int]] = MappingProxyType(
    {
        40000: 400,  # bad request
        40003: 400,  # invalid parameter, limit, serial
        40005: 400,  # credentials of the wrong form
        40006: 400,  # connection key or id in a message
        40009: 413,  # message too large
        40010: 400,  # channel name
        40012: 400,  # client id
        40017: 400,  # protocol version
        40024: 400,  # history up to a serial of another site
        40030: 400,  # invalid publish
        40031: 400,  # message ids
        40032: 400,  # extras
        40034: 400,  # too many messages in one publish
        40099: 400,  # refusal asked for by the publisher
        40101: 401,  # authentication failed
        40102: 401,  # incompatible credentials
        40103: 401,  # basic authentication over plain transport
        40104: 401,  # token request out of time
        40105: 401,  # nonce used before
        40130: 401,  # key unknown
        40131: 401,  # key revoked
        40133: 401,  # key not usable
        40140: 401,  # token error
        40141: 401,  # token revoked
        40142: 401,  # token expired
        40143: 401,  # token unrecognised
        40144: 401,  # token unreadable
        40145: 401,  # token unreadable
        40160: 401,  # capability denied
        40161: 401,  # identity required
        40164: 401,  # tokens of this key can not be revoked
        40165: 401,  # mode not requested at attach
        40166: 401,  # anonymous client with rights on its own messages only
        40170: 401,  # the client's token source failed
        40171: 403,  # the client has no way to renew its token
        40300: 403,  # forbidden
        40400: 404,  # not found
        42910: 429,  # rate exceeded, refused without further harm
        42911: 429,  # rate of one connection
        42913: 429,  # rate of one channel
        42920: 429,  # rate exceeded, fatally
        42924: 429,  # frames of one connection, fatally
        50000: 500,  # internal
        50003: 504,  # timeout, seen by a client
        80000: 400,  # connection failed
        80002: 400,  # connection suspended
        80003: 400,  # connection lost
        80008: 400,  # resume failed: state expired
        80016: 410,  # transport superseded by a newer one of the same connection
        80017: 400,  # connection closed by its user
        80018: 400,  # resume failed: malformed key
        90000: 400,  # channel operation failed
        90001: 404,  # channel operation in an unsuitable state
        90003: 404,  # messages lost: older than the live window
        90004: 404,  # messages lost: more than one replay may hold
        90005: 404,  # continuity unknown: serial of another series
        90007: 408,  # attach or detach timed out
        90008: 400,  # attach point too old for history
        90010: 400,  # too many channels on one connection
        91000: 400,  # presence without a client id
        91003: 400,  # too many members
        93001: 400,  # annotation mode not requested
        93002: 400,  # the channel's rule does not allow mutation
    }
)

FIRST_TOKEN_ERROR: Final = 40140
LAST_TOKEN_ERROR: Final = 40149


@dataclass(frozen=True, slots=True)
class ErrorInfo:
    """An error as told to a client (spec TI1): ``code``, HTTP ``status`` and a ``message`` for people."""

    code: int
    status: int
    message: str

    @property
    def is_token_error(self) -> bool:
        """Whether a new token may cure it (spec RTN15h1): status 401 and a code from 40140 to 40149."""
        return self.status == 401 and FIRST_TOKEN_ERROR <= self.code <= LAST_TOKEN_ERROR  # noqa: PLR2004 - HTTP


def error_info(code: int, message: str) -> ErrorInfo:
    """Build the value for ``code``; one that the table does not list is a ``KeyError`` (our bug)."""
    return ErrorInfo(code, STATUS_BY_CODE[code], message)


class RefusalError(Exception):
    """A client asked for something that the rules do not allow; ``info`` is what the client is told."""

    def __init__(self, info: ErrorInfo) -> None:
        super().__init__(f"[{info.code}] {info.message}")
        self.info = info


class AuthError(RefusalError):
    """Credentials were not accepted; an ``Authenticate`` function raises this and nothing else."""


def refusal(code: int, message: str) -> RefusalError:
    """Shorthand for ``RefusalError(error_info(code, message))``."""
    return RefusalError(error_info(code, message))
