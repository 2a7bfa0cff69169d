/**
 * Settings from a file, YAML or JSON (which is YAML). Names may be written out (`log.segment.bytes: 1048576`) or nested (`log: { segment: { bytes: … } }`);
 * a list stands for a setting with commas. Every message names the file and the line.
 */
import { readFileSync, statSync } from 'node:fs';
import { isAlias, isMap, isScalar, isSeq, LineCounter, parseDocument, type Node, type Scalar } from 'yaml';
import { shown } from './definition.ts';
import { ConfigError } from './errors.ts';
import { placed, type ConfigLayer, type GivenSetting } from './layers.ts';

/** A larger file is something else. */
const FILE_BYTES_MAX = 1024 * 1024;
/** Names have fewer parts. */
const DEPTH_MAX = 16;

/** The layer of the file at `path`. Throws {@link ConfigError} with one line: it cannot be read, or does not parse, or holds what is no setting. */
export function readConfigFile(path: string): ConfigLayer {
  return { origin: 'file', settings: parseConfigFile(path, textOf(path)) };
}

function textOf(path: string): string {
  try {
    const { size } = statSync(path);
    if (size > FILE_BYTES_MAX)
      throw new ConfigError(`The configuration file ${path} has ${size} bytes; more than ${FILE_BYTES_MAX} is none.`);
    return readFileSync(path, 'utf8');
  } catch (error) {
    if (error instanceof ConfigError) throw error;
    const reasons: Partial<Record<string, string>> = {
      ENOENT: 'there is no such file',
      EISDIR: 'it is a folder',
      EACCES: 'this user may not read it',
    };
    const { code = '', message } = error as NodeJS.ErrnoException;
    throw new ConfigError(`The configuration file ${path} cannot be read: ${reasons[code] ?? message}.`, { cause: error });
  }
}

/** What `text`, the content of the file called `path`, sets. */
export function parseConfigFile(path: string, text: string): GivenSetting[] {
  const lines = new LineCounter();
  const document = parseDocument(text, { lineCounter: lines, prettyErrors: false, strict: true, uniqueKeys: true });
  const at = (node: { range?: readonly number[] | null } | null): string => {
    const line = node?.range?.[0] === undefined ? 0 : lines.linePos(node.range[0]).line;
    return line === 0 ? path : `${path}:${line}`;
  };
  const [error] = document.errors;
  if (error !== undefined)
    throw new ConfigError(`${path}:${lines.linePos(error.pos[0]).line}: It is neither YAML nor JSON: ${oneLine(error.message)}.`);
  const settings = new Map<string, GivenSetting>();
  const walk = (node: Node | null, prefix: string, depth: number): void => {
    const refuse = (what: string): never => {
      throw new ConfigError(placed(at(node), what));
    };
    if (isMap(node) && depth < DEPTH_MAX) {
      for (const { key, value } of node.items) {
        if (!isScalar(key)) return refuse('The name of a setting must be plain text.');
        const name = prefix === '' ? scalarText(key) : `${prefix}.${scalarText(key)}`;
        // A setting without value has no node to take the line from.
        if (value === null || (isScalar(value) && value.value === null && value.source !== 'null')) missing(at(key), name);
        walk(value as Node, name, depth + 1);
      }
      return;
    }
    if (prefix === '') return refuse('It must hold settings by name, for example num.partitions: 4.');
    const earlier = settings.get(prefix);
    if (earlier !== undefined) return refuse(`${shown(prefix)} is set twice; it is already at ${earlier.place}.`);
    if (isScalar(node) && node.value !== null) settings.set(prefix, { name: prefix, text: scalarText(node), place: at(node) });
    else if (isSeq(node) && node.items.every((item) => isScalar(item) && item.value !== null))
      settings.set(prefix, { name: prefix, text: node.items.map((item) => scalarText(item as Scalar)).join(','), place: at(node) });
    else if (isAlias(node)) refuse(`${shown(prefix)} must be written out: anchors and aliases are not taken.`);
    else missing(at(node), prefix);
  };
  if (document.contents !== null) walk(document.contents, '', 0);
  return [...settings.values()];
}

function missing(place: string, name: string): never {
  throw new ConfigError(placed(place, `${shown(name)} must be text, a number, true, false, or a list of those.`));
}

/** As it stands in the file: a number in the text's own digits, however many there are. */
function scalarText({ value, source }: Scalar): string {
  return typeof value === 'string' ? value : (source ?? String(value));
}

function oneLine(text: string): string {
  return shown(text).replace(/\.$/, '');
}
