// deploy/pushd.service, as make installs it: judged by systemd itself, and against what pushd really asks of the kernel.
import assert from 'node:assert/strict';
import { execFileSync, spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { leaving, seconds } from './deploy.js';
import { WebSocket } from 'ws';
import { curl, root, until } from './harness.js';

let dir, unit, text;
before(() => {
  dir = mkdtempSync(join(tmpdir(), 'pushd-systemd-'));
  execFileSync('make', ['-C', root, 'install-systemd', `PREFIX=${dir}/usr`, `SYSCONFDIR=${dir}/etc`], { stdio: 'pipe' });
  unit = join(dir, 'usr/lib/systemd/system/pushd.service');
  text = readFileSync(unit, 'utf8');
});
after(() => dir && rmSync(dir, { recursive: true }));

/** Every value of a setting of the unit. */
const values = (name) => [...text.matchAll(new RegExp(`^${name}=(.*)$`, 'gm'))].map(([, value]) => value);

function analyze(...args) {
  return execFileSync('systemd-analyze', args, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] });
}

test('systemd finds nothing wrong with the unit', () => {
  assert.equal(analyze('verify', '--man=no', unit), '');
});

test('systemd rates its exposure 1.5 of 10 at most', () => {
  analyze('security', '--offline=true', '--threshold=15', unit); // tenths; exits with 1 above
});

test('leaving fits into TimeoutStopSec', () => {
  const [stop] = values('TimeoutStopSec').map(seconds);
  assert.ok(leaving() < stop, `leaving may take ${leaving()} s of ${stop}`);
});

test('make install-systemd leaves settings alone that are there', () => {
  const file = join(dir, 'etc/pushd/pushd.yaml');
  writeFileSync(file, 'log-level: warn\n');
  execFileSync('make', ['-C', root, 'install-systemd', `PREFIX=${dir}/usr`, `SYSCONFDIR=${dir}/etc`], { stdio: 'pipe' });
  assert.equal(readFileSync(file, 'utf8'), 'log-level: warn\n');
});

/** The system calls that SystemCallFilter lets through, with systemd's own sets resolved. */
function allowed() {
  const sets = {};
  let set;
  for (const line of analyze('syscall-filter').split('\n').map((l) => l.replace(/\x1b\[[\d;]*m/g, ''))) {
    if (/^@/.test(line)) sets[set = line.trim()] = [];
    else if (/^ +[@\w]/.test(line) && set) sets[set].push(line.trim());
  }
  const members = (name) => (name.startsWith('@') ? sets[name].flatMap(members) : [name]);
  const calls = new Set();
  for (const value of values('SystemCallFilter')) {
    const names = value.replace(/^~/, '').split(' ').flatMap(members);
    names.forEach((name) => (value.startsWith('~') ? calls.delete(name) : calls.add(name)));
  }
  members('@default').forEach((name) => calls.add(name)); // always let through: systemd.exec(5)
  return calls;
}

test('the sandbox allows all that pushd asks of the kernel', async (t) => {
  const trace = join(dir, 'trace');
  const token = join(dir, 'token');
  writeFileSync(token, 'secret');
  const flags = ['--listen', '127.0.0.1:0', '--admin', '127.0.0.1:0', '--admin-token-file', token,
    '--anonymous-subscribe', '>', '--config', join(root, 'docs/pushd.yaml'), '--drain-delay', '0', '--drain-over', '0'];
  const child = spawn('strace', ['-f', '-qq', '-o', trace, join(root, 'bin/pushd'), 'serve', ...flags], { stdio: ['ignore', 'ignore', 'pipe'] });
  let log = '';
  child.stderr.setEncoding('utf8').on('data', (more) => { log += more; });
  const server = () => Number(readFileSync(`/proc/${child.pid}/task/${child.pid}/children`, 'utf8')); // of the process traced
  t.after(() => child.exitCode ?? process.kill(server(), 'SIGKILL')); // strace ends with it, but not it with strace
  const over = new Promise((resolve) => { child.once('close', (code) => resolve(code)); });
  const door = (name) => until(`the ${name} door`, () => log.match(new RegExp(`door=${name} .*addr=(\\S+)`))?.[1]);
  const [open, admin] = [await door('public'), await door('admin')];

  const subscriber = new WebSocket(`ws://${open}/ws?topic=news`);
  let got = '';
  subscriber.on('message', (data) => { got = String(data); });
  const publish = ['-H', 'Authorization: Bearer secret', '-d', 'hello', `http://${admin}/v1/topics/news/messages`];
  await until('a delivery', async () => {
    const { status } = await curl(publish);
    assert.equal(status, 200);
    return got === 'hello';
  });
  for (const path of ['/', '/readyz']) assert.equal((await curl([`http://${open}${path}`])).status < 500, true);
  for (const path of ['/metrics', '/v1/connections']) {
    assert.equal((await curl(['-H', 'Authorization: Bearer secret', `http://${admin}${path}`])).status, 200);
  }
  process.kill(server(), 'SIGHUP');
  await until('the reload', () => /reload/i.test(log));
  process.kill(server(), 'SIGTERM');
  assert.equal(await over, 0, log);

  const calls = readFileSync(trace, 'utf8').split('\n');
  const names = new Set(calls.map((line) => line.match(/^\d+ +(\w+)\(/)?.[1]).filter(Boolean));
  for (const name of ['accept4', 'epoll_ctl', 'setsockopt', 'prlimit64']) assert.ok(names.has(name), `no ${name} in the trace of a server`);
  const filter = allowed();
  assert.deepEqual([...names].filter((name) => !filter.has(name)), [], 'what SystemCallFilter refuses');

  const families = new Set(calls.map((line) => line.match(/ socket\((AF_\w+)/)?.[1]).filter(Boolean));
  const [ours] = values('RestrictAddressFamilies').map((value) => value.split(' '));
  assert.deepEqual([...families].filter((name) => !ours.includes(name)), [], 'what RestrictAddressFamilies refuses');
  assert.deepEqual(calls.filter((line) => /PROT_WRITE\|PROT_EXEC/.test(line)), [], 'what MemoryDenyWriteExecute refuses');
});
