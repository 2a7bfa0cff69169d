/**
 * The foreign clients themselves. In CI (`CI` set) what is missing is installed, by apt-get, pip or Maven; elsewhere nothing of the machine is changed, but what goes
 * into `.cache` is: the Python package into a virtual environment, the jars into a folder.
 */

import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { createHash } from 'node:crypto';
import { join } from 'node:path';
import { fetchKafka, kafkaVersion } from '../../../perf/peers/kafka.mjs';
import { cacheFolder, interopFolder } from './places.mjs';

/** A client cannot be had here; the message says what would help. */
export class MissingTool extends Error {}

const inCi = () => (process.env.CI ?? '') !== '';
const has = (command, ...args) => spawnSync(command, args, { stdio: 'ignore' }).status === 0;

let aptUpdated = false;

/** Debian packages, when `there()` is false: installed in CI, asked for elsewhere. */
function need(packages, there) {
  if (there()) return;
  const command = `apt-get install ${packages.join(' ')}`;
  if (!inCi()) throw new MissingTool(`it is not installed (${command})`);
  process.stdout.write(`INSTALLING ${packages.join(' ')} (apt-get)\n`);
  const apt = (...args) => {
    const [program, ...rest] = [...(process.getuid?.() === 0 ? [] : ['sudo', '-n']), 'apt-get', ...args];
    return spawnSync(program, rest, { encoding: 'utf8', env: { ...process.env, DEBIAN_FRONTEND: 'noninteractive' } });
  };
  if (!aptUpdated) apt('update', '-qq');
  aptUpdated = true;
  const { status, stderr } = apt('install', '-y', '-qq', '--no-install-recommends', ...packages);
  if (status !== 0 || !there()) throw new MissingTool(`${command} failed: ${(stderr ?? '').slice(-500)}`);
}

function step(command, args, options = {}) {
  const { status, stdout, stderr, error } = spawnSync(command, args, { encoding: 'utf8', ...options });
  if (status !== 0) throw new MissingTool(`${command} ${args.join(' ')} failed: ${error?.message ?? `${stdout}${stderr}`.slice(-1000)}`);
  return stdout;
}

export function kcat() {
  need(['kcat'], () => has('kcat', '-V'));
  const { stdout } = spawnSync('kcat', ['-V'], { encoding: 'utf8' });
  const [, version, librdkafka] = /Version ([\d.]+).*librdkafka ([\d.]+)/s.exec(stdout) ?? [];
  return { version: `kcat ${version} (librdkafka ${librdkafka})` };
}

/** The interpreter of a virtual environment that has confluent-kafka, the newest there is when it is made. */
export function python() {
  need(['python3', 'python3-venv'], () => has('python3', '-c', 'import venv, ensurepip'));
  const folder = join(cacheFolder, 'python');
  const interpreter = join(folder, 'bin', 'python');
  if (!has(interpreter, '-c', 'import confluent_kafka')) {
    rmSync(folder, { recursive: true, force: true });
    mkdirSync(cacheFolder, { recursive: true });
    step('python3', ['-m', 'venv', folder]);
    step(interpreter, ['-m', 'pip', 'install', '--quiet', '--disable-pip-version-check', 'confluent-kafka']);
  }
  const asks = 'import confluent_kafka as c; print(f"Python confluent-kafka {c.__version__} (librdkafka {c.libversion()[0]})")';
  return { interpreter, version: step(interpreter, ['-c', asks]).trim() };
}

function needJava() {
  need(['default-jdk-headless'], () => has('javac', '-version'));
}

/** Our Java client, compiled, as the class path to run it with. */
export function javaClient() {
  needJava();
  const source = join(interopFolder, 'java');
  const pom = join(source, 'pom.xml');
  const version = /<kafka.version>(.*)<\/kafka.version>/.exec(readFileSync(pom, 'utf8'))[1];
  const libs = join(cacheFolder, `kafka-clients-${version}`);
  if (!existsSync(libs)) {
    need(['maven'], () => has('mvn', '-v'));
    rmSync(`${libs}.partial`, { recursive: true, force: true });
    step('mvn', ['-q', '-B', '-f', pom, 'dependency:copy-dependencies', `-DoutputDirectory=${libs}.partial`]);
    renameSync(`${libs}.partial`, libs); // only a complete download gets the real name
  }
  const classes = compile(source, libs);
  return { classPath: [classes, join(source, 'config'), join(libs, '*')].join(':'), version: `Java kafka-clients ${version}` };
}

function compile(source, libs) {
  const files = readdirSync(source).filter((name) => name.endsWith('.java'));
  const paths = files.map((name) => join(source, name));
  const hash = createHash('sha256');
  for (const path of paths) hash.update(readFileSync(path));
  const wanted = hash.update(libs).digest('hex');
  const classes = join(cacheFolder, 'java-classes');
  const stamp = join(classes, 'stamp');
  if (!existsSync(stamp) || readFileSync(stamp, 'utf8') !== wanted) {
    rmSync(classes, { recursive: true, force: true });
    mkdirSync(classes, { recursive: true });
    step('javac', ['-Xlint:all,-processing', '-Werror', '-encoding', 'UTF-8', '-d', classes, '-cp', join(libs, '*'), ...paths]);
    writeFileSync(stamp, wanted);
  }
  return classes;
}

/** The command line tools of Apache Kafka, by the jars the perf harness uses. */
export function kafkaTools() {
  needJava();
  need(['maven'], () => has('mvn', '-v'));
  try {
    fetchKafka();
  } catch (error) {
    throw new MissingTool(error.message);
  }
  return { version: `Apache Kafka ${kafkaVersion()} console tools` };
}
