# SPDX-License-Identifier: GPL-2.0-or-later
"""Waiting with a time limit. Limits in tests are written for an idle machine and multiplied here, for one that is ten times slower."""
import time

TIMES = 5


class Deadline:
    def __init__(self, seconds: float):
        self._end = time.monotonic() + seconds * TIMES

    @property
    def left(self) -> float:
        """Seconds, at least 0."""
        return max(0.0, self._end - time.monotonic())

    @property
    def over(self) -> bool:
        return time.monotonic() > self._end


def wait_for(what: str, condition, timeout: float = 30, pause: float = 0.05):
    """Returns the first true result of condition(); fails naming what it waited for."""
    end = Deadline(timeout)
    while not (result := condition()):
        if end.over:
            raise TimeoutError(f"waited {timeout} s for {what}")
        time.sleep(pause)
    return result
