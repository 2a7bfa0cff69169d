// Draws trees of functions as one SVG that needs nothing else and opens from disk: a panel a thread, each as wide as the time that was looked at, callers above callees.
// Titles say own and whole share; a click widens a function, a click on the panel's first row goes back.
import { readFileSync } from 'node:fs';
import { kindOf } from './profile.mjs';

const script = new URL('zoom.js', import.meta.url);

const WIDTH = 1200;
const MARGIN = 10;
const ROW = 16;
const HEAD = 24;
const TOP = 74;
const LETTER = 6.7; // of 11 pixel monospace, a little more than it takes
const COLOURS = {
  wait: ['#dcdcdc', 'waits for work'],
  sync: ['#7fc8b8', 'waits for the disk'],
  gc: ['#c77dd6', 'garbage collection'],
  native: ['#e8c84a', 'native, system calls'],
  ours: ['#ef8a4f', 'ringlog'],
  node: ['#8cc06d', 'Node.js'],
  package: ['#76b5d6', 'packages'],
};

export const escapeXml = (text) =>
  String(text).replace(/[&<>"']/g, (letter) => ({ '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;', "'": '&#39;' })[letter]);

const percent = (part, whole) => `${((100 * part) / whole).toFixed(1)} %`;
const short = (value) => Number(value.toFixed(1));

/** The functions that get a box, in the order of drawing, with place and width in pixels; those below `leastShare` of the panel are left out with all they call. */
export function boxesOf(tree, width, leastShare) {
  const boxes = [];
  const visit = (node, x, depth) => {
    boxes.push({ node, x, depth, width: (node.total / tree.total) * width });
    let at = x;
    for (const child of [...node.children.values()].sort((a, b) => b.total - a.total)) {
      if (child.total / tree.total < leastShare) break; // the rest is smaller still
      visit(child, at, depth + 1);
      at += (child.total / tree.total) * width;
    }
  };
  visit(tree, 0, 0);
  return boxes;
}

function boxSvg({ node, x, width, depth }, top, whole) {
  const y = top + depth * ROW;
  const text = depth === 0 ? 'all' : node.name;
  const letters = Math.floor((width - 4) / LETTER);
  const label = letters < 3 ? '' : text.length <= letters ? text : `${text.slice(0, letters - 1)}…`;
  const title = `${text}${node.place ? ` ${node.place}` : ''}\n${percent(node.total, whole)}, itself ${percent(node.self, whole)}`;
  const kind = depth === 0 ? 'all' : kindOf(node.name, node.place);
  const written = label && `<text x="${short(MARGIN + x + 2)}" y="${y + 12}">${escapeXml(label)}</text>`;
  return `<g><title>${escapeXml(title)}</title><rect class="${kind}" x="${short(MARGIN + x)}" y="${y}" width="${Math.max(0.1, short(width))}" height="15"/>${written}</g>`;
}

function legend() {
  const width = 168;
  return Object.entries(COLOURS)
    .map(([kind, [, text]], n) => {
      const x = MARGIN + n * width;
      return `<rect class="${kind}" x="${x}" y="50" width="12" height="12"/><text x="${x + 17}" y="60">${escapeXml(text)}</text>`;
    })
    .join('');
}

/**
 * @param {{ title: string, subtitle: string, panels: { name: string, note: string, tree: import('./profile.mjs').Tree }[], leastShare?: number }} graph
 * @returns {string} the SVG file
 */
export function flameGraph({ title, subtitle, panels, leastShare = 0.002 }) {
  const inner = WIDTH - 2 * MARGIN;
  let top = TOP;
  const drawn = panels.map(({ name, note, tree }) => {
    const boxes = boxesOf(tree, inner, leastShare);
    const begin = top + HEAD;
    top = begin + (Math.max(...boxes.map(({ depth }) => depth)) + 1) * ROW + ROW;
    const head = `<text class="head" x="${MARGIN}" y="${begin - 7}">${escapeXml(name)}<tspan class="note" dx="12">${escapeXml(note)}</tspan></text>`;
    return `${head}\n<g class="panel">\n${boxes.map((box) => boxSvg(box, begin, tree.total)).join('\n')}\n</g>`;
  });
  const colours = Object.entries(COLOURS).map(([kind, [colour]]) => `.${kind}{fill:${colour}}`);
  return `<svg xmlns="http://www.w3.org/2000/svg" width="${WIDTH}" height="${top}" viewBox="0 0 ${WIDTH} ${top}">
<style>svg{background:#fff}text{font:11px monospace;fill:#222;pointer-events:none}.title{font:bold 15px sans-serif}.head{font:bold 12px sans-serif}.note{font-weight:normal}rect{stroke:#fff;stroke-width:.4}.all{fill:#f3e3d8}.panel g{cursor:pointer}${colours.join('')}</style>
<text class="title" x="${MARGIN}" y="20">${escapeXml(title)}</text><text x="${MARGIN}" y="38">${escapeXml(subtitle)}</text>
${legend()}
${drawn.join('\n')}
<script><![CDATA[const FLAME = ${JSON.stringify({ letter: LETTER, margin: MARGIN, width: inner })};
${readFileSync(script, 'utf8')}]]></script>
</svg>
`;
}
