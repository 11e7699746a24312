"""The twin's service account, and the tokens it exchanges for signed assertions.

https://datatracker.ietf.org/doc/html/rfc7523
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import secrets
import time
from pathlib import Path
from typing import Any

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa

from localcloud.bigquery.errors import BigQueryError

JWT_GRANT = "urn:ietf:params:oauth:grant-type:jwt-bearer"
TOKEN_SECONDS = 3600
_SKEW_SECONDS = 60


class Authority:
    """Issues and checks tokens. Key and secret live in the data folder, so tokens survive a restart."""

    def __init__(self, data: Path, project: str) -> None:
        self._path = data / "service-account.json"
        self._project = project
        self._info = self._read() or self._create()
        key = serialization.load_pem_private_key(self._info["private_key"].encode(), password=None)
        if not isinstance(key, rsa.RSAPrivateKey):
            raise TypeError("the service account key is not RSA")
        self._public = key.public_key()
        self._secret = hashlib.sha256(self._info["private_key"].encode()).digest()

    def _read(self) -> dict[str, Any] | None:
        return json.loads(self._path.read_text()) if self._path.exists() else None

    def _create(self) -> dict[str, Any]:
        key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
        pem = key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
        return {
            "type": "service_account",
            "project_id": self._project,
            "private_key_id": secrets.token_hex(20),
            "private_key": pem.decode(),
            "client_email": f"twin@{self._project}.iam.gserviceaccount.com",
            "client_id": "100000000000000000000",
        }

    @property
    def project(self) -> str:
        """The service account's own project."""
        return str(self._info["project_id"])

    def credentials(self, token_uri: str) -> dict[str, Any]:
        """Write and return the service account file for this token address."""
        info = {**self._info, "auth_uri": token_uri, "token_uri": token_uri, "universe_domain": "googleapis.com"}
        self._path.parent.mkdir(parents=True, exist_ok=True)
        self._path.write_text(json.dumps(info, indent=2))
        self._path.chmod(0o600)
        return info

    def exchange(self, grant: str, assertion: str) -> dict[str, Any]:
        """An access token for a signed assertion; raises `authError`."""
        if grant != JWT_GRANT:
            raise _unauthorized(f"Unsupported grant type {grant}")
        self._verify(assertion)
        body = _encode(json.dumps({"exp": int(time.time()) + TOKEN_SECONDS, "n": secrets.token_hex(8)}).encode())
        return {"access_token": f"{body}.{self._sign(body)}", "expires_in": TOKEN_SECONDS, "token_type": "Bearer"}

    def check(self, header: str | None) -> None:
        """Refuse a request whose Authorization header is neither an issued token nor a self-signed JWT."""
        scheme, _, token = (header or "").partition(" ")
        if scheme.lower() != "bearer" or not token:
            raise _unauthorized("Request is missing required authentication credential.")
        if token.count(".") == 2:
            self._verify(token)
            return
        body, _, signature = token.partition(".")
        if not hmac.compare_digest(signature, self._sign(body)) or json.loads(_decode(body))["exp"] < time.time():
            raise _unauthorized("Request had invalid authentication credentials.")

    def _sign(self, body: str) -> str:
        return hmac.new(self._secret, body.encode(), hashlib.sha256).hexdigest()

    def _verify(self, assertion: str) -> None:
        try:
            head, claims, signature = assertion.split(".")
            self._public.verify(_decode(signature), f"{head}.{claims}".encode(), padding.PKCS1v15(), hashes.SHA256())
            found = json.loads(_decode(claims))
        except (ValueError, InvalidSignature):
            raise _unauthorized("Invalid JWT signature.") from None
        if found.get("iss") != self._info["client_email"]:
            raise _unauthorized("Invalid JWT: unknown issuer.")
        if (
            not time.time() - TOKEN_SECONDS - _SKEW_SECONDS
            < found.get("exp", 0)
            < time.time() + TOKEN_SECONDS + _SKEW_SECONDS
        ):
            raise _unauthorized("Invalid JWT: Token must be a short-lived token.")


def _unauthorized(message: str) -> BigQueryError:
    return BigQueryError("authError", message)


def _encode(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).decode().rstrip("=")


def _decode(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
