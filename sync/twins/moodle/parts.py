"""The parts of a running rehearsal LMS, as its routes see them."""

from __future__ import annotations

import hashlib
import json
import secrets
from dataclasses import dataclass, field
from typing import Any

from connector.base.clock import Clock
from lti.platform.platform import LtiPlatform
from lti.platform.storage import StorageOffer
from sync.twins.moodle.gradebook import Gradebook
from sync.twins.moodle.records import Activity, Quirks
from sync.twins.moodle.registry import Registry
from sync.twins.moodle.store import Store

BASIC_OUTCOME = "https://purl.imsglobal.org/spec/lti-bo/claim/basicoutcome"


@dataclass
class StorageSwitch:
    """Platform storage as another LMS than Moodle offers it; Moodle offers none, and none is what stands here.

    Attributes:
        offer: How it is offered.
        silent: It is offered and never answers, as Canvas's mobile app does.
    """

    offer: StorageOffer | None = None
    silent: bool = False


@dataclass(frozen=True)
class Parts:
    """Everything a route may need.

    Attributes:
        base_url: The LMS's own address, without a final slash; also its issuer.
        secret: Signs what leaves the LMS to come back.
        guid: The installation's id in ``tool_platform``.
        language: The language of a browser that has chosen none.
    """

    base_url: str
    secret: str
    guid: str
    language: str
    quirks: Quirks
    clock: Clock
    store: Store
    registry: Registry
    gradebook: Gradebook
    platform: LtiPlatform
    storage: StorageSwitch = field(default_factory=StorageSwitch)

    def address(self, path: str) -> str:
        """Return a path as a whole address."""
        return self.base_url + path

    def basic_outcome(self, activity: Activity, user_id: str) -> dict[str, Any]:
        """Return the LTI 1.1 outcome claim Moodle still sends."""
        launch = secrets.randbelow(2_000_000_000)
        data = {"instanceid": activity.id, "userid": user_id, "typeid": str(activity.tool), "launchid": launch}
        check = hashlib.sha256((self.secret + json.dumps(data)).encode()).hexdigest()
        sourcedid = json.dumps({"data": data, "hash": check}, separators=(",", ":"))
        return {
            BASIC_OUTCOME: {
                "lis_result_sourcedid": sourcedid,
                "lis_outcome_service_url": self.address("/mod/lti/service.php"),
            }
        }
