"""The Ably realtime and REST protocol, spoken over ``harness.channel``.

``server.Server`` is the whole protocol as one sans-IO object: bytes of many sockets go in with the time,
bytes to write come out. ``listener.listen`` puts it on an asyncio loop, real or simulated. Nothing here
knows of approvals, reads a clock or draws a random number. Protocol versions 2 to 6; what is left out
stands in ``docs/ably-server.md``.
"""
