// SIGTERM and SIGINT: every client is told, and the exit code says that all went well.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { fresh, serve } from './harness.js';

for (const signal of ['SIGTERM', 'SIGINT']) {
  test(`${signal} closes every connection with 1012 and ends with exit code 0`, async () => {
    const server = await serve('--dev');
    const clients = await Promise.all(Array.from({ length: 20 }, (_, i) =>
      (i % 2 ? server.connectV1() : server.connect(`/ws?topic=${fresh('drain')}`))));
    const ended = server.stop(signal);
    for (const client of clients) {
      const { code, reason } = await client.closes();
      assert.equal(code, 1012);
      assert.match(String(reason), /^retry_ms=\d{1,3}$/); // so few may come back within a second
    }
    assert.equal(await ended, 'exit code 0', `its log:\n${server.log}`);
  });
}
