"""Python's websockets library against the server at PUSHD_PUBLIC and PUSHD_ADMIN (host:port each), which does not compress.

One that does is at PUSHD_COMPRESS_PUBLIC and PUSHD_COMPRESS_ADMIN.
"""

import asyncio
import itertools
import json
import os
import unittest
import urllib.request

import websockets
from websockets.extensions.permessage_deflate import ClientPerMessageDeflateFactory

COMPRESS_PUBLIC = os.environ["PUSHD_COMPRESS_PUBLIC"]
COMPRESS_ADMIN = os.environ["PUSHD_COMPRESS_ADMIN"]
PUBLIC = os.environ["PUSHD_PUBLIC"]
ADMIN = os.environ["PUSHD_ADMIN"]
PATIENCE = 10  # seconds: only a fault takes so long

_numbers = itertools.count(1)
_direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))


def fresh(name):
    return f"foreign.python.{name}.{next(_numbers)}"


def request(method, path, body=None, kind="text/plain", admin=ADMIN):
    req = urllib.request.Request(f"http://{admin}{path}", data=body, method=method, headers={"Content-Type": kind})
    with _direct.open(req, timeout=PATIENCE) as res:
        return res.read()


def publish(topic, body, kind="text/plain", admin=ADMIN):
    return json.loads(request("POST", f"/v1/topics/{topic}/messages", body, kind, admin))


def connect(path, *protocols):
    # No compression offered: the plain case. The library's default, which offers it, has a test of its own.
    return websockets.connect(f"ws://{PUBLIC}{path}", subprotocols=protocols or None, compression=None, open_timeout=PATIENCE)


async def receive(ws):
    return await asyncio.wait_for(ws.recv(), PATIENCE)


async def op(ws, kind):
    """The next op, which must be of this kind; pings and live may come at any time."""
    while True:
        got = json.loads(await receive(ws))
        if got["op"] == kind:
            return got
        assert got["op"] in ("ping", "live"), f"waiting for op {kind}, got {got}"


class Raw(unittest.IsolatedAsyncioTestCase):
    async def test_text_and_binary(self):
        topic = fresh("kinds")
        async with connect(f"/ws?topic={topic}") as ws:
            self.assertEqual(publish(topic, "grüß dich".encode())["subscribers"], 1)
            self.assertEqual(await receive(ws), "grüß dich")
            for size in (1, 125, 126, 65535, 65536):
                body = bytes(i & 0xFF for i in range(size))
                publish(topic, body, "application/octet-stream")
                self.assertEqual(await receive(ws), body, f"{size} bytes")

    async def test_order_of_1000(self):
        topic = fresh("order")
        async with connect(f"/ws?topic={topic}") as ws:
            lines = "".join(json.dumps({"topic": topic, "text": str(i)}) + "\n" for i in range(1000))
            report = json.loads(request("POST", "/v1/messages", lines.encode(), "application/x-ndjson"))
            self.assertEqual(report["accepted"], 1000, report)
            self.assertEqual([await receive(ws) for _ in range(1000)], [str(i) for i in range(1000)])

    async def test_ping_and_close(self):
        async with connect(f"/ws?topic={fresh('ping')}") as ws:
            await asyncio.wait_for(await ws.ping(b"are you there?"), PATIENCE)
            await ws.close(1000, "done")
            self.assertEqual(ws.close_code, 1000)

    async def test_compression_is_declined(self):
        topic = fresh("deflate")
        async with websockets.connect(f"ws://{PUBLIC}/ws?topic={topic}", open_timeout=PATIENCE) as ws:
            self.assertEqual(ws.extensions, [])
            publish(topic, b"plain")
            self.assertEqual(await receive(ws), "plain")


class Compressed(unittest.IsolatedAsyncioTestCase):
    def connect(self, path, *protocols, **offer):
        factory = ClientPerMessageDeflateFactory(**offer)
        return websockets.connect(
            f"ws://{COMPRESS_PUBLIC}{path}", subprotocols=protocols or None, compression=None, extensions=[factory], open_timeout=PATIENCE
        )

    async def test_both_ways(self):
        topic = fresh("compressed")
        async with self.connect("/ws", "pushd.v1", client_max_window_bits=True) as ws:
            self.assertEqual([e.name for e in ws.extensions], ["permessage-deflate"])
            await op(ws, "welcome")
            await ws.send(json.dumps({"op": "subscribe", "topics": [topic]}))  # compressed, as all that it sends
            await op(ws, "subscribed")
            for text in ("short", "grüß dich " * 1000, "a" * 65536):
                publish(topic, text.encode(), admin=COMPRESS_ADMIN)
                self.assertEqual((await op(ws, "message"))["text"], text)
        metrics = request("GET", "/metrics", admin=COMPRESS_ADMIN).decode()
        self.assertRegex(metrics, r"(?m)^pushd_deflated_messages_total [1-9]")

    async def test_window(self):
        for bits, want in ((15, ["permessage-deflate"]), (12, []), (9, [])):
            async with self.connect(f"/ws?topic={fresh('window')}", server_max_window_bits=bits) as ws:
                self.assertEqual([e.name for e in ws.extensions], want, f"server_max_window_bits={bits}")

    async def test_what_it_offers_by_itself(self):
        topic = fresh("default")
        async with websockets.connect(f"ws://{COMPRESS_PUBLIC}/ws?topic={topic}", open_timeout=PATIENCE) as ws:
            self.assertEqual([e.name for e in ws.extensions], ["permessage-deflate"])
            publish(topic, b"a" * 1000, admin=COMPRESS_ADMIN)
            self.assertEqual(await receive(ws), "a" * 1000)


class V1(unittest.IsolatedAsyncioTestCase):
    async def test_subscribe_message_unsubscribe(self):
        topic = fresh("v1")
        async with connect("/ws", "pushd.v1") as ws:
            self.assertEqual(ws.subprotocol, "pushd.v1")
            self.assertEqual((await op(ws, "welcome"))["version"], 1)
            await ws.send(json.dumps({"op": "subscribe", "id": 1, "topics": [topic]}))
            self.assertEqual((await op(ws, "subscribed"))["topic"], topic)
            receipt = publish(topic, b'{"qty":5}', "application/json")
            message = await op(ws, "message")
            self.assertEqual(message["data"], {"qty": 5})
            self.assertEqual(message["position"], f"{receipt['epoch']}:{receipt['offset']}")
            await ws.send(json.dumps({"op": "unsubscribe", "id": 2, "topics": [topic]}))
            self.assertEqual((await op(ws, "unsubscribed"))["id"], 2)
            self.assertEqual(publish(topic, b"unheard")["subscribers"], 0)

    async def test_resume_after_a_cut(self):
        topic = fresh("resume")
        async with connect("/ws", "pushd.v1") as ws:
            identity = (await op(ws, "welcome"))["connection"]
            await ws.send(json.dumps({"op": "subscribe", "topics": [topic]}))
            await op(ws, "subscribed")
            publish(topic, b"seen")
            position = (await op(ws, "message"))["position"]
            request("DELETE", f"/v1/connections/{identity}")
            await asyncio.wait_for(ws.wait_closed(), PATIENCE)
        publish(topic, b"missed")
        async with connect("/ws", "pushd.v1") as ws:
            await op(ws, "welcome")
            await ws.send(json.dumps({"op": "subscribe", "topics": [{"name": topic, "since": position}]}))
            self.assertIs((await op(ws, "subscribed"))["recovered"], True)
            self.assertEqual((await op(ws, "message"))["text"], "missed")

    async def test_fragmented_command_with_a_ping_between(self):
        topic = fresh("fragments")
        command = json.dumps({"op": "subscribe", "id": 1, "topics": [topic]})

        async with connect("/ws", "pushd.v1") as ws:
            await op(ws, "welcome")

            async def pieces():
                yield command[:9]
                await asyncio.wait_for(await ws.ping(), PATIENCE)
                yield command[9:]

            await ws.send(pieces())
            self.assertEqual((await op(ws, "subscribed"))["topic"], topic)


if __name__ == "__main__":
    unittest.main()
