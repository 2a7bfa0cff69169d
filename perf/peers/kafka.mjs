// Apache Kafka without containers: its jars from Maven Central, one KRaft node, started and stopped from here.
// Used by the perf harness as a peer and by the interop tests for Kafka's console tools.
import { spawn, spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, openSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { homedir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { parseArgs } from 'node:util';
import { stopProcess, track, waitForPort } from '../lib/process.mjs';

const here = join(dirname(fileURLToPath(import.meta.url)), 'kafka');

/** Names the jars; of which version is its property `kafka.version`. */
export const kafkaPom = join(here, 'pom.xml');

// What bin/kafka-run-class.sh gives a server on Java 17; the heap (startKafka) is what bin/kafka-server-start.sh gives it.
const JVM_FLAGS =
  '-server -XX:+UseG1GC -XX:MaxGCPauseMillis=20 -XX:InitiatingHeapOccupancyPercent=35 -XX:+ExplicitGCInvokesConcurrent -Djava.awt.headless=true';

export function kafkaVersion() {
  return /<kafka.version>(.*)<\/kafka.version>/.exec(readFileSync(kafkaPom, 'utf8'))?.[1] ?? 'unknown';
}

/** Where downloaded peers are kept: RINGLOG_PEERS_DIR or ~/.cache/ringlog-peers. */
export function kafkaLibs() {
  const base = process.env.RINGLOG_PEERS_DIR ?? join(homedir(), '.cache', 'ringlog-peers');
  return join(base, `kafka-${kafkaVersion()}`, 'libs');
}

/** As the machine has it; it says so on stderr. Throws if there is none. */
function javaVersion() {
  const { status, stderr } = spawnSync('java', ['-version'], { encoding: 'utf8' });
  if (status !== 0) throw new Error('Apache Kafka needs java (17 or newer).');
  return /version "(.*?)"/.exec(stderr)?.[1] ?? 'unknown';
}

/** Downloads the jars unless they are there. Throws, saying what is missing, if that cannot be done. */
export function fetchKafka() {
  const libs = kafkaLibs();
  if (existsSync(libs)) return libs;
  const partial = `${libs}.partial`; // only a complete download gets the real name
  rmSync(partial, { recursive: true, force: true });
  mkdirSync(partial, { recursive: true });
  const maven = spawnSync('mvn', ['-q', '-B', '-f', kafkaPom, 'dependency:copy-dependencies', `-DoutputDirectory=${partial}`], {
    encoding: 'utf8',
  });
  if (maven.error) throw new Error('Apache Kafka is fetched by mvn, which is not installed (Debian: apt-get install maven).');
  if (maven.status !== 0) throw new Error(`mvn could not fetch Apache Kafka:\n${maven.stdout}${maven.stderr}`.slice(0, 2000));
  renameSync(partial, libs);
  return libs;
}

/** The arguments of `java` that run a class of Kafka's: a server, or org.apache.kafka.tools.ConsoleProducer and the like. */
export function kafkaJava(mainClass, args, heap = '256m') {
  const flags = mainClass === 'kafka.Kafka' ? [`-Xms${heap}`, ...JVM_FLAGS.split(' ')] : [];
  const logging = `-Dlog4j2.configurationFile=${join(here, 'log4j2.properties')}`;
  return [`-Xmx${heap}`, ...flags, logging, '-cp', join(kafkaLibs(), '*'), mainClass, ...args];
}

function writeConfig(dataDir, port, settings) {
  const config = [
    readFileSync(join(here, 'server.properties'), 'utf8'),
    `listeners=PLAINTEXT://127.0.0.1:${port},CONTROLLER://127.0.0.1:${port + 1}`,
    `advertised.listeners=PLAINTEXT://127.0.0.1:${port}`,
    `controller.quorum.voters=1@127.0.0.1:${port + 1}`,
    `log.dirs=${join(dataDir, 'logs')}`,
    ...settings,
    '',
  ].join('\n');
  const path = join(dataDir, 'server.properties');
  writeFileSync(path, config);
  return path;
}

function format(configPath) {
  const clusterId = 'cmluZ2xvZy1wZWVyLWthZg'; // any 16 bytes; a fixed one lets a restart find its own data
  const args = kafkaJava('kafka.tools.StorageTool', ['format', '--ignore-formatted', '-t', clusterId, '-c', configPath]);
  const result = spawnSync('java', args, { encoding: 'utf8' });
  if (result.status !== 0) throw new Error(`kafka storage format failed:\n${result.stdout}${result.stderr}`);
}

/**
 * Starts a node and resolves once it accepts connections. `port + 1` is taken by its controller.
 * @param {{ port: number, dataDir: string, heap?: string, settings?: string[], wait?: boolean }} options settings: lines of server.properties; wait: until it listens
 */
export async function startKafka({ port, dataDir, heap = '1g', settings = [], wait = true }) {
  const java = javaVersion();
  fetchKafka();
  mkdirSync(dataDir, { recursive: true });
  const config = writeConfig(dataDir, port, settings);
  format(config);
  const logPath = join(dataDir, 'kafka.log');
  const log = openSync(logPath, 'a');
  const startedAt = performance.now();
  const child = spawn('java', kafkaJava('kafka.Kafka', [config], heap), { stdio: ['ignore', log, log] });
  if (wait) await waitForPort(port, { child, timeoutMs: 60_000, logPath });
  else track(child);
  const stop = () => stopProcess(child, { timeoutMs: 60_000 });
  return {
    name: `Apache Kafka ${kafkaVersion()} on Java ${java}`,
    pid: /** @type {number} */ (child.pid),
    child,
    port,
    logPath,
    startedAt,
    stop,
  };
}

const HELP = `kafka: Apache Kafka ${kafkaVersion()} as a peer, one KRaft node, from Maven Central

usage: node perf/peers/kafka.mjs fetch                                    download the jars
       node perf/peers/kafka.mjs start --port N --data-dir D [--set K=V]  run a node until Ctrl-C
       node perf/peers/kafka.mjs run CLASS [ARGS]                         run one of Kafka's tools

examples:
  node perf/peers/kafka.mjs start --port 19092 --data-dir /tmp/kafka --set log.flush.interval.messages=1
  node perf/peers/kafka.mjs run org.apache.kafka.tools.consumer.ConsoleConsumer --bootstrap-server 127.0.0.1:19092 --topic t`;

async function main([command, ...rest]) {
  if (command === 'fetch') return console.log(fetchKafka());
  if (command === 'run' && rest[0]) {
    fetchKafka();
    process.exitCode = spawnSync('java', kafkaJava(rest[0], rest.slice(1)), { stdio: 'inherit' }).status ?? 1;
    return;
  }
  if (command !== 'start') return console.log(HELP);
  const { values } = parseArgs({
    args: rest,
    options: {
      port: { type: 'string', default: '9092' },
      'data-dir': { type: 'string' },
      heap: { type: 'string' },
      set: { type: 'string', multiple: true },
    },
  });
  if (!values['data-dir']) throw new Error('--data-dir is missing');
  const kafka = await startKafka({
    port: Number(values.port),
    dataDir: values['data-dir'],
    settings: values.set ?? [],
    ...(values.heap ? { heap: values.heap } : {}),
  });
  console.log(`${kafka.name} on 127.0.0.1:${kafka.port}, log in ${kafka.logPath}`);
  for (const signal of ['SIGINT', 'SIGTERM']) process.once(signal, () => void kafka.stop());
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href) {
  main(process.argv.slice(2)).catch((error) => {
    console.error(error.message);
    process.exitCode = 1;
  });
}
