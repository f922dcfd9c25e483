"""Order, bounds and ends of what threads make ahead of time."""

import threading
import time

import pytest

from rankpose_tf.prediction import ahead
from rankpose_tf.prediction.ahead import read_ahead


def ones(result):
    return 1


def test_results_come_in_the_order_of_the_items_however_long_each_takes():
    def read(item):
        time.sleep((item * 7 % 5) / 2000)
        return item * item

    found = list(read_ahead(range(100), read, ones, threads=4))
    assert found == [item * item for item in range(100)]


def test_nothing_gives_nothing():
    assert list(read_ahead([], str, ones)) == []


def test_results_are_made_while_nobody_asks():
    made = threading.Semaphore(0)

    def read(item):
        made.release()
        return item

    results = read_ahead(range(10), read, ones, threads=2)
    next(results)
    for _ in range(10):
        assert made.acquire(timeout=10)
    results.close()


@pytest.mark.parametrize("bounds", [{"most": 5}, {"budget": 5}])
def test_no_more_wait_than_the_bound_and_one_a_thread(bounds):
    made, threads = [], 3

    def read(item):
        made.append(item)
        return item

    results = read_ahead(range(200), read, ones, threads, **bounds)
    for fetched, _ in enumerate(results, start=1):
        if fetched % 20 == 0:
            time.sleep(0.02)
        assert len(made) - fetched <= 5 + threads
    assert sorted(made) == list(range(200))


def test_one_result_over_the_budget_passes():
    assert list(read_ahead(range(5), int, lambda result: 10**12, threads=2, budget=1)) == [
        *range(5)
    ]


def test_an_error_comes_in_its_place_and_ends_it():
    def read(item):
        if item == 7:
            raise ZeroDivisionError("seven")
        return item

    found = []
    with pytest.raises(ZeroDivisionError, match="seven"):
        for item in read_ahead(range(1000), read, ones, threads=3):
            found.append(item)
    assert found == list(range(7))


def test_an_error_of_the_items_themselves_comes_after_what_they_gave():
    def items():
        yield from range(4)
        raise ZeroDivisionError

    found = []
    with pytest.raises(ZeroDivisionError):
        for item in read_ahead(items(), int, ones, threads=3):
            found.append(item)
    assert found == list(range(4))


def started_by(action):
    """What `action` returns, and the threads that it left."""
    before = set(threading.enumerate())
    result = action()
    # Those of another test may end meanwhile: a count would not tell.
    return result, set(threading.enumerate()) - before


def test_after_it_is_closed_the_threads_have_ended():
    inside, go_on = threading.Event(), threading.Event()

    def read(item):
        if item > 0:
            inside.set()
            go_on.wait(timeout=60)
        return item

    results = read_ahead(range(100), read, ones, threads=4, most=3)
    _, started = started_by(lambda: next(results))
    assert len(started) == 4
    assert inside.wait(timeout=60)
    # The threads that are inside come back only when it is being closed.
    threading.Timer(0.3, go_on.set).start()
    results.close()
    assert not any(thread.is_alive() for thread in started)


def test_closing_the_last_of_several_ends_the_threads_of_all():
    first = read_ahead(iter(int, 1), int, ones, threads=3, most=2)
    second = read_ahead(first, int, ones, threads=1, most=2)
    _, started = started_by(lambda: next(second))
    assert len(started) == 4
    second.close()
    assert not any(thread.is_alive() for thread in started)


def test_a_thread_that_does_not_end_is_not_waited_for_for_ever(monkeypatch):
    monkeypatch.setattr(ahead, "_SECONDS_TO_END", 0.1)
    go_on = threading.Event()

    def items():
        yield 1
        go_on.wait(timeout=60)

    results = read_ahead(items(), int, ones, threads=2)
    _, started = started_by(lambda: next(results))
    results.close()
    assert any(thread.is_alive() for thread in started)
    go_on.set()
    for thread in started:
        thread.join(timeout=10)
        assert not thread.is_alive()


def test_one_may_read_ahead_of_another():
    first = read_ahead(range(50), lambda item: item + 1, ones, threads=3, most=2)
    second = read_ahead(first, lambda item: item * 2, ones, threads=1, most=2)
    assert list(second) == [2 * (item + 1) for item in range(50)]
