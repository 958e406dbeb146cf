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
const visible = (text) => text.replace(/\n/g, '↵').replace(/ /g, '␣').replace(/\t/g, '⇥');

const percent = (share) => (share >= 0.0995 ? `${Math.round(100 * share)} %`
  : share >= 0.0005 ? `${(100 * share).toFixed(1)} %` : share > 0 ? '< 0.1 %' : '–');

const grouped = (number) => Math.round(number).toLocaleString('en-US');

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
