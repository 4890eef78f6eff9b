"""The messages the rehearsal LMS sends, with the claims a Moodle 4.5 was seen to send."""

from __future__ import annotations

from collections.abc import Mapping
from urllib.parse import urlencode

from lti.platform.hints import Intent
from lti.platform.messages import Course, DeepLinkingSettings, Message, Person, ResourceLink, Services
from lti.platform.records import RegisteredTool
from lti.vocab import ROLE_INSTRUCTOR, ROLE_LEARNER, MessageType, Scope
from sync.twins.moodle.parts import Parts
from sync.twins.moodle.records import Activity, CourseRecord, LmsUser
from sync.twins.moodle.web.sessions import Visitor
from sync.twins.moodle.wire import PREFIX

EXT = "https://purl.imsglobal.org/spec/lti/claim/ext"
_AGS = (Scope.LINEITEM, Scope.LINEITEM_READONLY, Scope.RESULT_READONLY, Scope.SCORE)


class MessageMaker:
    """Make messages from intents."""

    def __init__(self, parts: Parts) -> None:
        """Take the LMS's parts."""
        self._parts = parts

    def make(self, tool: RegisteredTool, intent: Intent, user: LmsUser, visitor: Visitor) -> Message | None:
        """Return the message an intent asks for, or None when its activity is gone or not this person's."""
        if intent.message_type == MessageType.DEEP_LINKING:
            course = self._parts.registry.course(intent.about.get("course", ""))
            return self._deep_linking(tool, user, visitor, course) if user.teaches and course else None
        activity = self._parts.registry.activity(cmid=intent.about.get("cmid", ""))
        for_user = intent.about.get("for_user", "")
        if activity is None or str(activity.tool) != tool.deployment_id or (for_user and not user.teaches):
            return None
        course = self._parts.registry.course(activity.course)
        if course is None:
            return None
        own = self._filled(activity.custom, user, course)
        return Message(
            intent.message_type,
            self._person(user),
            _course(course),
            link=ResourceLink(activity.id, activity.title, activity.description),
            services=self._services(tool, course, activity),
            custom={**own, **self._custom(tool, user, course)},
            presentation=self._presentation(visitor, activity),
            platform=self._platform(),
            for_user=for_user,
            extra={**self._parts.basic_outcome(activity, user.id), **self._ext(user)},
        )

    def _deep_linking(self, tool: RegisteredTool, user: LmsUser, visitor: Visitor, course: CourseRecord) -> Message:
        query = urlencode({"course": course.id, "id": tool.deployment_id, "sesskey": visitor.sesskey})
        settings = DeepLinkingSettings(self._parts.address(f"/mod/lti/contentitem_return.php?{query}"), title=tool.name)
        return Message(
            MessageType.DEEP_LINKING,
            self._person(user),
            _course(course),
            services=self._services(tool, course, None),
            custom=self._custom(tool, user, course),
            presentation={"locale": visitor.language},
            platform=self._platform(),
            settings=settings,
            extra=self._ext(user),
        )

    def _person(self, user: LmsUser) -> Person:
        role = ROLE_INSTRUCTOR if user.teaches else ROLE_LEARNER
        return Person(user.id, (role,), user.given, user.family, user.name, user.email, user.idnumber)

    def _memberships(self, tool: RegisteredTool, course: CourseRecord) -> str:
        return self._parts.address(f"{PREFIX}/CourseSection/{course.id}/bindings/{tool.deployment_id}/memberships")

    def _services(self, tool: RegisteredTool, course: CourseRecord, activity: Activity | None) -> Services:
        query = f"?type_id={tool.deployment_id}"
        items = self._parts.registry.line_items(int(tool.deployment_id)) if activity else []
        own = [item for item in items if activity and item.activity == activity.id]
        lineitem = ""
        if len(own) == 1:
            lineitem = self._parts.address(f"{PREFIX}/{course.id}/lineitems/{own[0].id}/lineitem{query}")
        return Services(
            scopes=tuple(scope for scope in _AGS if scope in tool.scopes),
            lineitems=self._parts.address(f"{PREFIX}/{course.id}/lineitems{query}"),
            lineitem=lineitem,
            memberships=self._memberships(tool, course) if Scope.MEMBERSHIP_READONLY in tool.scopes else "",
        )

    def _custom(self, tool: RegisteredTool, user: LmsUser, course: CourseRecord) -> dict[str, str]:
        own = self._parts.registry.tool_custom(int(tool.deployment_id))
        return {**self._filled(own, user, course), "context_memberships_url": self._memberships(tool, course)}

    def _filled(self, custom: Mapping[str, str], user: LmsUser, course: CourseRecord) -> dict[str, str]:
        """Return custom parameters with Moodle's variables filled in; what it does not know stays as it is written."""
        known = self._variables(user, course)
        return {name: known.get(value, value) for name, value in custom.items()}

    def _variables(self, user: LmsUser, course: CourseRecord) -> Mapping[str, str]:
        return {
            "$Person.sourcedId": user.idnumber,
            "$Person.name.middle": user.middle,
            "$Person.address.timezone": self._parts.quirks.time_zone,
            "$User.id": user.id,
            "$User.username": user.username,
            "$Context.id": course.id,
            "$Context.id.history": ",".join(self._parts.registry.course_history(course.id)),
            "$CourseSection.sourcedId": course.idnumber,
            "$Moodle.Person.userGroupIds": "",
        }

    def _presentation(self, visitor: Visitor, activity: Activity) -> dict[str, str]:
        query = {"course": activity.course, "launch_container": "3", "instanceid": activity.id}
        back = f"/mod/lti/return.php?{urlencode({**query, 'sesskey': visitor.sesskey})}"
        return {"locale": visitor.language, "document_target": "iframe", "return_url": self._parts.address(back)}

    def _platform(self) -> dict[str, str]:
        return {
            "product_family_code": "moodle",
            "version": "2024100706",
            "guid": self._parts.guid,
            "name": "rehearsal",
            "description": "Rehearsal LMS",
        }

    def _ext(self, user: LmsUser) -> dict[str, object]:
        return {EXT: {"user_username": user.username, "lms": "moodle-2"}}


def _course(course: CourseRecord) -> Course:
    return Course(course.id, course.shortname, course.fullname, course.idnumber)
