// How a connection comes, goes and comes back. Run with: node --test client/js
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { settle, start, subscribed } from './fake.js';

test('the first connection: url, protocols, states', async () => {
  const h = await start();
  assert.equal(h.ws.address, 'ws://host/ws');
  assert.deepEqual(h.ws.protocols, ['pushd.v1']);
  assert.deepEqual(h.events.map((e) => e.state), ['connecting']);
  await h.welcome();
  assert.deepEqual(h.events.map((e) => e.state), ['connecting', 'open']);
  assert.equal(h.client.state, 'open');
});

for (const [page, url, want] of [
  ['http://shop.test:8080/a/b', undefined, 'ws://shop.test:8080/ws'],
  ['https://shop.test/', undefined, 'wss://shop.test/ws'],
  ['https://shop.test/', '/other/ws?x=1', 'wss://shop.test/other/ws?x=1'],
  [undefined, 'https://push.test/ws', 'wss://push.test/ws'],
]) {
  test(`the address of ${url ?? 'no url'} on ${page ?? 'no page'}`, async (t) => {
    if (page) globalThis.location = new URL(page);
    t.after(() => delete globalThis.location);
    assert.equal((await start({}, [url])).ws.address, want);
  });
}

test('full jitter: random below min(30 s, 0.5 s * 2^n)', async () => {
  const h = await start();
  const waits = [];
  for (let i = 0; i < 9; i++) {
    h.ws.fail();
    waits.push(h.state.retry);
    await h.clock.pass(h.state.retry - 1);
    assert.equal(h.sockets.length, i + 1);
    await h.clock.pass(1);
    assert.equal(h.sockets.length, i + 2);
  }
  assert.deepEqual(waits, [250, 500, 1000, 2000, 4000, 8000, 15000, 15000, 15000]);
});

for (const [lived, want] of [[9_999, 1000], [10_000, 250]]) {
  test(`the back-off after a connection of ${lived} ms`, async () => {
    const h = await start();
    for (let i = 0; i < 2; i++) {
      h.ws.fail();
      await h.clock.pass(h.state.retry);
    }
    await h.welcome();
    await h.clock.pass(lived);
    h.ws.fail();
    assert.equal(h.state.retry, want);
  });
}

for (const [code, reason, want] of [
  [1012, 'retry_ms=12000', 12000], [1013, 'slow; retry_ms=700', 700], [4429, 'retry_ms=60000', 60000],
  [1001, '', 250], [1011, 'oops', 250], [1000, '', 250], [4429, '', 250], [1012, 'retry_ms=99999999999', 3_600_000],
]) {
  test(`close ${code} ${reason || 'without reason'}: back after ${want} ms`, async () => {
    const h = await start();
    await h.welcome();
    h.ws.fail(code, reason);
    assert.deepEqual(h.state, { on: 'state', state: 'waiting', retry: want, code, reason });
    await h.clock.pass(want);
    assert.equal(h.sockets.length, 2);
  });
}

for (const code of [1002, 1003, 1007, 1008, 1009, 4403, 4410]) {
  test(`close ${code}: stop`, async () => {
    const h = await start();
    await h.welcome();
    h.ws.fail(code, 'retry_ms=1');
    assert.deepEqual(h.state, { on: 'state', state: 'closed', code, reason: 'retry_ms=1' });
    await h.clock.pass(1e7);
    assert.equal(h.sockets.length, 1);
    assert.equal(h.clock.timers.size, 0);
  });
}

test('close 4401 asks for a new token, other codes do not', async () => {
  let n = 0;
  const h = await start({ token: async () => `k${++n}` });
  assert.deepEqual(h.ws.protocols, ['pushd.v1', 'bearer.k1']);
  h.ws.fail(1006);
  await h.clock.pass(h.state.retry);
  assert.deepEqual(h.ws.protocols, ['pushd.v1', 'bearer.k1']);
  h.ws.fail(4401);
  assert.equal(h.state.state, 'waiting');
  await h.clock.pass(h.state.retry);
  assert.deepEqual(h.ws.protocols, ['pushd.v1', 'bearer.k2']);
});

for (const token of [undefined, 'fixed']) {
  test(`close 4401 with ${token ? 'a fixed' : 'no'} token: stop`, async () => {
    const h = await start({ token });
    h.ws.fail(4401);
    assert.equal(h.state.state, 'closed');
  });
}

test('a token that cannot be had is told, and asked for again', async () => {
  let n = 0;
  const h = await start({ token: () => (++n === 1 ? Promise.reject(new Error('login is down')) : 'k') });
  assert.match(h.told('error')[0].message, /login is down/);
  assert.equal(h.sockets.length, 0);
  await h.clock.pass(h.state.retry);
  assert.deepEqual(h.ws.protocols, ['pushd.v1', 'bearer.k']);
});

test('an address that WebSocket refuses is told, and final', async () => {
  const h = await start({ WebSocket: class { constructor() { throw new SyntaxError('bad scheme'); } } });
  assert.match(h.told('error')[0].message, /bad scheme/);
  assert.equal(h.state.state, 'closed');
});

test('ping is answered', async () => {
  const h = await start();
  await h.welcome();
  h.ws.push({ op: 'ping' });
  assert.deepEqual(h.sent, [{ op: 'pong' }]);
});

test('silence of 2.5 pings is a dead server, any frame is life', async () => {
  const h = await start();
  await h.welcome({ ping_ms: 1000 });
  await h.clock.pass(2000);
  h.ws.push({ op: 'something new' });
  await h.clock.pass(2499);
  assert.equal(h.client.state, 'open');
  await h.clock.pass(1);
  assert.equal(h.state.state, 'waiting');
  assert.match(h.state.reason, /silent/);
  const [dead] = h.sockets;
  assert.equal(dead.readyState, 2);
  await h.clock.pass(h.state.retry);
  dead.fail(1008); // too late: nobody listens
  dead.push({ op: 'welcome', ping_ms: 1 });
  assert.equal(h.client.state, 'connecting');
});

test('a server that never says welcome is given up', async () => {
  const h = await start();
  await h.clock.pass(9_999);
  assert.equal(h.client.state, 'connecting');
  await h.clock.pass(1);
  assert.equal(h.client.state, 'waiting');
});

test('a server that never pings may be silent', async () => {
  const h = await start();
  await h.welcome({ ping_ms: 0 });
  await h.clock.pass(1e9);
  assert.equal(h.client.state, 'open');
});

test('close ends everything, twice', async () => {
  const h = await subscribed();
  const said = h.client.publish('t', 1);
  h.client.close();
  h.client.close();
  await assert.rejects(said, { code: 'connection_lost' });
  assert.equal(h.ws.closedWith, 1000);
  assert.equal(h.told('state').filter((e) => e.state === 'closed').length, 1);
  assert.equal(h.clock.timers.size, 0);
});

test('close while waiting, and while the token is fetched', async () => {
  const waiting = await start();
  waiting.ws.fail();
  waiting.client.close();
  assert.equal(waiting.clock.timers.size, 0);

  let give;
  const fetching = await start({ token: () => new Promise((r) => { give = r; }) });
  fetching.client.close();
  give('k');
  await settle();
  assert.equal(fetching.sockets.length, 0);
});
