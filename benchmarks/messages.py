"""The LMS the driver plays: its key pair, and messages of the size and shape a Moodle sends."""

from __future__ import annotations

import base64
import json
import time
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa

_CLAIM = "https://purl.imsglobal.org/spec/lti/claim/"
_ROLE = "http://purl.imsglobal.org/vocab/lis/v2/"


def _b64(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def _number(value: int) -> str:
    return _b64(value.to_bytes((value.bit_length() + 7) // 8, "big"))


class Platform:
    """An issuer with one RSA key; signs what it is given."""

    def __init__(self, issuer: str, key: rsa.RSAPrivateKey, kid: str = "bench-1") -> None:
        """Take the issuer and its parsed key."""
        self.issuer, self._key, self.kid = issuer, key, kid

    @classmethod
    def read(cls, issuer: str, pem: Path) -> Platform:
        """Read the key from a PEM file."""
        key = serialization.load_pem_private_key(pem.read_bytes(), None, unsafe_skip_rsa_key_validation=True)
        if not isinstance(key, rsa.RSAPrivateKey):
            raise TypeError("the platform signs with RSA")
        return cls(issuer, key)

    def jwk(self) -> dict[str, str]:
        """Return the public key as the key set has it."""
        numbers = self._key.public_key().public_numbers()
        return {"kty": "RSA", "alg": "RS256", "use": "sig", "kid": self.kid, "n": _number(numbers.n),
                "e": _number(numbers.e)}  # fmt: skip

    def sign(self, claims: dict[str, Any]) -> str:
        """Return a compact RS256 token."""
        head = _b64(json.dumps({"typ": "JWT", "alg": "RS256", "kid": self.kid}).encode())
        signed = f"{head}.{_b64(json.dumps(claims, ensure_ascii=False).encode())}"
        return f"{signed}.{_b64(self._key.sign(signed.encode(), padding.PKCS1v15(), hashes.SHA256()))}"

    def claims(self, client_id: str, target: str, nonce: str, who: tuple[int, int, int]) -> dict[str, Any]:
        """Return a resource link launch of person, course and link; about 2,900 bytes as a token."""
        person, course, link = who
        now = int(time.time())
        here = self.issuer
        return {
            "iss": here, "aud": client_id, "sub": f"user-{person}", "iat": now, "exp": now + 600, "nonce": nonce,
            "name": f"Оқушы Үлгі {person}", "given_name": "Оқушы", "family_name": f"Үлгі {person}",
            "email": f"pupil{person}@school.example", "locale": "kk",
            _CLAIM + "version": "1.3.0", _CLAIM + "message_type": "LtiResourceLinkRequest",
            _CLAIM + "deployment_id": "1", _CLAIM + "target_link_uri": target,
            _CLAIM + "roles": [_ROLE + "membership#Learner", _ROLE + "institution/person#Student"],
            _CLAIM + "context": {
                "id": f"course-{course}", "label": f"7A-{course}", "title": "Алгебра 7 «А», бірінші тоқсан",
                "type": [_ROLE + "course#CourseSection"]},
            _CLAIM + "resource_link": {"id": f"link-{course}-{link}", "title": f"Тест {link}: теңдеулер",
                                       "description": ""},
            _CLAIM + "tool_platform": {"guid": "lms.school.example", "family_code": "moodle", "version": "2024100700",
                                       "name": "Гимназия", "description": "Мектептің LMS порталы"},
            _CLAIM + "lis": {"person_sourcedid": f"S{person:06d}", "course_section_sourcedid": f"C{course:04d}"},
            _CLAIM + "launch_presentation": {
                "locale": "kk", "document_target": "iframe",
                "return_url": f"{here}/mod/lti/return.php?course={course}&launch_container=3&instanceid={link}"},
            _CLAIM + "ext": {"user_username": f"pupil{person}", "lms": "moodle-2"},
            _CLAIM + "custom": {"context_memberships_url": f"{here}/mod/lti/services.php/{course}"},
            "https://purl.imsglobal.org/spec/lti-ags/claim/endpoint": {
                "scope": [f"https://purl.imsglobal.org/spec/lti-ags/scope/{name}"
                          for name in ("lineitem", "lineitem.readonly", "result.readonly", "score")],
                "lineitems": f"{here}/mod/lti/services.php/{course}/lineitems?type_id=1",
                "lineitem": f"{here}/mod/lti/services.php/{course}/lineitems/{link}/lineitem?type_id=1"},
            "https://purl.imsglobal.org/spec/lti-nrps/claim/namesroleservice": {
                "context_memberships_url": f"{here}/mod/lti/services.php/CourseSection/{course}/bindings/1/memberships",
                "service_versions": ["1.0", "2.0"]},
        }  # fmt: skip


def new_key_file(path: Path) -> None:
    """Write a new private key of the platform."""
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    form = serialization.PrivateFormat.PKCS8
    path.write_bytes(key.private_bytes(serialization.Encoding.PEM, form, serialization.NoEncryption()))
