"""A limit on the time that a computation takes."""

from __future__ import annotations

from matgrad.errors import LimitProblem


class Timer:
    """Ends a computation after some seconds with LimitProblem, where the system can."""

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds

    def __enter__(self) -> None:
        import signal

        if hasattr(signal, "setitimer") and self.seconds > 0:
            signal.signal(signal.SIGALRM, self.stop)
            signal.setitimer(signal.ITIMER_REAL, self.seconds)

    def __exit__(self, *_: object) -> None:
        import signal

        if hasattr(signal, "setitimer"):
            signal.setitimer(signal.ITIMER_REAL, 0)

    def stop(self, *_: object) -> None:
        """The signal's handler."""
        raise LimitProblem(
            f"no answer within {self.seconds:g} seconds",
            help="give more time with `--timeout SECONDS`",
        )
