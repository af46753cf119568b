"""What a user did wrong, in a line or two with the next step; never a traceback.

Owns the one exception that commands raise for it. Everything else that escapes a command is a fault of
the harness.
"""


class UserError(Exception):
    """The input is at fault; the text names what is wrong and what to do next."""
