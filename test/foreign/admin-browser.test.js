// Chromium as an attacker's tool: pages of another origin, and a page whose name was made to lead to the admin door (DNS
// rebinding), try to publish, to delete and to read there. None may.
import assert from 'node:assert/strict';
import { createServer } from 'node:http';
import { after, before, test } from 'node:test';
import { chromium } from 'playwright-core';
import { serve } from './harness.js';

const args = ['--headless', '--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run',
  '--disable-background-networking', '--disable-component-update', '--disable-sync',
  '--host-resolver-rules=MAP evil.example 127.0.0.1'];

let server, browser, attacker, evil, port;

before(async () => {
  server = await serve('--dev');
  port = server.admin.split(':')[1];
  attacker = createServer((req, res) => {
    res.setHeader('Content-Type', 'text/html');
    res.end(`<form id="f" method="POST" target="t" enctype="text/plain" action="http://127.0.0.1:${port}/v1/topics/stolen/messages">
      <input name="a" value="b"></form><iframe name="t"></iframe>`);
  });
  await new Promise((resolve) => attacker.listen(0, '127.0.0.1', resolve));
  evil = `http://evil.example:${attacker.address().port}/`;
  browser = await chromium.launch({ executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium', args });
});

after(async () => {
  await browser?.close();
  attacker?.close();
  await server?.stop();
});

/** The topics that the admin door knows, asked by nobody's page. */
async function topics() {
  const res = await fetch(`http://127.0.0.1:${port}/v1/topics`);
  return (await res.json()).topics.map((t) => t.topic);
}

test('a form of another origin publishes nothing', async () => {
  const page = await browser.newPage();
  await page.goto(evil);
  const answered = page.waitForResponse((res) => res.url().includes('/v1/topics/stolen/messages'));
  await page.evaluate(() => document.getElementById('f').submit());
  assert.equal((await answered).status(), 403);
  assert.deepEqual(await topics(), []);
  await page.close();
});

test('fetch from another origin does nothing and reads nothing', async () => {
  const page = await browser.newPage();
  await page.goto(evil);
  const requests = [
    ['POST', '/v1/topics/stolen/messages', { mode: 'no-cors' }],
    ['POST', '/v1/messages', { mode: 'no-cors' }],
    ['POST', '/v1/bans', { mode: 'no-cors' }],
    ['POST', '/v1/reload', { mode: 'no-cors' }],
    ['POST', '/v1/topics/stolen/messages', {}],
    ['DELETE', '/v1/connections/0-0-1', {}],
    ['GET', '/v1/topics', {}],
    ['GET', '/metrics', {}],
  ];
  for (const host of ['127.0.0.1', 'localhost']) {
    for (const [method, path, options] of requests) {
      const got = await page.evaluate(async ([url, method, options]) => {
        try {
          const res = await fetch(url, { method, body: method === 'POST' ? 'x' : undefined, ...options });
          return `${res.type} ${res.status} ${await res.text()}`;
        } catch { return 'failed'; }
      }, [`http://${host}:${port}${path}`, method, options]);
      assert.ok(got === 'failed' || got === 'opaque 0 ', `${method} ${path} on ${host}: the page has read ${got}`);
    }
  }
  assert.deepEqual(await topics(), []);
  await page.close();
});

test('a name that was made to lead to the admin door is not served there', async () => {
  const page = await browser.newPage();
  const res = await page.goto(`http://evil.example:${port}/v1/topics`);
  assert.equal(res.status(), 403);
  // From here on the page is of one origin with the door, as the browser sees it.
  for (const [method, path] of [['GET', '/v1/topics'], ['POST', '/v1/topics/stolen/messages'], ['GET', '/metrics'], ['GET', '/debug/pprof/'], ['GET', '/healthz']]) {
    const status = await page.evaluate(async ([path, method]) => (await fetch(path, { method, body: method === 'POST' ? 'x' : undefined })).status, [path, method]);
    assert.equal(status, 403, `${method} ${path}`);
  }
  assert.deepEqual(await topics(), []);
  await page.close();
});

test('a WebSocket of another origin is not opened', async () => {
  const page = await browser.newPage();
  await page.goto(evil);
  const opened = await page.evaluate((address) => new Promise((resolve) => {
    const ws = new WebSocket(`ws://${address}/ws?topic=a`);
    ws.onopen = () => resolve(true);
    ws.onerror = () => resolve(false);
  }), server.public);
  assert.equal(opened, false);
  await page.close();
});
