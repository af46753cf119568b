"""Auditing recorded logs: this tool's own traces, and logs of any shape through a mapping.

A log from production is seldom whole. What is missing, damaged or out of order is never guessed at: the log
is refused, or judged with a reservation that names the line and the reason, and whatever a reservation casts
doubt on is inconclusive instead of violated.
"""
