// The ws package against the raw dialect: payloads exactly as published.
// A client whose handshake was answered is subscribed: what is published from then on, it gets.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { fresh, serve } from './harness.js';

let server;
before(async () => { server = await serve('--dev'); });
after(() => server?.stop());

const subscribe = (...topics) => server.connect(`/ws?${topics.map((t) => `topic=${encodeURIComponent(t)}`).join('&')}`);

test('a form (curl -d) arrives as text', async () => {
  const topic = fresh('text');
  const client = await subscribe(topic);
  const { epoch, offset, ...rest } = await server.publish(topic, 'grüß dich & 50% = {"half"}');
  assert.deepEqual(rest, { topic, subscribers: 1, duplicate: false });
  assert.match(epoch, /^[^:]+$/, 'an epoch without a colon');
  assert.ok(Number.isSafeInteger(offset) && offset > 0, `offset ${offset}`);
  assert.equal(await client.next(), 'grüß dich & 50% = {"half"}');
  await client.close();
});

test('an octet-stream arrives as binary, at every length of header', async () => {
  const topic = fresh('binary');
  const client = await subscribe(topic);
  for (const size of [1, 125, 126, 256, 65_535, 65_536]) {
    const body = Buffer.from(Uint8Array.from({ length: size }, (_, i) => i));
    await server.publish(topic, body);
    const got = await client.next(`the message of ${size} bytes`);
    assert.ok(Buffer.isBuffer(got), `${size} bytes: got text, not binary`);
    assert.ok(got.equals(body), `${size} bytes: got ${got.length} others`);
  }
  await client.close();
});

test('1,000 messages arrive once and in order at each of three clients', async () => {
  const topic = fresh('order');
  const clients = await Promise.all([1, 2, 3].map(() => subscribe(topic)));
  const lines = Array.from({ length: 1000 }, (_, i) => ({ topic, text: `message ${i}` }));
  const report = await server.publishLines(lines);
  assert.equal(report.lines, 1000);
  assert.equal(report.accepted, 1000, JSON.stringify(report));
  await server.publish(topic, 'the end');
  for (const [n, client] of clients.entries()) {
    for (let i = 0; i < 1000; i++) assert.equal(await client.next(), `message ${i}`, `client ${n}`);
    assert.equal(await client.next(), 'the end', `client ${n}`);
    await client.close();
  }
});

test('one connection follows several topics and no others', async () => {
  const [one, two, other] = ['one', 'two', 'other'].map(fresh);
  const client = await subscribe(one, two);
  await server.publish(one, '1');
  assert.equal((await server.publish(other, 'not for us')).subscribers, 0);
  await server.publish(two, '2');
  assert.deepEqual([await client.next(), await client.next()].sort(), ['1', '2']);
  await client.close();
});

test('a ping is answered with its own payload', async () => {
  const client = await subscribe(fresh('ping'));
  for (const payload of ['', 'are you there?', 'x'.repeat(125)]) {
    client.ws.ping(payload);
    assert.deepEqual(await client.next('pong'), { pong: payload });
  }
  await client.close();
});

test('a close is answered with its own code', async () => {
  for (const code of [1000, 1001, 3000, 4999]) {
    const client = await subscribe(fresh('close'));
    assert.equal((await client.close(code, 'done')).code, code);
  }
});

test('a connection that closed is no subscriber any more', async () => {
  const topic = fresh('left');
  const [stays, leaves] = [await subscribe(topic), await subscribe(topic)];
  await leaves.close();
  assert.equal((await server.publish(topic, 'still here?')).subscribers, 1);
  assert.equal(await stays.next(), 'still here?');
  await stays.close();
});

test('pushd.raw.v1 is chosen where it is offered, and nothing where nothing is', async () => {
  for (const [offer, chosen] of [[[], ''], [['pushd.raw.v1'], 'pushd.raw.v1'], [['soap', 'pushd.raw.v1'], 'pushd.raw.v1']]) {
    const client = await server.connect(`/ws?topic=${fresh('offer')}`, offer);
    assert.equal(client.ws.protocol, chosen, `offered ${JSON.stringify(offer)}`);
    await client.close();
  }
});

test('an unmasked frame is a protocol error (RFC 6455, 5.1)', async () => {
  const client = await subscribe(fresh('unmasked'));
  client.ws.send('bare', { mask: false });
  assert.equal((await client.closes()).code, 1002);
});

test('raw has no commands: a data frame closes with 1003', async () => {
  for (const data of ['hello?', Buffer.from([1])]) {
    const client = await subscribe(fresh('data'));
    client.ws.send(data);
    assert.equal((await client.closes()).code, 1003);
  }
});

test('an offer of unknown subprotocols alone is refused, and told the known ones', async () => {
  await assert.rejects(server.connect('/ws?topic=x', ['soap', 'wamp']), /400.*bad_request.*pushd\.v1/s);
});
