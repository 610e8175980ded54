"""The legacy dialect: one address, an action among the parameters, XML or HTML in return.

An answer's status is 200 even for a refusal, as the programs of this dialect expect: the body carries the number. Only what HTTP
itself is about has a status of its own. The option `legacy_refusal_status` gives every refusal the status of the modern API, for
programs that look at nothing else.
"""

import hashlib
import re
from collections.abc import Callable, Mapping
from types import MappingProxyType

import msgspec
from flask import Request as HttpRequest
from flask import Response, request

from app.authentication import Authenticator
from app.core import Core
from app.db import Unavailable
from app.intake import Intake
from app.messages import MAX_MESSAGES, Admitted, Request
from app.refusals import Refused, RequestRefused
from app.web.api import (
    credit_actions,
    failures,
    inbox_action,
    legacy_answers,
    message_types,
    parameters,
    reporting_action,
    user_actions,
    vendor_json,
)
from app.web.api.legacy_answers import ACCEPTED, Form, Reply
from app.web.api.legacy_call import Call, require_legacy
from app.web.api.parameters import Parameters
from pennywire import Draft

PATHS = ("/api", "/ozeki", "/httpapi")
METHODS = ("GET", "POST", "HEAD", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE")
"""All are taken, so that a wrong one is answered in the dialect. HEAD must not send what a GET would."""

STATUS_OPTION = "legacy_refusal_status"

HTTP_MATTERS = frozenset({"method_not_allowed", "body_too_large", "too_many_attempts", "unavailable", "unknown_outcome", "internal"})
"""Refusals with an HTTP status of their own in this dialect."""

HEADERS = (
    ("Cache-Control", "no-store"),
    ("X-Content-Type-Options", "nosniff"),
    ("Content-Security-Policy", "default-src 'none'; frame-ancestors 'none'"),
    # The address carries a password, which must not travel on when somebody follows the link.
    ("Referrer-Policy", "no-referrer"),
)

_MD5 = re.compile(r"[0-9A-Fa-f]{32}")


class LegacyApi:
    """The view behind `/api`, `/ozeki` and `/httpapi`."""

    def __init__(self, core: Core, intake: Intake, authenticator: Authenticator) -> None:
        self._core = core
        self._intake = intake
        self._authenticator = authenticator
        self._json = vendor_json.VendorJson(core, intake, authenticator)

    def view(self) -> Response:
        """Answer the request in the dialect that its action belongs to."""
        json_action = vendor_json.action_of(request.environ.get("QUERY_STRING", ""))
        return self._json.answer(request, json_action) if json_action else self._answer(request)

    def fail(self, error: Exception) -> Response:
        """Answer a request in which something broke that nobody expected."""
        json_action = vendor_json.action_of(request.environ.get("QUERY_STRING", ""))
        return self._json.refuse(error) if json_action else self._refuse(error, "", Form.XML)

    def _answer(self, http: HttpRequest) -> Response:
        action, form = "", Form.XML
        try:
            given = _read(http)
            form = _form_of(given)
            action = _action_of(given)
            call = self._admit(http, given, action, form)
            reply = ACTIONS[action](call)
        except failures.EXPECTED as error:
            return self._refuse(error, action, form)
        body = legacy_answers.write(reply, form, continue_url=legacy_answers.safe_link(given.get("continueurl")))
        return _response(body, form, 200)

    def _admit(self, http: HttpRequest, given: Parameters, action: str, form: Form) -> Call:
        """Find out who calls and whether he may. Raises: RequestRefused."""
        if http.method not in ("GET", "POST"):
            raise RequestRefused("method_not_allowed", f"The method {http.method} is not allowed here. Use GET or POST.")
        if action not in ACTIONS:
            raise _unknown_action(action)
        username, password = _credentials(given)
        user = self._authenticator.password(username, password, address=http.remote_addr or "")
        require_legacy(user)
        repeatable = http.method == "GET" and user.repeat_window_s > 0
        return Call(self._core, self._intake, user, given, form, repeatable)

    def _refuse(self, error: Exception, action: str, form: Form) -> Response:
        refused = failures.refused_by(error)
        body = legacy_answers.write(legacy_answers.refusal(action[:40], refused), form)
        response = _response(body, form, self._status(refused))
        response.headers.update(failures.retry_headers(error, refused))
        return response

    def _status(self, refused: Refused) -> int:
        if refused.code in HTTP_MATTERS:
            return refused.refusal.status
        try:
            options = self._core.snapshots.present().options
        except Unavailable:
            return 200
        return refused.refusal.status if options.get(STATUS_OPTION) else 200


def _response(body: bytes, form: Form, status: int) -> Response:
    response = Response(body, status=status, content_type=legacy_answers.content_type(form))
    response.headers.extend(HEADERS)
    return response


def _read(http: HttpRequest) -> Parameters:
    """Read the parameters from the query and, with POST, from the body. Raises: RequestRefused, RequestEntityTooLarge."""
    query = http.environ.get("QUERY_STRING", "")
    if http.method != "POST":
        return parameters.read(query)
    if http.mimetype == "multipart/form-data":
        return parameters.read(query, fields=http.form.items(multi=True))
    body = http.get_data(cache=False)
    charset = http.mimetype_params.get("charset", "")
    form = "" if http.mimetype.endswith(("json", "xml")) else body.decode("latin-1").strip()
    return parameters.read(query, form, charset=charset)


def _form_of(given: Parameters) -> Form:
    """Return the form in which the caller wants his answer."""
    if "userinfo" in given.values:
        return Form.MS6
    return Form.HTML if given.get("responseformat").strip().lower() == "html" else Form.XML


def _action_of(given: Parameters) -> str:
    """Return the action's name as the table has it; signs between its words do not count."""
    word = (given.get("action") or given.get("command")).strip().lower()
    plain = word.replace("_", "").replace("-", "")
    return _SPELLINGS.get(plain, plain) if word not in ACTIONS and _SPELLINGS.get(plain, plain) in ACTIONS else word


def _unknown_action(action: str) -> RequestRefused:
    known = ", ".join((*ACTIONS, *vendor_json.ACTIONS))
    if not action:
        return RequestRefused("missing_parameter", f"The parameter action is missing. Give one of: {known}.", "action")
    return RequestRefused("unknown_action", f"There is no action {action[:40]!r}. Known: {known}.", "action")


def _credentials(given: Parameters) -> tuple[str, str]:
    """Return name and password. Raises: RequestRefused where they are missing or come as MD5."""
    if "userinfo" in given.values:
        username, _, password = given.get("userinfo").partition(":")
        if _MD5.fullmatch(password):
            raise RequestRefused(
                "invalid_parameter",
                "The password came as an MD5 digest, from which it cannot be checked. Send ozmsUserInfo=name:password.",
                "ozmsUserInfo",
            )
    else:
        username, password = given.get("username"), given.get("password")
    if not username or not password:
        raise RequestRefused(
            "missing_parameter", "The parameters username and password are both needed.", "password" if username else "username"
        )
    return username, password


def _send(call: Call) -> Reply:
    recipients = call.parameters.recipients
    if not recipients:
        raise RequestRefused(
            "missing_destination", "The parameter recipient is missing or empty. Give a number such as +36201234567.", "recipient"
        )
    if len(recipients) > MAX_MESSAGES:
        raise RequestRefused(
            "too_many_messages", f"There are {len(recipients)} recipients; at most {MAX_MESSAGES} are allowed.", "recipient"
        )
    key = _repeat_key(call.parameters) if call.repeatable else ""
    asked = Request(
        call.user,
        _drafts(call, recipients),
        "legacy",
        key=f"get:{key}" if key else "",
        fingerprint=key,
        key_window_s=call.user.repeat_window_s if key else None,
    )
    results = call.intake.submit(asked).results
    return Reply("sendmessage", "acceptreport", [_report(result, raw) for result, raw in zip(results, recipients, strict=True)])


def _drafts(call: Call, recipients: tuple[str, ...]) -> tuple[Draft, ...]:
    """Make one draft for each recipient; a number that is given twice gets two messages (trap N5). Raises: RequestRefused."""
    given = call.parameters
    kind = message_types.read(given.get("messagetype"))
    content = given.get("messagedata")
    text, data = ("", message_types.data(content)) if kind.binary else (content, None)
    source = given.get("originator").strip()
    provider = given.get("serviceprovider").strip() if call.user.route_override_allowed else ""
    return tuple(
        Draft(
            destination=recipient,
            text=text,
            source=source,
            data=data,
            alphabet=kind.alphabet,
            message_class=kind.message_class,
            provider=provider,
        )
        for recipient in recipients
    )


def _repeat_key(given: Parameters) -> str:
    """Return the digest of what an identical GET would say again; the password may have been changed in between."""
    said = sorted((name, value) for name, value in given.values.items() if name not in ("password", "userinfo"))
    return hashlib.sha256(msgspec.json.encode([said, given.recipients])).hexdigest()


def _report(result: Admitted | Refused, raw: str) -> legacy_answers.Pairs:
    if isinstance(result, Admitted):
        return legacy_answers.accept_report(0, ACCEPTED, result.public_id, result.destination)
    return legacy_answers.accept_report(result.refusal.number, result.reason, "", raw.strip()[:64])


ACTIONS: Mapping[str, Callable[[Call], Reply]] = MappingProxyType(
    {
        "sendmessage": _send,
        "receivemessage": inbox_action.receive,
        "getcredits": credit_actions.get,
        "setcredits": credit_actions.set_balance,
        "addcredits": credit_actions.add,
        "createuser": user_actions.create,
        "configuser": user_actions.configure,
        "startuser": user_actions.start,
        "stopuser": user_actions.stop,
        "deleteuser": user_actions.delete,
        "reporting": reporting_action.report,
    }
)
"""Action to its work."""

_SPELLINGS: Mapping[str, str] = MappingProxyType(
    {
        "adduser": "createuser",
        "newuser": "createuser",
        "configureuser": "configuser",
        "edituser": "configuser",
        "setuser": "configuser",
        "removeuser": "deleteuser",
        "deluser": "deleteuser",
        "report": "reporting",
        "reports": "reporting",
        "repporting": "reporting",
    }
)
"""Other names under which an action is asked for."""
