// Runs in the browser that shows a flame graph: what is clicked gets the whole width of its panel.
function zoom(letterWidth, margin, width) {
  const box = (g) => g.querySelector('rect');
  const set = (g, x, w) => {
    const rect = box(g);
    const text = g.querySelector('text') ?? g.appendChild(document.createElementNS('http://www.w3.org/2000/svg', 'text'));
    const name = g.querySelector('title').textContent.split(/ \S+:\d+\n|\n/)[0];
    const letters = Math.floor((w - 4) / letterWidth);
    rect.setAttribute('x', x);
    rect.setAttribute('width', Math.max(0, w));
    text.setAttribute('x', Math.max(margin, x) + 2);
    text.setAttribute('y', Number(rect.getAttribute('y')) + 12);
    text.textContent = letters < 3 ? '' : name.length <= letters ? name : `${name.slice(0, letters - 1)}…`;
    g.style.display = x + w <= margin || x >= margin + width || w <= 0 ? 'none' : '';
  };
  for (const panel of document.querySelectorAll('.panel')) {
    const all = [...panel.children].map((g) => ({ g, x: Number(box(g).getAttribute('x')), w: Number(box(g).getAttribute('width')) }));
    const show = (from, over) => {
      for (const { g, x, w } of all) {
        const left = margin + ((x - from) / over) * width;
        const right = left + (w / over) * width;
        set(g, Math.max(margin, left), Math.min(margin + width, right) - Math.max(margin, left));
      }
    };
    for (const { g, x, w } of all) g.addEventListener('click', () => show(x, w));
  }
}
