"""What an operator does with price lists, in the words of the tests."""

import io
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import pennywire_tariff
from pennywire_tariff import importing, lists
from pennywire_tariff.importing import Report
from pennywire_tariff.models import Version
from pennywire_tariff.parsing import Form
from pennywire_tariff.rule import PriceLists

from app import administration, migrations
from app.gateway import OpenGateway
from app.identifiers import IdMaker
from app.refusals import Refused
from pennywire import Draft

World = Any


@dataclass
class Desk:
    """What an operator does with price lists, on a gateway whose clock the test moves."""

    world: World

    @property
    def gateway(self) -> OpenGateway:
        return OpenGateway(self.world.core, "root", "administrator")

    def list(self, name: str = "Retail", text: str = "", *, default: bool = False, **values: Any) -> str:
        """Add a list; with a text, its first version holds at once; with `default`, everybody pays by it."""
        with self.gateway.write() as session:
            lists.add_list(self.gateway, session, name, **values)
        if text:
            self.activate(name, self.version(name, text))
        if default:
            self.assign(name, "default")
        return name

    def load(self, name: str, text: str | bytes, **form: Any) -> Report:
        data = text if isinstance(text, bytes) else text.encode()
        return importing.import_version(self.gateway, name, io.BytesIO(data), Form(**form), origin="prices.csv")

    def version(self, name: str, text: str) -> int:
        report = self.load(name, text)
        assert not report.refused, report
        assert report.version is not None
        return report.version

    def activate(self, name: str, number: int, at: datetime | None = None) -> int:
        with self.gateway.write() as session:
            row = lists.find_list(session, name)
            return lists.activate(self.gateway, session, row, lists.find_version(session, row, number), at).id

    def assign(self, name: str, kind: str, holder: str = "") -> None:
        with self.gateway.write() as session:
            lists.assign(self.gateway, session, lists.find_list(session, name), kind, holder)

    def group(self, username: str, group: str) -> None:
        with self.gateway.write() as session:
            lists.set_group(self.gateway, session, username, group)

    def costs(self, destination: str = "+36201234567", user: str = "anna") -> Any:
        """Return what a message is accepted at, in microcredits, or the code of its refusal."""
        (result,) = self.world.submit(Draft(destination, "x"), user=user).results
        return result.code if isinstance(result, Refused) else result.price_uc

    def states(self, name: str = "Retail") -> dict[int, str]:
        """Return the state of each version by its number."""
        with self.gateway.read() as session:
            row = lists.find_list(session, name)
            found = lists.states(session, row, self.gateway.now)
            return {version.number: found[version.id] for version in session.query(Version).filter_by(list_id=row.id)}


def open_desk(world: World) -> Desk:
    """Bring the plugin and the rule that asks the lists."""
    core = world.core
    core.ids = IdMaker(lambda: int(world.now.timestamp() * 1e9))
    core.plugins.manager.register(pennywire_tariff, name="tariff")
    core.plugins.pricing_rules["tariff"] = PriceLists
    core.plugins.migrations.extend(("tariff", brought) for brought in pennywire_tariff.register_migrations())
    assert migrations.upgrade_plugins(core.database.engine, core.plugins) == ["tariff 0001", "tariff 0002", "tariff 0003", "tariff 0004"]
    with core.database.write() as session:
        administration.save_rule(session, "lists", kind="tariff", plugins=core.plugins, now=world.now, actor="test")
    return Desk(world)
