"""The role check, as the guide publishes it and as it should be.

Owns the comparison of an approver's role with the role that a tool requires. The published one looks both up
in an ordered list and compares the places; what the list does not hold has the place -1.
"""

from harness.model import Policy, Role


def can_approve_as_published(policy: Policy, approver_role: str | None) -> bool:
    """Return whether the guide lets ``approver_role`` answer.

    An unlisted *required* role has the place -1, which every role reaches, listed or not.
    """
    return _index_of(policy, approver_role) >= _index_of(policy, policy.minimum_role)


def can_approve(policy: Policy, approver_role: str | None) -> bool:
    """Return whether ``approver_role`` may answer; what is not listed never may."""
    return policy.admits(None if approver_role is None else Role(approver_role))


def _index_of(policy: Policy, role: str | None) -> int:
    return policy.hierarchy.index(Role(role)) if role in policy.hierarchy else -1
