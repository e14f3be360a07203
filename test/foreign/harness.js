// Starts a real pushd on free ports and gives the tests their few verbs. Everything waits for a condition with a deadline,
// and says at the deadline what it waited for and what it saw instead.
import assert from 'node:assert/strict';
import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { setTimeout as pause } from 'node:timers/promises';
import { WebSocket } from 'ws';

export const root = fileURLToPath(new URL('../..', import.meta.url));
export const binary = process.env.PUSHD ?? `${root}bin/pushd`;
const PATIENCE = 10_000; // ms: far above what anything here takes, so that only a fault reaches it

const children = new Set();
process.on('exit', () => children.forEach((child) => child.kill('SIGKILL')));

/** Starts `pushd serve` with more flags, and returns once both doors are open. */
export async function serve(...flags) {
  const args = ['serve', ...flags, '--listen', '127.0.0.1:0', '--admin', '127.0.0.1:0'];
  const child = spawn(binary, args, { stdio: ['ignore', 'ignore', 'pipe'] });
  children.add(child);
  const server = new Server(child);
  try {
    await until('the log to name the addresses of both doors', () => {
      if (server.ended) throw new Error(`pushd ended by ${server.ended}`);
      return server.public && server.admin;
    });
  } catch (err) {
    child.kill('SIGKILL');
    throw new Error(`${binary} ${args.join(' ')}: ${err.message}; its log:\n${server.log}`, { cause: err });
  }
  return server;
}

class Server {
  log = '';
  ended = ''; // how it ended: "exit code 0", "signal SIGKILL"
  #child; #exit;

  constructor(child) {
    this.#child = child;
    child.stderr.setEncoding('utf8').on('data', (text) => { this.log += text; });
    this.#exit = new Promise((resolve) => {
      const end = (how) => { this.ended ||= how; children.delete(child); resolve(this.ended); };
      child.once('error', (err) => end(`failing to start: ${err.message}`));
      child.once('close', (code, signal) => end(signal ? `signal ${signal}` : `exit code ${code}`));
    });
  }

  get public() { return this.#door('public'); } // host:port
  get admin() { return this.#door('admin'); }

  #door(name) {
    return this.log.match(new RegExp(`\\bmsg=listening\\b.*\\bdoor=${name}\\b.*\\baddr="?([^\\s"]+)"?.*\\n`))?.[1];
  }

  /** Signals it and returns how it ended. */
  async stop(signal = 'SIGTERM') {
    this.#child.kill(signal);
    const ended = await Promise.race([this.#exit, pause(PATIENCE, undefined, { ref: false })]);
    if (ended) return ended;
    this.#child.kill('SIGKILL');
    throw new Error(`pushd still ran ${PATIENCE} ms after ${signal}; its log:\n${this.log}`);
  }

  /** Opens a WebSocket at path. Rejects with status and body where the server refuses. */
  async connect(path, protocols = [], options = {}) {
    const { address = this.public, ...more } = options; // a proxy's
    const ws = new WebSocket(`ws://${address}${path}`, protocols, { perMessageDeflate: false, ...more });
    const client = new Client(ws);
    ws.on('unexpected-response', async (_, res) => {
      let body = '';
      for await (const chunk of res) body += chunk;
      ws.emit('error', new Error(`GET ${path}: ${res.statusCode}, not 101: ${body}`));
    });
    await within(`the handshake of ${path}`, once(ws, 'open'));
    return client;
  }

  /** A connection in pushd.v1 that has been welcomed; its id is client.id. */
  async connectV1() {
    const client = await this.connect('/ws', ['pushd.v1']);
    assert.equal(client.ws.protocol, 'pushd.v1', 'the subprotocol that the server chose');
    client.welcome = await client.op('welcome');
    client.id = client.welcome.connection;
    return client;
  }

  /** Publishes with curl and returns the parsed receipt. */
  async publish(topic, body, ...flags) {
    const path = `/v1/topics/${encodeURIComponent(topic)}/messages`;
    const binary = Buffer.isBuffer(body) ? ['-H', 'Content-Type: application/octet-stream', '--data-binary', '@-'] : ['-d', body];
    const res = await curl([...flags, ...binary, `http://${this.admin}${path}`], Buffer.isBuffer(body) ? body : '');
    assert.equal(res.status, 200, `publishing to ${topic}: ${res.body}`);
    return JSON.parse(res.body);
  }

  /** Publishes objects as lines of NDJSON and returns the parsed report. */
  async publishLines(lines) {
    const body = lines.map((line) => `${JSON.stringify(line)}\n`).join('');
    const res = await curl(['-H', 'Content-Type: application/x-ndjson', '--data-binary', '@-', `http://${this.admin}/v1/messages`], body);
    assert.equal(res.status, 200, `publishing ${lines.length} lines: ${res.body}`);
    return JSON.parse(res.body);
  }

  /** What the admin door answers to GET. */
  async look(path) {
    const res = await curl([`http://${this.admin}${path}`]);
    assert.equal(res.status, 200, `GET ${path}: ${res.body}`);
    return JSON.parse(res.body);
  }

  /** The ids of all connections, as the admin door lists them. */
  async connections() {
    return (await this.look('/v1/connections?limit=1000')).connections.map((c) => c.id);
  }

  /** Ends a connection through the admin door. */
  async cut(id) {
    const res = await curl(['-X', 'DELETE', `http://${this.admin}/v1/connections/${id}`]);
    assert.ok(res.status >= 200 && res.status < 300, `DELETE of connection ${id}: ${res.status} ${res.body}`);
  }
}

/** What a WebSocket received, in order, to be taken one at a time. */
class Client {
  closed = null; // {code, reason}
  #inbox = []; #error; #wake = () => {};

  constructor(ws) {
    this.ws = ws;
    const note = (f) => (...args) => { f(...args); this.#wake(); };
    ws.on('message', note((data, isBinary) => this.#inbox.push(isBinary ? data : data.toString())));
    ws.on('pong', note((data) => this.#inbox.push({ pong: data.toString() })));
    ws.on('close', note((code, reason) => { this.closed = { code, reason: reason.toString() }; }));
    ws.on('error', note((err) => { this.#error = err; }));
  }

  /** The next thing received: a string, a Buffer, or {pong}. */
  async next(what = 'a message') {
    const deadline = Date.now() + PATIENCE;
    while (this.#inbox.length === 0) {
      if (this.closed) assert.fail(`waiting for ${what}, got the close ${JSON.stringify(this.closed)} ${this.#error ?? ''}`);
      const left = deadline - Date.now();
      if (left <= 0) assert.fail(`no ${what} within ${PATIENCE} ms`);
      const woken = new Promise((resolve) => { this.#wake = resolve; });
      const timer = new AbortController();
      await Promise.race([woken, pause(left, undefined, timer).catch(() => {})]);
      timer.abort();
    }
    return this.#inbox.shift();
  }

  send(command) { this.ws.send(JSON.stringify(command)); }

  /** The next op of pushd.v1, which must be of this kind. Pings, and `live` unless asked for, may come at any time. */
  async op(kind) {
    for (;;) {
      const text = await this.next(`op ${kind}`);
      assert.equal(typeof text, 'string', `waiting for op ${kind}, got ${JSON.stringify(text)}`);
      const op = JSON.parse(text);
      if (op.op === kind) return op;
      assert.ok(op.op === 'ping' || op.op === 'live', `waiting for op ${kind}, got ${text}`);
    }
  }

  /** Subscribes to one topic ({name, since}) and returns the answer. */
  async subscribe(topic, id = 1) {
    this.send({ op: 'subscribe', id, topics: [topic] });
    return this.op('subscribed');
  }

  /** The server's close: {code, reason}. */
  async closes() {
    return until('the server to close the connection', () => this.closed);
  }

  /** Closes, and returns the code that the server's close frame had. */
  async close(code = 1000, reason = '') {
    this.ws.close(code, reason);
    return this.closes();
  }
}

/** Runs curl and returns {status, headers, body}; header names in lower case. */
export function curl(args, input = '') {
  return new Promise((resolve, reject) => {
    const fixed = ['-sS', '-i', '--max-time', String(PATIENCE / 1000), '--noproxy', '*', '-H', 'Expect:'];
    const child = execFile('curl', [...fixed, ...args], { encoding: 'latin1', maxBuffer: 1 << 26 }, (err, stdout, stderr) => {
      if (err) return reject(new Error(`curl ${args.join(' ').slice(0, 300)}: ${stderr || err.message}${stdout}`));
      const end = stdout.indexOf('\r\n\r\n');
      const [first, ...lines] = stdout.slice(0, end).split('\r\n');
      const headers = Object.fromEntries(lines.map((line) => {
        const colon = line.indexOf(':');
        return [line.slice(0, colon).toLowerCase(), line.slice(colon + 1).trim()];
      }));
      resolve({ status: Number(first.split(' ')[1]), headers, body: Buffer.from(stdout.slice(end + 4), 'latin1').toString() });
    });
    child.stdin.on('error', () => {}); // curl's own exit tells
    child.stdin.end(input);
  });
}

/** Polls until f returns something truthy, and returns that. */
export async function until(what, f, patience = PATIENCE) {
  const deadline = Date.now() + patience;
  for (;;) {
    const got = await f();
    if (got) return got;
    if (Date.now() > deadline) throw new Error(`waited ${patience} ms for ${what}`);
    await pause(20);
  }
}

async function within(what, promise) {
  const timer = new AbortController();
  const late = pause(PATIENCE, undefined, timer).then(() => { throw new Error(`no end of ${what} within ${PATIENCE} ms`); });
  late.catch(() => {}); // aborted
  try {
    return await Promise.race([promise, late]);
  } finally {
    timer.abort();
  }
}

let topics = 0;
/** A topic that no other test uses. */
export function fresh(name) { return `foreign.${name}.${++topics}`; }
