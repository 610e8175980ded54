"""The form of a route: its fields, its conditions as repeatable rows, its targets in order."""

import re
from collections.abc import Mapping
from dataclasses import fields
from typing import Any

from app.administration import InvalidField
from app.ledger import format_credits
from app.lifecycle import ChargeOn, NegativeMargin, NoCredit, ProviderChoice, Remedy, Terms
from app.models import Route
from app.web import context
from app.web.forms import GENERAL, Form, choice, exact_duration, flag, parse_duration
from pennywire import Condition, Direction, Setting

MOST_ROWS = 20
SHORTEST_S, LONGEST_S = 60, 30 * 86_400
"""Bounds of validity and of the wait for a report. Units: seconds."""

_REMEDIES = ((Remedy.KEEP.value, "Keep the charge"), (Remedy.REFUND.value, "Give the credit back"))
_MODES = (
    ("move", "Move: the routes below are not asked"),
    ("copy", "Copy: and ask the routes below"),
    ("drop", "Drop: nobody gets it"),
)
_NAME = Setting("name", "Name", required=True, max_length=64)
_ENABLED = flag("enabled", "Enabled", default=True)
_REWRITE = Setting("source_rewrite", "Replace the sender by", max_length=21, help="Empty leaves it.", advanced=True)

_FIELDS: dict[Direction, tuple[Setting, ...]] = {
    Direction.OUTBOUND: (
        _NAME,
        _ENABLED,
        Setting("cost", "Cost", help="Credits for each segment, such as 1 or 0.85. Empty: 1.", advanced=True),
        flag("price_required", "Require a price", help="Refuse a message for which no price list and no Cost gives one.", advanced=True),
        choice(
            "provider_choice",
            "Choose the service provider",
            (
                (ProviderChoice.ORDER.value, "In the order of the list"),
                (ProviderChoice.LEAST_COST.value, "By least cost"),
            ),
            help="Least cost: of those that are started the cheapest, of equally cheap ones who delivers best; unknown prices last.",
            advanced=True,
        ),
        choice(
            "negative_margin",
            "If it costs more than it is sold for",
            (
                (NegativeMargin.IGNORE.value, "Send it"),
                (NegativeMargin.ALARM.value, "Send it, raise an alarm"),
                (NegativeMargin.REFUSE.value, "Refuse it"),
            ),
            help="An alarm stands in its events and the log. Refused only if no provider is cheaper; unknown prices pass.",
            advanced=True,
        ),
        choice(
            "charge_on",
            "Settle the charge when",
            ((ChargeOn.NETWORK.value, "the network accepts the message"), (ChargeOn.HANDSET.value, "the handset has it")),
            advanced=True,
        ),
        choice("undeliverable", "If it is undeliverable", _REMEDIES, advanced=True),
        choice("expired", "If it expires", _REMEDIES, advanced=True),
        choice("report_missing", "If no report comes", _REMEDIES, advanced=True),
        choice(
            "in_doubt",
            "If it stays in doubt",
            ((Remedy.REFUND.value, "Give the credit back"), (Remedy.KEEP.value, "Keep the charge")),
            advanced=True,
        ),
        flag("resend_in_doubt", "Send once more when in doubt", help="The handset may then get it twice.", advanced=True),
        _REWRITE,
        Setting("validity", "Validity", default="48 h", help="How long it may wait and try, such as 90 s, 30 min, 48 h.", advanced=True),
        Setting(
            "report_timeout", "Report overdue after", default="72 h", help="After this time its report counts as missing.", advanced=True
        ),
    ),
    Direction.INBOUND: (
        _NAME,
        _ENABLED,
        choice(
            "mode",
            "Then",
            _MODES,
        ),
        Setting("cost", "Cost", help="Credits for each segment; a negative Cost pays the user. Empty: 0.", advanced=True),
        flag("price_required", "Require a price", help="Refuse a message for which no price list and no Cost gives one.", advanced=True),
        choice(
            "no_credit",
            "Without credit",
            (
                (NoCredit.DELIVER.value, "Deliver, and go below the limit"),
                (NoCredit.HOLD.value, "Hold until there is credit"),
                (NoCredit.REFUSE.value, "Refuse"),
            ),
            advanced=True,
        ),
    ),
}


class ConditionRow:
    """One condition of the form: its kind and its settings."""

    def __init__(self, index: int, kind: type[Condition], settings: Mapping[str, Any] | None = None) -> None:
        self.index = index
        self.kind = kind
        self.form = Form(kind.settings, settings, prefix=f"c{index}-")

    def stored(self) -> dict[str, Any]:
        """Return the row as the database keeps it."""
        return {"kind": self.kind.kind, "settings": self.form.values}


class RouteForm:
    """A route as it is being edited."""

    def __init__(self, direction: Direction) -> None:
        self.direction = direction
        self.fields = Form(_FIELDS[direction])
        self.conditions: list[ConditionRow] = []
        self.targets: list[str] = [""]
        self.new_kind = ""
        self.errors: dict[str, str] = {}

    @classmethod
    def of(cls, route: Route) -> "RouteForm":
        """Return the form of a stored route."""
        form = cls(Direction(route.direction))
        terms = Terms.of_code(route.terms)
        names = ("name", "enabled", "mode", "price_required", "no_credit", "resend_in_doubt", "source_rewrite")
        buying = ("provider_choice", "negative_margin")
        form.fields.values |= {name: getattr(route, name) for name in (*names, *buying) if name in form.fields.values}
        form.fields.values["cost"] = "" if route.cost_uc is None else format_credits(route.cost_uc)
        if form.direction is Direction.OUTBOUND:
            form.fields.values |= {item.name: getattr(terms, item.name).value for item in fields(terms)}
            form.fields.values |= {
                "validity": exact_duration(route.validity_s),
                "report_timeout": exact_duration(route.report_timeout_s),
            }
        for row in route.conditions:
            if row["kind"] in form.kinds:
                form.conditions.append(ConditionRow(len(form.conditions), form.kinds[row["kind"]], row["settings"]))
            else:
                form.errors[GENERAL] = f"The condition {row['kind']} has no plugin now. Saving would remove it from this route."
        form.targets = [*route.targets] or [""]
        return form

    @property
    def kinds(self) -> dict[str, type[Condition]]:
        """Return the kinds of condition that apply to the direction."""
        return {name: kind for name, kind in sorted(context.core().plugins.conditions.items()) if self.direction in kind.directions}

    @property
    def refused(self) -> bool:
        return bool(self.errors or self.fields.errors or any(row.form.errors for row in self.conditions))

    def take(self, given: Mapping[str, str]) -> None:
        """Keep what was typed: fields, conditions and targets as many as the form had."""
        self.errors = {}
        self.fields.take(given)
        self.new_kind = given.get("new_kind", "")
        self.conditions = []
        for index in range(MOST_ROWS):
            kind = self.kinds.get(given.get(f"c{index}-kind", ""))
            if kind is not None:
                row = ConditionRow(index, kind)
                row.form.take(given)
                row.index = len(self.conditions)
                self.conditions.append(row)
        self.targets = [given[name] for name in sorted((key for key in given if _TARGET.fullmatch(key)), key=lambda key: int(key[1:]))]

    def do(self, action: str) -> bool:
        """Do what a button other than *Save* says. Return False where there was no such button."""
        verb, _, place = action.partition(".")
        index = int(place) if place.isascii() and place.isdigit() and len(place) < 3 else -1
        match verb:
            case "add_condition":
                if self.new_kind in self.kinds and len(self.conditions) < MOST_ROWS:
                    self.conditions.append(ConditionRow(len(self.conditions), self.kinds[self.new_kind]))
            case "remove_condition":
                self.conditions = [row for row in self.conditions if row.index != index]
            case "add_target":
                self.targets = [*self.targets, ""][:MOST_ROWS]
            case "remove_target":
                self.targets = [target for place, target in enumerate(self.targets) if place != index] or [""]
            case _:
                return False
        self._number()
        return True

    def _number(self) -> None:
        """Give the rows their places again, with controls named after them."""
        self.conditions = [ConditionRow(index, row.kind, row.form.values) for index, row in enumerate(self.conditions)]

    def read(self) -> dict[str, Any] | None:
        """Return the arguments of `administration.save_route`, or None after noting what is wrong."""
        values = self.fields.check()
        for row in self.conditions:
            row.form.check()
        if values is None or self.refused:
            return None
        arguments = {name: values[name] for name in ("name", "enabled", "price_required")}
        arguments |= {name: values[name] for name in ("mode", "resend_in_doubt", "source_rewrite") if name in values}
        arguments["cost_uc"] = self.fields.amount("cost") if values["cost"] else None
        arguments["conditions"] = [row.stored() for row in self.conditions]
        arguments["targets"] = list(dict.fromkeys(target.strip() for target in self.targets if target.strip()))
        arguments |= self._of_direction(values)
        return None if self.refused else arguments

    def _of_direction(self, values: Mapping[str, Any]) -> dict[str, Any]:
        if self.direction is Direction.INBOUND:
            return {"no_credit": NoCredit(values["no_credit"])}
        terms = Terms(
            charge_on=ChargeOn(values["charge_on"]),
            undeliverable=Remedy(values["undeliverable"]),
            expired=Remedy(values["expired"]),
            report_missing=Remedy(values["report_missing"]),
            in_doubt=Remedy(values["in_doubt"]),
        )
        times = {f"{name}_s": self._seconds(name) for name in ("validity", "report_timeout")}
        buying = {
            "provider_choice": ProviderChoice(values["provider_choice"]),
            "negative_margin": NegativeMargin(values["negative_margin"]),
        }
        return {"terms": terms, **times, **buying}

    def _seconds(self, name: str) -> int:
        """Return the length of time in a field; 0 after noting what is wrong with it. Units: seconds."""
        try:
            seconds = parse_duration(self.fields.values[name])
        except ValueError as error:
            self.fields.errors[name] = str(error)
            return 0
        if not SHORTEST_S <= seconds <= LONGEST_S:
            self.fields.errors[name] = "It must be from 1 min to 30 d."
        return seconds

    def refuse(self, error: InvalidField) -> None:
        """Note an error of the core beside what it is about."""
        if error.field in self.fields.values:
            self.fields.refuse(error)
        else:
            self.errors[error.field if error.field in ("targets", "conditions") else GENERAL] = error.reason


_TARGET = re.compile(r"t[0-9]{1,2}", re.ASCII)
