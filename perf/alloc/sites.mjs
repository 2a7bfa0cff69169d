// Folds a sampled heap profile into the functions that allocate most. Pure. A function includes what V8 has inlined into it.

const nameOf = ({ functionName, url, lineNumber }) =>
  `${functionName || '(anonymous)'} ${url.replace(/^.*\/dist\//, '')}:${lineNumber + 1}`;

/** @returns {{ site: string, bytes: number, caller: string }[]} largest first; caller: of its largest share */
export function topSites(profile, count) {
  const sites = new Map();
  const visit = (node, caller) => {
    const site = nameOf(node.callFrame);
    if (node.selfSize > 0) {
      const known = sites.get(site) ?? { site, bytes: 0, caller, share: 0 };
      known.bytes += node.selfSize;
      if (node.selfSize > known.share) Object.assign(known, { caller, share: node.selfSize });
      sites.set(site, known);
    }
    for (const child of node.children) visit(child, site);
  };
  visit(profile.head, '');
  return [...sites.values()].sort((a, b) => b.bytes - a.bytes).slice(0, count);
}
