"""What stands between a browser and every view: access, anti-forgery tokens, headers, cookies."""

from http import HTTPStatus

from flask import Flask, Response, abort, current_app, g, redirect, request, session, url_for
from flask_login import current_user  # type: ignore[import-untyped]  # the package carries no annotations
from flask_wtf.csrf import CSRFProtect  # type: ignore[import-untyped]  # the package carries no annotations
from werkzeug.wrappers import Response as AnyResponse

from app.administration import second_factor_needed
from app.config import Settings
from app.web import context
from app.web.access import READING, WITHOUT_FACTOR
from pennywire.ui import body_octets_of

CONTENT_SECURITY_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; "
    "form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)

HEADERS = (
    ("Content-Security-Policy", CONTENT_SECURITY_POLICY),
    ("X-Content-Type-Options", "nosniff"),
    ("X-Frame-Options", "DENY"),
    ("Referrer-Policy", "same-origin"),
    ("Cross-Origin-Opener-Policy", "same-origin"),
    ("Cross-Origin-Resource-Policy", "same-origin"),
    ("Permissions-Policy", "camera=(), geolocation=(), microphone=(), payment=(), usb=()"),
)

API = "api."
"""How the endpoints of the HTTP APIs begin."""

TWO_YEARS_S = 63_072_000
A_YEAR_S = 31_536_000


def configure(app: Flask, settings: Settings) -> None:
    """Set what Flask and Flask-WTF need to know."""
    app.config.update(
        SECRET_KEY=settings.secret_key,
        MAX_CONTENT_LENGTH=settings.max_body_octets,
        MAX_FORM_MEMORY_SIZE=settings.max_body_octets,
        TRUSTED_HOSTS=[host.strip() for host in settings.hosts.split(",") if host.strip()] or None,
        # The prefix makes browsers refuse the cookie unless it came by HTTPS from this very host.
        SESSION_COOKIE_NAME="__Host-pennywire" if settings.https else "pennywire",
        SESSION_COOKIE_SECURE=settings.https,
        SESSION_COOKIE_HTTPONLY=True,
        SESSION_COOKIE_SAMESITE="Lax",
        # A token lives as long as its session; a form that was left open overnight is then refused by the session's end.
        WTF_CSRF_TIME_LIMIT=None,
    )


def register(app: Flask, settings: Settings) -> CSRFProtect:
    """Put the guards before every request and the headers on every answer. Return the guard that asks for tokens."""
    app.before_request(widen)
    csrf = CSRFProtect(app)
    app.before_request(guard)

    @app.after_request
    def add_headers(response: Response) -> Response:
        headers, endpoint = response.headers, request.endpoint
        if settings.https:
            headers["Strict-Transport-Security"] = f"max-age={TWO_YEARS_S}; includeSubDomains"
        if endpoint is not None and endpoint.startswith(API):
            # XML and JSON are no pages. The APIs say themselves what matters of their answers; each header more costs every message.
            return response
        if endpoint == "static":
            headers["Cache-Control"] = _caching_of_file(response)
        headers.setdefault("Cache-Control", "no-store")
        for name, value in HEADERS:
            headers.setdefault(name, value)
        return response

    return csrf


def _caching_of_file(response: Response) -> str:
    """Return how long a static file may be kept: for good under the address of its content, else until it is asked for again."""
    if response.status_code >= HTTPStatus.BAD_REQUEST:
        return "no-store"
    return f"public, max-age={A_YEAR_S}, immutable" if "v" in request.args else "no-cache"


def widen() -> None:
    """Let a view that takes large files have them from those who may send it something.

    It comes before the question for the form's token, which reads the body: a stranger's is read to the usual limit only.
    """
    view = current_app.view_functions.get(request.endpoint or "")
    octets = body_octets_of(view) if view is not None and request.method not in READING else 0
    if octets and request.endpoint not in context.parts().access.public and current_user.is_authenticated:
        allowed = context.may(str(request.endpoint), write=True)
        request.max_content_length = max(octets if allowed else 0, request.max_content_length or 0)


def guard() -> AnyResponse | None:
    """Refuse what the access table does not allow. Addresses that do not exist are left to the error pages.

    For a customer there is no user but himself: where the address names another one, there is nothing.
    Raises: BadRequest, Forbidden, NotFound.
    """
    endpoint = request.endpoint
    if endpoint is None or endpoint in context.parts().access.public:
        return None
    if any("\x00" in value for value in (*request.args.values(), *map(str, (request.view_args or {}).values()))):
        # No name and no number has one, and PostgreSQL does not even take the question.
        abort(400)
    if not current_user.is_authenticated:
        return _to_sign_in()
    user = context.user()
    if not user.second_factor and endpoint not in WITHOUT_FACTOR and second_factor_needed(context.snapshot().options, user.role):
        return _go_to("profile.second_factor")
    if not context.may(endpoint, write=request.method not in READING):
        abort(403)
    named = (request.view_args or {}).get("username")
    if user.role == "customer" and named is not None and named != user.username:
        abort(404)
    return None


def _to_sign_in() -> AnyResponse:
    """Send a stranger to the sign-in. Where he wanted to go is kept in the session, so that no address comes from outside."""
    ended = g.get("session_ended", "")
    if ended:
        session["ended"] = ended
    if request.method == "GET" and "HX-Request" not in request.headers:
        session["wanted"] = [request.endpoint, dict(request.view_args or {})]
    return _go_to("sign_in.show")


def _go_to(endpoint: str) -> AnyResponse:
    if "HX-Request" in request.headers:
        return Response(status=401, headers={"HX-Redirect": url_for(endpoint)})
    return redirect(url_for(endpoint), 303)
