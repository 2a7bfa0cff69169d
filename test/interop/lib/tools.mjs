/**
 * The foreign clients themselves. In CI (`CI` set) what is missing is installed, by apt-get, pip or Maven; elsewhere nothing of the machine is changed, but what goes
 * into `.cache` is: the Python package into a virtual environment, jars, npm packages and Go modules into folders.
 */

import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { createHash } from 'node:crypto';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fetchKafka, kafkaPom, kafkaVersion } from '../../../perf/peers/kafka.mjs';
import { cacheFolder, interopFolder, root } from './places.mjs';

/** A client cannot be had here; the message says what would help. */
export class MissingTool extends Error {}

const inCi = () => (process.env.CI ?? '') !== '';
export const has = (command, ...args) => spawnSync(command, args, { stdio: 'ignore' }).status === 0;

let aptUpdated = false;

/** Debian packages, when `there()` is false: installed in CI, asked for elsewhere. */
export function need(packages, there) {
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

export function step(command, args, options = {}) {
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

/** The interpreter of a virtual environment in `.cache/interop/<folderName>` that has a package, the newest there is when it is made. */
function pythonWith(folderName, packageName, moduleName) {
  need(['python3', 'python3-venv'], () => has('python3', '-c', 'import venv, ensurepip'));
  const folder = join(cacheFolder, folderName);
  const interpreter = join(folder, 'bin', 'python');
  if (!has(interpreter, '-c', `import ${moduleName}`)) {
    rmSync(folder, { recursive: true, force: true });
    mkdirSync(cacheFolder, { recursive: true });
    step('python3', ['-m', 'venv', folder]);
    step(interpreter, ['-m', 'pip', 'install', '--quiet', '--disable-pip-version-check', packageName]);
  }
  return interpreter;
}

export function python() {
  const interpreter = pythonWith('python', 'confluent-kafka', 'confluent_kafka');
  const asks = 'import confluent_kafka as c; print(f"Python confluent-kafka {c.__version__} (librdkafka {c.libversion()[0]})")';
  return { interpreter, version: step(interpreter, ['-c', asks]).trim() };
}

export function kaskade() {
  const interpreter = pythonWith('kaskade', 'kaskade', 'kaskade');
  const asks = 'from importlib.metadata import version; print("kaskade", version("kaskade"))';
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

/** Our franz-go client, built. Modules and build cache stay in `.cache`, so that nothing of the machine changes. */
export function franzGo() {
  need(['golang-go'], () => has('go', 'version'));
  const source = join(interopFolder, 'go');
  const version = /franz-go (v[\d.]+)/.exec(readFileSync(join(source, 'go.mod'), 'utf8'))[1];
  const folder = join(cacheFolder, 'go');
  const binary = join(folder, 'franz-go');
  const env = { ...process.env, GOMODCACHE: join(folder, 'modules'), GOCACHE: join(folder, 'build'), GOFLAGS: '-modcacherw -mod=readonly' };
  step('go', ['build', '-o', binary, '.'], { cwd: source, env });
  return { binary, version: `franz-go ${version}` };
}

/** npm packages of the JavaScript clients; lz4-napi is the lz4 that kafkajs is given. */
const JAVASCRIPT_PACKAGES = ['kafkajs@2', 'kafkajs-snappy@1', 'lz4-napi@2', '@platformatic/kafka@2'];
/** The first Node that every JavaScript client runs on. */
const NODE_MAJOR_MIN = 24;

/** A JavaScript client: where its packages are, and a Node that is new enough to run it. */
export function javascriptClient(name) {
  const folder = join(cacheFolder, 'javascript');
  const versionOf = () => JSON.parse(readFileSync(join(folder, 'node_modules', name, 'package.json'), 'utf8')).version;
  const wanted = JSON.stringify(JAVASCRIPT_PACKAGES);
  const stamp = join(folder, 'stamp');
  if (!existsSync(stamp) || readFileSync(stamp, 'utf8') !== wanted) {
    rmSync(folder, { recursive: true, force: true });
    mkdirSync(folder, { recursive: true });
    writeFileSync(join(folder, 'package.json'), '{ "private": true }\n');
    step('npm', ['install', '--prefix', folder, '--no-audit', '--no-fund', '--ignore-scripts', ...JAVASCRIPT_PACKAGES]);
    writeFileSync(stamp, wanted);
  }
  return { node: currentNode(), folder, version: `${name} ${versionOf()}` };
}

/** This Node if it is new enough, else the newest, as the npm package of this platform. */
function currentNode() {
  if (Number(process.versions.node.split('.')[0]) >= NODE_MAJOR_MIN) return process.execPath;
  const packageName = `node-${process.platform}-${process.arch}`;
  const folder = join(root, '.cache', 'node-current');
  const binary = join(folder, 'node_modules', packageName, 'bin', 'node');
  if (!has(binary, '--version'))
    step('npm', ['install', '--prefix', folder, '--no-save', '--no-audit', '--no-fund', `${packageName}@latest`]);
  return binary;
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

/** The newest whose file connectors are published, too; they do not go with a runtime of another version. */
const CONNECT_VERSION = '4.3.1';

/** Kafka Connect and its file connectors, in a folder of their own. */
export function kafkaConnect() {
  needJava();
  need(['maven'], () => has('mvn', '-v'));
  const libs = join(cacheFolder, `connect-${CONNECT_VERSION}`);
  if (!existsSync(libs)) {
    const partial = `${libs}.partial`;
    rmSync(partial, { recursive: true, force: true });
    const into = `-DoutputDirectory=${partial}`;
    step('mvn', ['-q', '-B', '-f', kafkaPom, `-Dkafka.version=${CONNECT_VERSION}`, 'dependency:copy-dependencies', into], {
      cwd: tmpdir(),
    });
    const file = `-Dartifact=org.apache.kafka:connect-file:${CONNECT_VERSION}`;
    step('mvn', ['-q', '-B', 'dependency:copy', file, into], { cwd: tmpdir() });
    renameSync(partial, libs);
  }
  return { libs, version: `Kafka Connect ${CONNECT_VERSION}, file source and sink` };
}
