// Runs an image that dockerfile.js built as a container is run: in a network, mounts and process numbers of its own, with a
// root that is the image's, for its user, without new privileges. It needs root.
import assert from 'node:assert/strict';
import { execFile, spawn } from 'node:child_process';
import { chmodSync, chownSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';
import { setTimeout as pause } from 'node:timers/promises';
import { until } from './harness.js';

const exec = promisify(execFile);

// $1 the root, $2 the user, $3 sysctls, one a word; then the command. The last exec makes it process 1.
const init = `set -e
root=$1 user=$2; for s in $3; do sysctl -qw "$s"; done; shift 3
ip link set lo up
mount --bind "$root" "$root"
mount -t proc proc "$root/proc"
mount -o remount,bind,ro "$root"
exec setpriv --no-new-privs chroot --userspec="$user" --groups="\${user#*:}" "$root" "$@"`;

const started = new Set(); // containers and what was executed in them
process.on('exit', () => started.forEach((process) => process.kill('SIGKILL')));

/**
 * Starts the image's entrypoint. Options: cmd in place of the image's, env beside it, sysctls, and files that are mounted, such
 * as {'/run/secrets/token': 'text'}. Returns without waiting for anything.
 */
export function run(image, { cmd = image.cmd, env = {}, sysctls = {}, files = {} } = {}) {
  const [uid, gid] = image.user.split(':').map(Number);
  mkdirSync(join(image.root, 'proc'), { recursive: true });
  for (const [name, text] of Object.entries(files)) {
    const path = join(image.root, name);
    mkdirSync(dirname(path), { recursive: true });
    writeFileSync(path, text);
    chownSync(path, uid, gid);
    chmodSync(path, 0o400);
  }
  const set = Object.entries(sysctls).map(([name, value]) => `${name}=${value}`).join(' ');
  const child = spawn('unshare', ['--net', '--mount', '--pid', '--fork',
    'sh', '-c', init, 'sh', image.root, image.user, set, ...image.entrypoint, ...cmd],
  { env: { PATH: process.env.PATH, ...image.env, ...env }, stdio: ['ignore', 'pipe', 'pipe'] });
  return new Container(image, child, { ...image.env, ...env });
}

class Container {
  log = ''; // of both outputs
  ended; // a promise of how it ended: "exit code 0"
  #child; #image; #env;

  constructor(image, child, env) {
    [this.#image, this.#child, this.#env] = [image, child, env];
    started.add(this);
    for (const out of [child.stdout, child.stderr]) out.setEncoding('utf8').on('data', (text) => { this.log += text; });
    this.ended = new Promise((resolve) => {
      const end = (how) => { started.delete(this); this.over = how; resolve(how); };
      child.once('error', (err) => end(`failing to start: ${err.message}`));
      child.once('close', (code, signal) => end(signal ? `signal ${signal}` : `exit code ${code}`));
    });
  }

  /** The number that this host knows process 1 by. */
  get pid() {
    const { pid } = this.#child;
    return readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').trim();
  }

  /** Runs a command of this host in the container's network. */
  async inNetwork(command, ...args) {
    const { stdout } = await exec('nsenter', ['--target', this.pid, '--net', command, ...args]);
    return stdout;
  }

  /** Asks as a probe does; returns the status, 0 where nobody answers. */
  async get(url, ...flags) {
    const args = ['-s', '-o', '/dev/null', '-w', '%{http_code}', '--noproxy', '*', ...flags, url];
    return Number(await this.inNetwork('curl', ...args).catch((err) => err.stdout ?? 0));
  }

  /** What `docker exec` does: a process of the image beside it. (Not in its process numbers: nsenter would fork for these.) */
  exec(...argv) {
    const [uid, gid] = this.#image.user.split(':');
    const child = spawn('/usr/bin/nsenter', ['--target', this.pid, '--net', '--mount', '--root', '--wd=/',
      '--setuid', uid, '--setgid', gid, ...argv], { env: this.#env, stdio: ['ignore', 'pipe', 'pipe'] });
    started.add(child);
    child.once('close', () => started.delete(child));
    child.stderr.setEncoding('utf8').on('data', (text) => { this.log += text; });
    return child;
  }

  async ready(url) {
    await until(`${url} to be 200`, async () => {
      assert.ok(!this.over, `it ended by ${this.over}; its log:\n${this.log}`);
      return await this.get(url) === 200;
    });
  }

  /** What `docker stop` does: the image's signal to process 1, and SIGKILL after so many seconds. */
  async stop(grace) {
    process.kill(Number(this.pid), this.#image.stopSignal);
    const ended = await Promise.race([this.ended, pause(grace * 1000, undefined, { ref: false })]);
    if (!ended) this.kill();
    return ended ?? `SIGKILL after ${grace} s; its log:\n${this.log}`;
  }

  /** Ends it at once: with its process 1 all others go. (unshare's --kill-child does not outlast the change of user.) */
  kill() {
    if (this.over) return;
    if (this.pid) process.kill(Number(this.pid), 'SIGKILL');
    else this.#child.kill('SIGKILL');
  }
}
