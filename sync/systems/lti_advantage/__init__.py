"""An LMS as a side, over LTI Advantage alone: its rosters by NRPS, its gradebook columns and marks by AGS."""

from sync.systems.lti_advantage.system import Course, LtiAdvantageSystem, Platform

__all__ = ["Course", "LtiAdvantageSystem", "Platform"]
