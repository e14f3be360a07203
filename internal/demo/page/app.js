// The demo page: what the server pushes, drawn at most once a frame. Messages only change `stocks`; paint() reads them.
import { connect } from '/pushd.js';

const POINTS = 120; // prices in a sparkline
const PRINTS = 6; // last messages, where topics are few
const FEW = 8; // topics, at most, that get room for them
const CALM = 350; // ms between two flashes of a tile: fewer than three a second (WCAG 2.3.1)
const OLD = 10_000; // ms: an older message was replayed, and says nothing of latency

const $ = (id) => document.getElementById(id);
const money = new Intl.NumberFormat('en', { minimumFractionDigits: 2, maximumFractionDigits: 2 });
const whole = new Intl.NumberFormat('en');
const percent = new Intl.NumberFormat('en', { style: 'percent', minimumFractionDigits: 2, signDisplay: 'exceptZero' });
const still = matchMedia('(prefers-reduced-motion: reduce)');
const dark = matchMedia('(prefers-color-scheme: dark)');

const stocks = new Map(); // topic -> what is known and the tile that shows it
const dirty = new Set(); // stocks that changed since the last frame
let frame = 0, paused = false, colour = colours();

const seconds = new Array(60).fill(0); // messages in each of the last seconds, the last one under way
let count = 0, gaps = 0, ages = [];

const config = await (await fetch('/demo/config.json')).json();
describe(config);
for (const topic of config.topics) stocks.set(topic, stock(topic));
$('board').classList.toggle('few', config.topics.length <= FEW);
$('board').append(...[...stocks.values()].map((s) => s.tile));

const client = connect();
for (const [topic, s] of stocks) client.subscribe(topic, (m) => receive(s, m.data));
listen(client);
setInterval(second, 1000);

// Words

function describe({ simulated, topics }) {
  $('badge').textContent = simulated ? 'Simulated market' : 'Recorded order flow';
  $('badge').hidden = false;
  $('title').textContent = simulated ? `${topics.length} invented companies, pushed as they trade`
    : 'Recorded order flow, replayed as it happened';
  $('about').textContent = (simulated ? 'Nothing here is for sale. A simulation makes up every trade'
    : 'These orders are history. A tape plays them again with their own timing')
    + '; the server pushes each one over a single WebSocket. Changes and lines begin when this page opened.';
  const local = ['localhost:8080', '127.0.0.1:8080'].includes(location.host);
  const at = local ? '' : ` --url ${location.protocol.replace('http', 'ws')}//${location.host}/ws`;
  $('command').textContent = `bin/pushd subscribe ${topics[0] ?? 'demo.quotes.ACME'}${at}`;
  $('fine').textContent = 'It needs no token: --demo opens these topics to whoever reaches the server.';
}

// Messages

function stock(topic) {
  const tile = $('tile').content.firstElementChild.cloneNode(true);
  const at = (selector) => tile.querySelector(selector);
  const title = topic.replace(/^demo\.(quotes\.)?/, '');
  at('h2').textContent = title;
  at('.name').textContent = config.names?.[topic] ?? topic;
  tile.dataset.empty = '';
  const last = at('.last');
  const [trade, pace] = [0, 1].map(() => last.appendChild(document.createElement('span')));
  trade.textContent = 'nothing yet';
  return {
    tile, trade, pace, arrow: at('.arrow'), value: at('.value'), change: at('.change'), canvas: at('canvas'),
    flash: at('.flash'), list: at('.prints'), flashed: 0, tick: '',
    open: undefined, price: undefined, points: [], prints: [], seconds: new Array(10).fill(0), data: undefined,
  };
}

function receive(s, data) {
  count++;
  seconds[59]++;
  s.seconds[9]++;
  s.data = data;
  const age = Date.now() - data?.time;
  if (age > -OLD && age < OLD) ages.push(Math.max(0, age));
  if (typeof data?.price === 'number') {
    if (s.price !== undefined && data.price !== s.price) s.tick = data.price > s.price ? 'up' : 'down';
    s.price = data.price;
    s.open ??= data.price;
    if (s.points.push(data.price) > POINTS) s.points.shift();
  }
  if (s.prints.unshift(data) > PRINTS) s.prints.pop();
  touch(s);
}

function touch(s) {
  dirty.add(s);
  if (!paused) frame ||= requestAnimationFrame(paint);
}

// Drawing

function paint(now) {
  frame = 0;
  for (const s of dirty) draw(s, now);
  dirty.clear();
}

function draw(s, now) {
  if (s.data === undefined) return;
  delete s.tile.dataset.empty;
  if (s.price === undefined) {
    s.value.textContent = '';
    s.trade.textContent = typeof s.data === 'string' ? s.data : JSON.stringify(s.data);
    return;
  }
  const change = s.price / s.open - 1;
  const trend = s.price > s.open ? 'up' : s.price < s.open ? 'down' : '';
  s.value.textContent = money.format(s.price);
  s.change.textContent = Number.isFinite(change) ? percent.format(change) : '';
  s.trade.textContent = [s.data?.side, s.data?.size && whole.format(s.data.size)].filter(Boolean).join(' ');
  s.tile.dataset.trend = trend;
  if (s.tick) {
    s.tile.dataset.tick = s.tick;
    s.arrow.textContent = s.tick === 'up' ? '▲' : '▼';
    if (!still.matches && now - s.flashed >= CALM) {
      s.flashed = now;
      s.flash.animate({ opacity: [0.3, 0] }, { duration: 1000, easing: 'ease-out' });
    }
    s.tick = '';
  }
  if (stocks.size <= FEW) s.list.replaceChildren(...s.prints.map(print));
  sparkline(s.canvas, s.points, s.open, colour[trend] ?? colour.soft);
}

function print(data) {
  const li = document.createElement('li');
  li.className = data?.side === 'sell' ? 'sell' : 'buy';
  const cells = [data?.side ? `${data.side === 'sell' ? '▼' : '▲'} ${data.side}` : '', whole.format(data?.size ?? 0), money.format(data?.price ?? 0)];
  li.append(...cells.map((text) => Object.assign(document.createElement('span'), { textContent: text })));
  return li;
}

/** Gives the canvas as many pixels as it covers, and a context in CSS pixels. */
function pen(canvas) {
  const ratio = devicePixelRatio || 1, w = canvas.clientWidth, h = canvas.clientHeight;
  if (canvas.width !== Math.round(w * ratio) || canvas.height !== Math.round(h * ratio)) {
    canvas.width = Math.round(w * ratio);
    canvas.height = Math.round(h * ratio);
  }
  const g = canvas.getContext('2d');
  g.setTransform(ratio, 0, 0, ratio, 0, 0);
  g.clearRect(0, 0, w, h);
  return { g, w, h };
}

function sparkline(canvas, points, open, stroke) {
  const { g, w, h } = pen(canvas);
  const low = Math.min(open, ...points), high = Math.max(open, ...points);
  const pad = 4, y = (p) => h - pad - (h - 2 * pad) * (high > low ? (p - low) / (high - low) : 0.5);
  const step = (w - 2 * pad) / (POINTS - 1), x = (i) => w - pad - (points.length - 1 - i) * step;

  g.strokeStyle = colour.line;
  g.lineWidth = 1;
  g.setLineDash([3, 3]);
  g.beginPath();
  g.moveTo(0, y(open));
  g.lineTo(w, y(open));
  g.stroke();
  g.setLineDash([]);

  g.beginPath();
  points.forEach((p, i) => (i ? g.lineTo(x(i), y(p)) : g.moveTo(x(i), y(p))));
  g.strokeStyle = g.fillStyle = stroke;
  g.lineWidth = 1.6;
  g.lineJoin = 'round';
  g.stroke();
  g.lineTo(x(points.length - 1), y(open));
  g.lineTo(x(0), y(open));
  g.globalAlpha = 0.12;
  g.fill();
  g.globalAlpha = 1;
  g.beginPath();
  g.arc(x(points.length - 1), y(points.at(-1)), 2.6, 0, 7);
  g.fill();
}

function bars() {
  const { g, w, h } = pen($('bars'));
  const done = seconds.slice(0, 59), top = Math.max(10, ...done), each = w / done.length;
  done.forEach((n, i) => {
    g.fillStyle = i === 58 ? colour.signal : colour.soft;
    g.globalAlpha = i === 58 ? 1 : 0.45;
    const tall = Math.max(1, (n / top) * h);
    g.fillRect(i * each, h - tall, Math.max(1, each - 0.8), tall);
  });
}

function colours() {
  const style = getComputedStyle(document.documentElement);
  return Object.fromEntries(['up', 'down', 'soft', 'line', 'signal'].map((n) => [n, style.getPropertyValue(`--${n}`).trim()]));
}

/** Once a second: the figures. */
function second() {
  if (!paused) {
    $('rate').textContent = whole.format(seconds[59]);
    $('count').textContent = whole.format(count);
    if (ages.length > 0) $('latency').textContent = `${whole.format(ages.sort((a, b) => a - b)[ages.length >> 1])} ms`;
  }
  ages = [];
  seconds.push(0);
  seconds.shift();
  for (const s of stocks.values()) {
    const n = s.seconds.reduce((a, b) => a + b) / s.seconds.length;
    s.seconds.push(0);
    s.seconds.shift();
    if (!paused && s.data !== undefined) s.pace.textContent = `${n.toFixed(1)}/s`;
  }
  if (!paused) bars();
}

// The connection, and the reader's wishes

function listen(c) {
  let due = 0, countdown, broken = false, recovered = 0;
  const show = (text) => { $('state').textContent = text; };
  c.on('state', ({ state, retry, reason }) => {
    document.body.dataset.state = state;
    clearInterval(countdown);
    if (state === 'open') {
      show('Connected');
      if (broken) setTimeout(back, 1500, gaps);
      broken = false;
    } else if (state === 'waiting') {
      broken = true;
      due = Date.now() + retry;
      const tell = () => show(`Reconnecting in ${Math.max(0, Math.ceil((due - Date.now()) / 1000))} s`);
      tell();
      countdown = setInterval(tell, 250);
    } else {
      show(state === 'closed' ? `Closed${reason ? `: ${reason}` : ''}. Reload to come back` : 'Connecting');
    }
    // Spoken once a change: neither the countdown nor the prices.
    $('spoken').textContent = { open: 'Connected', waiting: 'Connection lost, reconnecting', closed: 'Connection closed' }[state] ?? '';
  });
  c.on('recovered', () => recovered++);
  c.on('gap', () => { $('gaps').textContent = whole.format(++gaps); });
  function back(before) {
    if (document.body.dataset.state !== 'open') return;
    show(gaps > before ? 'Connected, with gaps' : recovered ? 'Connected, nothing missed' : 'Connected');
    recovered = 0;
  }
}

$('pause').addEventListener('click', () => {
  paused = !paused;
  $('pause').setAttribute('aria-pressed', paused);
  $('pause').textContent = paused ? 'Paused' : 'Pause';
  if (!paused) repaint();
});

$('copy').addEventListener('click', async () => {
  try {
    await navigator.clipboard.writeText($('command').textContent);
    $('copy').textContent = 'Copied';
  } catch { // no secure context: leave it selected, for the keyboard
    getSelection().selectAllChildren($('command'));
    $('copy').textContent = 'Selected';
  }
  setTimeout(() => { $('copy').textContent = 'Copy'; }, 2000);
});

function repaint() {
  colour = colours();
  for (const s of stocks.values()) touch(s);
  bars();
}
dark.addEventListener('change', repaint);
addEventListener('resize', repaint);
