import asyncio
import smtplib

import pytest
from aiosmtpd.controller import Controller

from tests.integration.notifications import payer_world
from tinko_pipelines.local.ports import free_port


class Mailbox:
    """The handler of a real aiosmtpd server: keeps what it takes, answers what it is told to."""

    def __init__(self):
        self.messages = []
        self.rcpt_reply = None
        self.data_reply = "250 taken"
        self.data_hook = None

    async def handle_RCPT(self, server, session, envelope, address, options):
        if self.rcpt_reply is not None:
            return self.rcpt_reply
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server, session, envelope):
        if self.data_reply.startswith("250"):
            self.messages.append(envelope.content)
        if self.data_hook is not None:
            await asyncio.to_thread(self.data_hook)
        return self.data_reply


class MailServer:
    def __init__(self):
        self.box = Mailbox()
        self.port = free_port()
        self.start()

    def start(self):
        self._controller = Controller(self.box, hostname="127.0.0.1", port=self.port)
        self._controller.start()

    def stop(self):
        self._controller.stop()

    def answers(self):
        with smtplib.SMTP("127.0.0.1", self.port, timeout=5) as probe:
            return probe.noop()[0] == 250


@pytest.fixture
def mail():
    server = MailServer()
    yield server
    server.stop()


@pytest.fixture
def world(database, mail):
    return payer_world.open_world(database, smtp_host="127.0.0.1", smtp_port=mail.port)


@pytest.fixture
def wall():
    return payer_world.MovableWall()
