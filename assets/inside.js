// What all panels of Look inside share. Each panel's own script stands below it and ends with `start(draw)`.
// Texts of models and people are set as text, never as HTML; colours are the style sheet's custom properties.
const root = element.querySelector('.drawn');

const make = (tag, attributes = {}, ...inside) => {
  const made = document.createElement(tag);
  Object.entries(attributes).forEach(([name, value]) => made.setAttribute(name, value));
  made.append(...inside);
  return made;
};

const vector = (tag, attributes = {}, text = '') => {
  const made = document.createElementNS('http://www.w3.org/2000/svg', tag);
  Object.entries(attributes).forEach(([name, value]) => made.setAttribute(name, value));
  made.textContent = text;
  return made;
};

// A token for a reader: what would be invisible gets a sign.
const visible = (text) => text.replace(/\n/g, '↵').replace(/ /g, '␣').replace(/\u3000/g, '□').replace(/\t/g, '⇥');

// The same between the quotation marks of the reader's language.
const quoted = (text) => (document.documentElement.lang === 'ja' ? `「${visible(text)}」` : `“${visible(text)}”`);

const percent = (share) => (share >= 0.0995 ? `${Math.round(100 * share)} %`
  : share >= 0.0005 ? `${(100 * share).toFixed(1)} %` : share > 0 ? '< 0.1 %' : '–');

// Whoever asked their system for less motion sees every stage stand for a moment.
const isStill = () => matchMedia('(prefers-reduced-motion: reduce)').matches;

const grouped = (number) => Math.round(number).toLocaleString('en-US');

// What a drawing shows, as a table that unfolds below it: `rows` is asked when it is open. `refresh` asks again.
const tabled = (title, heads, rows) => {
  const body = make('tbody'), head = make('thead', {}, make('tr', {}, ...heads.map((name) => make('th', {scope: 'col'}, name))));
  const table = make('table', {class: 'lab'}, head, body);
  const box = make('details', {class: 'as-table'}, make('summary', {}, title), make('div', {class: 'scroll', tabindex: 0, role: 'group', 'aria-label': title}, table));
  const refresh = () => {
    if (box.open) body.replaceChildren(...rows().map(([name, ...cells]) => make('tr', {}, make('th', {scope: 'row'}, name), ...cells.map((cell) => make('td', {}, cell)))));
  };
  box.addEventListener('toggle', refresh);
  return {box, refresh};
};

// One stop of the Tab key for many elements: arrows go from one to the next.
const arrows = (box, selector, row = 1) => box.addEventListener('keydown', (event) => {
  const all = [...box.querySelectorAll(selector)], at = all.indexOf(event.target.closest(selector));
  const step = {ArrowRight: 1, ArrowLeft: -1, ArrowDown: row, ArrowUp: -row, Home: -all.length, End: all.length}[event.key];
  if (at < 0 || !step) return;
  event.preventDefault();
  const next = all[Math.max(0, Math.min(all.length - 1, at + step))];
  all[at].tabIndex = -1;
  next.tabIndex = 0;
  next.focus();
});

const start = (draw) => {
  const update = () => {
    root.replaceChildren();
    root.dataset.state = 'empty'; // what a test waits for
    if (!props.value || props.value.empty) return;
    draw(props.value);
    root.dataset.state = 'drawn';
  };
  update();
  watch('value', update);
};
