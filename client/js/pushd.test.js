// Run with: node --test client/js
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { connect } from './pushd.js';

/** A clock that stands until it is told to go on. */
class Clock {
  time = 0;
  timers = new Map();
  last = 0;
  now = () => this.time;
  setTimeout = (f, ms) => {
    this.timers.set(++this.last, { due: this.time + ms, f });
    return this.last;
  };
  clearTimeout = (id) => this.timers.delete(id);

  async pass(ms) {
    const end = this.time + ms;
    for (;;) {
      const [id, timer] = [...this.timers].filter(([, t]) => t.due <= end).sort(([, a], [, b]) => a.due - b.due)[0] ?? [];
      if (!timer) break;
      this.timers.delete(id);
      this.time = timer.due;
      timer.f();
      await settle();
    }
    this.time = end;
  }
}

/** Lets every promise and microtask that is ready run. */
const settle = () => new Promise((r) => setImmediate(r));

/** A client on fakes: `sockets` are those that it opened, `sent` what it said on the newest, `events` what it told. */
async function start(options = {}, [url] = ['ws://host/ws']) {
  const clock = new Clock(), sockets = [], events = [];
  class FakeSocket {
    readyState = 1;
    sent = [];
    constructor(address, protocols) {
      Object.assign(this, { address, protocols });
      sockets.push(this);
    }
    send(text) { this.sent.push(JSON.parse(text)); }
    close(code) { this.readyState = 2; this.closedWith = code; }
    push(...frames) { for (const f of frames) this.onmessage({ data: JSON.stringify(f) }); }
    fail(code = 1006, reason = '') { this.readyState = 3; this.onclose({ code, reason }); }
  }
  const client = connect(url, { WebSocket: FakeSocket, clock, random: () => 0.5, ...options });
  for (const name of ['state', 'gap', 'recovered', 'live', 'delete', 'error']) client.on(name, (e) => events.push({ on: name, ...e }));
  await settle();
  const harness = {
    client, clock, sockets, events,
    get ws() { return sockets.at(-1); },
    get sent() { return sockets.at(-1).sent; },
    get state() { return events.filter((e) => e.on === 'state').at(-1); },
    told: (name) => events.filter((e) => e.on === name),
    async welcome(extra) {
      harness.ws.push({ op: 'welcome', version: 1, connection: 'c', ping_ms: 25000, max_message: 65536, ...extra });
      await settle();
    },
  };
  return harness;
}

/** A client that is open and subscribed to `t` at e:10; `got` collects the messages. */
async function subscribed(options, since) {
  const h = await start(options);
  h.got = [];
  h.sub = h.client.subscribe('t', (m) => h.got.push(m), { since });
  await h.welcome();
  return h;
}

const reply = (extra) => ({ op: 'subscribed', id: 1, topic: 't', position: 'e:10', policy: 'disconnect', ...extra });
const message = (n, extra) => ({ op: 'message', topic: 't', position: `e:${n}`, previous: `e:${n - 1}`, data: n, ...extra });
const numbers = (h) => h.got.map((m) => m.data);

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

test('subscriptions of one moment leave in one command, handlers of one topic in one subscription', async () => {
  const h = await start();
  const seen = [];
  const f = (m) => seen.push(m.data);
  await h.welcome();
  const one = h.client.subscribe('t', f);
  const two = h.client.subscribe('t', f);
  h.client.subscribe('u', () => {}, { since: 'e:4' });
  await settle();
  assert.deepEqual(h.sent, [{ op: 'subscribe', id: 1, topics: [{ name: 't' }, { name: 'u', since: 'e:4' }] }]);
  h.ws.push(reply(), message(11));
  assert.deepEqual(seen, [11, 11]);
  one.unsubscribe();
  one.unsubscribe();
  h.ws.push(message(12));
  assert.deepEqual(seen, [11, 11, 12]);
  assert.equal(h.sent.length, 1);
  two.unsubscribe();
  assert.deepEqual(h.sent[1], { op: 'unsubscribe', id: 2, topics: ['t'] });
  h.ws.push(message(13));
  assert.deepEqual(seen, [11, 11, 12]);
});

test('many topics leave in commands that stay below max_message', async () => {
  const h = await start();
  for (let i = 0; i < 250; i++) h.client.subscribe(`t${i}`, () => {});
  await h.welcome();
  assert.deepEqual(h.sent.map((c) => c.topics.length), [100, 100, 50]);
});

test('a topic given up before its command left is not mentioned', async () => {
  const h = await start();
  await h.welcome();
  h.client.subscribe('t', () => {}).unsubscribe();
  await settle();
  assert.deepEqual(h.sent, []);
});

test('what was left over from an older subscription is not delivered', async () => {
  const h = await subscribed();
  h.ws.push(reply());
  h.sub.unsubscribe();
  h.client.subscribe('t', (m) => h.got.push(m));
  h.ws.push(message(11));
  await settle();
  h.ws.push(reply({ position: 'e:11' }), message(12));
  assert.deepEqual(numbers(h), [12]);
});

test('payloads and fields', async () => {
  const h = await subscribed();
  h.ws.push(reply(), message(11, { data: { qty: 5 }, event: 'filled', key: 'o-17' }),
    message(12, { data: undefined, text: 'hé' }), message(13, { data: undefined, base64: 'AP+A' }),
    message(14, { data: null, retained: true }));
  assert.deepEqual(h.got[0], { topic: 't', data: { qty: 5 }, event: 'filled', key: 'o-17', position: 'e:11', retained: false });
  assert.equal(h.got[1].data, 'hé');
  assert.deepEqual(h.got[2].data, new Uint8Array([0, 255, 128]));
  assert.equal(h.got[3].data, null);
  assert.equal(h.got[3].retained, true);
});

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

test('a topic resumes after the last message seen', async () => {
  const h = await subscribed();
  h.ws.push(reply(), message(11), message(12));
  h.ws.fail();
  await h.clock.pass(h.state.retry);
  await h.welcome();
  assert.deepEqual(h.sent[0].topics, [{ name: 't', since: 'e:12' }]);
  h.ws.push(reply({ position: 'e:14', recovered: true }), message(13), message(14), { op: 'live', topic: 't' }, message(15));
  assert.deepEqual(numbers(h), [11, 12, 13, 14, 15]);
  assert.deepEqual(h.told('recovered'), [{ on: 'recovered', topic: 't', position: 'e:14' }]);
  assert.deepEqual(h.told('gap'), []);
});

for (const [label, frames, want] of [
  ['nothing came: where the subscription began', [reply()], 'e:10'],
  ['the reply did not come: from the beginning', [], undefined],
  ['conflated, before live: from the beginning', [reply({ policy: 'conflate' })], undefined],
  ['conflated, live: where it began', [reply({ policy: 'conflate' }), { op: 'live', topic: 't' }], 'e:10'],
  ['live after newer messages: the newest', [reply(), message(11), { op: 'live', topic: 't' }], 'e:11'],
  ['a retained value: its position', [reply(), message(9, { retained: true })], 'e:9'],
]) {
  test(`the connection is lost when ${label}`, async () => {
    const h = await subscribed();
    h.ws.push(...frames);
    h.ws.fail();
    await h.clock.pass(h.state.retry);
    await h.welcome();
    assert.equal(h.sent[0].topics[0].since, want);
  });
}

test('a replay that is cut short goes on where it was cut', async () => {
  const h = await subscribed({}, 'e:5');
  assert.equal(h.sent[0].topics[0].since, 'e:5');
  h.ws.push(reply({ recovered: true }), message(6));
  h.ws.fail();
  await h.clock.pass(h.state.retry);
  await h.welcome();
  assert.equal(h.sent[0].topics[0].since, 'e:6');
});

test('repeats are dropped', async () => {
  const h = await subscribed();
  h.ws.push(reply(), message(11), message(12), message(13), message(12), message(11), message(13), message(14));
  assert.deepEqual(numbers(h), [11, 12, 13, 14]);
  assert.deepEqual(h.told('gap'), []);
});

test('without previous every message is delivered: positions may repeat in a round', async () => {
  const h = await subscribed();
  const round = (data) => message(11, { previous: undefined, data });
  h.ws.push(reply({ policy: 'conflate' }), round(1), round(2));
  assert.deepEqual(numbers(h), [1, 2]);
});

test('a hole in the chain is a gap', async () => {
  const h = await subscribed();
  h.ws.push(reply(), message(11), message(15), message(16));
  assert.deepEqual(numbers(h), [11, 15, 16]);
  assert.deepEqual(h.told('gap'), [{ on: 'gap', topic: 't', from: 'e:11', to: 'e:14', reason: 'missing' }]);
});

test('retained values are no links of the chain', async () => {
  const h = await subscribed();
  h.ws.push(reply(), message(3, { retained: true }), message(7, { retained: true }), { op: 'live', topic: 't' }, message(11));
  assert.deepEqual(numbers(h), [3, 7, 11]);
  assert.deepEqual(h.told('gap'), []);
});

test('recovered false is one gap', async () => {
  const h = await subscribed({}, 'e:2');
  h.ws.push(reply({ recovered: false, history: 'e:7' }), message(8), message(9));
  assert.deepEqual(h.told('gap'), [{ on: 'gap', topic: 't', from: 'e:2', to: 'e:7', reason: 'expired' }]);
  assert.deepEqual(numbers(h), [8, 9]);
});

test('the server tells of a gap, once', async () => {
  const h = await subscribed();
  h.ws.push(reply(), message(11), { op: 'gap', topic: 't', from: 'e:12', to: 'e:20', reason: 'slow' }, message(21));
  assert.deepEqual(h.told('gap'), [{ on: 'gap', topic: 't', from: 'e:12', to: 'e:20', reason: 'slow' }]);
  assert.deepEqual(numbers(h), [11, 21]);
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

test('publish: payloads, answer, refusal', async () => {
  const h = await start();
  await assert.rejects(h.client.publish('t', 1), { code: 'not_connected' });
  await h.welcome();
  const said = [h.client.publish('t', { a: 1 }, { event: 'say', key: 'k' }), h.client.publish('t', 'hi'),
    h.client.publish('t', new Uint8Array([0, 255, 128]))];
  assert.deepEqual(h.sent.map(({ id, ...rest }) => rest), [
    { op: 'publish', topic: 't', event: 'say', key: 'k', data: { a: 1 } },
    { op: 'publish', topic: 't', text: 'hi' },
    { op: 'publish', topic: 't', base64: 'AP+A' },
  ]);
  const [a, b] = h.sent;
  h.ws.push({ op: 'published', id: a.id, topic: 't', position: 'e:1' }, { op: 'error', id: b.id, code: 'forbidden', message: 'no' });
  assert.deepEqual(await said[0], { topic: 't', position: 'e:1' });
  await assert.rejects(said[1], { code: 'forbidden', message: 'no' });
  assert.deepEqual(h.told('error'), []);
  h.ws.fail();
  await assert.rejects(said[2], { code: 'connection_lost' });
});

test('errors and other news are told', async () => {
  const h = await subscribed();
  h.ws.push({ op: 'error', id: 1, code: 'forbidden', message: 'not yours', topic: 't' }, { op: 'delete', topic: 't', key: 'A' },
    { op: 'live', topic: 't' }, { op: 'unheard of' });
  h.ws.onmessage({ data: 'not json' });
  assert.deepEqual(h.events.slice(2).map((e) => [e.on, e.code ?? e.key ?? e.topic]),
    [['error', 'forbidden'], ['delete', 'A'], ['live', 't'], ['error', 'bad_json']]);
  assert.equal(h.client.state, 'open');
});

test('a handler that throws harms nobody else', async () => {
  const h = await start();
  const seen = [];
  h.client.subscribe('t', () => { throw new Error('mine'); });
  h.client.subscribe('t', (m) => seen.push(m.data));
  await h.welcome();
  h.ws.push(reply(), message(11), message(12));
  assert.deepEqual(seen, [11, 12]);
  assert.deepEqual(h.told('error').map((e) => e.code), ['handler', 'handler']);
});

test('off', async () => {
  const h = await start();
  let n = 0;
  const off = h.client.on('live', () => n++);
  await h.welcome();
  h.ws.push({ op: 'live', topic: 'x' });
  off();
  h.ws.push({ op: 'live', topic: 'x' });
  assert.equal(n, 1);
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
