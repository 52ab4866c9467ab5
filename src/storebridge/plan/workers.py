"""Work for many stores side by side: in processes of our own, or in threads.

A process is started like any program, and spoken to over its own pipes: nothing of the caller's
`__main__` is imported, so scripts need no guard, and it is the same on every system. It serves one
store after another; one that dies takes only the store with it that it was at. When its pipe is
closed, because everything is done, because of Ctrl-C, or because the caller was killed, it ends
between two batches, or after `GRACE` seconds.
"""

from __future__ import annotations

import os
import pickle
import queue
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, BinaryIO, Protocol

from storebridge.errors import StorebridgeError

__all__ = ["GRACE", "Failure", "OnTold", "Stopped", "Tell", "Work", "run_all", "serve"]

#: Seconds in which a worker ends what it is at, once nobody wants more.
GRACE = 10.0

Tell = Callable[[str, Any, int], None]
"""Called by work with a stage, how much of it is done, and how much there is in all (0: unknown).

Raises `Stopped` where the work is not wanted any more.
"""


class Stopped(BaseException):
    """The work is not wanted any more; like KeyboardInterrupt, no `except Exception` eats it."""


@dataclass(frozen=True, slots=True)
class Work:
    """Something to do for one store."""

    store: str
    """What people call the store."""
    function: Callable[..., Any]
    """A function of a module, called with `tell` and the arguments."""
    arguments: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Failure:
    """Why there is no result, as it can be told across processes."""

    message: str
    exit_code: int


OnTold = Callable[[Work, str, Any, int], None]
OnDone = Callable[[Work, Any], None]


class _Worker(Protocol):
    def do(self, work: Work, told: Tell) -> Any: ...
    def end(self) -> None: ...
    def kill(self) -> None: ...


def run_all(
    works: Sequence[Work], jobs: int, *, processes: bool, on_told: OnTold, on_done: OnDone
) -> None:
    """Do all works, so many side by side; both callbacks are called in the caller's thread.

    Whatever a callback raises, and Ctrl-C, stops all work in good order before it goes on.

    Args:
        works: what to do; arguments must be picklable for processes.
        jobs: how many are done side by side.
        processes: whether each lane is a process, or a thread of this one.
        on_told: called with a work and what its work tells on the way.
        on_done: called with a work and its result, or its `Failure`.
    """
    crew = _Crew(works, _Process if processes else _Thread)
    try:
        crew.start(min(jobs, len(works)))
        for kind, work, *told in crew.events():
            (on_done if kind == "done" else on_told)(work, *told)
    finally:
        crew.end()


class _Crew:
    """Lanes that take works from one list; what they say goes through one queue."""

    def __init__(self, works: Sequence[Work], kind: Callable[[], _Worker]) -> None:
        self.works: queue.SimpleQueue[Work] = queue.SimpleQueue()
        for work in works:
            self.works.put(work)
        self.said: queue.SimpleQueue[tuple[Any, ...] | None] = queue.SimpleQueue()
        self.kind = kind
        self.workers: list[_Worker] = []
        self.threads: list[threading.Thread] = []
        self.stopping = False

    def start(self, jobs: int) -> None:
        for _ in range(jobs):
            worker = self.kind()
            self.workers.append(worker)
            lane = threading.Thread(target=self._lane, args=(worker,), daemon=True)
            self.threads.append(lane)
            lane.start()

    def events(self) -> Iterator[tuple[Any, ...]]:
        """Yield what the lanes say, until the last one has ended."""
        left = len(self.threads)
        while left:
            try:
                event = self.said.get(timeout=0.2)  # Windows sees no Ctrl-C in a wait without end
            except queue.Empty:
                continue
            if event is None:
                left -= 1
            else:
                yield event

    def end(self) -> None:
        """Have every lane stop, wait a while, then end what is left."""
        self.stopping = True
        try:
            for worker in self.workers:
                worker.end()
            until = time.monotonic() + GRACE + 1
            for lane in self.threads:
                lane.join(max(0.0, until - time.monotonic()))
        finally:
            for worker in self.workers:
                worker.kill()

    def _lane(self, worker: _Worker) -> None:
        try:
            while not self.stopping:
                try:
                    work = self.works.get_nowait()
                except queue.Empty:
                    return
                self._one(worker, work)
        finally:
            self.said.put(None)

    def _one(self, worker: _Worker, work: Work) -> None:
        def tell(stage: str, done: Any, total: int = 0) -> None:
            self.said.put(("told", work, stage, done, total))

        self.said.put(("done", work, worker.do(work, tell)))


class _Thread:
    """Does the work where it is: for stores that only this process can open."""

    def __init__(self) -> None:
        self.stop = threading.Event()

    def do(self, work: Work, told: Tell) -> Any:
        return _done(work, told, self.stop)

    def end(self) -> None:
        self.stop.set()

    def kill(self) -> None:
        """Do nothing: a thread can't be ended from outside."""


class _Process:
    """A process that does the work of one lane; it is started when there is some."""

    def __init__(self) -> None:
        self.running: subprocess.Popen[bytes] | None = None

    def do(self, work: Work, told: Tell) -> Any:
        running = self.running or self._start()
        assert running.stdin is not None
        assert running.stdout is not None
        frame = pickle.dumps(work)
        try:
            running.stdin.write(frame)
            running.stdin.flush()
            while True:
                kind, *said = _get(running.stdout)
                if kind == "done":
                    return said[0]
                told(said[0], said[1], said[2])
        except (OSError, EOFError, ValueError):
            return self._died(running)

    def end(self) -> None:
        if self.running is not None and self.running.stdin is not None:
            try:
                self.running.stdin.close()
            except OSError:
                return  # it is gone already

    def kill(self) -> None:
        if self.running is not None:
            self.running.kill()
            self.running.wait()
            if self.running.stdout is not None:
                self.running.stdout.close()

    def _start(self) -> subprocess.Popen[bytes]:
        # In a group of its own it gets no Ctrl-C: whoever started it stops it in good order.
        windows = sys.platform == "win32"
        alone: dict[str, Any] = {"creationflags": _GROUP} if windows else {"process_group": 0}
        self.running = subprocess.Popen(  # noqa: S603 - Python itself, and nothing from outside
            [sys.executable, "-c", _BEGIN],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            **alone,
        )
        assert self.running.stdin is not None
        _put(self.running.stdin, sys.path)
        return self.running

    def _died(self, running: subprocess.Popen[bytes]) -> Failure:
        self.end()
        try:
            code = running.wait(GRACE)
        except subprocess.TimeoutExpired:
            running.kill()
            code = running.wait()
        self.kill()
        self.running = None
        return Failure(
            f"the process that worked on it ended in the middle (code {code}). Nothing that "
            "was done is lost: run the same command to go on.",
            1,
        )


#: subprocess.CREATE_NEW_PROCESS_GROUP, which exists on Windows only.
_GROUP = 0x200
_BEGIN = (
    "import pickle, sys; sys.path[:] = pickle.load(sys.stdin.buffer); "
    "from storebridge.plan.workers import serve; serve()"
)


def _put(stream: BinaryIO | Any, value: Any) -> None:
    pickle.dump(value, stream)
    stream.flush()


def _get(stream: BinaryIO | Any) -> Any:
    return pickle.load(stream)  # noqa: S301 - our own process wrote it into our own pipe


# -- inside the process


def serve() -> None:
    """Do what comes in on the standard input until it is closed; answer on the standard output."""
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # what anybody prints must not get between the answers
    wanted: queue.SimpleQueue[Work | None] = queue.SimpleQueue()
    stop = threading.Event()
    threading.Thread(target=_listen, args=(wanted, stop), daemon=True).start()

    def tell(stage: str, done: Any, total: int = 0) -> None:
        _put(answers, ("told", stage, done, total))

    try:
        for work in iter(wanted.get, None):
            _put(answers, ("done", _done(work, tell, stop)))
    except OSError:  # nobody listens any more
        os._exit(1)


def _listen(wanted: queue.SimpleQueue[Work | None], stop: threading.Event) -> None:
    try:
        while True:
            wanted.put(_get(sys.stdin.buffer))
    except (EOFError, OSError, pickle.UnpicklingError):
        stop.set()
        wanted.put(None)
    time.sleep(GRACE)
    os._exit(1)


def _done(work: Work, told: Tell, stop: threading.Event) -> Any:
    """Return the result of a work, or why there is none."""

    def tell(stage: str, done: Any, total: int = 0) -> None:
        if stop.is_set():
            raise Stopped
        told(stage, done, total)

    try:
        return work.function(tell, **work.arguments)
    except Stopped:
        return Failure("it was stopped before its end; run the same command to go on.", 130)
    except StorebridgeError as error:
        return Failure(str(error) or type(error).__name__, error.exit_code)
    except OSError as error:
        return Failure(f"{type(error).__name__}: {error}", 1)
    except Exception as error:  # a defect of one store's adapter stops no other store
        return Failure(f"{type(error).__name__}: {error}. This is a defect; please report it.", 1)
