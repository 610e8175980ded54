"""How the SMSC simulator decides: by its script, by the account's rate, or by chance."""

from random import Random

from pennywire_smpp import bodies, statuses
from pennywire_smpp.pacing import TokenBucket
from pennywire_smpp.simulation import Behaviour, SimulatorOptions


class Script:
    """The simulator's decisions. Units: seconds of the loop's clock."""

    def __init__(self, options: SimulatorOptions, random: Random) -> None:
        self._options = options
        self._random = random
        self._scripted = sorted(options.behaviours.items(), key=lambda item: -len(item[0]))
        self._buckets: dict[str, TokenBucket] = {}

    def judge_bind(self, bind: bodies.Bind) -> int:
        """Return the command_status for a bind."""
        options = self._options
        if options.bind_status:
            return options.bind_status
        if options.system_id and bind.system_id != options.system_id:
            return statuses.ESME_RINVSYSID
        return statuses.ESME_RINVPASWD if options.password and bind.password != options.password else statuses.ESME_ROK

    def judge_submission(self, system_id: str, destination: str, *, now: float) -> Behaviour:
        """Return what happens to a submission: by its destination, by the account's rate, or by chance."""
        options = self._options
        for suffix, behaviour in self._scripted:
            if destination.endswith(suffix):
                return behaviour
        if self._is_throttled(system_id, now):
            return Behaviour(command_status=statuses.ESME_RTHROTTLED)
        latency_s = options.latency_s + (options.jitter_s * self._random.random() if options.jitter_s else 0.0)
        if options.error_rate and self._random.random() < options.error_rate:
            return Behaviour(command_status=options.error_status, latency_s=latency_s)
        wanted = options.receipts and (options.receipt_ratio >= 1 or self._random.random() < options.receipt_ratio)
        return Behaviour(
            answer=not (options.drop_rate and self._random.random() < options.drop_rate),
            latency_s=latency_s,
            receipt_states=(options.receipt_state,) * options.receipt_repeat if wanted else (),
            receipt_first=options.receipt_first,
            receipt_delay_s=options.receipt_delay_s,
        )

    def _is_throttled(self, system_id: str, now: float) -> bool:
        options = self._options
        if options.throttle_rate and self._random.random() < options.throttle_rate:
            return True
        if not options.max_per_s:
            return False
        bucket = self._buckets.setdefault(system_id, TokenBucket(options.max_per_s, now=now))
        if bucket.available(now) < 1:
            return True
        bucket.take(now)
        return False
