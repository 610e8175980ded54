"""What both APIs have in common: the shape of a client, and the outcome that follows from an error."""

from collections.abc import Iterator, Sequence
from decimal import Decimal
from typing import Final, NamedTuple, Protocol

from pennywire import LinkDown, Outcome, OutcomeUnknown, Rejected, Submission, Throttled
from pennywire_clickatell.settings import SharedSettings
from pennywire_clickatell.words import Remedy, Trouble

#: Units: seconds. How long the link rests when it is asked for patience; neither API says how long.
REST_S: Final = 5.0

Verdict = Outcome | LinkDown | OutcomeUnknown


class Balance(NamedTuple):
    """What the account has left. `currency` is empty for the legacy API, which counts credits."""

    amount: Decimal
    currency: str

    def __str__(self) -> str:
        return f"{self.amount:f} {self.currency or 'credits'}"


class Api(Protocol):
    """One of the two APIs."""

    def batches(self, submissions: Sequence[Submission]) -> Iterator[list[Submission]]:
        """Cut submissions into what goes into one call each."""
        ...

    async def send(self, batch: Sequence[Submission]) -> list[Verdict]:
        """Send a batch and return what became of each submission, in order. Raises: LinkDown, OutcomeUnknown for all of them."""
        ...

    async def settle(self, submission: Submission, *, last: bool) -> Outcome | None:
        """Ask what became of a submission in doubt; None where the API cannot or does not yet say. Raises: LinkDown, OutcomeUnknown."""
        ...

    async def balance(self) -> Balance | None:
        """Return the account's balance, None for an answer without one. Raises: LinkDown, OutcomeUnknown."""
        ...


def verdict(trouble: Trouble, code: str) -> Verdict:
    """Return what an error means for the submission that got it."""
    words = f"Clickatell: {trouble.words}."
    match trouble.remedy:
        case Remedy.LATER:
            return Throttled(REST_S, code)
        case Remedy.ACCOUNT | Remedy.SESSION:
            return LinkDown(f"{words} (error {code})")
        case Remedy.UNKNOWN:
            return OutcomeUnknown(f"{words} (error {code})")
        case remedy:
            return Rejected(code, words, permanent=remedy is Remedy.GIVE_UP)


def digits_of(destination: str) -> str:
    """Return a destination as both APIs want it: digits without `+`."""
    return destination.removeprefix("+")


def source_of(settings: SharedSettings, submission: Submission) -> str:
    """Return the source to be sent along, empty where Clickatell chooses."""
    source = {"none": "", "fixed": settings.source, "message": submission.source}[settings.source_use]
    return source.removeprefix("+")
