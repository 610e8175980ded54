"""`pennywire modem-sim`, `pennywire modem-find`, `pennywire modem-status` and `pennywire modem-pins`."""

import asyncio
import dataclasses
import signal
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Final

import click
import serialx

from pennywire import InvalidSetting
from pennywire.ui import Answers, gateway
from pennywire_modem import overview
from pennywire_modem.line import CannotOpen, find
from pennywire_modem.script import Behaviour, ModemOptions
from pennywire_modem.settings import BIT_RATES
from pennywire_modem.simulation import SimulatedModem
from pennywire_modem.simulator import ModemSimulator

#: Words of `--behaviour`, each with what it sets.
_WORDS: Final[dict[str, Callable[[str], dict[str, Any]]]] = {
    "cms": lambda argument: {"error": f"+CMS ERROR: {int(argument)}"},
    "no_prompt": lambda _: {"prompt": False},
    "drop": lambda _: {"answer": False},
    "unplug": lambda _: {"unplug": True},
    "status": lambda argument: {"status": int(argument, 0)},
    "no_report": lambda _: {"status": None},
}


def _read_behaviours(context: click.Context, parameter: click.Parameter, values: Sequence[str]) -> dict[str, Behaviour]:
    """Read `SUFFIX=WORD[:N]`: what happens to destinations that end in SUFFIX."""
    del context, parameter
    behaviours: dict[str, Behaviour] = {}
    for value in values:
        suffix, _, word = value.partition("=")
        name, _, argument = word.partition(":")
        try:
            behaviours[suffix] = Behaviour(**_WORDS[name](argument))
        except (KeyError, ValueError):
            raise click.BadParameter(f"{value} is not like 0001=cms:38. Words: {', '.join(_WORDS)}.") from None
    return behaviours


@click.command("modem-sim")
@click.option("--link", type=click.Path(path_type=Path), help="Make a symbolic link to the terminal here, for a name that stays.")
@click.option(
    "--port", type=click.IntRange(0, 65535), default=None, help="Listen on TCP instead, as a terminal server; 0 takes a free port."
)
@click.option("--pin", default="", help="Lock the SIM card with this PIN.")
@click.option("--imei", default="490154203237518", show_default=True)
@click.option("--imsi", default="216301234567890", show_default=True)
@click.option("--signal", type=click.IntRange(0, 99), default=20, show_default=True, help="As +CSQ counts.")
@click.option(
    "--zone-quarters", type=click.IntRange(-48, 56), default=0, show_default=True, help="Zone of the SMSC, in quarters of an hour."
)
@click.option("--report-delay-s", type=click.FloatRange(min=0), default=0.2, show_default=True, help="Between answer and report.")
@click.option("--behaviour", "behaviours", callback=_read_behaviours, multiple=True, help="SUFFIX=WORD for destinations with that ending.")
@click.option("--mo-every-s", type=click.FloatRange(min=0), default=0, help="Let a message arrive every so many seconds.")
@click.option("--mo-text", default="Hello from a handset", show_default=True)
@click.option("--mo-source", default="+36301112233", show_default=True)
def modem_sim(link: Path | None, port: int | None, mo_every_s: float, mo_text: str, mo_source: str, **values: Any) -> None:
    """Run a scripted modem on a pseudo terminal: it takes segments, sends reports and delivers messages from handsets."""
    arrivals = _Arrivals(mo_every_s, mo_text, mo_source)

    def announce(device: str) -> None:
        if link is not None:
            link.unlink(missing_ok=True)
            link.symlink_to(device)
        click.echo(f"Modem at {link or device}")

    try:
        asyncio.run(_serve(ModemOptions(**values), port, arrivals, announce))
    except OSError as error:
        raise click.ClickException(f"Cannot offer the modem: {error}. Choose another port or link.") from error
    finally:
        if link is not None:
            link.unlink(missing_ok=True)


class _Arrivals:
    """Messages that arrive again and again."""

    def __init__(self, every_s: float, text: str, source: str) -> None:
        self._every_s, self._text, self._source = every_s, text, source

    def start(self, modem: SimulatedModem) -> None:
        if self._every_s:
            asyncio.get_running_loop().call_later(self._every_s, self._arrive, modem, 1)

    def _arrive(self, modem: SimulatedModem, number: int) -> None:
        modem.deliver(f"{self._text} {number}", source=self._source, reference=number % 256)
        asyncio.get_running_loop().call_later(self._every_s, self._arrive, modem, number + 1)


async def _serve(options: ModemOptions, port: int | None, arrivals: _Arrivals, announce: Callable[[str], None]) -> None:
    stopping = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stopping.set)
    async with ModemSimulator(options, port=port) as simulator:
        announce(simulator.device)
        arrivals.start(simulator.modem)
        await stopping.wait()
        sent = sum(one.reference is not None for one in simulator.modem.submitted)
        click.echo(f"{len(simulator.modem.submitted)} segments came, {sent} were accepted.")


@click.command("modem-find")
@click.argument("devices", nargs=-1)
def modem_find(devices: tuple[str, ...]) -> None:
    """Ask serial devices for a modem, and at which bit rate it answers; without DEVICES all that this machine has."""
    found = asyncio.run(_find(devices or tuple(port.device for port in serialx.list_serial_ports())))
    if not found:
        raise click.ClickException("No modem answers. Check cable, power and rights, and that no started connection uses the device.")
    for device, bit_rate in found:
        click.echo(f"{device} at {bit_rate} bit/s")


async def _find(devices: Sequence[str]) -> list[tuple[str, int]]:
    found = []
    for device in devices:
        try:
            line = await find(device, BIT_RATES)
        except CannotOpen:
            continue
        found.append((device, line.bit_rate))
        await line.close()
    return found


@click.command("modem-status")
@click.argument("connection")
@click.pass_obj
def modem_status(answers: Answers, connection: str) -> None:
    """Show how the modems of CONNECTION are doing: state, operator, signal, and what their SIM cards sent."""
    rows = [dataclasses.asdict(row) | {"seen_at": row.seen_at and row.seen_at.isoformat()} for row in overview.rows(gateway(), connection)]
    columns = {
        "device": "MODEM",
        "word": "STATE",
        "operator": "OPERATOR",
        "signal_dbm": "DBM",
        "imsi": "IMSI",
        "hour_count": "THIS HOUR",
        "day_count": "THIS DAY",
        "reason": "WHY",
    }
    answers.answer_table(rows, columns, empty="The connection has no modem.")


_PINS: Final = "pin/"


@click.group("modem-pins")
def modem_pins() -> None:
    """Show which SIM cards were sent a PIN that did not open them, and forget it when it has been put right."""


@modem_pins.command("list")
@click.pass_obj
def list_pins(answers: Answers) -> None:
    """List the SIM cards whose PIN was tried in vain; the PINs themselves are not kept."""
    rows = [
        {"card": key.removeprefix(_PINS), "tried": len(record["tried"]), "left": record["left"]}
        for key, record in gateway().values("modem", prefix=_PINS).items()
    ]
    columns = {"card": "SIM CARD (ICCID)", "tried": "PINS REFUSED", "left": "MAY STILL TRY"}
    answers.answer_table(rows, columns, empty="No SIM card has refused a PIN.")


@modem_pins.command("forget")
@click.argument("card")
@click.pass_obj
def forget_pins(answers: Answers, card: str) -> None:
    """Forget the PINs that were tried on CARD, and let the gateway try again: you know that the PIN is right now."""
    if f"{_PINS}{card}" not in gateway().values("modem", prefix=_PINS):
        raise InvalidSetting("card", f"No PIN was tried in vain on {card}. `pennywire modem-pins list` shows the cards.")
    gateway().keep("modem", {f"{_PINS}{card}": None})
    with gateway().write() as session:
        gateway().audit(session, "forget PINs", f"SIM card {card}")
    answers.answer({"card": card, "forgotten": True}, f"Forgotten. Stop the connection and start it again, and the PIN is sent to {card}.")
