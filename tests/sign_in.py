"""The Hub's side of *Sign in with Hugging Face*: OpenID Connect, as much of it as Gradio's own client walks through.

A visitor is sent to `/oauth/authorize`, says yes on a page there and comes back with a code; the app exchanges the code
and its secret for a token and for a signed statement of who that is. Every step is checked as the Hub does it: client,
secret, redirect address, code used once, nonce, signature.
"""

from __future__ import annotations

import base64
import html
import secrets
import time
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

CLIENT, SECRET, SCOPES = "client-of-the-space", "secret-of-the-space", "openid profile write-repos"
TOKEN_SECONDS = 8 * 3600


@dataclass
class Grant:
    """What a visitor agreed to: who, for which address to go back to, and what the app wanted repeated."""

    user: str
    redirect_uri: str
    scope: str
    nonce: str


class Provider:
    """The sign-in of a hub at `issuer`. `visitor` is who is logged in there in the browser; `tokens` go to the hub."""

    def __init__(self, issuer: str, visitor: str = "alice") -> None:
        from joserfc.jwk import RSAKey

        self.issuer, self.visitor = issuer, visitor
        self.key = RSAKey.generate_key(2048, {"kid": "hub"})
        self.grants: dict[str, Grant] = {}
        self.issued: list[str] = []

    def configuration(self) -> dict[str, Any]:
        pages = dict(authorization="authorize", token="token", userinfo="userinfo")
        return {f"{name}_endpoint": f"{self.issuer}/oauth/{page}" for name, page in pages.items()} | {
            "issuer": self.issuer,
            "jwks_uri": f"{self.issuer}/oauth/jwks",
            "id_token_signing_alg_values_supported": ["RS256"],
            "response_types_supported": ["code"],
        }

    def keys(self) -> dict[str, Any]:
        return {"keys": [self.key.as_dict(private=False)]}

    def consent(self, asked: dict[str, str]) -> str:
        """The page where the visitor says yes; `ValueError` for an app that is not known."""
        if asked["client_id"] != CLIENT or asked["response_type"] != "code":
            raise ValueError("unknown client")
        code = secrets.token_urlsafe(16)
        self.grants[code] = Grant(self.visitor, asked["redirect_uri"], asked["scope"], asked["nonce"])
        mark = "&" if "?" in asked["redirect_uri"] else "?"
        back = asked["redirect_uri"] + mark + urlencode(dict(code=code, state=asked["state"]))
        return f'<title>Hub</title><p>{self.visitor}: {asked["scope"]}</p><a href="{html.escape(back)}">Authorize</a>'

    def exchange(self, authorization: str, asked: dict[str, str]) -> dict[str, Any]:
        """A code → a token and a statement of whose it is; `ValueError` for a wrong secret, code or address."""
        known = base64.b64encode(f"{CLIENT}:{SECRET}".encode()).decode()
        grant = self.grants.pop(asked.get("code", ""), None)
        if authorization != f"Basic {known}" or grant is None or asked["redirect_uri"] != grant.redirect_uri:
            raise ValueError("invalid_grant")
        token = f"hf_oauth_{secrets.token_hex(12)}"
        self.issued.append(token)
        return dict(
            access_token=token, token_type="bearer", expires_in=TOKEN_SECONDS, scope=grant.scope,
            id_token=self._statement(grant),
        )  # fmt: skip

    def _statement(self, grant: Grant) -> str:
        from joserfc import jwt

        now = int(time.time())
        claims = self.about(grant.user) | dict(
            iss=self.issuer, aud=CLIENT, iat=now, exp=now + TOKEN_SECONDS, nonce=grant.nonce
        )
        return jwt.encode({"alg": "RS256", "kid": "hub"}, claims, self.key)

    def about(self, user: str) -> dict[str, Any]:
        return dict(
            sub=f"id-of-{user}", name=user.title(), preferred_username=user, profile=f"{self.issuer}/{user}",
            picture=f"{self.issuer}/{user}.png",
        )  # fmt: skip
