"""Exploration: drawing plans, running them, shrinking what fails, and replaying it from a file."""
