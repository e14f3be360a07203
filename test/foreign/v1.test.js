// The ws package against pushd.v1: commands, answers, and coming back after a cut.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { fresh, serve, until } from './harness.js';

let server;
before(async () => { server = await serve('--dev'); });
after(() => server?.stop());

const COME_BACK = [1001, 1011, 1012, 1013]; // the close codes after which a client returns

test('welcome says who we are and what to keep to', async () => {
  const client = await server.connectV1();
  const { version, connection, ping_ms, max_message } = client.welcome;
  assert.equal(version, 1);
  assert.match(connection, /^\S+$/);
  assert.ok(ping_ms > 0, `ping_ms is ${ping_ms}`);
  assert.ok(max_message >= 1024, `max_message is ${max_message}`);
  await client.close();
});

test('each kind of payload keeps its kind, with key and event', async () => {
  const topic = fresh('kinds');
  const client = await server.connectV1();
  const subscribed = await client.subscribe(topic, 'an id');
  assert.equal(subscribed.id, 'an id');
  assert.equal(subscribed.topic, topic);
  assert.equal(subscribed.policy, 'disconnect');
  assert.match(subscribed.position, /^[^:]+:\d+$/);

  const json = { qty: 5, deep: [1, { π: 'π' }] };
  const receipt = await server.publish(topic, JSON.stringify(json), '-H', 'Content-Type: application/json',
    '-H', 'Pushd-Key: o-17', '-H', 'Pushd-Event: filled');
  const { previous, ...message } = await client.op('message');
  assert.deepEqual(message, { op: 'message', topic, position: `${receipt.epoch}:${receipt.offset}`, event: 'filled', key: 'o-17', data: json });
  assert.equal(previous, subscribed.position, 'the first message follows the position of the subscription');

  await server.publish(topic, 'quoted "text"');
  const text = await client.op('message');
  assert.equal(text.text, 'quoted "text"');
  assert.equal(text.previous, message.position);

  await server.publish(topic, Buffer.from([0, 255, 128, 10]));
  assert.equal((await client.op('message')).base64, 'AP+ACg==');
  await client.close();
});

test('since resumes after a cut: nothing missing, nothing twice', async () => {
  const topic = fresh('resume');
  let client = await server.connectV1();
  await client.subscribe(topic);
  await server.publish(topic, 'seen');
  const { position } = await client.op('message');

  await server.cut(client.id);
  const { code } = await client.closes();
  assert.ok(COME_BACK.includes(code), `cut with ${code}, after which a client does not come back`);
  await until(`connection ${client.id} to leave the list`, async () => !(await server.connections()).includes(client.id));
  await server.publish(topic, 'missed 1');
  await server.publish(topic, 'missed 2');

  client = await server.connectV1();
  const subscribed = await client.subscribe({ name: topic, since: position });
  assert.equal(subscribed.recovered, true, JSON.stringify(subscribed));
  await server.publish(topic, 'live');
  for (const text of ['missed 1', 'missed 2', 'live']) assert.equal((await client.op('message')).text, text);
  await client.close();
});

test('a topic in the URL is subscribed to from the first moment', async () => {
  const topic = fresh('url');
  const client = await server.connect(`/ws?topic=${topic}`, ['pushd.v1']);
  await server.publish(topic, 'early');
  await client.op('welcome');
  const subscribed = await client.op('subscribed');
  assert.equal(subscribed.topic, topic);
  assert.ok(!('id' in subscribed), `no command, no id: ${JSON.stringify(subscribed)}`);
  assert.equal((await client.op('message')).text, 'early');
  await client.close();
});

test('since of a numbering that is gone says so, and where the history begins', async () => {
  const topic = fresh('epoch');
  await server.publish(topic, 'held');
  const client = await server.connectV1();
  const answer = await client.subscribe({ name: topic, since: 'anotherepoch:5' });
  assert.equal(answer.recovered, false, JSON.stringify(answer));
  assert.match(answer.history, /^[^:]+:\d+$/);
  await client.close();
});

test('unsubscribe ends one topic and leaves the others', async () => {
  const [goes, stays] = [fresh('goes'), fresh('stays')];
  const client = await server.connectV1();
  await client.subscribe(goes);
  await client.subscribe(stays);
  client.send({ op: 'unsubscribe', id: 4, topics: [goes] });
  assert.deepEqual(await client.op('unsubscribed'), { op: 'unsubscribed', id: 4, topic: goes });
  assert.equal((await server.publish(goes, 'into the void')).subscribers, 0);
  await server.publish(stays, 'heard');
  const message = await client.op('message');
  assert.equal(message.topic, stays, `unsubscribed, and still got ${JSON.stringify(message)}`);
  await client.close();
});

test('a command that is refused is answered, and the connection stays', async (t) => {
  const refused = [
    ['an unknown op', { op: 'dance', id: 7 }, 'bad_request', 7],
    ['a topic with a space', { op: 'subscribe', id: 'x', topics: ['not a topic'] }, 'bad_topic', 'x'],
    ['a reserved topic', { op: 'publish', id: 8, topic: '$secret', text: 'x' }, 'bad_topic', 8],
    ['no JSON', '{"op":', 'bad_json', undefined],
  ];
  const client = await server.connectV1();
  for (const [label, command, code, id] of refused) {
    await t.test(label, async () => {
      client.ws.send(typeof command === 'string' ? command : JSON.stringify(command));
      const error = await client.op('error');
      assert.equal(error.code, code, JSON.stringify(error));
      assert.equal(error.id, id, JSON.stringify(error));
      assert.match(error.message, /\S+ \S+/, 'a message for a human');
      client.send({ op: 'ping' });
      await client.op('pong');
    });
  }
  await client.close();
});

test('a client publishes under --dev, and others get it', async () => {
  const topic = fresh('chat');
  const [from, to] = [await server.connectV1(), await server.connectV1()];
  await to.subscribe(topic);
  from.send({ op: 'publish', id: 3, topic, event: 'say', text: 'hi' });
  const published = await from.op('published');
  const message = await to.op('message');
  assert.deepEqual([published.id, published.topic], [3, topic]);
  assert.deepEqual([message.text, message.event, message.position], ['hi', 'say', published.position]);
  await Promise.all([from.close(), to.close()]);
});

test('a ping between the fragments of a message is answered at once (RFC 6455, 5.4)', async () => {
  const client = await server.connectV1();
  const topic = fresh('fragments');
  const command = JSON.stringify({ op: 'subscribe', id: 1, topics: [topic] });
  client.ws.send(command.slice(0, 9), { fin: false });
  client.ws.ping('between');
  assert.deepEqual(await client.next('pong'), { pong: 'between' });
  client.ws.send(command.slice(9, 20), { fin: false });
  client.ws.send(command.slice(20), { fin: true });
  assert.equal((await client.op('subscribed')).topic, topic);
  await client.close();
});

test('text that is no UTF-8 closes with 1007 (RFC 6455, 8.1)', async () => {
  const client = await server.connectV1();
  client.ws.send(Buffer.from([0x7b, 0xff, 0x7d]), { binary: false });
  assert.equal((await client.closes()).code, 1007);
});

test('a message above max_message closes with 1009', async () => {
  const client = await server.connectV1();
  client.ws.send('x'.repeat(client.welcome.max_message + 1));
  assert.equal((await client.closes()).code, 1009);
});
