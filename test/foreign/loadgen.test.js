// `pushd loadgen` as somebody at a shell meets it: against pushd, and against nchan, a push server that others wrote.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { after, before, test } from 'node:test';
import { binary, serve } from './harness.js';
import { nginx } from './nginx.js';

/** Runs loadgen and returns {code, out, err}; `on` is called with what it says meanwhile. */
function loadgen(args, on = () => {}) {
  return new Promise((resolve, reject) => {
    const child = spawn(binary, ['loadgen', ...args], { stdio: ['ignore', 'pipe', 'pipe'] });
    let out = '', err = '';
    child.stdout.setEncoding('utf8').on('data', (text) => { out += text; });
    child.stderr.setEncoding('utf8').on('data', (text) => { err += text; on(err, child); });
    child.on('error', reject).on('close', (code) => resolve({ code, out, err }));
  });
}

/** Runs loadgen and returns its report, with figures by name. */
async function measured(...args) {
  const { code, out, err } = await loadgen([...args, '--json', '-']);
  assert.equal(code, 0, err);
  const report = JSON.parse(out);
  return { ...report, ...Object.fromEntries(report.figures.map((f) => [f.name, f.value])) };
}

let server, door;
before(async () => {
  server = await serve('--dev');
  door = ['--url', `ws://${server.public}/ws?topic={topic}`, '--admin', server.admin];
});
after(() => server?.stop());

test('worker processes deliver as one, and the server is found by itself', async () => {
  const r = await measured('fanout', ...door, '-n', '200', '--workers', '2', '--rate', '50', '--messages', '50');
  assert.deepEqual([r.workers, r.delivered, r.lost, r.repeated, r.disordered], [2, 200 * 50, 0, 0, 0]);
  assert.ok(r.server_rss > 1e6, 'the memory of the server');
  assert.ok(r.generator_bytes_per_client > 0);
});

test('an expectation decides on the exit code', async () => {
  const run = (expect) => loadgen(['fanout', ...door, '-n', '10', '--messages', '5', '--rate', '50', '--expect', expect]);
  assert.equal((await run('lost=0')).code, 0);
  const missed = await run('delivered>1,000');
  assert.equal(missed.code, 1);
  assert.match(missed.out, /FAILED/);
  const unknown = await loadgen(['hold', ...door, '-n', '1', '--expect', 'p99>>1']);
  assert.equal(unknown.code, 2);
});

test('a wrong URL and an absent server are told with what to do', async () => {
  const path = await loadgen(['hold', '--url', `ws://${server.public}/nowhere`, '--admin', '', '-n', '5']);
  assert.equal(path.code, 1);
  assert.match(path.out, /wrong path: HTTP 404/);
  const nobody = await loadgen(['hold', '--url', 'ws://127.0.0.1:1/', '--admin', '', '-n', '5']);
  assert.equal(nobody.code, 3);
  assert.match(nobody.out, /nobody listens[^]*Is the server running/);
});

test('too few ports are told, and which addresses would give more', async () => {
  const { out } = await loadgen(['hold', ...door, '-n', '5', '--source', '203.0.113.1']); // TEST-NET-3: no address of ours
  assert.match(out, /too few ports[^]*--source/);
});

test('Ctrl-C gives the report so far', async () => {
  const { code, out } = await loadgen(['fanout', ...door, '-n', '50', '--rate', '20', '--for', '1h'],
    (err, child) => { if (/publishing/.test(err)) child.kill('SIGINT'); });
  assert.equal(code, 0);
  assert.match(out, /interrupted/);
  assert.match(out, /50 +open/);
});

test('a killed server ends the run, and what was seen is told', async () => {
  const mortal = await serve('--dev');
  const run = loadgen(['hold', '--url', `ws://${mortal.public}/ws?topic=x`, '--admin', mortal.admin, '-n', '50', '--for', '1h'],
    (err) => { if (/holding/.test(err)) mortal.stop('SIGKILL'); });
  const { code, out } = await run;
  assert.equal(code, 1);
  assert.match(out, /the server is gone/);
  assert.match(out, /50 +dropped without a close frame|50 +reset by the server/);
});

test('a storm: the server is restarted, and all are served again', async () => {
  const fixed = await serve('--dev');
  const { public: address, admin } = fixed;
  await fixed.stop();
  const { code, out, err } = await loadgen(['storm', '--url', `ws://${address}/ws?topic=x`, '--admin', '', '-n', '300',
    '--', binary, 'serve', '--dev', '--listen', address, '--admin', admin]);
  assert.equal(code, 0, err);
  assert.match(out, /300 +returned/);
});

test('nchan: the same figures of another server, by WebSocket and by server-sent events', async (t) => {
  const other = await nginx(`
    location = /pub { nchan_publisher; nchan_channel_id $arg_id; nchan_message_buffer_length 100; }
    location = /sub { nchan_subscriber; nchan_channel_id $arg_id; nchan_subscriber_first_message newest; }`,
  ['/usr/lib/nginx/modules/ngx_nchan_module.so']);
  t.after(() => other.stop());
  for (const scheme of ['ws', 'http']) {
    const r = await measured('fanout', '--admin', '', '-n', '100', '--url', `${scheme}://${other.address}/sub?id={topic}`,
      '--publish-url', `http://${other.address}/pub?id={topic}`, '--rate', '50', '--messages', '50', '--topic', `room-${scheme}`);
    assert.deepEqual([r.delivered, r.lost, r.repeated, r.disordered], [100 * 50, 0, 0, 0], scheme);
    assert.ok(r.p99 > 0 && r.p99 < 10, `p99 of ${r.p99} s`);
  }
});
