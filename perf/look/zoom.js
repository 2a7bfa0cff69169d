// Runs in the browser that shows a flame graph: what is clicked gets the whole width of its panel. FLAME is there: pixels of a letter, of the margin, of a panel.
const boxOf = (group) => group.querySelector('rect');
const sizeOf = (group, name) => Number(boxOf(group).getAttribute(name));

function textOf(group) {
  return group.querySelector('text') ?? group.appendChild(document.createElementNS('http://www.w3.org/2000/svg', 'text'));
}

/** Puts a box and its name to a place within the panel; with no width left it is not shown. */
function place(group, left, right) {
  const from = Math.max(FLAME.margin, left);
  const width = Math.min(FLAME.margin + FLAME.width, right) - from;
  group.style.display = width > 0 ? '' : 'none';
  if (width <= 0) return;
  const name = group.querySelector('title').textContent.split(/ \S+:\d+\n|\n/)[0];
  const letters = Math.floor((width - 4) / FLAME.letter);
  const text = textOf(group);
  boxOf(group).setAttribute('x', from);
  boxOf(group).setAttribute('width', width);
  text.setAttribute('x', from + 2);
  text.setAttribute('y', sizeOf(group, 'y') + 12);
  text.textContent = letters < 3 ? '' : name.length <= letters ? name : `${name.slice(0, letters - 1)}…`;
}

for (const panel of document.querySelectorAll('.panel')) {
  const all = [...panel.children].map((group) => ({ group, x: sizeOf(group, 'x'), width: sizeOf(group, 'width') }));
  const show = (from, over) => {
    const at = (x) => FLAME.margin + ((x - from) / over) * FLAME.width;
    for (const { group, x, width } of all) place(group, at(x), at(x + width));
  };
  for (const { group, x, width } of all) group.addEventListener('click', () => show(x, width));
}
