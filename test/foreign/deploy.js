// What deploy/ says, read by those who will read it: compose.yaml by the loader of Docker Compose, times as Go writes them.
import { execFileSync } from 'node:child_process';
import { basename, dirname, join } from 'node:path';
import { root } from './harness.js';

// Pinned here, like staticcheck in the Makefile: it is compiled into nothing of ours.
const loader = 'github.com/compose-spec/compose-go/v2/cmd@v2.16.2';

/** The model that Docker Compose makes of a file, or its complaint as an error. */
export function compose(file) {
  const options = { cwd: dirname(file), encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] };
  return JSON.parse(execFileSync('go', ['run', loader, '-format', 'json', basename(file)], options));
}

/** Seconds of a time as Go and systemd write it: 5s, 1m30s. */
export function seconds(text) {
  const units = { ms: 0.001, s: 1, m: 60, h: 3600 };
  return [...text.matchAll(/([\d.]+)(ms|[smh])/g)].reduce((sum, [, n, unit]) => sum + n * units[unit], 0);
}

/** How long leaving takes at most (docs/OPERATIONS.md, "Ending a server"), with what an environment sets of it. */
export function leaving({ PUSHD_DRAIN_DELAY, PUSHD_DRAIN_OVER } = {}) {
  const env = Object.fromEntries(Object.entries({ PUSHD_DRAIN_DELAY, PUSHD_DRAIN_OVER }).filter(([, value]) => value));
  const settings = execFileSync(join(root, 'bin/pushd'), ['serve', '--print-config'], { encoding: 'utf8', env });
  const [delay, over] = ['drain-delay', 'drain-over'].map((name) => seconds(settings.match(new RegExp(`^${name}: (.*)$`, 'm'))[1]));
  return delay + over + 5;
}
