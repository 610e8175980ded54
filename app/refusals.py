"""The one table of refusals: every entrance takes its code, number, HTTP status and words from here.

The `code` is stable and is what programs should look at; the number is for the legacy dialects, whose answers carry one.
"""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Refusal:
    """One kind of refusal. `number` is the legacy status code, `status` the HTTP status of the modern API."""

    code: str
    number: int
    status: int
    title: str


REFUSALS: dict[str, Refusal] = {
    refusal.code: refusal
    for refusal in (
        Refusal("unauthenticated", 101, 401, "User name, password or key is wrong"),
        Refusal("forbidden", 102, 403, "The user may not do this"),
        Refusal("legacy_api_off", 103, 403, "The legacy API is switched off for this user"),
        Refusal("user_suspended", 104, 403, "The user is switched off"),
        Refusal("too_many_attempts", 105, 429, "Too many failed attempts"),
        Refusal("account_suspended", 106, 403, "The account is suspended"),
        Refusal("unknown_action", 110, 400, "There is no such action"),
        Refusal("missing_parameter", 111, 400, "A parameter is missing"),
        Refusal("invalid_parameter", 112, 400, "A parameter has a wrong value"),
        Refusal("malformed_body", 113, 400, "The body could not be read"),
        Refusal("body_too_large", 114, 413, "The body is too large"),
        Refusal("unsupported_message_type", 115, 422, "The message type is not supported"),
        Refusal("not_found", 116, 404, "There is no such object"),
        Refusal("method_not_allowed", 117, 405, "The method is not allowed here"),
        Refusal("invalid_field", 118, 422, "A field has a value that cannot be"),
        Refusal("conflict", 119, 409, "Something stands against this change"),
        Refusal("missing_destination", 201, 422, "The recipient is missing"),
        Refusal("invalid_destination", 202, 422, "The recipient is not a number that can be reached"),
        Refusal("invalid_source", 203, 422, "The sender is not allowed"),
        Refusal("empty_text", 204, 422, "The text is empty"),
        Refusal("text_too_long", 205, 422, "The text is too long"),
        Refusal("invalid_text", 206, 422, "The text contains a character that cannot be sent"),
        Refusal("too_many_messages", 207, 422, "Too many messages in one request"),
        Refusal("invalid_time", 208, 422, "A time is not valid"),
        Refusal("no_route", 301, 422, "No route carries this message"),
        Refusal("no_price", 302, 422, "The route requires a price and there is none"),
        Refusal("no_credit", 303, 402, "The credit does not suffice"),
        Refusal("limit_reached", 305, 402, "A limit of the account is reached"),
        Refusal("negative_margin", 304, 422, "The message cannot be carried at its price"),
        Refusal("idempotency_conflict", 401, 422, "The key was used for another request"),
        Refusal("not_cancellable", 402, 409, "The message can no longer be cancelled"),
        Refusal("unknown_outcome", 501, 503, "The outcome is not known; ask again with the same key"),
        Refusal("unavailable", 502, 503, "The gateway cannot take messages now"),
        Refusal("internal", 503, 500, "The gateway failed"),
    )
}


@dataclass(frozen=True, slots=True)
class Refused:
    """A refusal of one draft or one request: nothing was queued and nothing charged.

    `reason` says what, why and the remedy. `field` names the parameter, if one is to blame.
    """

    code: str
    reason: str
    field: str = ""

    @property
    def refusal(self) -> Refusal:
        return REFUSALS[self.code]


class RequestRefused(Exception):
    """A whole request was refused; the entrance answers with `refused` in its own dialect."""

    def __init__(self, code: str, reason: str, field: str = "") -> None:
        super().__init__(reason)
        self.refused = Refused(code, reason, field)
