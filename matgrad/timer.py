"""A limit on the time that a computation takes."""

from __future__ import annotations

from types import FrameType

from matgrad.errors import LimitProblem

AGAIN = 0.02  # seconds until the next try, where the computation could not be ended


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

    def stop(self, _: int, frame: FrameType | None) -> None:
        """The signal's handler."""
        import signal

        while frame is not None:
            # While a node is forgotten, an exception would be printed and lost.
            if frame.f_code.co_name == "remove" and frame.f_globals.get("__name__") == "weakref":
                signal.setitimer(signal.ITIMER_REAL, AGAIN)
                return
            frame = frame.f_back
        raise LimitProblem(
            f"no answer within {self.seconds:g} seconds",
            help="give more time with `--timeout SECONDS`",
        )
