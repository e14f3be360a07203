// Builds what a Dockerfile says without Docker: each stage is a folder, this host stands in for the image that a stage begins
// from, and whatever it does not know is an error. It knows what deploy/Dockerfile uses and nothing else.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { cpSync, mkdirSync, readFileSync } from 'node:fs';
import { join, relative } from 'node:path';
import dockerignore from '@balena/dockerignore';
import { DockerfileParser } from 'dockerfile-ast';

/** What .dockerignore leaves of a folder: a function of a path in it. */
export function ignored(context) {
  const rules = dockerignore().add(readFileSync(join(context, '.dockerignore'), 'utf8'));
  return (path) => rules.ignores(path);
}

/**
 * Builds the last stage of a Dockerfile into a folder under dir and returns it as an image: {root, from, env, labels, user,
 * exposed, stopSignal, entrypoint, cmd}. What is given in args is an ARG, as with docker build --build-arg.
 */
export function build(file, context, dir, args) {
  const stages = [];
  for (const instruction of DockerfileParser.parse(readFileSync(file, 'utf8')).getInstructions()) {
    const keyword = instruction.getKeyword();
    const step = steps[keyword];
    const at = `${file}:${instruction.getRange().start.line + 1}: ${keyword}`;
    assert.ok(step, `${at}: not known here`);
    if (keyword === 'FROM') stages.push(new Stage(join(dir, String(stages.length)), args));
    assert.ok(stages.length > 0, `${at}: stands before FROM`);
    try {
      step(stages.at(-1), instruction, { stages, context });
    } catch (err) {
      throw new Error(`${at}: ${err.message}${err.stderr ?? ''}`, { cause: err });
    }
  }
  return stages.at(-1);
}

class Stage {
  env = {}; labels = {}; exposed = []; cwd = '/'; user = '0:0'; stopSignal = 'SIGTERM'; entrypoint = []; cmd = [];
  #given; #args = {};

  constructor(root, given) {
    this.root = root;
    this.#given = given;
    mkdirSync(root, { recursive: true });
  }

  declare(name, value) {
    this.#args[name] = this.#given[name] ?? value ?? '';
  }

  /** $NAME and ${NAME}, of ARG and ENV. */
  expand(text) {
    const known = { ...this.#args, ...this.env };
    return text.replace(/\$(?:(\w+)|\{(\w+)\})/g, (whole, plain, braced) => {
      assert.ok(known[plain ?? braced] !== undefined, `${whole} is not set`);
      return known[plain ?? braced];
    });
  }

  run(command) {
    assert.ok(this.cwd !== '/' && !command.includes(this.cwd), 'only what stays below WORKDIR can be run here');
    const env = { ...process.env, ...this.#args, ...this.env };
    execFileSync('/bin/sh', ['-c', command], { cwd: this.path('.'), env, stdio: ['ignore', 'ignore', 'pipe'], encoding: 'utf8' });
  }

  /** Where a path of the stage is on this host. */
  path(name) { return join(this.root, name.startsWith('/') ? name : join(this.cwd, name)); }
}

const pairs = (instruction) => instruction.getProperties().map((p) => [p.getName(), p.getValue()]);

/** The words of the exec form, which alone works where there is no shell. */
function words(instruction) {
  const all = instruction.getJSONStrings().map((s) => s.getJSONValue());
  assert.ok(all.length > 0, 'not in the form of ["a", "b"]');
  return all;
}

const steps = {
  FROM(stage, instruction) {
    stage.name = instruction.getBuildStage();
    stage.from = instruction.getImage();
    for (const flag of instruction.getFlags().map(String)) assert.equal(flag, '--platform=$BUILDPLATFORM');
  },
  ARG(stage, instruction) {
    for (const [name, value] of pairs(instruction)) stage.declare(name, value);
  },
  ENV(stage, instruction) {
    for (const [name, value] of pairs(instruction)) stage.env[name] = stage.expand(value);
  },
  LABEL(stage, instruction) {
    for (const [name, value] of pairs(instruction)) stage.labels[name] = stage.expand(value);
  },
  WORKDIR(stage, instruction) {
    stage.cwd = join(stage.cwd, stage.expand(instruction.getArgumentsContent()));
    mkdirSync(stage.path('.'), { recursive: true });
  },
  RUN(stage, instruction) {
    assert.equal(instruction.getJSONStrings().length, 0, 'not a line for the shell');
    for (const flag of instruction.getFlags().map(String)) assert.match(flag, /^--mount=type=cache,/);
    stage.run(instruction.getArgumentsContent());
  },
  COPY(stage, instruction, { stages, context }) {
    const flags = instruction.getFlags().map(String);
    const [from, to, ...more] = instruction.getArguments().map((a) => stage.expand(String(a)));
    assert.deepEqual(more, [], 'more than one source');
    if (flags.length > 0) {
      const source = stages.find((s) => flags[0] === `--from=${s.name}`);
      assert.ok(source && flags.length === 1, `flags ${flags}`);
      cpSync(source.path(from), stage.path(to), { recursive: true });
      return;
    }
    const without = ignored(context);
    const filter = (path) => path === join(context, from) || !without(relative(context, path));
    cpSync(join(context, from), stage.path(to), { recursive: true, filter });
  },
  USER(stage, instruction) { stage.user = stage.expand(instruction.getArgumentsContent()); },
  EXPOSE(stage, instruction) { stage.exposed.push(...instruction.getArguments().map(String)); },
  STOPSIGNAL(stage, instruction) { stage.stopSignal = instruction.getArgumentsContent(); },
  ENTRYPOINT(stage, instruction) { stage.entrypoint = words(instruction); },
  CMD(stage, instruction) { stage.cmd = words(instruction); },
};
