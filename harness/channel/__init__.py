"""An in-memory channel service with history, pure and sans-IO, and a client for it.

``service.ChannelService`` takes commands with the time and returns effects; ``client.ChannelClient`` is its
counterpart on the other end of a transport. Semantics and error codes are those of Ably's channels, so that
the Ably wire protocol can be spoken over the same core. Nothing here reads a clock, draws a random number,
sleeps or opens a socket.
"""
