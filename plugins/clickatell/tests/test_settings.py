"""Settings that are refused, with the reason."""

from typing import Any

import pytest
from pennywire_clickatell import ClickatellConnector, ClickatellHttpConnector, register_connectors

from pennywire import InvalidSetting, read_settings


def connector(**given: Any) -> ClickatellConnector:
    return ClickatellConnector("c", read_settings(ClickatellConnector.settings, {"api_key": "k", **given}))


def test_the_plugin_brings_both_kinds() -> None:
    assert [kind.kind for kind in register_connectors()] == ["clickatell", "clickatell-http"]


@pytest.mark.parametrize("url", ["https://platform.clickatell.com/", "http://127.0.0.1:8080", "http://localhost", "http://[::1]:9"])
def test_https_and_this_machine_are_taken(url: str) -> None:
    assert connector(base_url=url).shared.base_url == url.rstrip("/")


@pytest.mark.parametrize(
    "url",
    [
        "http://platform.clickatell.com",
        "http://127.0.0.1.example.com",
        "http://localhost.example.com",
        "ftp://127.0.0.1",
        "https://",
        "https://user:key@example.com",
        "https://example.com/?key=1",
        "https://example.com#x",
        "https://exa mple.com",
        "https://example.com:0",
        "https://example.com:99999",
        "https://[::1",
        "platform.clickatell.com",
    ],
)
def test_an_address_that_would_give_the_key_away_or_is_none_is_refused(url: str) -> None:
    with pytest.raises(InvalidSetting, match="Address of the API") as refusal:
        connector(base_url=url)

    assert refusal.value.name == "base_url"


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("callback_secret", "too-short"),
        ("callback_secret", "x" * 23 + "/"),
        ("callback_sources", "196.216.236.0/24\nsomewhere"),
        ("messages_per_call", 201),
        ("balance_alarm", "-1"),
        ("source", "a name that is long"),
        ("source_use", "fixed"),
        ("api_key", "with a blank"),
    ],
)
def test_what_is_wrong_is_named(name: str, value: Any) -> None:
    with pytest.raises(InvalidSetting) as refusal:
        connector(**{name: value})

    assert refusal.value.name in {name, "source"}


def test_keys_passwords_and_callback_secrets_are_secrets() -> None:
    platform = {setting.name for setting in ClickatellConnector.settings if setting.secret}
    legacy = {setting.name for setting in ClickatellHttpConnector.settings if setting.secret}

    assert platform == {"api_key", "callback_secret"}
    assert legacy == {"password", "callback_secret"}
