"""Tables of plugins: made under the gateway's lock, isolated when they fail, read by pricing rules, written by pages."""

import importlib.metadata
import sys
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from textwrap import dedent
from typing import Any

import pytest
from sqlalchemy import Engine, inspect, select, text
from sqlalchemy.orm import Session

from app import administration, migrations, plugins, pricing, snapshot
from app.db import make_engine
from app.gateway import OpenGateway
from app.identifiers import IdMaker
from app.models import AuditEntry, PricingRow
from app.plugins import Plugins
from app.pricing import NoPrice, RouteCost
from pennywire import Direction, Draft, NoQuote, PriceRequest, PricingRule, Quote

World = Any
TO = "+36201234567"

STEP = """
    import sqlalchemy as sa
    from alembic import op

    revision = "{revision}"
    down_revision = {below}


    def upgrade():
        op.create_table("{table}", sa.Column("id", sa.Integer(), primary_key=True))
        {more}
"""
PLUGIN = """
    from pathlib import Path
    from pennywire import Condition, Migrations, hookimpl

    class Full(Condition):
        kind = "{name}-moon"
        label = "Moon"

    @hookimpl
    def register_conditions():
        return [Full]

    @hookimpl
    def register_migrations():
        return [Migrations("{prefix}", Path(__file__).parent / "{module}_steps")]
"""

Install = Callable[..., Path]


@pytest.fixture
def engine(database_url: str) -> Iterator[Engine]:
    made = make_engine(database_url)
    migrations.upgrade(made)
    yield made
    made.dispose()


@pytest.fixture
def install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Install:
    """Write a plugin of one module with one step, and return the folder of its steps."""
    monkeypatch.syspath_prepend(str(tmp_path))

    def make(name: str, table: str, *, prefix: str = "", more: str = "pass") -> Path:
        module = f"storing_{name}"
        monkeypatch.delitem(sys.modules, module, raising=False)
        (tmp_path / f"{module}.py").write_text(dedent(PLUGIN.format(name=name, prefix=prefix or name, module=module)))
        folder = tmp_path / f"{module}_steps"
        (folder / "versions").mkdir(parents=True)
        write_step(folder, "0001", None, table, more)
        return folder

    return make


def write_step(folder: Path, revision: str, below: str | None, table: str, more: str = "pass") -> None:
    (folder / "versions" / f"{revision}.py").write_text(dedent(STEP.format(revision=revision, below=repr(below), table=table, more=more)))
    migrations._script.cache_clear()  # noqa: SLF001  # A process knows the steps that it started with.


def loaded(*names: str) -> Plugins:
    points = [importlib.metadata.EntryPoint(name, f"storing_{name}", "pennywire") for name in names]
    return plugins.load(dict.fromkeys(names, True), entry_points=points)


def tables(engine: Engine) -> set[str]:
    return {name for name in inspect(engine).get_table_names() if name.startswith(("pigeon", "dove"))}


def test_a_plugin_gets_its_tables_and_a_version_table_of_its_own(engine: Engine, install: Install) -> None:
    install("pigeon", "pigeon_loft")
    found = loaded("pigeon")

    assert migrations.pending_plugins(engine, found) == ["pigeon 0001"]
    assert migrations.upgrade_plugins(engine, found) == ["pigeon 0001"]

    assert tables(engine) == {"pigeon_loft", "pigeon_alembic_version"}
    assert migrations.upgrade_plugins(engine, found) == []
    assert migrations.pending(engine) == []


def test_a_later_step_of_a_plugin_is_added(engine: Engine, install: Install) -> None:
    folder = install("pigeon", "pigeon_loft")
    migrations.upgrade_plugins(engine, loaded("pigeon"))
    write_step(folder, "0002", "0001", "pigeon_nest")

    assert migrations.upgrade_plugins(engine, loaded("pigeon")) == ["pigeon 0002"]

    assert "pigeon_nest" in tables(engine)


def test_a_step_that_fails_isolates_its_plugin_and_leaves_nothing_behind(engine: Engine, install: Install) -> None:
    install("dove", "dove_loft", more="raise RuntimeError('no feathers')")
    install("pigeon", "pigeon_loft")
    found = loaded("dove", "pigeon")

    done = migrations.upgrade_plugins(engine, found)

    assert done == ["pigeon 0001"]
    assert "RuntimeError: no feathers" in found.infos["dove"].error
    assert "Traceback" in found.infos["dove"].error
    assert sorted(found.conditions) == ["pigeon-moon"]
    assert not found.manager.has_plugin("dove")
    assert tables(engine) == {"pigeon_loft", "pigeon_alembic_version"}


def test_a_step_may_not_touch_the_tables_of_others(engine: Engine, install: Install) -> None:
    install("pigeon", "dove_loft")
    found = loaded("pigeon")

    migrations.upgrade_plugins(engine, found)

    assert "dove_loft must begin with pigeon_" in found.infos["pigeon"].error
    assert tables(engine) == set()


def test_a_database_of_a_newer_plugin_isolates_the_older_one(engine: Engine, install: Install) -> None:
    install("pigeon", "pigeon_loft")
    migrations.upgrade_plugins(engine, loaded("pigeon"))
    with engine.begin() as connection:
        connection.execute(text("UPDATE pigeon_alembic_version SET version_num = '0009'"))
    found = loaded("pigeon")

    migrations.upgrade_plugins(engine, found)

    assert "0009 of pigeon_alembic_version" in found.infos["pigeon"].error
    assert found.conditions == {}


@pytest.mark.usefixtures("engine")
def test_a_prefix_that_is_taken_isolates_the_second_naming_both(install: Install) -> None:
    install("dove", "dove_loft")
    install("pigeon", "dove_nest", prefix="dove")

    found = loaded("dove", "pigeon")

    assert [owner for owner, _ in found.migrations] == ["dove"]
    assert "dove and pigeon both" in found.infos["pigeon"].error


@pytest.mark.parametrize("prefix", ["Pigeon", "pigeon_", "p", "", "pigeon; drop"])
def test_a_prefix_that_is_no_name_isolates_its_plugin(install: Install, prefix: str) -> None:
    install("pigeon", "pigeon_loft", prefix=prefix or " ")

    found = loaded("pigeon")

    assert "must be 2 to 24 small letters" in found.infos["pigeon"].error


class FromTable(PricingRule):
    """Reads its price from a table of the gateway, as if it were its own."""

    kind = "from-table"
    label = "From a table"
    loads: int = 0

    def load(self, session: Session) -> None:
        type(self).loads += 1
        self.price_uc = int(session.execute(text("SELECT 7 * version FROM configuration")).scalar_one() > 0) * 7_000_000

    def quote(self, request: PriceRequest) -> Quote | NoQuote | None:
        return NoQuote("Nobody sells that.") if request.destination.endswith("666") else Quote(self.price_uc, "From a table")


class Absent(FromTable):
    """Reads a table that is not there."""

    kind = "absent"

    def load(self, session: Session) -> None:
        session.execute(text("SELECT price FROM pigeon_prices"))


@pytest.fixture
def shop(world: World) -> World:
    world.core.plugins.pricing_rules.update({"from-table": FromTable, "absent": Absent})
    world.user(credit="100")
    world.connection()
    world.route(cost="2")
    return world


def add_rule(world: World, kind: str, name: str = "rule") -> None:
    with world.core.database.write() as session:
        administration.save_rule(session, name, kind=kind, plugins=world.core.plugins, now=world.now, actor="test")
    world.core.snapshots.reload()


def test_a_rule_reads_its_tables_when_the_configuration_is_read_and_not_when_it_is_asked(shop: World) -> None:
    add_rule(shop, "from-table")
    FromTable.loads = 0

    results = [shop.submit(Draft(TO, "x")).results[0] for _ in range(3)]

    assert [result.price_uc for result in results] == [7_000_000] * 3
    assert FromTable.loads == 0
    shop.user("bella")
    assert FromTable.loads == 1


def test_a_rule_that_cannot_read_its_tables_sells_nothing_and_harms_nothing_else(shop: World) -> None:
    add_rule(shop, "absent")

    (result,) = shop.submit(Draft(TO, "x")).results

    assert result.code == "no_price"
    assert "could not read its tables" in result.reason
    assert shop.core.snapshots.present().user("anna") is not None
    assert [route.name for route in shop.core.snapshots.present().broken] == ["rule"]


def test_a_rule_may_refuse(shop: World) -> None:
    add_rule(shop, "from-table")

    (result,) = shop.submit(Draft("+36201234666", "x")).results

    assert (result.code, result.reason) == ("no_price", "Nobody sells that.")
    assert shop.messages() == []


def test_the_refusal_of_a_rule_ends_the_question(shop: World) -> None:
    rule = FromTable({})
    rule.price_uc = 1
    request = PriceRequest(Direction.OUTBOUND, "anna", "", "+666", 1, "all", "wire", shop.now)

    assert pricing.price(request, RouteCost("all", 5, price_required=False), [("a", rule)]) == NoPrice("all", "Nobody sells that.")


def test_a_rule_that_is_moved_is_asked_first(shop: World) -> None:
    add_rule(shop, "from-table", "first")
    add_rule(shop, "absent", "second")
    with shop.core.database.write() as session:
        number = session.scalars(select(PricingRow.id).where(PricingRow.name == "second")).one()
        administration.move_rule(session, number, 0, now=shop.now, actor="test")

    names = [name for name, _rule in shop.core.snapshots.reload().rules]

    assert names == ["second", "first"]


# The way of pages and commands.


def gateway(world: World) -> OpenGateway:
    return OpenGateway(world.core, "root", "administrator")


def test_what_a_page_writes_is_committed_audited_and_seen_at_once(shop: World) -> None:
    desk = gateway(shop)
    before = shop.core.snapshots.present().version

    with desk.write() as session:
        desk.audit(session, "add", "pigeon", after={"colour": "grey"})
        desk.changed(session)

    assert shop.core.snapshots.latest.version == before + 1
    with desk.read() as session:
        entry = session.scalars(select(AuditEntry).order_by(AuditEntry.id.desc())).first()
        assert entry is not None
        assert (entry.actor, entry.verb, entry.subject, entry.after) == ("root", "add", "pigeon", {"colour": "grey"})
        assert snapshot.version(session) == before + 1


def test_what_raises_writes_nothing(shop: World) -> None:
    desk = gateway(shop)
    before = shop.core.snapshots.present().version

    def fail() -> None:
        with desk.write() as session:
            desk.audit(session, "add", "pigeon")
            desk.changed(session)
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fail()

    with desk.read() as session:
        assert session.scalars(select(AuditEntry).where(AuditEntry.subject == "pigeon")).first() is None
        assert snapshot.version(session) == before


def test_past_messages_come_by_time_with_their_prices(shop: World) -> None:
    shop.core.ids = IdMaker(lambda: int(shop.now.timestamp() * 1e9))
    shop.send("one")
    begun = shop.now
    shop.now += timedelta(days=40)
    shop.send("two " * 60)

    (later,) = gateway(shop).messages(begun + timedelta(days=20), shop.now + timedelta(days=1))

    assert (later.username, later.destination, later.segment_count, later.price_uc) == ("anna", TO, 2, 4_000_000)
    assert (later.direction, later.route, later.provider, later.charged) == (Direction.OUTBOUND, "all", "wire", True)
