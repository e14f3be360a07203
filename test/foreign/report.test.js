// Chromium on the page of `loadgen compare --html`, with no network: every chart is drawn, nothing is asked for, and what a
// hostile server said stays text: in testdata/report.json one says <script> wherever text from outside may stand. With
// SCREENSHOT=FOLDER (relative to the repository) it leaves pictures of the pages there.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { copyFileSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { after, before, test } from 'node:test';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { chromium } from 'playwright-core';
import { binary, root } from './harness.js';

const args = ['--headless', '--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run',
  '--disable-background-networking', '--disable-component-update', '--disable-sync'];
const folder = mkdtempSync(join(tmpdir(), 'pushd-report-'));
const first = fileURLToPath(new URL('testdata/report.json', import.meta.url));
const second = join(folder, 'second.json');

let browser;

before(async () => {
  copyFileSync(first, second);
  browser = await chromium.launch({ executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium', args });
});

after(async () => {
  await browser?.close();
  rmSync(folder, { recursive: true });
});

/** Opens the page of reports without a network, and returns it with what the browser complained of and asked for. */
async function open(t, reports, options = {}) {
  const html = join(folder, `${reports.length}.html`);
  execFileSync(binary, ['loadgen', 'compare', '--html', html, ...reports], { stdio: ['ignore', 'pipe', 'inherit'] });
  const context = await browser.newContext({ viewport: { width: 1280, height: 900 }, ...options });
  t.after(() => context.close());
  await context.setOffline(true);
  const page = await context.newPage();
  page.complaints = [];
  page.requests = [];
  await context.route(/^(?!file:)/, (route) => route.abort());
  page.on('request', (request) => page.requests.push(request.url()));
  page.on('pageerror', (err) => page.complaints.push(String(err)));
  page.on('console', (message) => page.complaints.push(message.text()));
  page.on('dialog', (dialog) => { page.complaints.push(`a dialog: ${dialog.message()}`); dialog.dismiss(); });
  page.address = pathToFileURL(html).href;
  await page.goto(page.address);
  await drawn(page);
  return page;
}

/** Two frames: charts draw in the first that comes after what they were told. */
const drawn = (page) => page.evaluate(() => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done))));

/** Of each chart: its title, and the share of pixels of each of its canvases that are drawn in a line's colour. */
const charts = (page) => page.evaluate(() => {
  const pixels = (width, height, draw) => { // on a canvas that is meant to be read
    const context = new OffscreenCanvas(width, height).getContext('2d', { willReadFrequently: true });
    draw(context);
    return context.getImageData(0, 0, width, height).data;
  };
  // All but the sixth, which is that of the axes' text as well.
  const colours = Array.from({ length: 5 }, (_, i) => pixels(1, 1, (context) => {
    context.fillStyle = getComputedStyle(document.documentElement).getPropertyValue(`--c${i}`).trim();
    context.fillRect(0, 0, 1, 1);
  }));
  return [...document.querySelectorAll('figure[data-chart]')].map((figure) => ({
    title: figure.querySelector('figcaption').textContent,
    coloured: [...figure.querySelectorAll('canvas')].map((canvas) => {
      const data = pixels(canvas.width, canvas.height, (context) => context.drawImage(canvas, 0, 0));
      let n = 0;
      for (let i = 0; i < data.length; i += 4) {
        if (data[i + 3] > 200 && colours.some((c) => [0, 1, 2].every((k) => Math.abs(c[k] - data[i + k]) < 12))) n++;
      }
      return n / (canvas.width * canvas.height);
    }),
  }));
});

async function allDrawn(page) {
  const all = await charts(page);
  assert.equal(all.length, 10, `charts: ${all.map((chart) => chart.title).join(', ')}`);
  for (const { title, coloured } of all) {
    assert.ok(coloured.length > 0, `${title}: no canvas`);
    coloured.forEach((share, i) => assert.ok(share > 0.0005, `${title}: ${share} of canvas ${i} has the colour of a line`));
  }
}

async function picture(page, name) {
  if (process.env.SCREENSHOT) await page.screenshot({ path: resolve(root, process.env.SCREENSHOT, name), fullPage: true });
}

function quiet(page) {
  assert.deepEqual(page.complaints, []);
  assert.deepEqual(page.requests, [page.address], 'what the browser asked for');
}

test('a page draws every chart, without a network', async (t) => {
  const page = await open(t, [first]);
  await allDrawn(page);
  await picture(page, 'report.png');
  quiet(page);
});

test('two runs share the charts, in the dark', async (t) => {
  const page = await open(t, [first, second], { colorScheme: 'dark' });
  await allDrawn(page);
  assert.equal(await page.locator('.comparison thead th').count(), 2, 'runs side by side');
  assert.match(await page.locator('figure').first().textContent(), /second\.json/);
  await picture(page, 'report-dark.png');
  await page.emulateMedia({ colorScheme: 'light' });
  await drawn(page);
  await allDrawn(page); // in the colours of the day
  quiet(page);
});

test('what a server said is not run', async (t) => {
  const page = await open(t, [first, second]);
  assert.equal(await page.evaluate(() => typeof window.pwned), 'undefined');
  assert.equal(await page.locator('img').count(), 0);
  assert.equal(await page.locator('script').count(), 2);
  const text = await page.locator('body').innerText();
  assert.match(text, /<\/script><script>window\.pwned=1<\/script>/, 'what it said, as text');
  // Nor would it be, had it got through.
  await page.evaluate(() => {
    const script = document.createElement('script');
    script.textContent = 'window.pwned = 6';
    document.body.append(script);
  });
  assert.equal(await page.evaluate(() => typeof window.pwned), 'undefined');
  assert.match(page.complaints.join('\n'), /Content Security Policy/);
  await assert.rejects(page.evaluate(() => fetch('http://127.0.0.1:9/')), 'a request');
  assert.match(page.complaints.at(-1), /Content Security Policy|connect-src/);
});

test('values show under the mouse, at one moment in all charts', async (t) => {
  const page = await open(t, [first]);
  const latency = page.locator('figure', { hasText: 'Latency' }).first();
  const value = latency.locator('.u-series', { hasText: 'p99' }).locator('.u-value');
  assert.equal(await value.isVisible(), false);
  await page.locator('figure', { hasText: 'CPU' }).first().locator('.u-over').hover();
  await drawn(page);
  assert.equal(await value.isVisible(), true);
  assert.match(await value.textContent(), /^[\d.]+ (ms|µs)$/);
  assert.equal(await latency.locator('.u-series').first().textContent(), 'at1m');
});

test('charts and tables write a value the same way', async (t) => {
  const page = await open(t, [first]);
  const figures = await page.evaluate(() => [...document.querySelectorAll('[data-value]')].map((cell) => (
    { unit: cell.dataset.unit, go: cell.textContent, js: value(Number(cell.dataset.value), cell.dataset.unit) })));
  assert.ok(figures.length > 20, `${figures.length} figures`);
  assert.equal(new Set(figures.map(({ unit }) => unit)).size, 7, 'units');
  for (const { unit, go, js } of figures) assert.equal(js, go, `in ${unit}`);
});

test('it fits a telephone', async (t) => {
  const page = await open(t, [first, second], { viewport: { width: 400, height: 800 } });
  await allDrawn(page);
  assert.equal(await page.evaluate(() => document.documentElement.scrollWidth), 400);
  await picture(page, 'report-400.png');
  await page.setViewportSize({ width: 900, height: 800 });
  await drawn(page);
  await drawn(page); // one for the size, one for the charts
  await allDrawn(page);
  const widths = await page.evaluate(() => [...document.querySelectorAll('.panel')].map((panel) => [panel.clientWidth, panel.querySelector('.u-wrap').clientWidth]));
  for (const [room, taken] of widths) assert.equal(taken, room, 'a chart takes the room there is');
});
