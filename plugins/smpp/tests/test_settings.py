"""What the form refuses, it refuses before anybody binds."""

from typing import Any

import pytest
from pennywire_smpp import register_commands, register_connectors
from pennywire_smpp.connector import SmppConnector
from pennywire_smpp.settings import SETTINGS

from pennywire import InvalidSetting, SettingType, read_settings

GIVEN = {"host": "smsc.example", "system_id": "me"}


def make(**given: Any) -> SmppConnector:
    return SmppConnector("test", read_settings(SETTINGS, {**GIVEN, **given}))


def test_host_and_system_id_are_enough() -> None:
    connector = make()

    assert connector.values["port"] == 2775
    assert connector.values["window"] == 10
    assert connector.values["tls_verify"] is True
    assert not connector.whole_messages


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("host", ""),
        ("host", "smsc.example; rm"),
        ("port", 0),
        ("port", 65536),
        ("system_id", ""),
        ("system_id", "x" * 16),
        ("system_id", "é"),
        ("password", "x" * 9),
        ("password", "a\x00b"),
        ("system_type", "x" * 13),
        ("address_range", "x" * 41),
        ("service_type", "x" * 6),
        ("window", 0),
        ("window", 1001),
        ("rate_limit_per_s", -1),
        ("bind_mode", "both"),
        ("source_international", "1"),
        ("source_international", "1/1/1"),
        ("registered_delivery", 256),
        ("receipt_time_zone", "Europe/Atlantis"),
        ("receipt_time_zone", "+25:00"),
        ("receipt_time_zone", "../../etc/passwd"),
        ("tls_client_key", "a key without its certificate"),
        ("interface_version", "6.0"),
        ("interface_version", "3.3"),
    ],
)
def test_s13_what_cannot_be_is_refused_with_its_name(name: str, value: object) -> None:
    with pytest.raises(InvalidSetting):
        make(**{name: value})


@pytest.mark.parametrize("name", ["password", "tls_client_key"])
def test_secrets_are_secret(name: str) -> None:
    assert {setting.name: setting.type for setting in SETTINGS}[name] is SettingType.SECRET


def test_version_3_3_needs_two_binds_and_headers() -> None:
    assert make(interface_version="3.3", bind_mode="pair")
    with pytest.raises(InvalidSetting):
        make(interface_version="3.3", bind_mode="pair", long_messages="sar")


def test_a_connection_with_message_payload_wants_whole_messages() -> None:
    assert make(long_messages="message_payload").whole_messages


def test_the_plugin_brings_its_kind_and_its_command() -> None:
    assert register_connectors() == [SmppConnector]
    assert [command.name for command in register_commands()] == ["smsc"]
