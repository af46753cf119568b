"""Approval latency: measured end to end and by segment, under load, in virtual and in real time."""
