// Folds sampled CPU profiles (Node's --cpu-prof) into trees of functions. Pure. A profile samples each thread a thousand times a second whether it runs or not, so
// a share is one of the time of the clock: what waits is there too, and is told apart by `kindOf`.

/** Functions of ours and of piscina that sleep on shared memory, which V8 counts as their own time, and whether it is work they wait for or the disk. */
export const SLEEPERS = [
  { name: 'sleep', file: 'src/ring/ring.ts', kind: 'wait' },
  { name: 'runRound', file: 'src/ring/sync-crew.ts', kind: 'sync' },
  { name: 'helpSync', file: 'src/ring/sync-crew.ts', kind: 'wait' },
  { name: 'atomicsWaitLoop', file: 'node_modules/piscina/dist/worker.js', kind: 'wait' },
];
const SYNCS = new Set(['fdatasync', 'fsync']);

/**
 * What a function's own time is spent on.
 * @param {string} name
 * @param {string} place "file:line", '' for functions that are not written in JavaScript
 * @returns {import('./profile.mjs').Kind}
 */
export function kindOf(name, place) {
  if (name === '(idle)') return 'wait';
  if (name === '(garbage collector)') return 'gc';
  const file = place.replace(/:\d+$/, '');
  const sleeper = SLEEPERS.find((one) => one.name === name && one.file === file);
  if (sleeper) return sleeper.kind;
  if (file === '') return SYNCS.has(name) ? 'sync' : 'native';
  if (file.startsWith('node:')) return 'node';
  return file.includes('node_modules/') ? 'package' : 'ours';
}

/** @returns {import('./profile.mjs').Tree} */
export const emptyTree = (name = 'root', place = '') => ({ name, place, self: 0, total: 0, children: new Map() });

function childOf(tree, name, place) {
  const key = `${name}\0${place}`;
  let child = tree.children.get(key);
  if (!child) tree.children.set(key, (child = emptyTree(name, place)));
  return child;
}

/** The way from the root to each node of a profile, without the root itself. */
function waysOf(nodes) {
  const parents = new Map(nodes.flatMap(({ id, children = [] }) => children.map((child) => [child, id])));
  const byId = new Map(nodes.map((node) => [node.id, node]));
  return (id) => {
    const way = [];
    for (let at = id; parents.has(at); at = parents.get(at)) way.push(byId.get(at).callFrame);
    return way.reverse();
  };
}

/**
 * Adds the samples of a profile that fall into a time to `tree`, in microseconds. A sample stands for the time until the next one.
 * @param {{ nodes: any[], samples: number[], timeDeltas: number[], startTime: number }} profile
 * @param {{ fromUs: number, toUs: number }} time by the monotonic clock, as the profile's own times
 * @param {(frame: any) => string} placeOf the place of a call frame, '' if it has none
 */
export function foldProfile(tree, profile, { fromUs, toUs }, placeOf) {
  const wayTo = waysOf(profile.nodes);
  const weights = new Map();
  let at = profile.startTime;
  for (let n = 0; n < profile.samples.length; n++) {
    at += profile.timeDeltas[n];
    const end = at + (profile.timeDeltas[n + 1] ?? 0);
    const weight = Math.min(end, toUs) - Math.max(at, fromUs);
    if (weight > 0) weights.set(profile.samples[n], (weights.get(profile.samples[n]) ?? 0) + weight);
  }
  for (const [id, weight] of weights) {
    let node = tree;
    node.total += weight;
    for (const frame of wayTo(id)) {
      node = childOf(node, frame.functionName || '(anonymous)', placeOf(frame));
      node.total += weight;
    }
    node.self += weight;
  }
  return tree;
}

/** Own time by function over a whole tree, largest first. */
export function selfTimes(tree) {
  const found = new Map();
  const visit = (node) => {
    if (node.self > 0) {
      const key = `${node.name}\0${node.place}`;
      const known = found.get(key) ?? { name: node.name, place: node.place, kind: kindOf(node.name, node.place), self: 0 };
      known.self += node.self;
      found.set(key, known);
    }
    for (const child of node.children.values()) visit(child);
  };
  visit(tree);
  return [...found.values()].sort((a, b) => b.self - a.self);
}

/** The share of each kind in a tree's time, 0 to 1. */
export function sharesOf(tree) {
  const shares = { wait: 0, sync: 0, gc: 0, native: 0, ours: 0, node: 0, package: 0 };
  for (const { kind, self } of selfTimes(tree)) shares[kind] += self / tree.total;
  return shares;
}

/** The longest time that all samples in a row are of the garbage collector: as exact as the samples are dense, a millisecond. */
export function longestPauseUs(profile, { fromUs, toUs }) {
  const collectors = new Set(profile.nodes.filter(({ callFrame }) => callFrame.functionName === '(garbage collector)').map(({ id }) => id));
  let at = profile.startTime;
  let longest = 0;
  let current = 0;
  for (let n = 0; n < profile.samples.length; n++) {
    at += profile.timeDeltas[n];
    const isGc = collectors.has(profile.samples[n]) && at >= fromUs && at < toUs;
    current = isGc ? current + (profile.timeDeltas[n + 1] ?? 0) : 0;
    longest = Math.max(longest, current);
  }
  return longest;
}
