"""The settings of the logger, as the operator sees them. Loaded with the plugin, so it needs no database library."""

from pennywire import Setting, SettingType
from pennywire_sqllog.events import KEYWORDS, LogEvent

_SQL_LABELS = {
    LogEvent.RECEIVED: "SQL: message received",
    LogEvent.ACCEPTED: "SQL: accepted for delivery",
    LogEvent.NETWORK: "SQL: delivered to the network",
    LogEvent.HANDSET: "SQL: delivered to the handset",
    LogEvent.ERROR: "SQL: delivery error",
}

SETTINGS = (
    Setting(
        "database_url",
        "Database",
        max_length=500,
        help="Such as postgresql://logger@db.example/sms, mysql://logger@db.example/sms or sqlite:////var/lib/sms/log.sqlite3. "
        "Empty: no database is written.",
    ),
    Setting("database_password", "Password of the database", SettingType.SECRET, max_length=500),
    Setting("time_zone", "Time zone", default="UTC", max_length=64, help="Of all times in the log, such as Europe/Budapest."),
    Setting("inbox_table", "Table of received messages", default="inbox", max_length=127, advanced=True),
    Setting("outbox_table", "Table of sent messages", default="outbox", max_length=127, advanced=True),
    Setting(
        "own_sql",
        "Use my own SQL instead of these tables",
        SettingType.BOOLEAN,
        default=False,
        advanced=True,
        help="One statement for each event. Keywords are bound as parameters, never pasted in: "
        + ", ".join(f"${keyword}" for keyword in KEYWORDS)
        + ".",
    ),
    *(
        Setting(f"sql_{event.value}", label, SettingType.LINES, max_length=4000, advanced=True, help="Empty: this event is not logged.")
        for event, label in _SQL_LABELS.items()
    ),
    Setting(
        "file_format",
        "Files",
        SettingType.CHOICE,
        default="off",
        choices=(("off", "None"), ("csv", "CSV"), ("jsonl", "JSON, a line for each event")),
        help="Instead of a database, or beside it.",
    ),
    Setting("file_folder", "Folder of the files", max_length=500, help="A folder on the engine's machine, such as /var/log/sms."),
    Setting("file_size_mb", "New file at (MB)", SettingType.INTEGER, default=100, minimum=1, maximum=10_000, advanced=True),
    Setting("file_daily", "New file every day", SettingType.BOOLEAN, default=True, advanced=True),
    Setting(
        "file_sync",
        "Files are safe",
        SettingType.CHOICE,
        default="batch",
        choices=(("batch", "after each batch (a power cut loses nothing)"), ("system", "when the system writes them (a power cut may)")),
        advanced=True,
    ),
)
