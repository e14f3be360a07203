// curl against both doors: what a shell, a proxy's health check and a stranger's web page get.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { curl, fresh, serve } from './harness.js';

let server;
before(async () => { server = await serve('--dev'); });
after(() => server?.stop());

const json = ['-H', 'Content-Type: application/json'];
const ndjson = ['-H', 'Content-Type: application/x-ndjson', '--data-binary', '@-'];
const messages = (topic) => `http://${server.admin}/v1/topics/${encodeURIComponent(topic)}/messages`;

/** A refusal has its status, its code, and a sentence. */
function refused(res, status, code) {
  assert.equal(res.status, status, res.body);
  const body = JSON.parse(res.body);
  assert.equal(body.code, code);
  assert.match(body.message, /^\S+( \S+){2,}/, 'a sentence that says what was wrong');
}

test('both doors are healthy and ready', async () => {
  for (const door of [server.public, server.admin]) {
    for (const path of ['/healthz', '/readyz']) {
      const res = await curl([`http://${door}${path}`]);
      assert.equal(res.status, 200, `${door}${path}: ${res.body}`);
    }
  }
});

test('each kind of body is published', async (t) => {
  const topic = fresh('kinds');
  const kinds = [
    ['a form', ['-d', 'hello']],
    ['text', ['-H', 'Content-Type: text/plain', '-d', 'hello']],
    ['JSON', [...json, '-d', '{"bid":181.22}']],
    ['bytes', ['-H', 'Content-Type: application/octet-stream', '--data-binary', '@-'], '\x00\x01\x02'],
  ];
  let last = 0;
  for (const [label, flags, input] of kinds) {
    await t.test(label, async () => {
      const res = await curl([...flags, messages(topic)], input);
      assert.equal(res.status, 200, res.body);
      assert.match(res.headers['content-type'], /^application\/json/);
      const receipt = JSON.parse(res.body);
      assert.equal(receipt.topic, topic);
      assert.ok(receipt.offset > last, `offset ${receipt.offset} after ${last}`);
      last = receipt.offset;
    });
  }
});

test('NDJSON: good lines are published, a bad one is reported by number', async () => {
  const topic = fresh('lines');
  const lines = `{"topic":"${topic}","data":{"n":1}}\n{"topic":"no spaces","text":"x"}\n{"topics":["${topic}"],"base64":"AAE="}\n`;
  const res = await curl([...ndjson, `http://${server.admin}/v1/messages`], lines);
  assert.equal(res.status, 200, res.body);
  const { errors, ...counts } = JSON.parse(res.body);
  assert.deepEqual(counts, { lines: 3, accepted: 2, duplicates: 0, rejected: 1 });
  assert.deepEqual(errors.map(({ line, code }) => ({ line, code })), [{ line: 2, code: 'bad_topic' }]);
});

test('what is no topic is refused as bad_topic', async (t) => {
  for (const topic of ['a b', 'a*', 'a,b', '.a', 'a..b', 'x'.repeat(256)]) {
    await t.test(topic.slice(0, 8), async () => refused(await curl(['-d', 'x', messages(topic)]), 400, 'bad_topic'));
  }
});

test('what is no JSON, or of no known type, is refused', async () => {
  refused(await curl([...json, '-d', '{"bid":', messages(fresh('bad'))]), 400, 'bad_json');
  refused(await curl(['-H', 'Content-Type: application/pdf', '-d', 'x', messages(fresh('bad'))]), 415, 'media_type');
});

test('GET /ws without an upgrade is told which one (RFC 6455, 4.4)', async () => {
  const res = await curl([`http://${server.public}/ws?topic=x`]);
  refused(res, 426, 'upgrade_required');
  assert.equal(res.headers['sec-websocket-version'], '13');
  assert.match(res.headers.upgrade ?? '', /websocket/i);
});

test('another version of WebSocket is told ours', async () => {
  const upgrade = { Connection: 'Upgrade', Upgrade: 'websocket', 'Sec-WebSocket-Version': '8', 'Sec-WebSocket-Key': 'dGhlIHNhbXBsZSBub25jZQ==' };
  const headers = Object.entries(upgrade).flatMap(([name, value]) => ['-H', `${name}: ${value}`]);
  const res = await curl([...headers, `http://${server.public}/ws?topic=x`]);
  refused(res, 426, 'upgrade_required');
  assert.equal(res.headers['sec-websocket-version'], '13');
});

test('POST to /ws is refused with what is allowed', async () => {
  const res = await curl(['-d', 'x', `http://${server.public}/ws`]);
  refused(res, 405, 'method');
  assert.match(res.headers.allow ?? '', /\bGET\b/);
});

test('a head above 16 KiB is refused, and the refusal arrives', async (t) => {
  for (const size of [20_000, 100_000]) { // the second is still being sent when the answer goes out
    await t.test(`${size} bytes`, async () => {
      refused(await curl(['-H', `X-Fill: ${'x'.repeat(size)}`, `http://${server.public}/ws`]), 431, 'headers_too_large');
    });
  }
});

test('an unknown path is 404 on both doors', async () => {
  assert.equal((await curl([`http://${server.public}/nowhere`])).status, 404);
  assert.equal((await curl([`http://${server.admin}/nowhere`])).status, 404);
});

test("the admin door does not take a stranger's web page for its owner", async (t) => {
  const port = server.admin.split(':').pop();
  const cases = [ // label, headers, status
    ['another origin', ['Origin: http://evil.example'], 403],
    ['an origin that hides', ['Origin: null'], 403],
    ['a cross-site fetch', ['Sec-Fetch-Site: cross-site', 'Origin: http://evil.example'], 403],
    ["a rebound name's Host", [`Host: evil.example:${port}`], 403],
    ['localhost by name', [`Host: localhost:${port}`], 200],
    ['no browser', [], 200],
  ];
  for (const [label, headers, status] of cases) {
    await t.test(label, async () => {
      const res = await curl([...headers.flatMap((h) => ['-H', h]), '-d', 'x', messages(fresh('origin'))]);
      assert.equal(res.status, status, res.body);
    });
  }
});

test('the metrics are in the form that Prometheus reads', async () => {
  const res = await curl([`http://${server.admin}/metrics`]);
  assert.equal(res.status, 200);
  assert.match(res.body, /^# TYPE pushd_\w+ (counter|gauge|histogram)$/m);
});
