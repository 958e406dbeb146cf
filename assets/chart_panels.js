
// ------------------------------------------------------------------------------------------------ the small panels

const MOST_IN_PANEL = 300;
const WIDE = 300, HIGH = 46; // of a panel's own coordinates; it is stretched to the room there is

const short = (value) => {
  if (value == null) return '–';
  if (value && (Math.abs(value) < 0.01 || Math.abs(value) >= 1e6)) return value.toExponential(1);
  return Math.abs(value) >= 100 ? Math.round(value).toLocaleString() : String(Number(value.toPrecision(3)));
};

// Points (x, y) as a path over the part of the axis that the big plot shows.
const path = (x, y, [from, to], [low, high]) => {
  const isThere = (i) => y[i] != null && x[i] >= from && x[i] <= to;
  const at = (i) => `${((x[i] - from) / (to - from || 1) * WIDE).toFixed(1)} ${(HIGH - 2 - (y[i] - low) / (high - low || 1) * (HIGH - 4)).toFixed(1)}`;
  const drawn = x.map((_, i) => i).filter(isThere).map(at);
  return drawn.length ? `M${drawn.join('L')}` : '';
};

const shownRange = () => {
  const range = plot.layout?.xaxis?.range, isLog = chosen.scale === 'loglog';
  return range ? (isLog ? range.map((value) => 10 ** value) : range).map(Number) : [0, 1];
};

const bounds = (y) => {
  const there = y.filter((value) => value != null);
  return there.length ? [Math.min(0, ...there), Math.max(...there)] : [0, 1];
};

const svg = (inside) => `<svg viewBox="0 0 ${WIDE} ${HIGH}" preserveAspectRatio="none" aria-hidden="true">${inside}</svg>`;

const panel = (title, value, top, inside, about = '') =>
  `<figure class="panel" title="${about}"><figcaption><span>${title}</span><b>${value}</b></figcaption>${svg(inside)}<small>${top}</small></figure>`;

const meterPanel = (name) => {
  const {raw, words} = state, y = sparse(raw[name], MOST_IN_PANEL), x = sparse(along(raw), MOST_IN_PANEL), span = bounds(y);
  const inside = `<path class="line" d="${path(x, y, shownRange(), span)}"/>`;
  const known = raw[name].filter((value) => value != null);
  return panel(words[name], short(last(known)), known.length ? `${words.most} ${short(span[1])}` : '', inside, words[`about_${name}`]);
};

// The share of the choices that fell on each expert, the mean over the blocks; dotted: all alike.
const expertsPanel = () => {
  const {held, words, shares} = state, n = shares[0].length, at = held.step.map((_, i) => i).filter((i) => held.shares[i].length);
  const x = at.map((i) => along(held)[i]), top = Math.max(2 / n, ...at.flatMap((i) => held.shares[i]));
  const lines = [...Array(n).keys()].map((e) => `<path class="line e${e % 4}" d="${path(x, at.map((i) => held.shares[i][e]), shownRange(), [0, top])}"/>`);
  const even = (HIGH - 2 - 1 / n / top * (HIGH - 4)).toFixed(1);
  const flat = shares.flat(), percent = (share) => `${(100 * share).toFixed(0)} %`;
  const rows = shares.map((block) => `<i>${block.map((share) => `<u style="flex-grow:${share}" title="${percent(share)}"></u>`).join('')}</i>`);
  const inside = `<path class="even" d="M0 ${even}L${WIDE} ${even}"/>${lines.join('')}`;
  const figure = panel(words.experts, `${percent(Math.min(...flat))}–${percent(Math.max(...flat))}`, `${words.even} ${percent(1 / n)}`, inside, words.about_experts);
  return figure.replace('</figure>', `<div class="blocks" aria-hidden="true">${rows.join('')}</div></figure>`);
};

const drawPanels = () => {
  const room = document.querySelector('#panels .panels');
  if (!room) return;
  const card = room.closest('.card');
  if (card) card.classList.toggle('away', isWaiting());
  if (isWaiting()) return;
  const drawn = METERS.map(meterPanel);
  if (state.shares.length) drawn.push(expertsPanel());
  room.innerHTML = drawn.join('');
};

// ------------------------------------------------------------------------------------------------ when to draw

const redraw = () => { draw(); listen(); };
update();
listen();
whenTold(() => { update(); listen(); });
// Plotly's own script may arrive after the first value.
document.addEventListener('load', (event) => { if (event.target.tagName === 'SCRIPT') redraw(); }, true);
new MutationObserver(redraw).observe(document.body, {attributes: true, attributeFilter: ['class']});
// A hidden tab has no width, nor has the plot while the table stands in its place: draw again when they appear.
const widths = new ResizeObserver(() => { if (element.clientWidth) redraw(); });
[element, plot].forEach((one) => widths.observe(one));
document.addEventListener('visibilitychange', redraw);
