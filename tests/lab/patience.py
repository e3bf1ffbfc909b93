# SPDX-License-Identifier: GPL-2.0-or-later
"""How long is waited for what must happen. The limits in the tests are for a machine with nothing else to do; another one may be
ten times as slow. A wait that ends well takes no longer for it."""
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
    """The first true result of condition(); says what was waited for when the time is over."""
    end = Deadline(timeout)
    while not (result := condition()):
        if end.over:
            raise TimeoutError(f"waited {timeout} s for {what}")
        time.sleep(pause)
    return result
