"""The two kinds of connection: Clickatell's platform, and its legacy HTTP API."""

from collections.abc import Mapping
from importlib import import_module
from typing import TYPE_CHECKING, Any, ClassVar, Final

from pennywire import Connector, Link, Setting, SettingType
from pennywire_clickatell.settings import read_shared, shared_settings

if TYPE_CHECKING:
    from pennywire_clickatell.api import Api
    from pennywire_clickatell.calls import Caller

#: Source: One API, *Send plain text message*, limitations.
_MOST_MESSAGES: Final = 200
#: Source: HTTP API Specification V2.4.6 §4.2.1, destinations of one posted call.
_MOST_DESTINATIONS: Final = 300


class _HttpConnector(Connector):
    """What both kinds share: whole messages, one HTTP session, one flow."""

    whole_messages = True

    def __init__(self, name: str, values: Mapping[str, Any]) -> None:
        """Raises: InvalidSetting for settings that contradict each other."""
        super().__init__(name, values)
        self.shared = read_shared(values)

    async def run(self, link: Link) -> None:
        calls, flow = import_module("pennywire_clickatell.calls"), import_module("pennywire_clickatell.flow")
        async with calls.Caller(self.shared.base_url, timeout_s=self.shared.timeout_s, calls=self.shared.calls) as caller:
            await flow.Flow(link, self.make_api(caller), self.shared).run()

    def make_api(self, caller: "Caller") -> "Api":
        """Return a client of the kind's API."""
        raise NotImplementedError


class ClickatellConnector(_HttpConnector):
    """Clickatell's platform, by its REST interface."""

    kind: ClassVar[str] = "clickatell"
    label: ClassVar[str] = "Clickatell"
    description: ClassVar[str] = "Clickatell's platform (REST), with an API key. Reports and incoming messages come by callback."
    settings: ClassVar[tuple[Setting, ...]] = (
        Setting(
            "api_key",
            "API key",
            SettingType.SECRET,
            required=True,
            max_length=200,
            pattern=r"[!-~]+",
            expected="of printable ASCII characters, without blanks",
            help="From the SMS integration in Clickatell's portal.",
        ),
        *shared_settings(
            base_url="https://platform.clickatell.com",
            source_use="none",
            most_per_call=_MOST_MESSAGES,
            per_call=100,
            per_call_help=f"At most {_MOST_MESSAGES}. Each has its own outcome.",
        ),
    )

    def make_api(self, caller: "Caller") -> "Api":
        api: Api = import_module("pennywire_clickatell.platform").PlatformApi(caller, self.shared, self.values["api_key"])
        return api


class ClickatellHttpConnector(_HttpConnector):
    """Clickatell's legacy HTTP API."""

    kind: ClassVar[str] = "clickatell-http"
    label: ClassVar[str] = "Clickatell (legacy HTTP)"
    description: ClassVar[str] = "Clickatell's former HTTP API, with API id, user and password. Reports come by callback."
    settings: ClassVar[tuple[Setting, ...]] = (
        Setting(
            "api_id",
            "API id",
            required=True,
            max_length=32,
            pattern=r"[0-9A-Za-z]+",
            expected="made of letters and digits",
            help="Of the HTTP API in Developers' Central.",
        ),
        Setting("user", "User", required=True, max_length=64),
        Setting("password", "Password", SettingType.SECRET, required=True, max_length=128),
        *shared_settings(
            base_url="https://api.clickatell.com",
            source_use="message",
            most_per_call=_MOST_DESTINATIONS,
            per_call=1,
            per_call_help="Above 1, messages with one text share a call. Without an answer to it "
            "they stay in doubt, because only a message of its own can be asked for.",
        ),
    )

    def make_api(self, caller: "Caller") -> "Api":
        legacy = import_module("pennywire_clickatell.legacy")
        account = legacy.Account(self.values["api_id"], self.values["user"], self.values["password"])
        api: Api = legacy.LegacyApi(caller, self.shared, account)
        return api
