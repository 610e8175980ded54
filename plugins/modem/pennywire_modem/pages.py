"""Panels on the page of a connection: its modems, which the page asks for again and again, and their history."""

from collections.abc import Sequence

from flask import Blueprint, abort, current_app, render_template

from pennywire import InvalidSetting, Panel, graphs
from pennywire.ui import allow, gateway
from pennywire_modem import overview
from pennywire_modem.overview import Sample

#: +CSQ begins and ends here: ground line and height of the graph. Units: dBm. Source: 3GPP TS 27.007 §8.5.
_LEAST_DBM, _MOST_DBM = -113, -51

screen = Blueprint("modem", __name__, template_folder="templates")


@screen.get("/bank/<connection>")
@allow("administrator", "operator", "auditor")
def bank(connection: str) -> str:
    """Return the overview of a connection's modems, for a page that is open."""
    try:
        rows = overview.rows(gateway(), connection)
    except InvalidSetting:
        abort(404)
    return render_template("modem/bank.html", rows=rows, connection=connection)


def panels_of(connection: str) -> Sequence[Panel]:
    """Return the panels of a connection's page."""
    try:
        rows, histories = overview.rows(gateway(), connection), overview.histories(gateway(), connection)
    except InvalidSetting:  # The settings are refused by this version; the page says so elsewhere.
        return []
    found = [Panel("Modems" if len(rows) > 1 else "Modem", "modem/bank.html", {"rows": rows, "connection": connection})]
    if histories:
        drawn = [(device, _draw(samples), samples) for device, samples in histories]
        found.append(Panel("Signal so far", "modem/history.html", {"histories": drawn, "ends": (_LEAST_DBM, _MOST_DBM)}))
    return found


def _draw(samples: Sequence[Sample]) -> graphs.Graph:
    labels = [current_app.jinja_env.filters["at"](sample.at) for sample in samples]
    heights = [max(sample.signal_dbm - _LEAST_DBM, 1) if sample.signal_dbm is not None else 0 for sample in samples]
    shown = [f"{sample.signal_dbm} dBm" if sample.signal_dbm is not None else "unknown" for sample in samples]
    return graphs.draw(labels, heights, shown, full=_MOST_DBM - _LEAST_DBM)
