"""What adapters wrap, installed apart from the user's own environment.

Owns ``.hitl/envs``: where installations lie, whether one is there and up to date, how it is built, and how a
process is started inside it. Nothing here knows scenarios, runs or results.
"""
