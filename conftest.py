"""Groups of tests that must not be skipped.

A test that needs something foreign (a PostgreSQL server, an SMSC that we did not write, a browser) is skipped where that is
missing. `PENNYWIRE_TEST_REQUIRE=postgres,peers,browser` turns such a skip into a failure, and so does a group without a test:
otherwise a check could vanish from the whole project without a word.
"""

import os
from collections.abc import Generator

import pytest

VARIABLE = "PENNYWIRE_TEST_REQUIRE"


def required_groups() -> frozenset[str]:
    return frozenset(word.strip() for word in os.environ.get(VARIABLE, "").split(",") if word.strip())


def pytest_configure(config: pytest.Config) -> None:
    known = {line.partition(":")[0].strip() for line in config.getini("markers")}
    for group in sorted(required_groups() - known):
        raise pytest.UsageError(f"{VARIABLE} asks for {group}, which is not a marker. Known: {', '.join(sorted(known))}.")


class EmptyGroup(pytest.Item):
    """Stands in for the tests of a required group that has none, and fails."""

    def runtest(self) -> None:
        pytest.fail(f"{VARIABLE} asks for {self.name}, and no test has that mark.", pytrace=False)


@pytest.hookimpl(wrapper=True)
def pytest_collection_modifyitems(session: pytest.Session, config: pytest.Config, items: list[pytest.Item]) -> Generator[None]:
    """Let a run of the whole suite fail when a required group is empty. Looks before `-m` takes tests away, and adds after."""
    present = {mark.name for item in items for mark in item.iter_markers()}
    yield
    if config.args_source is not pytest.Config.ArgsSource.ARGS:
        items.extend(EmptyGroup.from_parent(session, name=group) for group in sorted(required_groups() - present))


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    report = yield
    groups = required_groups() & {mark.name for mark in item.iter_markers()}
    if report.skipped and groups and not hasattr(report, "wasxfail"):
        reason = report.longrepr[2] if isinstance(report.longrepr, tuple) else str(report.longrepr)
        report.outcome = "failed"
        report.longrepr = f"{item.nodeid} must run here ({VARIABLE} has {', '.join(sorted(groups))}), but: {reason}"
    return report


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report() -> Generator[None, pytest.CollectReport, pytest.CollectReport]:
    """A module that is skipped as a whole hides its marks, so none may be skipped where a group is required."""
    report = yield
    if report.skipped and required_groups():
        report.outcome = "failed"
        report.longrepr = f"{report.nodeid} was skipped as a whole while {VARIABLE} is set. Skip its tests one by one: {report.longrepr}"
    return report
