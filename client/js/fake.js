// What the tests share: a client on a fake clock and fake sockets.
import { connect } from './pushd.js';

/** A clock that stands until it is told to go on. */
class Clock {
  time = 0;
  timers = new Map();
  last = 0;
  now = () => this.time;
  setTimeout = (f, ms) => {
    this.timers.set(++this.last, { due: this.time + ms, f });
    return this.last;
  };
  clearTimeout = (id) => this.timers.delete(id);

  async pass(ms) {
    const end = this.time + ms;
    for (;;) {
      const [id, timer] = [...this.timers].filter(([, t]) => t.due <= end).sort(([, a], [, b]) => a.due - b.due)[0] ?? [];
      if (!timer) break;
      this.timers.delete(id);
      this.time = timer.due;
      timer.f();
      await settle();
    }
    this.time = end;
  }
}

/** Lets every promise and microtask that is ready run. */
export const settle = () => new Promise((r) => setImmediate(r));

/** A client on fakes: `sockets` are those that it opened, `sent` what it said on the newest, `events` what it told. */
export async function start(options = {}, [url] = ['ws://host/ws']) {
  const clock = new Clock(), sockets = [], events = [];
  class FakeSocket {
    readyState = 1;
    sent = [];
    constructor(address, protocols) {
      Object.assign(this, { address, protocols });
      sockets.push(this);
    }
    send(text) { this.sent.push(JSON.parse(text)); }
    close(code) { this.readyState = 2; this.closedWith = code; }
    push(...frames) { for (const f of frames) this.onmessage({ data: JSON.stringify(f) }); }
    fail(code = 1006, reason = '') { this.readyState = 3; this.onclose({ code, reason }); }
  }
  const client = connect(url, { WebSocket: FakeSocket, clock, random: () => 0.5, ...options });
  for (const name of ['state', 'gap', 'recovered', 'live', 'delete', 'error']) client.on(name, (e) => events.push({ on: name, ...e }));
  await settle();
  const harness = {
    client, clock, sockets, events,
    get ws() { return sockets.at(-1); },
    get sent() { return sockets.at(-1).sent; },
    get state() { return events.filter((e) => e.on === 'state').at(-1); },
    told: (name) => events.filter((e) => e.on === name),
    async welcome(extra) {
      harness.ws.push({ op: 'welcome', version: 1, connection: 'c', ping_ms: 25000, max_message: 65536, ...extra });
      await settle();
    },
  };
  return harness;
}

/** A client that is open and subscribed to `t` at e:10; `got` collects the messages. */
export async function subscribed(options, since) {
  const h = await start(options);
  h.got = [];
  h.sub = h.client.subscribe('t', (m) => h.got.push(m), { since });
  await h.welcome();
  return h;
}

export const reply = (extra) => ({ op: 'subscribed', id: 1, topic: 't', position: 'e:10', policy: 'disconnect', ...extra });
export const message = (n, extra) => ({ op: 'message', topic: 't', position: `e:${n}`, previous: `e:${n - 1}`, data: n, ...extra });
export const numbers = (h) => h.got.map((m) => m.data);
