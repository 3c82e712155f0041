"""A mail server that takes one mail and says as JSON what Python's reader makes of it.

Prints its port, then, when the mail has come, one line, and ends.
"""

import asyncio
import email
import email.policy
import json

from aiosmtpd.smtp import SMTP


class Mailbox:
    def __init__(self, came):
        self.came = came

    async def handle_DATA(self, server, session, envelope):
        self.came.set_result(envelope)
        return "250 kept"


def seen(envelope):
    message = email.message_from_bytes(envelope.content, policy=email.policy.default)
    pairs = lambda name: [[one.display_name, one.addr_spec] for one in message[name].addresses]
    defects = [str(defect) for part in message.walk() for defect in part.defects]
    return {
        "envelope_to": envelope.rcpt_tos,
        "headers": {name: str(value) for name, value in message.items()},
        "from": pairs("From"),
        "to": pairs("To"),
        "type": message.get_content_type(),
        "parts": [
            {"type": part.get_content_type(), "text": part.get_content()}
            for part in message.walk()
            if not part.is_multipart()
        ],
        "longest_line": max(len(line) for line in envelope.content.split(b"\r\n")),
        "defects": defects,
    }


async def main():
    loop = asyncio.get_running_loop()
    came = loop.create_future()
    server = await loop.create_server(lambda: SMTP(Mailbox(came)), "127.0.0.1", 0)
    print(server.sockets[0].getsockname()[1], flush=True)
    envelope = await asyncio.wait_for(came, 60)
    print(json.dumps(seen(envelope)), flush=True)
    # The client hears the answer before we go.
    await asyncio.sleep(0.2)


asyncio.run(main())
