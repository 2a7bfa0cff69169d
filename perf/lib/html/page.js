// Draws the charts of the page; CHARTS and uPlot are there. Turns of one side have one colour.
const COLOURS = ['#1b6ac9', '#c9541b', '#2a9134', '#8b3fc1', '#b3a100', '#0aa3a3', '#d1307f', '#555555'];
const WIDTH = 560;
const HEIGHT = 260;

/** uPlot wants one list of x for all lines. */
function aligned(lines) {
  const xs = [...new Set(lines.flatMap(({ points }) => points.map(([x]) => x)))].sort((a, b) => a - b);
  const ys = lines.map(({ points }) => {
    const at = new Map(points);
    return xs.map((x) => at.get(x) ?? null);
  });
  return [xs, ...ys];
}

function percentText(nines) {
  return `${Number((100 * (1 - 1 / nines)).toPrecision(6))} %`;
}

function draw(place, { title, isPercentiles, lines }) {
  const sides = [...new Set(lines.map(({ side }) => side))];
  const series = lines.map(({ side, turn }) => ({
    label: `${side} ${turn}`,
    stroke: COLOURS[sides.indexOf(side) % COLOURS.length],
    width: 1.5,
    spanGaps: true,
    points: { show: false },
  }));
  const options = {
    title,
    width: WIDTH,
    height: HEIGHT,
    series: [{ value: (_plot, x) => (isPercentiles && x ? percentText(x) : x) }, ...series],
    scales: { x: { time: false, ...(isPercentiles ? { distr: 3 } : {}) }, ...(isPercentiles ? { y: { distr: 3 } } : {}) },
    axes: [
      isPercentiles
        ? { values: (_plot, ticks) => ticks.map((x) => (x && Number.isInteger(Math.log10(x)) ? percentText(x) : '')), size: 40 }
        : {},
      { size: 70 },
    ],
    legend: { show: false },
  };
  place.chart = new uPlot(options, aligned(lines), place);
  const legend = document.createElement('div');
  for (const side of sides) {
    const name = document.createElement('span');
    name.textContent = `■ ${side}  `;
    name.style.color = COLOURS[sides.indexOf(side) % COLOURS.length];
    legend.append(name);
  }
  place.append(legend);
}

for (const place of document.querySelectorAll('[data-chart]')) draw(place, CHARTS[Number(place.dataset.chart)]);
