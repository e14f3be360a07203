// The ws package with permessage-deflate: what it negotiates, and that both directions say the same as without.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { curl, fresh, serve } from './harness.js';

let server;
before(async () => { server = await serve('--dev', '--compress'); });
after(() => server?.stop());

const ACCEPTED = 'permessage-deflate; server_no_context_takeover; client_no_context_takeover';
const deflate = (options = {}) => ({ perMessageDeflate: { threshold: 0, ...options } }); // it compresses whatever it sends
const long = JSON.stringify(Array.from({ length: 100 }, (_, i) => ({ symbol: 'AMZN', price: 181 + i / 100, side: i % 3 ? 'buy' : 'sell' })));

/** Connects and returns the client with what the server answered to its offer. */
async function connect(path, protocols, options) {
  let answer;
  const client = await server.connect(path, protocols, { ...options, finishRequest: (req) => {
    req.prependListener('upgrade', (res) => { answer = res.headers['sec-websocket-extensions'] ?? ''; });
    req.end();
  } });
  return { client, answer };
}

/** How many messages the server has compressed. */
async function compressed() {
  const { body } = await curl([`http://${server.admin}/metrics`]);
  return Number(body.match(/^pushd_deflated_messages_total (\d+)/m)[1]);
}

test('raw: text and bytes come through, compressed once for many', async () => {
  const topic = fresh('compress.raw');
  const clients = [];
  for (let i = 0; i < 5; i++) {
    const { client, answer } = await connect(`/ws?topic=${topic}`, ['pushd.raw.v1'], deflate());
    assert.equal(answer, ACCEPTED);
    clients.push(client);
  }
  clients.push(await server.connect(`/ws?topic=${topic}`, ['pushd.raw.v1']));
  const before = await compressed();
  const bytes = Buffer.concat(Array.from({ length: 500 }, (_, i) => Buffer.from([0, 255, i & 7])));
  for (const body of ['short', long, 'grüß dich '.repeat(100), 'a'.repeat(65_536), bytes]) {
    await server.publish(topic, body);
    for (const client of clients) assert.deepEqual(await client.next(), body);
  }
  assert.equal(await compressed() - before, 4, 'all but the short one, each once');
  await Promise.all(clients.map((client) => client.close()));
});

test('pushd.v1: commands are compressed too', async () => {
  const topic = fresh('compress.v1');
  const { client, answer } = await connect('/ws', ['pushd.v1'], deflate());
  assert.equal(answer, ACCEPTED);
  await client.op('welcome');
  await client.subscribe(topic);
  client.send({ op: 'publish', id: 1, topic, text: long });
  assert.equal((await client.op('published')).id, 1);
  assert.equal((await client.op('message')).text, long);
  await client.close();
});

test('offers: our window is agreed to, a smaller one is not', async () => {
  const topic = fresh('compress.window');
  for (const [bits, want] of [[15, `${ACCEPTED}; server_max_window_bits=15`], [12, ''], [9, '']]) {
    const { client, answer } = await connect(`/ws?topic=${topic}`, [], deflate({ serverMaxWindowBits: bits }));
    assert.equal(answer, want, `server_max_window_bits=${bits}`);
    await server.publish(topic, long);
    assert.equal(await client.next(), long);
    await client.close();
  }
});
