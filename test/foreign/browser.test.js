// Chromium on the page of `serve --demo`: prices move, and go on moving after a cut. With SCREENSHOT=FILE (relative to the
// repository) it also takes the picture that the README shows.
import assert from 'node:assert/strict';
import { resolve } from 'node:path';
import { after, before, test } from 'node:test';
import { chromium } from 'playwright-core';
import { curl, root, serve, until } from './harness.js';

const args = ['--headless', '--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run',
  '--disable-background-networking', '--disable-component-update', '--disable-sync'];

let server, browser, page;
const complaints = []; // of the page: what the console and uncaught errors said

before(async () => {
  server = await serve('--demo', '--compress');
  browser = await chromium.launch({ executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium', args });
  page = await browser.newPage({ viewport: { width: 1280, height: 800 } });
  page.on('pageerror', (err) => complaints.push(String(err)));
  page.on('console', (message) => { if (message.type() === 'error') complaints.push(message.text()); });
  const res = await page.goto(`http://${server.public}/`);
  assert.equal(res.status(), 200, 'the status of /');
});

after(async () => {
  await browser?.close();
  await server?.stop();
});

const state = () => page.locator('body').getAttribute('data-state');
const prices = () => page.locator('#board .value').allTextContents();

async function open() {
  let last;
  await until('the page to be open', async () => (last = await state()) === 'open')
    .catch((err) => assert.fail(`${err.message}: it is ${last}; the page says ${JSON.stringify(complaints)}`));
}

/** Every tile has a price, and some of them change. */
async function moving() {
  const first = await until('a price in every tile', async () => {
    const shown = await prices();
    return shown.length > 0 && shown.every((text) => /\d/.test(text)) && shown;
  });
  await until(`a price to change from ${first.join(' ')}`, async () => (await prices()).some((text, i) => text !== first[i]));
}

test('the demo shows moving prices', async () => {
  await open();
  await moving();
  assert.deepEqual(complaints, []);
});

test('the browser takes compressed messages', async () => {
  const extensions = await page.evaluate(() => new Promise((resolve, reject) => {
    const ws = new WebSocket(`ws://${location.host}/ws?topic=demo.long`);
    window.heard = new Promise((hear) => { ws.onmessage = ({ data }) => hear(data); });
    ws.onopen = () => resolve(ws.extensions);
    ws.onerror = reject;
  }));
  assert.equal(extensions, 'permessage-deflate; server_no_context_takeover; client_no_context_takeover');
  const long = JSON.stringify(Array.from({ length: 100 }, (_, i) => ({ price: 181 + i / 100 })));
  await server.publish('demo.long', long);
  assert.equal(await page.evaluate(() => window.heard), long);
  const { body } = await curl([`http://${server.admin}/metrics`]);
  assert.match(body, /^pushd_deflated_messages_total [1-9]/m);
});

test('the demo survives a cut', async () => {
  const cut = await server.connections();
  assert.ok(cut.length > 0, 'the page has no connection that the admin door lists');
  for (const id of cut) await server.cut(id);
  await until('a new connection', async () => (await server.connections()).some((id) => !cut.includes(id)), 30_000);
  await open();
  await moving();
  assert.equal(await page.locator('#gaps').textContent(), '0', 'gaps that the page counted');
});

if (process.env.SCREENSHOT) {
  test('the picture', async () => {
    const count = async () => Number((await page.locator('#count').textContent()).replace(/\D/g, ''));
    await until('1,000 messages, so that there are lines to see', async () => await count() >= 1000, 60_000);
    await page.screenshot({ path: resolve(root, process.env.SCREENSHOT) });
  });
}
