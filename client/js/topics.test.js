// What is said over a connection. Run with: node --test client/js
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { message, numbers, reply, settle, start, subscribed } from './fake.js';

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

test('many topics leave in commands of at most 128', async () => {
  const h = await start();
  for (let i = 0; i < 300; i++) h.client.subscribe(`t${i}`, () => {});
  await h.welcome();
  assert.deepEqual(h.sent.map((c) => c.topics.length), [128, 128, 44]);
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
  h.ws.push(reply({ id: 3, position: 'e:11' }), message(12));
  assert.deepEqual(numbers(h), [12]);
});

test('the answer to a subscription given up in flight does not begin the next', async () => {
  const h = await subscribed();
  h.sub.unsubscribe();
  h.client.subscribe('t', (m) => h.got.push(m));
  await settle();
  assert.deepEqual(h.sent.map((c) => [c.op, c.id]), [['subscribe', 1], ['unsubscribe', 2], ['subscribe', 3]]);
  h.ws.push(reply({ id: 1 }), message(11), { op: 'unsubscribed', id: 2, topic: 't' });
  h.ws.push(reply({ id: 3, position: 'e:12' }), message(13));
  assert.deepEqual(numbers(h), [13]);
  assert.deepEqual(h.told('gap'), []);
});

test('a topic that the URL named is subscribed to, though the command for it is refused', async () => {
  const h = await subscribed();
  h.ws.push(reply({ id: undefined }), { op: 'error', id: 1, code: 'bad_request', message: 'already', topic: 't' }, message(11));
  assert.deepEqual(numbers(h), [11]);
});

const refusal = (id, extra) => ({ op: 'error', id, code: 'overloaded', message: 'busy', ...extra });

for (const code of ['overloaded', 'queue_full', 'draining', 'rate_limited']) {
  test(`a subscribe refused as ${code} is told, and asked again after a random wait`, async () => {
    const h = await subscribed();
    h.client.subscribe('u', () => {});
    await settle();
    const waits = [];
    for (const id of [1, 3, 4]) {
      h.ws.push(refusal(id, { code, topic: 't' }));
      const sent = h.sent.length, from = h.clock.time;
      for (let i = 0; i < 40 && h.sent.length === sent; i++) await h.clock.pass(50);
      waits.push(h.clock.time - from);
    }
    assert.deepEqual(waits, [250, 500, 1000]);
    assert.deepEqual(h.told('error').map((e) => [e.code, e.topic]), Array(3).fill([code, 't']));
    assert.deepEqual(h.sent.slice(2), [3, 4, 5].map((id) => ({ op: 'subscribe', id, topics: [{ name: 't' }] })));
    h.ws.push(reply({ id: 5 }), message(11));
    assert.deepEqual(numbers(h), [11]);
    assert.equal(h.clock.timers.size, 1, 'that for silence');
  });
}

test('a command refused as a whole is asked again for each of its topics that is still wanted', async () => {
  const h = await start();
  const subs = ['t', 'u', 'v'].map((name) => h.client.subscribe(name, () => {}));
  await h.welcome();
  h.ws.push(refusal(1));
  subs[1].unsubscribe();
  await h.clock.pass(250);
  assert.deepEqual(h.sent.slice(1).flatMap((c) => [c.op, ...c.topics.map((t) => t.name ?? t)]),
    ['unsubscribe', 'u', 'subscribe', 't', 'subscribe', 'v']);
});

test('refusals for other reasons, and of other commands, are not asked again', async () => {
  const h = await subscribed();
  h.ws.push(refusal(undefined, { topic: 't' }), refusal(7, { topic: 't' }), refusal(1, { topic: 'u' }));
  h.ws.push(refusal(1, { code: 'forbidden', topic: 't' }), { op: 'ping' });
  await h.clock.pass(31_000);
  assert.deepEqual(h.sent.map((c) => c.op), ['subscribe', 'pong']);
});

test('a new connection asks at once for what was refused, and only then', async () => {
  const h = await subscribed();
  for (const [id, ms] of [[1, 250], [2, 500], [3, 0]]) {
    h.ws.push(refusal(id, { topic: 't' }));
    await h.clock.pass(ms);
  }
  h.ws.fail();
  await h.clock.pass(h.state.retry);
  await h.welcome();
  h.ws.push(reply({ id: 4 }));
  await h.clock.pass(31_000);
  assert.deepEqual(h.sent.map((c) => c.op), ['subscribe']);
  h.client.close();
  assert.equal(h.clock.timers.size, 0);
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

test('a topic resumes after the last message seen', async () => {
  const h = await subscribed();
  h.ws.push(reply(), message(11), message(12));
  h.ws.fail();
  await h.clock.pass(h.state.retry);
  await h.welcome();
  assert.deepEqual(h.sent[0].topics, [{ name: 't', since: 'e:12' }]);
  h.ws.push(reply({ id: 2, position: 'e:14', recovered: true }), message(13), message(14), { op: 'live', topic: 't' }, message(15));
  assert.deepEqual(numbers(h), [11, 12, 13, 14, 15]);
  assert.deepEqual(h.told('recovered'), [{ on: 'recovered', topic: 't', position: 'e:14' }]);
  assert.deepEqual(h.told('gap'), []);
});

const round = (position) => ({ op: 'message', topic: 't', position, data: 1 });

for (const [label, frames, want] of [
  ['nothing came: where the subscription began', [reply()], 'e:10'],
  ['the reply did not come: from the beginning', [], undefined],
  ['conflated: where it began', [reply({ policy: 'conflate' })], 'e:10'],
  ['within a round: where the round began', [reply({ policy: 'conflate' }), round('e:10'), round('e:14'), round('e:14')], 'e:14'],
  ['retained values are to come: from the beginning', [reply({ retain: true })], undefined],
  ['there were none: where it began', [reply({ retain: true }), { op: 'live', topic: 't' }], 'e:10'],
  ['not all of them came: from there', [reply({ retain: true }), message(0, { retained: true, previous: undefined })], 'e:0'],
  ['a key was deleted: its position', [reply(), { op: 'delete', topic: 't', key: 'k', position: 'e:11', previous: 'e:10' }], 'e:11'],
  ['live after newer messages: the newest', [reply(), message(11), { op: 'live', topic: 't' }], 'e:11'],
  ['a retained value: its position', [reply(), message(9, { retained: true })], 'e:9'],
  ['retained values are over: where it began', [reply(), message(9, { retained: true }), { op: 'live', topic: 't' }], 'e:10'],
  ['a gap was told: its end', [reply(), { op: 'gap', topic: 't', from: 'e:10', to: 'e:20', reason: 'slow' }], 'e:20'],
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

test('the message that was resumed from is a repeat', async () => {
  const h = await subscribed({}, 'e:5');
  h.ws.push(reply({ recovered: true }), message(5), message(6));
  assert.deepEqual(numbers(h), [6]);
});

test('a handler added by a handler gets the next message, not this one', async () => {
  const h = await subscribed();
  const late = [];
  h.client.subscribe('t', () => late.length || h.client.subscribe('t', (m) => late.push(m.data)));
  h.ws.push(reply(), message(11));
  assert.deepEqual(late, []);
  h.ws.push(message(12));
  assert.equal(late[0], 12);
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

for (const live of [[], [{ op: 'live', topic: 't' }]]) {
  test(`retained values are no links of the chain, ${live.length ? 'with' : 'without'} live`, async () => {
    const h = await subscribed();
    const retained = (n) => message(n, { retained: true });
    h.ws.push(reply(), retained(3), retained(7), ...live, message(11), message(13));
    assert.deepEqual(numbers(h), [3, 7, 11, 13]);
    assert.deepEqual(h.told('gap').map((g) => g.from), ['e:11']);
  });
}

test('recovered false is a gap, and what history there is follows', async () => {
  const h = await subscribed({}, 'e:2');
  h.ws.push(reply({ recovered: false, history: 'e:7' }), message(11));
  await settle();
  assert.deepEqual(h.sent.slice(1), [
    { op: 'unsubscribe', id: 2, topics: ['t'] },
    { op: 'subscribe', id: 3, topics: [{ name: 't', since: 'e:7' }] },
  ]);
  h.ws.push({ op: 'unsubscribed', id: 2, topic: 't' }, reply({ id: 3, recovered: true, position: 'e:11' }), ...[8, 9, 10, 11, 12].map((n) => message(n)));
  assert.deepEqual(numbers(h), [8, 9, 10, 11, 12]);
  assert.deepEqual(h.told('gap'), [{ on: 'gap', topic: 't', from: 'e:2', to: 'e:7', reason: 'expired' }]);
  assert.deepEqual(h.told('recovered'), []);

  h.ws.fail(); // and the same another time
  await h.clock.pass(h.state.retry);
  await h.welcome();
  h.ws.push(reply({ id: 4, recovered: false, history: 'f:3', position: 'f:5' }));
  await settle();
  assert.deepEqual(h.sent.at(-1).topics, [{ name: 't', since: 'f:3' }]);
});

test('recovered false is a gap, and needs no history where the newest values follow', async () => {
  const h = await subscribed({}, 'e:2');
  h.ws.push(reply({ recovered: false, history: 'e:7', retain: true }));
  await settle();
  assert.equal(h.sent.length, 1);
  assert.deepEqual(h.told('gap'), [{ on: 'gap', topic: 't', from: 'e:2', to: 'e:10', reason: 'expired' }]);
  h.ws.push(message(0, { retained: true, previous: undefined }), message(10, { retained: true, previous: undefined }),
    { op: 'live', topic: 't' }, message(11));
  assert.deepEqual(numbers(h), [0, 10, 11]);
  assert.equal(h.told('gap').length, 1);
});

test('deleted keys stand in the chain; those that expired where the message before stands', async () => {
  const h = await subscribed();
  const gone = (n, previous = n - 1) => ({ op: 'delete', topic: 't', key: `k${n}`, position: `e:${n}`, previous: `e:${previous}` });
  h.ws.push(reply(), message(11), gone(12), gone(12, 12), gone(12, 12), message(13), gone(12), gone(12, 12), message(14), gone(16), message(17));
  assert.deepEqual(numbers(h), [11, 13, 14, 17]);
  assert.deepEqual(h.told('delete').map((d) => [d.key, d.position]), [['k12', 'e:12'], ['k12', 'e:12'], ['k12', 'e:12'], ['k16', 'e:16']]);
  assert.deepEqual(h.told('gap').map((g) => [g.from, g.to]), [['e:14', 'e:15']]);
});

test('a delete that conflates is told, and one of an earlier subscription not', async () => {
  const h = await subscribed();
  h.ws.push({ op: 'delete', topic: 't', key: 'old', position: 'e:9' });
  h.ws.push(reply({ policy: 'conflate' }), { op: 'delete', topic: 't', key: 'a', position: 'e:10' }, { op: 'delete', topic: 't', key: 'b', position: 'e:10' });
  assert.deepEqual(h.told('delete').map((d) => d.key), ['a', 'b']);
});

test('what holds for a topic is asked for and told', async () => {
  const h = await start();
  const told = [];
  h.client.on('subscribed', (s) => told.push(s));
  h.client.subscribe('t', () => {}, { maxRate: 2.5 });
  await h.welcome();
  assert.deepEqual(h.sent[0].topics, [{ name: 't', max_rate: 2.5 }]);
  h.ws.push(reply({ policy: 'conflate', max_rate: 2, retain: true }));
  assert.deepEqual(told, [{ topic: 't', position: 'e:10', policy: 'conflate', maxRate: 2, retain: true }]);
});

test("a user's topic is subscribed to anew, and never left", async () => {
  const h = await start();
  const got = [], topic = '$user.42';
  const sub = h.client.subscribe(topic, (m) => got.push(m.data), { since: 'e:5' });
  await h.welcome();
  h.ws.push(reply({ id: undefined, topic }), message(11, { topic })); // by the URL
  assert.deepEqual(got, []);
  h.ws.push(reply({ topic, position: 'e:11', recovered: false, history: 'e:9' }));
  await settle();
  assert.deepEqual(h.sent.map((c) => [c.op, c.topics[0].since]), [['subscribe', 'e:5'], ['subscribe', 'e:9']]);
  h.ws.push(reply({ id: 2, topic, position: 'e:11', recovered: true }), message(10, { topic }), message(11, { topic }), { op: 'live', topic });
  assert.deepEqual(got, [10, 11]);
  sub.unsubscribe();
  h.ws.push(message(12, { topic }));
  assert.deepEqual(got, [10, 11]);
  assert.equal(h.sent.length, 2);
});

test('history that is gone too is not asked for twice', async () => {
  const h = await subscribed({}, 'e:2');
  h.ws.push(reply({ recovered: false, history: 'e:7' }));
  await settle();
  h.ws.push(reply({ id: 3, recovered: false, history: 'e:9' }), message(11), message(13));
  assert.deepEqual(h.told('gap').map((g) => [g.from, g.to, g.reason]),
    [['e:2', 'e:7', 'expired'], ['e:7', 'e:10', 'expired'], ['e:11', 'e:12', 'missing']]);
  assert.deepEqual(numbers(h), [11, 13]);
});

test('no history is not asked for', async () => {
  const h = await subscribed({}, 'e:2');
  h.ws.push(reply({ recovered: false, history: 'e:10' }), message(11));
  await settle();
  assert.equal(h.sent.length, 1);
  assert.deepEqual(h.told('gap').map((g) => [g.from, g.to]), [['e:2', 'e:10']]);
  assert.deepEqual(numbers(h), [11]);
});

test('a topic given up at the gap is not asked for again', async () => {
  const h = await subscribed({}, 'e:2');
  h.client.on('gap', () => h.sub.unsubscribe());
  h.ws.push(reply({ recovered: false, history: 'e:7' }));
  await settle();
  assert.deepEqual(h.sent.map((c) => c.op), ['subscribe', 'unsubscribe']);
});

test('the server tells of a gap, once', async () => {
  const h = await subscribed();
  h.ws.push(reply(), message(11), { op: 'gap', topic: 't', from: 'e:11', to: 'e:20', reason: 'slow' }, message(21));
  assert.deepEqual(h.told('gap'), [{ on: 'gap', topic: 't', from: 'e:11', to: 'e:20', reason: 'slow' }]);
  assert.deepEqual(numbers(h), [11, 21]);
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
  h.ws.push({ op: 'error', id: 1, code: 'forbidden', message: 'not yours', topic: 't' }, { op: 'delete', topic: 'of the URL', key: 'A' },
    { op: 'live', topic: 't' }, { op: 'unheard of' });
  h.ws.push(null, 7);
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

test('a message for this connection alone is an event, and no topic hears of it', async () => {
  const h = await subscribed();
  h.ws.push(reply());
  const direct = [];
  h.client.on('message', (m) => direct.push(m));
  h.ws.push({ op: 'message', event: 'filled', key: 'o-17', data: { qty: 5 } }, { op: 'message', base64: 'AP8=' }, message(11));
  assert.deepEqual(direct, [{ data: { qty: 5 }, event: 'filled', key: 'o-17' }, { data: Uint8Array.of(0, 255), event: undefined, key: undefined }]);
  assert.deepEqual(numbers(h), [11]);
});
