"""Work of which the next results are made by threads while the last is used, in bounded memory."""

import threading
import time

# An interpreter that ends under a thread inside TensorFlow or OpenCV aborts, so threads are waited
# for; but not for ever, since one may be reading from a pipe that nobody writes to.
_SECONDS_TO_END = 10.0


def read_ahead(items, read, weigh, threads=2, most=64, budget=200_000_000):
    """Yields `read(item)` of each item in their order, made ahead of time.

    Threads take items in turn and stop taking while the results that nobody has fetched are
    `most` in number or weigh `budget`; at most `threads` results more than that are ever held.
    What an iterator of items does in `next` is ahead of time too, one call after the other.
    When the generator is closed, the threads have ended, and items that are a generator are closed.

    Args:
      items: iterable.
      read: function of an item; called by several threads at once.
      weigh: function of a result -> number, such as its bytes.
      threads: how many.
      most: results that may wait.
      budget: what the waiting results may weigh together.

    Yields:
      The results. What `items` or `read` raises is raised in the result's place, and ends it.
    """
    work = _Work(iter(items), read, weigh, most, budget)
    started = [
        threading.Thread(target=work.run, name=f"read-ahead-{number}", daemon=True)
        for number in range(threads)
    ]
    for thread in started:
        thread.start()
    try:
        yield from work.results()
    finally:
        work.stop()
        if _all_end(started) and hasattr(items, "close"):
            items.close()


def _all_end(threads):
    """Waits for the threads; False if not all of them ended in time."""
    deadline = time.monotonic() + _SECONDS_TO_END
    for thread in threads:
        # The garbage collector may close a generator from any thread, one of these too.
        if thread is not threading.current_thread():
            thread.join(max(0.0, deadline - time.monotonic()))
    return not any(thread.is_alive() for thread in threads)


class _Work:
    """What the threads and the reader share.

    No thread waits between taking an item and giving its result. So when the reader waits for a
    result, either it is being made, or nothing older is left to fetch and the budget is free.
    """

    def __init__(self, items, read, weigh, most, budget):
        self._items, self._read, self._weigh = items, read, weigh
        self._most, self._budget = most, budget
        self._taking = threading.Lock()
        self._changed = threading.Condition()
        self._done = {}
        self._taken = self._held = 0
        self._ended = False

    def run(self):
        """Of one thread: items to results until there are no more."""
        while (taken := self._take()) is not None:
            number, item = taken
            try:
                result, error = self._read(item), None
            except BaseException as caught:  # It belongs to the reader, whatever it is.
                result, error = None, caught
            self._give(number, result, error)

    def _take(self):
        with self._taking:
            with self._changed:
                self._changed.wait_for(self._may_take)
                if self._ended:
                    return None
            try:
                item = next(self._items)
                error = None
            except StopIteration:
                self.stop()
                return None
            except BaseException as caught:
                item, error = None, caught
            # Before the lock is given up: the reader must know that this one will come.
            with self._changed:
                number = self._taken
                self._taken += 1
            if error is None:
                return number, item
            self._give(number, None, error)
            self.stop()
            return None

    def _may_take(self):
        return self._ended or (len(self._done) < self._most and self._held < self._budget)

    def _give(self, number, result, error):
        with self._changed:
            weight = 0 if error else self._weigh(result)
            self._done[number] = (result, error, weight)
            self._held += weight
            self._changed.notify_all()

    def results(self):
        number = 0
        while True:
            with self._changed:
                self._changed.wait_for(
                    lambda number=number: (
                        number in self._done or (self._ended and number >= self._taken)
                    )
                )
                if number not in self._done:
                    return
                result, error, weight = self._done.pop(number)
                self._held -= weight
                self._changed.notify_all()
            if error is not None:
                raise error
            yield result
            number += 1

    def stop(self):
        """No thread takes another item."""
        with self._changed:
            self._ended = True
            self._changed.notify_all()
