// The live loss chart. `props.value` carries only what is new (see playground/plots.py); the points live here.
// Colours are read from the style sheet's custom properties, so that light and dark need no second list.
const plot = element.querySelector('.plot');
const hint = element.querySelector('.hint');
const SPAN = 0.02; // the smooth line fits a straight one to this share of the points on either side: it does not lag
const NARROW = 520;

let state = null;

const fresh = (run, words) => ({
  run, words, maxSteps: 0, revision: 0,
  raw: {x: [], y: []}, held: {x: [], y: [], text: []},
});

const add = (value) => {
  for (const [step, loss] of value.train) {
    if (state.raw.x.length && step <= state.raw.x[state.raw.x.length - 1]) continue; // told twice
    state.raw.x.push(step); state.raw.y.push(loss);
  }
  for (const [step, nats, bits] of value.evaluations) {
    if (state.held.x.length && step <= state.held.x[state.held.x.length - 1]) continue;
    state.held.x.push(step); state.held.y.push(nats);
    state.held.text.push(bits ? `${bits.toFixed(3)} ${state.words.bits}` : '');
  }
  state.maxSteps = value.max_steps;
  state.revision += 1;
};

const smoothed = (y) => {
  const sums = [0], moments = [0];
  y.forEach((value, i) => { sums.push(sums[i] + value); moments.push(moments[i] + i * value); });
  const half = Math.max(2, Math.round(y.length * SPAN));
  return y.map((_, i) => {
    const first = Math.max(0, i - half), last = Math.min(y.length - 1, i + half);
    const count = last - first + 1, middle = (first + last) / 2;
    const sum = sums[last + 1] - sums[first], moment = moments[last + 1] - moments[first];
    const slope = count > 2 ? (moment - middle * sum) / (count * (count * count - 1) / 12) : 0;
    return sum / count + slope * (i - middle);
  });
};

const colour = (name) => getComputedStyle(element).getPropertyValue(name).trim();

const traces = () => {
  const {words, raw, held} = state;
  const line = (name, width) => ({color: colour(name), width});
  const best = held.y.indexOf(Math.min(...held.y));
  return [
    {...raw, mode: 'lines', line: line('--blue-soft', 1), hoverinfo: 'skip', showlegend: false},
    {x: raw.x, y: smoothed(raw.y), name: words.train, mode: 'lines', line: line('--blue', 2.2), hovertemplate: '%{y:.3f}'},
    {...held, name: words.validation, mode: 'lines+markers', line: line('--red', 1.6), marker: {size: 6},
      hovertemplate: '%{y:.3f} · %{text}'},
    {x: best < 0 ? [] : [held.x[best]], y: best < 0 ? [] : [held.y[best]], name: words.best, mode: 'markers',
      marker: {symbol: 'circle-open', size: 14, color: colour('--gold'), line: {width: 2.4}}, hoverinfo: 'skip'},
  ];
};

const isWaiting = () => state.raw.x.length + state.held.x.length === 0;

const isFew = () => !state.maxSteps && (state.raw.x[state.raw.x.length - 1] || 0) < 9; // no half steps on the axis

const layout = () => {
  const narrow = plot.clientWidth < NARROW;
  const axis = {gridcolor: colour('--line'), linecolor: colour('--line'), zeroline: false, tickfont: {size: 11},
    showticklabels: !isWaiting()};
  const steps = state.maxSteps ? {range: [0, state.maxSteps]} : {rangemode: 'tozero'};
  return {
    uirevision: state.run, datarevision: state.revision, autosize: true, hovermode: 'x unified',
    margin: {l: 40, r: 12, t: 26, b: 34}, paper_bgcolor: 'rgba(0,0,0,0)', plot_bgcolor: 'rgba(0,0,0,0)',
    font: {family: getComputedStyle(element).fontFamily, color: colour('--soft'), size: 12},
    hoverlabel: {bgcolor: colour('--panel'), bordercolor: colour('--line'), font: {color: colour('--ink')}},
    legend: {orientation: 'h', x: 0, y: 1.02, yanchor: 'bottom', font: {size: 12}},
    xaxis: {...axis, ...steps, nticks: narrow ? 5 : 9, ...(isFew() ? {dtick: 1} : {}), title: {text: state.words.step, standoff: 4, font: {size: 11}}},
    yaxis: {...axis, automargin: true, title: {text: narrow ? '' : state.words.loss, standoff: 8, font: {size: 11}}},
  };
};

const CONFIG = {
  responsive: true, displaylogo: false,
  modeBarButtonsToRemove: ['select2d', 'lasso2d', 'autoScale2d', 'toImage'],
};

const draw = () => {
  if (!window.Plotly || !state) return;
  const waiting = isWaiting();
  hint.textContent = waiting ? (state.run ? state.words.waiting : state.words.empty) : '';
  plot.setAttribute('aria-label', `${state.words.label}: ${state.run}`);
  plot.dataset.points = state.raw.x.length; // what a test, or a curious person, can read
  plot.dataset.run = state.run;
  window.Plotly.react(plot, traces(), layout(), CONFIG);
};

const update = () => {
  const value = props.value;
  if (!value || !value.words && !state) return;
  if (value.reset || !state || value.run !== state.run) state = fresh(value.run, value.words || state.words);
  add(value);
  draw();
};

update();
watch('value', update);
// Plotly's own script may arrive after the first value.
document.addEventListener('load', (event) => { if (event.target.tagName === 'SCRIPT') draw(); }, true);
new MutationObserver(draw).observe(document.body, {attributes: true, attributeFilter: ['class']});
// A hidden tab has no width: draw again when it appears.
new ResizeObserver(() => { if (plot.clientWidth) draw(); }).observe(plot);
