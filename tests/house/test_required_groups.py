"""The rule of the root `conftest.py`: a group that is required is neither skipped nor missing."""

import shutil

import pytest

pytest_plugins = ["pytester"]

SETTINGS = """
    [pytest]
    testpaths = .
    addopts = -p no:randomly -p no:cacheprovider
    markers =
        peers: foreign
        browser: real
        calm: neither
"""

SKIPPED = """
    import pytest

    @pytest.mark.{mark}
    def test_it():
        pytest.skip("none installed")
"""


@pytest.fixture
def suite(pytester: pytest.Pytester, pytestconfig: pytest.Config) -> pytest.Pytester:
    """Make an empty project with our rule in it."""
    shutil.copy(pytestconfig.rootpath / "conftest.py", pytester.path / "conftest.py")
    pytester.makeini(SETTINGS)
    return pytester


def test_a_skip_in_a_required_group_fails(suite: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PENNYWIRE_TEST_REQUIRE", "peers")
    suite.makepyfile(SKIPPED.format(mark="peers"))

    result = suite.runpytest_inprocess()

    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["*must run here (PENNYWIRE_TEST_REQUIRE has peers), but: *none installed*"])


def test_a_skip_in_another_group_stays_a_skip(suite: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PENNYWIRE_TEST_REQUIRE", "calm")
    suite.makepyfile(SKIPPED.format(mark="peers") + "\n    @pytest.mark.calm\n    def test_calm(): pass\n")

    result = suite.runpytest_inprocess()

    result.assert_outcomes(passed=1, skipped=1)


def test_without_the_variable_nothing_is_required(suite: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("PENNYWIRE_TEST_REQUIRE", raising=False)
    suite.makepyfile(SKIPPED.format(mark="peers"))

    result = suite.runpytest_inprocess()

    result.assert_outcomes(skipped=1)


def test_a_required_group_without_a_test_fails_even_where_marks_are_chosen(suite: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PENNYWIRE_TEST_REQUIRE", "peers,browser")
    suite.makepyfile("import pytest\n\n@pytest.mark.peers\ndef test_it(): pass\n")

    result = suite.runpytest_inprocess("-m", "peers")

    result.assert_outcomes(passed=1, failed=1)
    result.stdout.fnmatch_lines(["*asks for browser, and no test has that mark*"])


def test_an_unknown_group_stops_the_run(suite: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PENNYWIRE_TEST_REQUIRE", "peer")

    result = suite.runpytest_inprocess()

    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(["*asks for peer, which is not a marker*"])


def test_a_module_skipped_as_a_whole_fails(suite: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PENNYWIRE_TEST_REQUIRE", "calm")
    suite.makepyfile(
        test_calm="import pytest\n\n@pytest.mark.calm\ndef test_calm(): pass\n",
        test_gone="import pytest\n\npytest.importorskip('nowhere_installed')\n",
    )

    result = suite.runpytest_inprocess()

    result.assert_outcomes(errors=1)
