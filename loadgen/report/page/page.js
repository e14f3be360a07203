// Draws the charts that the JSON in the page holds; it knows none of them by name.
const data = JSON.parse(document.getElementById('data').textContent);
const style = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();
const dashes = [[], [7, 4], [2, 3], [10, 3, 2, 3]];
const moments = [0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 10800, 21600, 43200, 86400];
const powers = Array.from({ length: 60 }, (_, i) => 2 ** i); // sizes have ticks at 256 KiB, not at 250,000
const drawn = [];

/** What both kinds of axis share; colours are asked for at each drawing, since they change with the scheme. */
function axis(more) {
  return {
    stroke: () => style('--soft'),
    font: '12px system-ui, sans-serif',
    grid: { stroke: () => style('--line'), width: 1 },
    ticks: { show: false },
    ...more,
  };
}

const time = {
  name: 'at',
  text: (x) => value(x, 's'),
  axis: axis({ incrs: moments, values: (u, xs) => xs.map((x) => value(x, 's')), space: 70, size: 28 }),
  range: (u, min, max) => [min, max > min ? max : min + 1],
  sync: { key: 'time' },
};

// How many nines: 1 is 90%, 3 is 99.9%.
const share = (nines) => value(1 - 10 ** -nines, 'ratio');
const nines = {
  name: 'percentile',
  text: share,
  axis: axis({
    splits: (u) => {
      const last = Math.floor(u.scales.x.max + 1e-9);
      const step = Math.ceil(last * 66 / u.bbox.width * devicePixelRatio) || 1;
      const all = step === 1 ? [Math.log10(2)] : [];
      for (let n = 1; n <= last; n += step) all.push(n);
      return all;
    },
    values: (u, xs) => xs.map(share),
    size: 28,
  }),
  range: (u, min, max) => [0, Math.max(max, 1)],
};

function draw(panel, of, gutter, into) {
  const x = of.percentiles ? nines : time;
  const colour = (s) => `--c${s.color % 6}`;
  const alone = panel.lines.length === 1;
  const u = new uPlot({
    width: into.clientWidth,
    height: panel.small ? 95 : of.panels.length > 1 ? 165 : 230,
    padding: [10, of.percentiles ? 30 : 14, 0, 0],
    cursor: { y: false, sync: x.sync, points: { size: 7 }, drag: { x: true, y: false } },
    legend: { markers: { width: 2, stroke: (u, i) => i ? `var(${colour(panel.lines[i - 1])})` : 'transparent', dash: (u, i) => i && panel.lines[i - 1].dash ? 'dashed' : 'solid' } },
    scales: {
      x: { time: false, range: x.range },
      y: panel.log ? { distr: 3, range: (u, min, max) => uPlot.rangeLog(min ?? 1, max ?? 10, 10, false) }
        : { range: (u, min, max) => min < 0 ? uPlot.rangeNum(min, max, 0.1, true) : [0, max > 0 ? uPlot.rangeNum(0, max, 0.1, true)[1] : 1] },
    },
    axes: [x.axis, axis({
      // A logarithmic axis has nine lines between one label and the next: those of the labels are enough.
      ...(panel.log && { grid: { stroke: () => style('--line'), width: 1, filter: (u, ys) => ys.map((y) => decade(y) ? y : null) } }),
      values: (u, ys) => ys.map((y) => y == null ? null : value(y, panel.unit)),
      incrs: panel.unit.startsWith('bytes') ? powers : undefined,
      size: gutter,
      space: 34,
    })],
    series: [{ label: x.name, value: (u, v) => v == null ? '' : x.text(v) }, ...panel.lines.map((s) => ({
      label: s.label,
      stroke: () => style(colour(s)),
      width: 1.75,
      dash: dashes[s.dash % dashes.length],
      fill: alone && !panel.log ? () => style(colour(s)) + '1f' : undefined,
      value: (u, v) => value(v, panel.unit),
      points: { size: 5 },
    }))],
    hooks: { setCursor: [(u) => u.root.classList.toggle('idle', u.cursor.idx == null)] },
  }, panel.tables.length > 1 ? uPlot.join(panel.tables) : panel.tables[0], into);
  u.root.classList.add('idle');
  drawn.push(u);
  new ResizeObserver(() => {
    if (into.clientWidth > 0 && into.clientWidth !== u.width) u.setSize({ width: into.clientWidth, height: u.height });
  }).observe(into);
}

function decade(y) {
  const log = Math.log10(y);
  return Math.abs(log - Math.round(log)) < 1e-9;
}

/** How many letters the labels of a panel's y axis need: about as many as its largest value. */
function longest(panel) {
  let max = 0;
  for (const [, ...columns] of panel.tables) for (const column of columns) for (const v of column) max = Math.max(max, v ?? 0);
  return Math.max(6, value(Number(max.toPrecision(2)), panel.unit).length);
}

for (const figure of document.querySelectorAll('figure[data-chart]')) {
  const chart = data.charts[figure.dataset.chart];
  if (chart.panels.some((panel) => panel.log)) {
    const how = document.createElement('small');
    how.textContent = 'logarithmic';
    figure.querySelector('figcaption').append(how);
  }
  const gutter = 20 + 7 * Math.max(...chart.panels.map(longest)); // one for all, so that they stand in line
  for (const panel of chart.panels) {
    const into = document.createElement('div');
    into.className = 'panel';
    figure.append(into);
    draw(panel, chart, gutter, into);
  }
}

const again = () => drawn.forEach((u) => u.redraw(false));
matchMedia('(prefers-color-scheme: dark)').addEventListener('change', again);
matchMedia('print').addEventListener('change', again);
