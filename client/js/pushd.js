/**
 * pushd.js: a client of pushd for web pages, over WebSocket, dialect pushd.v1.
 *
 *     import { connect } from '/pushd.js';
 *     const c = connect();
 *     c.on('state', ({ state, retry }) => console.log(state, retry));
 *     const sub = c.subscribe('news', ({ data, position }) => console.log(data));
 *     await c.publish('chat.1', { say: 'hi' });
 *     sub.unsubscribe();
 *     c.close();
 *
 * A lost connection comes back by itself, after a random wait, and each topic goes on after the last message seen. Where
 * the server no longer holds all that was missed, a 'gap' tells so, and what it still holds follows. docs/PROTOCOL.md
 * has the wire.
 */

const STOP = new Set([1002, 1003, 1007, 1008, 1009, 4403, 4410]); // coming back would not help
const UNAUTHORIZED = 4401;
const BUSY = new Set(['overloaded', 'queue_full', 'draining', 'rate_limited']); // refused for now: asking again may help
const BASE = 500, CAP = 30_000; // ms: the back-off is random in [0, min(CAP, BASE * 2^n))
const LIVED = 10_000; // ms: a connection that lived so long begins the back-off anew
const HANDSHAKE = 10_000; // ms until the welcome
const MISSED = 2.5; // pings of silence that mean a dead server
const RETRY_MAX = 3_600_000; // ms: the longest wait that a close reason may ask for
const SEEN = 256; // positions a topic remembers, to know a repeat by
const BATCH = 128; // topics that one subscribe command may name

/**
 * @typedef {object} Message
 * @property {string} topic
 * @property {*} data  parsed JSON, a string for text, a Uint8Array for binary
 * @property {string} [event]
 * @property {string} [key]
 * @property {string} [position]  opaque; to be kept, and given as `since`, by a page that resumes after a reload
 * @property {boolean} retained  the newest value of its key from before the subscription
 *
 * @typedef {object} Options
 * @property {string | (() => string | Promise<string>)} [token]  asked before the first connection and after each 4401
 * @property {typeof WebSocket} [WebSocket]  for tests, and for Node before 22
 * @property {{now: () => number, setTimeout: Function, clearTimeout: Function}} [clock]  for tests
 * @property {() => number} [random]  for tests
 */

/**
 * Connects, and stays connected until close() or a close code that forbids it.
 * @param {string | URL} [url]  default: /ws on the page's host, wss where the page is https
 * @param {Options} [options]
 * @returns {Client}
 */
export function connect(url, options) {
  return new Client(url, options);
}

/**
 * Events, by on(name, f):
 *   state        {state: 'connecting' | 'open' | 'waiting' | 'closed', retry?: ms, code?, reason?}
 *   recovered    {topic, position}: a topic goes on with nothing missed
 *   gap          {topic, from?, to?, reason}: messages were missed. reason is the server's, or 'expired' where `since`
 *                could not be honoured, or 'missing' where a message does not follow the one before it
 *   subscribed   {topic, position, policy, maxRate?, retain}: what holds for a topic. retain: its retained values follow
 *   live         {topic}: retained values and replay are over
 *   delete       {topic, key, position?}: a retained key is gone
 *   message      {data, event?, key?}: a message for this connection alone
 *   error        {code, message, topic?}: the server refused something, or a handler threw (code 'handler'). A topic that
 *                was refused because the server is busy is asked for again, after a random wait
 */
export class Client {
  #url; #token; #credential; #WebSocket; #clock; #random;
  #ws = null; #timer; #pingMs; #heard = 0; #opened = 0; #failures = 0; #id = 0; #closed = false;
  #topics = new Map(); // name -> record
  #pending = new Set(); // topics to be subscribed to by the next command
  #publishes = new Map(); // id -> {resolve, reject}
  #listeners = new Map(); // event -> Set of functions
  #backoff = (n) => Math.floor(this.#random() * Math.min(CAP, BASE * 2 ** n)); // ms, after n failures

  /** The state last told: connecting, open, waiting or closed. */
  state = 'connecting';

  constructor(url = '/ws', options = {}) {
    this.#url = new URL(url, globalThis.location?.href);
    this.#url.protocol = this.#url.protocol.replace(/^http/, 'ws');
    this.#token = options.token;
    this.#WebSocket = options.WebSocket ?? globalThis.WebSocket;
    this.#random = options.random ?? Math.random;
    this.#clock = options.clock ?? {
      now: () => performance.now(),
      setTimeout: (f, ms) => setTimeout(f, ms),
      clearTimeout: (t) => clearTimeout(t),
    };
    queueMicrotask(() => this.#connect()); // so that on('state') sees the first one
  }

  /** Calls f for each event of that name, until the function that on returns is called. */
  on(event, f) {
    if (!this.#listeners.has(event)) this.#listeners.set(event, new Set());
    this.#listeners.get(event).add(f);
    return () => this.#listeners.get(event).delete(f);
  }

  /**
   * Calls handler for each message of topic. Handlers of one topic share one subscription: the options and the retained
   * values go to the first.
   * @param {string} topic  for a connection whose token has a sub also $user.SUB
   * @param {(message: Message) => void} handler
   * @param {{since?: string, maxRate?: number}} [options]  since: the position of the last message already seen; maxRate:
   *   how many values of each key a second at most, where the topic conflates
   * @returns {{unsubscribe: () => void}}
   */
  subscribe(topic, handler, { since, maxRate } = {}) {
    const own = { handler }; // the same function may be given twice
    let t = this.#topics.get(topic);
    if (!t) {
      this.#topics.set(topic, t = record(since, maxRate));
      this.#request(topic);
    }
    t.handlers.add(own);
    return {
      unsubscribe: () => {
        if (!t.handlers.delete(own) || t.handlers.size > 0) return;
        this.#topics.delete(topic);
        this.#clock.clearTimeout(t.timer);
        // A subscribe command that has not left needs no answer to it.
        if (!this.#pending.delete(topic)) this.#leave(topic);
      },
    };
  }

  /**
   * Publishes a Uint8Array as binary, a string as text, anything else as JSON. Resolves with {topic, position}; rejects
   * with an Error whose `code` is the server's, or 'not_connected' (nothing was sent), or 'connection_lost' (it may or
   * may not have been published).
   * @returns {Promise<{topic: string, position: string}>}
   */
  publish(topic, data, { event, key } = {}) {
    const id = ++this.#id;
    const payload = data instanceof Uint8Array ? { base64: encode64(data) }
      : typeof data === 'string' ? { text: data } : { data: data ?? null };
    return new Promise((resolve, reject) => {
      if (this.state !== 'open') return reject(failure('not_connected', `pushd: cannot publish while ${this.state}`));
      this.#publishes.set(id, { resolve, reject });
      this.#send({ op: 'publish', id, topic, event, key, ...payload });
    });
  }

  /** Ends the connection and every wait. May be called twice. */
  close() {
    this.#end(1000, 'closed by the page');
  }

  #end(code, reason) {
    if (this.#closed) return;
    this.#closed = true;
    this.#drop(code === 1000 ? 1000 : undefined);
    this.#tell('closed', { code, reason });
  }

  async #connect() {
    if (this.#closed) return;
    this.#tell('connecting');
    const protocols = ['pushd.v1'];
    if (this.#token !== undefined) {
      try {
        this.#credential ??= typeof this.#token === 'function' ? await this.#token() : this.#token;
      } catch (cause) {
        this.#emit('error', { code: 'token', message: `pushd: no token: ${cause?.message ?? cause}`, cause });
        return this.#lost(UNAUTHORIZED, '');
      }
      if (this.#closed) return; // while the token was fetched
      protocols.push(`bearer.${this.#credential}`);
    }
    let ws;
    try {
      ws = this.#ws = new this.#WebSocket(this.#url.href, protocols);
    } catch (cause) { // a URL or token that no later attempt would like better
      this.#emit('error', { code: 'bad_request', message: `pushd: ${cause.message}`, cause });
      return this.#end(1008, cause.message);
    }
    this.#heard = this.#clock.now();
    this.#pingMs = undefined;
    this.#watch();
    // A socket that was given up may still speak; nobody listens.
    ws.onmessage = (e) => { if (ws === this.#ws) this.#receive(e.data); };
    ws.onclose = (e) => { if (ws === this.#ws) this.#lost(e.code, e.reason); };
  }

  /** One timer watches for silence. Any frame is a sign of life: a server does not ping a connection it writes to. */
  #watch() {
    const limit = this.#pingMs === undefined ? HANDSHAKE : MISSED * this.#pingMs;
    const left = this.#heard + limit - this.#clock.now();
    if (left <= 0) return this.#lost(1006, 'the server fell silent');
    this.#after(left, () => this.#watch());
  }

  #after(ms, f) {
    this.#clock.clearTimeout(this.#timer);
    this.#timer = this.#clock.setTimeout(f, ms);
  }

  /** Forgets the socket, and all that was asked on it. */
  #drop(code) {
    this.#clock.clearTimeout(this.#timer);
    const ws = this.#ws;
    this.#ws = null;
    if (ws && ws.readyState < 2) ws.close(code);
    for (const t of this.#topics.values()) {
      this.#clock.clearTimeout(t.timer);
      Object.assign(t, { ready: false, asked: 0 });
    }
    for (const p of this.#publishes.values()) p.reject(failure('connection_lost', 'pushd: the connection was lost'));
    this.#publishes.clear();
  }

  /** The connection is gone: stop, or come back after a wait. */
  #lost(code, reason) {
    if (this.#closed) return;
    if (STOP.has(code)) return this.#end(code, reason);
    if (code === UNAUTHORIZED) {
      if (typeof this.#token !== 'function') return this.#end(code, reason);
      this.#credential = undefined;
    }
    this.#drop();
    if (this.state === 'open' && this.#clock.now() - this.#opened >= LIVED) this.#failures = 0;
    const asked = /\bretry_ms=(\d+)/.exec(reason)?.[1];
    const wait = this.#backoff(this.#failures++);
    const retry = asked ? Math.min(Number(asked), RETRY_MAX) : wait;
    this.#after(retry, () => this.#connect());
    this.#tell('waiting', { retry, code, reason });
  }

  #receive(text) {
    this.#heard = this.#clock.now();
    let m;
    try {
      m = Object(JSON.parse(text));
    } catch {
      return this.#emit('error', { code: 'bad_json', message: 'pushd: the server sent a frame that is not JSON' });
    }
    const t = this.#topics.get(m.topic);
    switch (m.op) {
      case 'welcome': return this.#welcome(m);
      case 'ping': return this.#send({ op: 'pong' });
      case 'subscribed': // no id: the URL named the topic. Another's: the answer to a subscription since given up
        if (m.id === undefined && isUser(m.topic)) return; // it had to: the answer to our own command follows
        return t && (m.id ?? t.asked) === t.asked && this.#subscribed(t, m);
      case 'message':
        if (m.topic === undefined) return this.#emit('message', { data: payload(m), event: m.event, key: m.key });
        return t?.ready && this.#message(t, m);
      case 'live':
        // Without a message since, the position at which the subscription began is where to resume.
        if (t?.ready && t.fresh) t.position = t.joined;
        return this.#emit('live', { topic: m.topic });
      case 'gap':
        if (t?.ready) t.position = m.to; // the previous of the next message
        return this.#emit('gap', { topic: m.topic, from: m.from, to: m.to, reason: m.reason });
      case 'delete':
        return (!t || t.ready && this.#take(t, m)) && this.#emit('delete', { topic: m.topic, key: m.key, position: m.position });
      case 'published': return this.#settle(m, (p) => p.resolve({ topic: m.topic, position: m.position }));
      case 'error':
        if (this.#settle(m, (p) => p.reject(failure(m.code, m.message)))) return;
        if (BUSY.has(m.code)) this.#refused(m);
        return this.#emit('error', { code: m.code, message: m.message, topic: m.topic });
    } // unsubscribed, pong, and whatever a later version adds: nothing to do
  }

  #welcome(m) {
    this.#opened = this.#clock.now();
    this.#pingMs = m.ping_ms > 0 ? m.ping_ms : Infinity;
    if (this.#pingMs === Infinity) this.#clock.clearTimeout(this.#timer); // a server that never pings may be silent
    else this.#watch();
    this.#tell('open', { connection: m.connection });
    for (const name of this.#topics.keys()) this.#request(name);
  }

  /** Puts a topic into the next subscribe command. A page's subscriptions of one moment go out together. */
  #request(name) {
    if (this.state !== 'open') return;
    if (this.#pending.add(name).size > 1) return;
    queueMicrotask(() => {
      const names = [...this.#pending];
      this.#pending.clear();
      for (let i = 0; i < names.length; i += BATCH) {
        const id = ++this.#id;
        const topics = names.slice(i, i + BATCH).map((name) => {
          const t = this.#topics.get(name);
          t.asked = id;
          return { name, since: t.position, max_rate: t.maxRate };
        });
        this.#send({ op: 'subscribe', id, topics });
      }
    });
  }

  #leave(topic) {
    if (!isUser(topic)) this.#send({ op: 'unsubscribe', id: ++this.#id, topics: [topic] });
  }

  /** Asks again, later, for the topic that was refused, or for all of the command where the error names none. */
  #refused({ id, topic }) {
    for (const [name, t] of this.#topics) {
      if (t.asked !== id || (topic ?? name) !== name) continue;
      t.asked = 0;
      t.timer = this.#clock.setTimeout(() => this.#request(name), this.#backoff(t.refusals++));
    }
  }

  #subscribed(t, { topic, position, recovered, history, policy, max_rate, retain = false }) {
    const since = t.position, again = t.again;
    Object.assign(t, { ready: true, asked: 0, refusals: 0, joined: position, fresh: true, chained: true, again: false });
    this.#emit('subscribed', { topic, position, policy, maxRate: max_rate, retain });
    if (recovered === true) {
      if (!again) this.#emit('recovered', { topic, position });
    } else if (recovered === false) {
      // Delivery has begun at `position`. What is held from before it has to be asked for, and could meanwhile have
      // been dropped as well: then this is where it goes on. The newest values of all keys need no history.
      const ask = !again && !retain && history !== undefined && history !== position;
      t.position = ask ? history : position;
      if (ask) {
        Object.assign(t, { ready: false, again: true });
        this.#leave(topic);
        this.#request(topic);
      }
      this.#emit('gap', { topic, from: since, to: t.position, reason: 'expired' });
    }
    if (retain) t.position = undefined; // until its values have come, coming back means from the start
    else if (recovered === undefined) t.position = position;
  }

  /** Notes that m has come. False: it had come before. */
  #take(t, m) {
    if (m.retained) {
      t.chained = false; // a value from the past is no link of the chain
    } else if (m.previous !== undefined) {
      // Positions are opaque, but they form a chain: what follows a position already passed has been seen. What has the
      // position of the message before it nobody published: a key has expired.
      if (t.seen.has(m.previous) || m.position === t.position && m.position !== m.previous) return false;
      if (t.chained && m.previous !== t.position) {
        this.#emit('gap', { topic: m.topic, from: t.position, to: m.previous, reason: 'missing' });
      }
      t.chained = true;
      if (m.position !== m.previous && t.seen.add(m.previous).size > SEEN) t.seen.delete(t.seen.values().next().value);
    }
    if (m.position !== undefined) t.position = m.position;
    t.fresh &&= m.retained === true;
    return true;
  }

  #message(t, m) {
    if (!this.#take(t, m)) return;
    const message = { topic: m.topic, data: payload(m), event: m.event, key: m.key, position: m.position, retained: m.retained === true };
    for (const { handler } of [...t.handlers]) this.#call(handler, message);
  }

  #settle(m, f) {
    const p = this.#publishes.get(m.id);
    if (!p) return false;
    this.#publishes.delete(m.id);
    f(p);
    return true;
  }

  #send(command) {
    if (this.state === 'open' && this.#ws?.readyState === 1) this.#ws.send(JSON.stringify(command));
  }

  #tell(state, detail) {
    this.state = state;
    this.#emit('state', { state, ...detail });
  }

  #emit(event, detail) {
    const listeners = [...(this.#listeners.get(event) ?? [])];
    if (event === 'error' && listeners.length === 0) console.error(detail.message, detail.cause ?? '');
    for (const f of listeners) this.#call(f, detail, event === 'error');
  }

  /** A handler that throws harms neither the others nor the connection. */
  #call(f, argument, last = false) {
    try {
      f(argument);
    } catch (cause) {
      if (last) console.error(cause);
      else this.#emit('error', { code: 'handler', message: `pushd: a handler threw: ${cause?.message ?? cause}`, cause });
    }
  }
}

/** What is known of one topic. */
function record(since, maxRate) {
  return {
    handlers: new Set(),
    maxRate,
    position: since, // where to resume
    joined: undefined, // where the subscription began
    asked: 0, // the id of the subscribe command that is to be answered
    refusals: 0, // of such commands, because the server was busy
    timer: undefined, // until the next is sent
    ready: false, // subscribed on this connection: what came before is left over from an earlier subscription
    again: false, // subscribing anew, from what history there is
    fresh: true, // only retained values have come since `joined`
    chained: false, // the next message's `previous` should be `position`
    seen: new Set(), // the newest `previous` of what was delivered
  };
}

/** A user's topic: its connections are subscribed to it from their first moment to their last, and may be so anew. */
function isUser(topic) {
  return topic.startsWith('$user.');
}

function failure(code, message) {
  return Object.assign(new Error(message), { code });
}

function payload({ data, text, base64 }) {
  return text ?? (base64 === undefined ? data : decode64(base64));
}

function encode64(bytes) {
  return btoa(Array.from(bytes, (b) => String.fromCharCode(b)).join(''));
}

function decode64(text) {
  return Uint8Array.from(atob(text), (c) => c.charCodeAt(0));
}
