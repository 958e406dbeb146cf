// The live loss chart. `props.value` carries only what is new (see playground/plots.py); the points live here, and so do
// the reader's switches. Colours are read from the style sheet's custom properties: light and dark need no second list.
// The files of plots.SCRIPTS are one script: the table and the small panels of the same points follow this one.
const plot = element.querySelector('.plot');
const hint = element.querySelector('.hint');
const numbers = element.querySelector('.numbers');
const bench = element.querySelector('.switches');
const SPAN = 0.02; // the smooth line fits a straight one to this share of the points on either side: it does not lag
const MOST_DRAWN = 1600; // points of the raw line; the plot is 800 wide
const MOST_SMOOTH = 400; // of the smooth one: eight for what is fitted at once
const NARROW = 520;
const MARGIN = {r: 12, t: 26, b: 34}; // around the plot, and to the left what the numbers need
const CHOICES = {unit: ['nats', 'bits'], scale: ['linear', 'log', 'loglog'], axis: ['step', 'time', 'tokens', 'epoch']};
const TOGGLES = ['lines', 'table'];
const REFERENCES = ['uniform', 'unigram', 'bigram', 'gzip', 'xz'];

let state = null;

const remembered = (key) => { try { return localStorage.getItem(key); } catch { return null; } };
const remember = (key, value) => { try { localStorage.setItem(key, value); } catch { /* a private window */ } };

// ------------------------------------------------------------------------------------------------ what is known

const fresh = (run, words, published) => ({
  // The revision goes on from the run before: Plotly takes points under a revision that it knows for those it has drawn.
  run, words, published, revision: state ? state.revision : 0,
  maxSteps: 0, perStep: [0, 0], shares: [], references: null, mark: null,
  raw: {step: [], loss: [], seconds: [], lr: [], grad_norm: [], speed: []},
  held: {step: [], nats: [], bits: [], learnt: [], seconds: [], shares: []},
});

const append = (columns, rows) => {
  const names = Object.keys(columns);
  for (const row of rows) {
    if (columns.step.length && row[0] <= columns.step[columns.step.length - 1]) continue; // told twice
    names.forEach((name, i) => columns[name].push(row[i]));
  }
};

const add = (value) => {
  append(state.raw, value.train);
  append(state.held, value.evaluations);
  if (value.per_step[0]) state.perStep = value.per_step;
  if (value.shares.length) state.shares = value.shares;
  if (value.references) state.references = value.references;
  Object.assign(state, {maxSteps: value.max_steps, isOver: value.is_over});
  state.revision += 1;
};

const isWaiting = () => state.raw.step.length + state.held.step.length === 0;
const last = (list) => list[list.length - 1];
const bestAt = () => state.held.nats.indexOf(Math.min(...state.held.nats));

// Bits per byte of one nat per token: measured on unseen text, else from the bytes that a token has there.
const bitsOfNat = () => {
  const {held, references} = state;
  for (let i = held.nats.length - 1; i >= 0; i -= 1) if (held.bits[i]) return held.bits[i] / held.nats[i];
  return references && references.bytes_per_token ? 1 / Math.LN2 / references.bytes_per_token : 0;
};

// ------------------------------------------------------------------------------------------------ what was chosen

const chosen = {};
for (const [name, values] of Object.entries(CHOICES)) {
  const before = remembered(`lm-chart-${name}`);
  chosen[name] = values.includes(before) ? before : values[0];
}
for (const name of TOGGLES) chosen[name] = (remembered(`lm-chart-${name}`) ?? (name === 'lines' ? '1' : '0')) === '1';
if (matchMedia('(max-width: 760px)').matches && remembered('lm-chart-lines') === null) chosen.lines = false;

const isBits = () => chosen.unit === 'bits' && bitsOfNat() > 0;
const inUnit = (nats) => (isBits() ? nats * bitsOfNat() : nats);
const seconds = () => Math.max(last(state.raw.seconds) || 0, last(state.held.seconds) || 0);
// [divisor, word] of the time axis
const clock = () => (seconds() < 180 ? [1, 'seconds'] : seconds() < 10800 ? [60, 'minutes'] : [3600, 'hours']);

const along = (columns) => {
  const {step} = columns, [tokens, epochs] = state.perStep;
  if (chosen.axis === 'time') return columns.seconds.map((value) => value / clock()[0]);
  if (chosen.axis === 'tokens') return step.map((value) => value * tokens);
  return chosen.axis === 'epoch' ? step.map((value) => value * epochs) : step;
};

// Where on the chosen axis a step lies; null when its time is not known.
const placeOf = (step) => {
  const {held, raw} = state, columns = held.step.includes(step) ? held : raw;
  const at = columns.step.findIndex((one) => one >= step);
  return at < 0 ? null : along({step: [step], seconds: [columns.seconds[at]]})[0];
};

const segment = (name) => {
  const buttons = CHOICES[name].map((to) => `<button type="button" data-switch="${name}" data-to="${to}"></button>`);
  return `<div class="seg" role="group" data-group="${name}">${buttons.join('')}</div>`;
};
bench.innerHTML = Object.keys(CHOICES).map(segment).join('') + '<div class="seg loose">'
  + TOGGLES.map((name) => `<button type="button" data-toggle="${name}"></button>`).join('') + '</div>';

let labelled = ''; // by what the switches are labelled
const label = () => {
  const {words} = state, hasBits = isWaiting() || bitsOfNat() > 0, wanted = JSON.stringify([chosen, hasBits, words]);
  if (wanted === labelled) return;
  labelled = wanted;
  for (const group of bench.querySelectorAll('[data-group]')) group.setAttribute('aria-label', words[`by_${group.dataset.group}`]);
  for (const button of bench.querySelectorAll('button')) {
    const {to, toggle} = button.dataset, name = button.dataset.switch;
    button.textContent = words[toggle || to];
    button.title = words[`about_${toggle || to}`] || '';
    button.setAttribute('aria-pressed', String(toggle ? chosen[toggle] : chosen[name] === to));
  }
  bench.querySelector('[data-to=bits]').disabled = !hasBits;
};

bench.addEventListener('click', (event) => {
  const button = event.target.closest('button');
  if (!button || !state) return;
  const {to, toggle} = button.dataset, name = toggle || button.dataset.switch;
  chosen[name] = toggle ? !chosen[toggle] : to;
  remember(`lm-chart-${name}`, toggle ? (chosen[toggle] ? '1' : '0') : to);
  draw();
});

// ------------------------------------------------------------------------------------------------ lines

const smoothed = (y) => {
  const sums = [0], moments = [0];
  y.forEach((value, i) => { sums.push(sums[i] + value); moments.push(moments[i] + i * value); });
  const half = Math.max(2, Math.round(y.length * SPAN));
  return y.map((_, i) => {
    const first = Math.max(0, i - half), end = Math.min(y.length - 1, i + half);
    const count = end - first + 1, middle = (first + end) / 2;
    const sum = sums[end + 1] - sums[first], moment = moments[end + 1] - moments[first];
    const slope = count > 2 ? (moment - middle * sum) / (count * (count * count - 1) / 12) : 0;
    return sum / count + slope * (i - middle);
  });
};

// One point of each so many neighbours, the last one always.
const sparse = (list, most = MOST_DRAWN) => {
  const size = Math.ceil(list.length / most);
  return size <= 1 ? list : list.filter((_, i) => (list.length - 1 - i) % size === 0);
};

// What a drawing needs to know of the page, read before it writes: after a change to it each question costs a new styling
// of the whole page.
const COLOURS = ['--blue', '--blue-soft', '--red', '--gold', '--ink', '--soft', '--panel', '--line', '--edge'];
let page = null;
const readPage = () => {
  const style = getComputedStyle(element);
  const colours = Object.fromEntries(COLOURS.map((name) => [name, style.getPropertyValue(name).trim()]));
  page = {colours, family: style.fontFamily, width: plot.clientWidth, height: plot.clientHeight};
};
const colour = (name) => page.colours[name];

const traces = () => {
  const {words, raw, held} = state, heldX = along(held), best = bestAt();
  const line = (name, width, dash = 'solid') => ({color: colour(name), width, dash});
  const nats = held.nats.map(inUnit);
  const both = held.nats.map((value, i) => `${value.toFixed(3)} ${words.nats}${held.bits[i] ? ` · ${held.bits[i].toFixed(3)} ${words.bits}` : ''}`);
  return [
    {x: sparse(along(raw)), y: sparse(raw.loss).map(inUnit), mode: 'lines', line: line('--blue-soft', 1), hoverinfo: 'skip', showlegend: false},
    ...printed(line),
    {x: sparse(along(raw), MOST_SMOOTH), y: sparse(smoothed(raw.loss), MOST_SMOOTH).map(inUnit), name: words.train, mode: 'lines', line: line('--blue', 2.2), hovertemplate: '%{y:.3f}'},
    {x: heldX, y: nats, text: both, name: words.validation, mode: 'lines+markers', line: line('--red', 1.6), cliponaxis: false,
      marker: {size: 6, symbol: 'circle'}, hovertemplate: '%{text}'},
    {x: best < 0 ? [] : [heldX[best]], y: best < 0 ? [] : [nats[best]], name: words.best, mode: 'markers', showlegend: false, cliponaxis: false,
      marker: {symbol: 'circle-open', size: 14, color: colour('--gold'), line: {width: 2.4}}, hoverinfo: 'skip'},
  ];
};

// What the recipe's source published: of its own text, so in nats over its own steps and no other way.
const printed = (line) => {
  const {published, words} = state;
  if (!published || isBits() || chosen.axis !== 'step') return [];
  const at = (i) => published.points.map((row) => row[i]);
  const common = {x: at(0), mode: 'lines+markers', hovertemplate: '%{y:.3f}'};
  return [
    {...common, y: at(1), name: `${words.train} (${words.published})`, line: line('--blue', 1.4, 'dot'), marker: {size: 6, symbol: 'diamond-open'}},
    {...common, y: at(2), name: `${words.validation} (${words.published})`, line: line('--red', 1.4, 'dot'), marker: {size: 6, symbol: 'square-open'}},
  ];
};

// ------------------------------------------------------------------------------------------------ the sheet they lie on

const known = () => (chosen.lines && state.references ? REFERENCES.filter((name) => state.references.lines[name]) : []);

const shapes = () => {
  const ruled = known().map((name) => {
    const y = inUnit(state.references.lines[name]);
    return {type: 'line', xref: 'paper', x0: 0, x1: 1, y0: y, y1: y, layer: 'below', line: {color: colour('--edge'), width: 1, dash: '2px,5px'}};
  });
  const x = state.mark === null ? null : placeOf(state.mark);
  const mark = {type: 'line', yref: 'paper', x0: x, x1: x, y0: 0, y1: 1, line: {color: colour('--edge'), width: 1, dash: 'dash'}};
  return x === null ? ruled : [...ruled, mark];
};

// Names stand on the right end of their lines; where two lines lie close, the upper name moves to the left.
const annotations = () => {
  const height = page.height - MARGIN.t - MARGIN.b, {words} = state, isLog = chosen.scale !== 'linear', span = plot.layout?.yaxis?.range;
  const at = (y) => (isLog ? Math.log10(y) : y);
  const perPixel = span && !isWaiting() ? (span[1] - span[0]) / height : 0;
  let below = -Infinity, shift = 0;
  const names = known().map((name) => [name, at(inUnit(state.references.lines[name]))]).sort((a, b) => a[1] - b[1]);
  const placed = names.map(([name, y]) => {
    shift = perPixel && (y - below) / perPixel < 15 ? shift + 62 : 0;
    below = y;
    return {xref: 'paper', x: 1, xanchor: 'right', xshift: -shift, y, text: words[name], showarrow: false, borderpad: 1, bgcolor: colour('--panel'),
      hovertext: `${words[`about_${name}`]} ${inUnit(state.references.lines[name]).toFixed(3)}`, font: {size: 11, color: colour('--soft')}};
  });
  const isTaken = (y) => perPixel && names.some(([, other]) => Math.abs(other - y - LABEL_ABOVE * perPixel) < 15 * perPixel);
  return [...placed, ...bestLabel(at, isTaken)];
};

// Above its point; at the right end, where a line has its name there, below.
const LABEL_ABOVE = 16; // pixels from the point to the middle of the label
const bestLabel = (at, isTaken) => {
  const i = bestAt(), {held, words} = state;
  if (i < 0 || held.step[i] === 0) return [];
  const x = along(held)[i], end = state.maxSteps || (state.isOver ? 0 : EARLY * (last(state.raw.step) || 0));
  const hasRoom = held.step[i] < end * 0.85;
  const anchor = !hasRoom ? 'right' : i === held.step.length - 1 ? 'left' : 'center'; // no curve beyond the last one
  const y = at(inUnit(held.nats[i])), isBelow = anchor === 'right' && isTaken(y);
  return [{x: chosen.scale === 'loglog' ? Math.log10(x) : x, y, yanchor: isBelow ? 'top' : 'bottom', yshift: isBelow ? -9 : 9, showarrow: false, bgcolor: isBelow ? colour('--panel') : undefined,
    xanchor: anchor, xshift: anchor === 'left' ? 9 : 0, text: `${words.best} ${inUnit(held.nats[i]).toFixed(3)}`, font: {size: 11, color: colour('--gold')}}];
};

const isFew = () => chosen.axis === 'step' && !state.maxSteps && (last(state.raw.step) || 0) < 9; // no half steps on the axis

const axisX = (axis, narrow) => {
  const end = state.maxSteps * {step: 1, time: 0, tokens: state.perStep[0], epoch: state.perStep[1]}[chosen.axis];
  const span = chosen.scale === 'loglog' ? {} : {range: [0, end || reach()]};
  const title = chosen.axis === 'time' ? state.words[clock()[1]] : state.words[chosen.axis];
  return {...axis, ...span, type: chosen.scale === 'loglog' ? 'log' : 'linear', nticks: narrow ? 5 : 9, ...(isFew() ? {dtick: 1} : {}),
    ...(chosen.axis === 'tokens' ? {tickformat: '~s'} : {}), title: {text: title, standoff: 4, font: {size: 11}}};
};

const layout = () => {
  const narrow = page.width < NARROW, {words} = state, isLog = chosen.scale !== 'linear';
  const axis = {gridcolor: colour('--line'), linecolor: colour('--line'), zeroline: false, tickfont: {size: 11}, showticklabels: !isWaiting()};
  const margin = {...MARGIN, l: narrow ? 34 : 46};
  return {
    uirevision: [state.run, ...Object.keys(CHOICES).map((name) => chosen[name])].join('|'), datarevision: state.revision,
    autosize: true, hovermode: 'x unified', margin, paper_bgcolor: 'rgba(0,0,0,0)', plot_bgcolor: 'rgba(0,0,0,0)',
    font: {family: page.family, color: colour('--soft'), size: 12},
    hoverlabel: {bgcolor: colour('--panel'), bordercolor: colour('--line'), font: {color: colour('--ink')}},
    legend: {orientation: 'h', x: 0, y: 1.02, yanchor: 'bottom', font: {size: 12}},
    xaxis: axisX(axis, narrow), shapes: shapes(), annotations: annotations(),
    yaxis: {...axis, ...floor(), type: isLog ? 'log' : 'linear', ...(isLog ? {dtick: 'D1', minor: {nticks: 5}} : {}),
      title: {text: narrow ? '' : isBits() ? words.loss_bits : words.loss, standoff: 8, font: {size: 11}}},
  };
};

// What Plotly says itself, over the buttons of its own.
const LANGUAGE = document.documentElement.lang;
const config = () => {
  const {words} = state;
  const dictionary = {
    Zoom: words.zoom, Pan: words.pan, 'Zoom in': words.zoom_in, 'Zoom out': words.zoom_out, 'Reset axes': words.zoom_all,
  };
  window.Plotly.register({moduleType: 'locale', name: LANGUAGE, dictionary, format: {}});
  return {...CONFIG, locale: LANGUAGE};
};
const CONFIG = {
  responsive: true, displaylogo: false, plotlyServerURL: '', // "Share chart…" would send the curve to Plotly's cloud
  modeBarButtonsToRemove: ['select2d', 'lasso2d', 'autoScale2d', 'toImage', 'sendChartToCloud'],
};

// ------------------------------------------------------------------------------------------------ drawing

const told = () => {
  const {words, run, held} = state, best = bestAt();
  if (best < 0) return `${words.label}: ${run}`;
  const said = (i) => `${words.step} ${held.step[i]}: ${inUnit(held.nats[i]).toFixed(3)} ${isBits() ? words.bits : words.nats}`;
  return `${words.label}: ${run}. ${words.validation}, ${said(held.step.length - 1)}; ${words.best}, ${said(best)}`;
};

const draw = () => {
  if (!window.Plotly || !state || document.hidden) return;
  readPage();
  const waiting = isWaiting();
  hint.textContent = waiting ? state.words[!state.run ? 'empty' : state.isOver ? 'never' : 'waiting'] : '';
  plot.setAttribute('aria-label', told());
  plot.dataset.points = state.raw.step.length; // what a test, or a curious person, can read
  plot.dataset.run = state.run;
  if (!element.clientWidth) return; // another tab is open: drawn when this one appears
  label();
  const sheet = layout();
  window.Plotly.react(plot, traces(), sheet, config());
  const placed = annotations(); // the range is known now, and with it which names would lie on one another
  if (JSON.stringify(placed) !== JSON.stringify(sheet.annotations)) window.Plotly.relayout(plot, {annotations: placed});
  drawnAs = likeness();
  delete plot.dataset.grown;
  drawTable();
  drawPanels();
};

const update = () => {
  const value = props.value;
  if (!value || !value.words && !state) return;
  if (value.reset || !state || value.run !== state.run) state = fresh(value.run, value.words || state.words, value.published || null);
  add(value);
  if (!grew(value)) draw();
};

// The sample that the timeline shows is marked here; a click on a measurement shows its sample there.
document.addEventListener('lm-sample', (event) => {
  if (!state || state.mark === event.detail.step) return;
  state.mark = event.detail.step;
  draw();
});
const listen = () => {
  if (!plot.on || plot.dataset.listening) return;
  plot.dataset.listening = '1';
  plot.on('plotly_click', ({points}) => {
    const point = points.find(({data}) => data.name === state.words.validation);
    if (point) document.dispatchEvent(new CustomEvent('lm-measurement', {detail: {step: state.held.step[point.pointIndex]}}));
  });
  plot.on('plotly_relayout', (change) => { if (Object.keys(change).some((key) => key.startsWith('xaxis'))) drawPanels(); });
};
