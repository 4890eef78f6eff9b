"""Decide what to do about one cell."""

from __future__ import annotations

from connector.base.i18n import Message
from sync.reconcile.types import Base, Cell, Decision, Policy, Translate


def decide(left: Cell, right: Cell, base: Base | None, policy: Policy, translate: Translate) -> Decision:
    """Compare both sides with their own last agreed values and say what to do."""
    raise NotImplementedError


def explain_rule(rule: str) -> Message:
    """Return why a rule decides as it does, for a person."""
    raise NotImplementedError
