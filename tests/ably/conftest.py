"""A fresh world for every test."""

import pytest

from tests.ably.wire import World


@pytest.fixture
def world() -> World:
    return World()
