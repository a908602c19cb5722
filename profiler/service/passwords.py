# SPDX-License-Identifier: GPL-2.0-only
"""bcrypt beside the event loop: one check at a time, few waiting, each success remembered."""

import asyncio
import hashlib
import queue
import secrets
import threading
from collections.abc import Mapping

import bcrypt

#: bcrypt looks at no more; the library refuses more, the toolkit cuts off.
_LONGEST = 72
_Job = tuple[asyncio.AbstractEventLoop, "asyncio.Future[bool]", bytes, bytes]


class TooBusyError(Exception):
    """Too many checks wait already."""


class Passwords:
    """Checks passwords in a thread of its own.

    One thread: a flood of wrong passwords may take one core and no more. A password that was right is
    recognised by a keyed hash from then on, so that only the first scrape costs a bcrypt. A wrong one is
    never remembered.

    :param waiting: checks that may wait; equal ones wait as one.
    """

    def __init__(self, waiting: int = 16) -> None:
        self.checks = 0
        """bcrypt computations so far."""
        self._waiting = waiting
        self._key = secrets.token_bytes(32)
        self._right: set[bytes] = set()
        self._running: dict[bytes, asyncio.Future[bool]] = {}
        self._jobs: queue.SimpleQueue[_Job] = queue.SimpleQueue()
        self._thread: threading.Thread | None = None

    async def right(self, users: Mapping[str, bytes], name: str, password: bytes) -> bool:
        """Whether *name* is a user with this password. An unknown name takes as long as a wrong password.

        :raises TooBusyError: when too many checks wait.
        """
        known = name in users
        hashed = users[name] if known else self.stand_in(users, name)
        password = password[:_LONGEST]
        token = self._token(name.encode(), hashed, password)
        if token in self._right:
            return True
        right = await self._checked(token, password, hashed) and known
        if right:
            if len(self._right) >= 4 * len(users):
                # Those of users and hashes that are no more.
                self._right.clear()
            self._right.add(token)
        return right

    async def _checked(self, token: bytes, password: bytes, hashed: bytes) -> bool:
        loop = asyncio.get_running_loop()
        job = self._running.get(token)
        if job is None:
            if len(self._running) >= self._waiting:
                raise TooBusyError
            job = self._running[token] = loop.create_future()
            job.add_done_callback(lambda _: self._running.pop(token))
            self._submit((loop, job, password, hashed))
        # A client that goes away must not take the result from the others.
        return await asyncio.shield(job)

    def stand_in(self, users: Mapping[str, bytes], name: str) -> bytes:
        """The hash to be computed for an unknown name: always the same user's, as costs may differ."""
        digest = hashlib.blake2b(name.encode(), key=self._key, digest_size=8).digest()
        return list(users.values())[int.from_bytes(digest) % len(users)]

    def _token(self, *parts: bytes) -> bytes:
        """The hash is a part: where it was exchanged, nothing is recognised."""
        token = hashlib.blake2b(key=self._key, digest_size=32)
        for part in parts:
            token.update(len(part).to_bytes(4))
            token.update(part)
        return token.digest()

    def _submit(self, job: _Job) -> None:
        if self._thread is None:
            # A daemon: a long check must not hold up the end of the process.
            self._thread = threading.Thread(target=self._run, name="bcrypt", daemon=True)
            self._thread.start()
        self._jobs.put(job)

    def _run(self) -> None:
        while True:
            loop, job, password, hashed = self._jobs.get()
            self.checks += 1
            try:
                right = bcrypt.checkpw(password, hashed)
            except ValueError:
                right = False
            if not loop.is_closed():
                loop.call_soon_threadsafe(_settle, job, right)


def _settle(job: "asyncio.Future[bool]", right: bool) -> None:
    if not job.done():
        job.set_result(right)
