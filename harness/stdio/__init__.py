"""Implementations in any language: one process a host, spoken to in JSON Lines over its standard streams."""
