"""`pennywire smsc`: the SMSC simulator on the command line."""

import asyncio
import signal
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import click

from pennywire import ReportState
from pennywire_smpp.control import serve_control
from pennywire_smpp.simulation import Behaviour, SimulatorOptions
from pennywire_smpp.simulator import Simulator

_RATE = click.FloatRange(0, 1)
_POSITIVE = click.FloatRange(min=0)
_STATES = [state.value for state in ReportState]


_MAX_STATUS = 0xFFFFFFFF

#: Words of `--behaviour`, each with what it sets.
_WORDS: dict[str, Callable[[str], dict[str, Any]]] = {
    "status": lambda argument: {"command_status": int(argument, 0)},
    "drop": lambda _: {"answer": False},
    "close": lambda _: {"close": True},
    "latency_ms": lambda argument: {"latency_s": float(argument) / 1000},
    "states": lambda argument: {"receipt_states": tuple(ReportState(state) for state in argument.split("+"))},
    "no_receipt": lambda _: {"receipt_states": ()},
    "receipt_first": lambda _: {"receipt_first": True},
    "receipt_delay_ms": lambda argument: {"receipt_delay_s": float(argument) / 1000},
}


def _read_status(context: click.Context, parameter: click.Parameter, value: str) -> int:
    """Read a command_status, decimal or as 0x0B."""
    del context, parameter
    try:
        number = int(value, 0)
    except ValueError:
        number = -1
    if not 0 <= number <= _MAX_STATUS:
        raise click.BadParameter(f"{value} is no command_status. Give a number such as 0x0B.")
    return number


def _read_behaviours(context: click.Context, parameter: click.Parameter, values: Sequence[str]) -> dict[str, Behaviour]:
    """Read `SUFFIX=WORD[,WORD…]`: what happens to destinations that end in SUFFIX."""
    del context, parameter
    behaviours: dict[str, Behaviour] = {}
    for value in values:
        suffix, _, words = value.partition("=")
        settings: dict[str, Any] = {}
        for word in words.split(","):
            name, _, argument = word.partition(":")
            try:
                settings.update(_WORDS[name](argument))
            except (KeyError, ValueError):
                raise click.BadParameter(f"{value} is not like 9999=status:0x0B. Words: {', '.join(_WORDS)}.") from None
        behaviours[suffix] = Behaviour(**settings)
    return behaviours


@click.command()
@click.option("--bind-host", default="127.0.0.1", show_default=True, help="Address to listen on.")
@click.option("--port", type=click.IntRange(0, 65535), default=2775, show_default=True, help="0 takes a free port.")
@click.option("--http-port", type=click.IntRange(0, 65535), default=None, help="Figures and control by HTTP; 0 takes a free port.")
@click.option("--system-id", default="", help="Let only this system_id in.")
@click.option("--password", default="", help="Let only this password in.")
@click.option("--latency-ms", type=_POSITIVE, default=0, help="Before each response.")
@click.option("--jitter-ms", type=_POSITIVE, default=0, help="Up to so much more, by chance.")
@click.option("--error-rate", type=_RATE, default=0, help="Share of submissions that are refused.")
@click.option("--error-status", callback=_read_status, default="0x08", show_default=True, help="With which command_status.")
@click.option("--throttle-rate", type=_RATE, default=0, help="Share of submissions that are throttled.")
@click.option("--max-tps", type=_POSITIVE, default=0, help="Throttle an account beyond so many submissions a second.")
@click.option("--drop-rate", type=_RATE, default=0, help="Share of submissions that get no response.")
@click.option("--receipts/--no-receipts", default=True, show_default=True, help="Send delivery receipts.")
@click.option("--receipt-delay-ms", type=_POSITIVE, default=0, help="Between response and receipt.")
@click.option("--receipt-ratio", type=_RATE, default=1, help="Share of messages that get one.")
@click.option("--receipt-state", type=click.Choice(_STATES), default="delivered", show_default=True)
@click.option("--receipt-repeat", type=click.IntRange(1, 10), default=1, help="Send each receipt so many times.")
@click.option("--receipt-first", is_flag=True, help="Send the receipt before the response.")
@click.option("--id-form", type=click.Choice(["decimal", "hex"]), default="decimal", show_default=True, help="Message ids in responses.")
@click.option("--receipt-id-form", type=click.Choice(["same", "decimal", "hex", "tlv_only"]), default="same", show_default=True)
@click.option("--behaviour", "behaviours", callback=_read_behaviours, multiple=True, help="SUFFIX=WORDS for destinations with that ending.")
@click.option("--mo", "mo_per_s", type=_POSITIVE, default=0, help="Messages from handsets in a second.")
@click.option("--mo-text", default="Hello from a handset", show_default=True)
@click.option("--mo-source", default="+36301112233", show_default=True)
@click.option("--mo-destination", default="12345", show_default=True)
@click.option("--log", type=click.Path(dir_okay=False, path_type=Path), help="Write each submission as a line of JSON.")
@click.option("--seed", type=int, default=None, help="Make chance repeatable.")
def smsc(http_port: int | None, **values: Any) -> None:
    """Run an SMSC to try against: it takes messages, sends receipts and delivers messages from handsets."""
    asyncio.run(_serve(_make_options(values), http_port))


def _make_options(values: dict[str, Any]) -> SimulatorOptions:
    """Return the simulator's options for those of the command line, which counts in milliseconds."""
    renamed = {"bind_host": "host", "max_tps": "max_per_s"}
    options: dict[str, Any] = {}
    for name, value in values.items():
        if name.endswith("_ms"):
            options[f"{name.removesuffix('_ms')}_s"] = value / 1000
        else:
            options[renamed.get(name, name)] = value
    options["receipt_state"] = ReportState(values["receipt_state"])
    return SimulatorOptions(**options)


async def _serve(options: SimulatorOptions, http_port: int | None) -> None:
    stopping = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stopping.set)
    try:
        async with Simulator(options) as simulator:
            click.echo(f"SMSC simulator listening on {options.host}:{simulator.port}")
            control = None
            if http_port is not None:
                control = await serve_control(simulator, options.host, http_port)
                click.echo(f"Figures and control on http://{options.host}:{control.sockets[0].getsockname()[1]}/stats")
            await stopping.wait()
            if control is not None:
                control.close()
            click.echo(simulator.as_json())
    except OSError as error:
        raise click.ClickException(f"Cannot listen or write the log: {error}. Choose another port or file.") from error
