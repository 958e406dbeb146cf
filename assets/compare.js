// The Compare tab: the picker's clicks become events; the overlay draws one line a run, told apart by colour and dash.
// Which measure over which axis is this browser's own choice and is kept in it.
const DASHES = ['solid', 'dash', 'dot', 'dashdot', 'longdash', 'longdashdot']; // as .line-1 … .line-6 in style.css
const AXES = ['step', 'time_seconds', 'tokens', 'epoch']; // the columns of a point, as in playground/overlay.py
const MEASURES = ['val_bits_per_byte', 'val_loss'];
const COLUMNS = [...AXES, ...MEASURES];
const SECONDS_A_MINUTE = 60;
const MOST_ROWS = 240; // of the table, for all runs together: the latest of each

const remembered = (key, known) => {
  try { const value = localStorage.getItem(key); return known.includes(value) ? value : known[0]; } catch { return known[0]; }
};
const remember = (key, value) => { try { localStorage.setItem(key, value); } catch { /* a private window */ } };
const colour = (name) => getComputedStyle(element).getPropertyValue(name).trim();

const startPicker = () => element.addEventListener('click', (event) => {
  const button = event.target.closest('button[data-run]');
  if (button) trigger('select', {run: button.dataset.run});
});

const startOverlay = () => {
  const plot = element.querySelector('.plot');
  const hint = element.querySelector('.hint');
  const switches = element.querySelector('.switches');
  const asked = {axis: remembered('lm-compare-axis', AXES), measure: remembered('lm-compare-measure', MEASURES)};

  const value = (point, column) => {
    const number = point[COLUMNS.indexOf(column)];
    return column === 'time_seconds' && number !== null ? number / SECONDS_A_MINUTE : number;
  };

  // A branch begins where its parent stood: on the axis of steps its line goes on from there.
  const offset = (run) => (asked.axis === 'step' ? run.begins : 0);

  const line = (run, n) => ({
    x: run.points.map((point) => value(point, asked.axis) + offset(run)),
    y: run.points.map((point) => value(point, asked.measure)),
    name: run.name, mode: 'lines+markers', marker: {size: 4, color: colour(`--run-${n + 1}`)},
    line: {color: colour(`--run-${n + 1}`), width: 2, dash: DASHES[n]}, hovertemplate: '%{y:.3f}',
  });

  const layout = (runs, words) => {
    const axis = {gridcolor: colour('--line'), linecolor: colour('--line'), zeroline: false, tickfont: {size: 11}};
    return {
      uirevision: `${asked.axis}-${asked.measure}`, autosize: true, hovermode: 'x unified', margin: {l: 44, r: 12, t: 8, b: 36},
      paper_bgcolor: 'rgba(0,0,0,0)', plot_bgcolor: 'rgba(0,0,0,0)', showlegend: true,
      font: {family: getComputedStyle(element).fontFamily, color: colour('--soft'), size: 12},
      hoverlabel: {bgcolor: colour('--panel'), bordercolor: colour('--line'), font: {color: colour('--ink')}},
      legend: {orientation: 'h', x: 0, y: 1.02, yanchor: 'bottom', font: {size: 12}},
      xaxis: {...axis, rangemode: 'tozero', showticklabels: runs.length > 0, title: {text: words[asked.axis], standoff: 4, font: {size: 11}}},
      yaxis: {...axis, automargin: true, showticklabels: runs.length > 0, title: {text: words[asked.measure], standoff: 8, font: {size: 11}}},
    };
  };

  const beside = (...parts) => {
    const box = document.createElement('div');
    box.append(...parts);
    return box;
  };

  const group = (key, names, words) => {
    const box = document.createElement('span');
    box.setAttribute('role', 'group');
    for (const name of names) {
      const button = document.createElement('button');
      button.textContent = words[name];
      button.setAttribute('aria-pressed', asked[key] === name);
      button.dataset.name = name;
      button.addEventListener('click', () => { asked[key] = name; remember(`lm-compare-${key}`, name); draw(); });
      box.append(button);
    }
    return box;
  };

  // What the lines show, in numbers; written when somebody reads it.
  const table = element.querySelector('.as-table');
  const tell = () => {
    const {runs, words} = props.value || {runs: [], words: {}};
    table.hidden = !runs.length;
    table.querySelector('summary').textContent = words.as_table || '';
    if (!table.open || table.hidden) return;
    const row = (tag, cells) => {
      const made = document.createElement('tr');
      made.append(...cells.map((cell, i) => Object.assign(document.createElement(i && tag === 'td' ? 'td' : 'th'), {textContent: cell, scope: tag === 'td' ? 'row' : 'col'})));
      return made;
    };
    const number = (point, column) => (value(point, column) ?? '–').toLocaleString(undefined, {maximumFractionDigits: 3});
    const each = Math.floor(MOST_ROWS / runs.length);
    const rows = runs.flatMap((run) => run.points.slice(-each).reverse().map((point) => row('td', [run.name, ...COLUMNS.map((column) => number(point, column))])));
    table.querySelector('table').replaceChildren(row('th', [words.run, ...COLUMNS.map((column) => words[column])]), ...rows);
  };
  table.addEventListener('toggle', tell);

  const draw = () => {
    const {runs, words} = props.value || {runs: [], words: {}};
    if (!window.Plotly || !words.label) return;
    const over = document.createElement('small');
    over.textContent = words.over;
    const held = switches.contains(document.activeElement) ? document.activeElement.dataset.name : '';
    switches.replaceChildren(group('measure', MEASURES, words), beside(over, group('axis', AXES, words)));
    if (held) switches.querySelector(`[data-name=${held}]`).focus();
    hint.textContent = runs.length ? '' : words.empty;
    plot.setAttribute('aria-label', words.label);
    plot.dataset.runs = runs.map((run) => run.name).join(' '); // what a test, or a curious person, can read
    window.Plotly.react(plot, runs.map(line), layout(runs, words), {responsive: true, displayModeBar: false});
    tell();
  };

  draw();
  watch('value', draw);
  document.addEventListener('load', (event) => { if (event.target.tagName === 'SCRIPT') draw(); }, true);
  new MutationObserver(draw).observe(document.body, {attributes: true, attributeFilter: ['class']});
  // A hidden tab has no width: draw again when it appears.
  new ResizeObserver(() => { if (plot.clientWidth) draw(); }).observe(plot);
};

if (element.id === 'overlay' || element.closest('#overlay')) startOverlay(); else startPicker();
