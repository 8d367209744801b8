"""Runs one thing in several threads at one moment, each with a database connection of its own."""

import threading
from concurrent.futures import ThreadPoolExecutor

from django.db import connection


def together(*works):
    """Return what each returned, in their order; raises what one of them raised."""
    start = threading.Barrier(len(works))

    def run(work):
        try:
            connection.ensure_connection()  # so that they meet at the work
            start.wait(10)
            return work()
        finally:
            connection.close()

    with ThreadPoolExecutor(len(works)) as pool:
        return list(pool.map(run, works))
