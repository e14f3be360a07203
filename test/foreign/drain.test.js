// SIGTERM and SIGINT: every client is told, and the exit code says that all went well.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { fresh, serve } from './harness.js';

for (const signal of ['SIGTERM', 'SIGINT']) {
  test(`${signal} closes every connection with 1001 and ends with exit code 0`, async () => {
    const server = await serve('--dev');
    const clients = await Promise.all(Array.from({ length: 20 }, (_, i) =>
      (i % 2 ? server.connectV1() : server.connect(`/ws?topic=${fresh('drain')}`))));
    const ended = server.stop(signal);
    for (const client of clients) assert.equal((await client.closes()).code, 1001);
    assert.equal(await ended, 'exit code 0', `its log:\n${server.log}`);
  });
}
