// What the model wrote: every token a button that unfolds its alternatives, every recited passage underlined.
// `props.value` is made by playground/written.py; while the model writes, only what is new is added to the page.
const root = element.querySelector('.pages');
const make = (tag, attributes = {}, text = '') => {
  const made = document.createElement(tag);
  Object.entries(attributes).forEach(([name, value]) => made.setAttribute(name, value));
  made.textContent = text;
  return made;
};
const percent = (share) => (share >= 0.0995 ? `${Math.round(100 * share)} %` : share >= 0.0005 ? `${(100 * share).toFixed(1)} %` : share > 0 ? '< 0.1 %' : '–');
const visible = (text) => text.replace(/\n/g, '↵').replace(/ /g, '␣').replace(/\u3000/g, '□').replace(/\t/g, '⇥');

let drawn = null; // what stands on the page: the prompt, and of each sample its text's element and number of tokens

const page = (sample, n, value) => {
  const text = make('div', {class: 'written', role: 'group', 'aria-label': value.words.tokens, 'data-sample': n});
  text.append(make('span', {class: 'given'}, value.prompt));
  const box = make('section', {class: 'sample'});
  if (value.samples.length > 1) box.append(make('h4', {}, `${value.words.sample} ${n + 1} · ${sample.seed}`));
  box.append(text);
  return {box, text, count: 0, end: 0};
};

// A token's characters, those in a recited passage underlined.
const fill = (span, token, start, passages) => {
  const end = start + token.length;
  let at = start;
  for (const passage of passages) {
    if (passage.end <= at || passage.start >= end) continue;
    const from = Math.max(at, passage.start), to = Math.min(end, passage.end);
    span.append(token.slice(at - start, from - start), make('u', {class: 'copied', title: passage.place}, token.slice(from - start, to - start)));
    at = to;
  }
  span.append(token.slice(at - start));
};

const add = (shown, sample) => {
  const made = document.createDocumentFragment();
  for (let i = shown.count; i < sample.tokens.length; i += 1) {
    const token = sample.tokens[i];
    const span = make('span', {class: token ? 'tok' : 'tok part', role: 'button', tabindex: i ? -1 : 0, 'data-index': i});
    if (!token) span.setAttribute('aria-label', '·');
    fill(span, token, shown.end, sample.passages);
    shown.end += token.length;
    made.append(span);
  }
  shown.count = sample.tokens.length;
  shown.text.append(made);
};

const isLonger = (value) => drawn && value.writing && drawn.value.writing && value.prompt === drawn.value.prompt
  && value.samples.length === drawn.samples.length
  && value.samples.every((sample, n) => sample.tokens.length >= drawn.samples[n].count && sample.seed === drawn.value.samples[n].seed);

// Where the focus is among the tokens; in their alternatives it is the token's that was exchanged.
const placeOf = (token) => ({sample: Number(token.closest('[data-sample]').dataset.sample), index: Number(token.dataset.index)});
const focusedPlace = () => {
  const holder = document.activeElement, token = holder.closest('.tok');
  if (!drawn || !root.contains(holder)) return null;
  return token ? placeOf(token) : drawn.value.open || null;
};

const draw = (value) => {
  const held = focusedPlace();
  if (!isLonger(value)) {
    drawn = {value, samples: value.samples.map((sample, n) => page(sample, n, value))};
    root.replaceChildren(...drawn.samples.map(({box}) => box));
    if (!value.samples.length) root.append(make('p', {class: 'teach'}, value.words.empty || ''));
  }
  drawn.value = value;
  drawn.samples.forEach((shown, n) => {
    shown.text.querySelector('.caret')?.remove();
    add(shown, value.samples[n]);
    if (value.writing) shown.text.append(make('i', {class: 'caret'}));
  });
  if (held && !root.contains(document.activeElement)) tokenAt(held.sample, held.index)?.focus({preventScroll: true});
  root.dataset.state = value.writing ? 'writing' : 'still'; // what a test waits for
  unfold(value);
};

const tokenAt = (sample, index) => root.querySelector(`[data-sample="${sample}"] [data-index="${index}"]`);

const unfold = ({open, words, samples}) => {
  root.style.paddingBottom = '';
  if (!open) return;
  const token = tokenAt(open.sample, open.index);
  if (!token) return;
  const panel = make('div', {class: 'alternatives', role: 'dialog', 'aria-label': words.alternatives});
  panel.append(make('p', {class: 'fine'}, words.alternatives));
  for (const row of open.rows) {
    const button = make('button', {'data-id': row.id, class: row.chosen ? 'chosen' : ''});
    const bar = make('i', {class: 'odds'});
    const own = make('u', {class: 'own'}), used = make('u', {class: 'used'});
    own.style.width = `${100 * row.own}%`; used.style.width = `${100 * row.drawn}%`;
    bar.append(own, used);
    button.append(make('code', {}, visible(row.text)), bar, make('b', {}, percent(row.drawn)), make('em', {}, percent(row.own)));
    button.setAttribute('aria-label', `${visible(row.text)}: ${words.drawn} ${percent(row.drawn)}, ${words.own} ${percent(row.own)}${row.chosen ? `, ${words.chosen}` : ''}`);
    panel.append(button);
  }
  const legend = make('p', {class: 'fine legend'});
  legend.append(make('i', {class: 'used'}), words.drawn, make('i', {class: 'own'}), words.own);
  const copied = token.querySelector('.copied');
  panel.append(legend, ...(copied ? [make('p', {class: 'fine copied-at'}, `${words.copied} ${copied.title}`)] : []));
  token.classList.add('open');
  root.append(panel);
  const around = root.getBoundingClientRect(), place = token.getBoundingClientRect();
  panel.style.left = `${Math.max(0, Math.min(place.left - around.left, around.width - panel.offsetWidth))}px`;
  panel.style.top = `${place.bottom - around.top + 6}px`;
  root.style.paddingBottom = `${Math.max(0, place.bottom - around.top + panel.offsetHeight + 14 - around.height)}px`;
  (panel.querySelector('.chosen') || panel.querySelector('button')).focus({preventScroll: true});
};

const shut = () => {
  const {open} = drawn.value;
  if (!open) return;
  drawn.value = {...drawn.value, open: null}; // `props.value` keeps it: see `ask`
  root.querySelector('.alternatives')?.remove();
  const token = tokenAt(open.sample, open.index);
  token?.classList.remove('open');
  root.style.paddingBottom = '';
  token?.focus({preventScroll: true});
};

const ask = (token) => {
  if (drawn.value.writing) return;
  const {sample, index} = placeOf(token);
  const {open} = props.value; // asked before and shut: an equal answer would not be told again
  if (!open || open.sample !== sample || open.index !== index) { trigger('select', {sample, index}); return; }
  root.querySelector('.alternatives')?.remove();
  drawn.value = {...drawn.value, open};
  unfold(drawn.value);
};

element.addEventListener('click', (event) => {
  const choice = event.target.closest('.alternatives button');
  const token = event.target.closest('.tok');
  if (choice) {
    const {sample, index} = drawn.value.open;
    trigger('edit', {sample, index, id: Number(choice.dataset.id)});
  } else if (token && token.classList.contains('open')) shut();
  else if (token) ask(token);
  else if (!event.target.closest('.alternatives')) shut();
});

// One stop of the Tab key for a whole text; arrows go from token to token, Enter unfolds.
element.addEventListener('keydown', (event) => {
  if (event.key === 'Escape' && drawn.value.open) { shut(); event.stopPropagation(); return; }
  const inside = event.target.closest('.alternatives') ? [...element.querySelectorAll('.alternatives button')] : null;
  const all = inside || [...event.target.closest('[data-sample]')?.querySelectorAll('.tok') || []];
  const at = all.indexOf(event.target.closest('.tok, button'));
  if (at < 0) return;
  if (!inside && (event.key === 'Enter' || event.key === ' ')) { event.preventDefault(); ask(all[at]); return; }
  const to = {ArrowRight: at + 1, ArrowLeft: at - 1, ArrowDown: at + (inside ? 1 : 10), ArrowUp: at - (inside ? 1 : 10), Home: 0, End: all.length - 1}[event.key];
  const next = all[Math.max(0, Math.min(all.length - 1, to))];
  if (to === undefined || !next) return;
  event.preventDefault();
  if (!inside) { all[at].tabIndex = -1; next.tabIndex = 0; }
  next.focus();
});

// What was stopped writes no more, though some of it may still be on its way, even behind the answer to the stop. The
// trials below are plain HTML and told so here.
let stopped = null;
document.addEventListener('click', ({target}) => {
  if (!target.closest('#stop-writing')) return;
  document.querySelectorAll('#grid [data-state], #beside [data-state]').forEach((one) => one.removeAttribute('data-state'));
  if (!drawn.value.writing) return;
  stopped = drawn.value.writing;
  draw({...drawn.value, writing: ''});
});

// A reload forgets the texts, for they are the server's. This browser keeps what stood here and shows it once more, to be
// read and copied; the first words stand in their field again.
const field = () => document.querySelector('#prompt textarea');
let left = overReload('lm-written', () => {
  const {prompt, samples, writing} = drawn.value;
  const texts = samples.map(({tokens}) => prompt + tokens.join(''));
  return {typed: field()?.value || '', texts, isBroken: Boolean(writing)};
});

const retype = (typed) => { // the field comes after what is written
  const box = field();
  if (!box) setTimeout(() => retype(typed), 100);
  else if (!box.value) {
    box.value = typed;
    box.dispatchEvent(new Event('input', {bubbles: true}));
  }
};

const show = (value) => {
  const isFirst = left && value.words.left;
  if (!isFirst || value.samples.length) { draw(value); return; }
  const {typed, texts, isBroken} = left;
  left = null;
  draw(value);
  if (typed) retype(typed);
  if (!texts.length) return;
  const said = make('p', {class: 'note calm', role: 'status'}, isBroken ? value.words.broken : value.words.left);
  root.replaceChildren(said, ...texts.map((text) => make('div', {class: 'written'}, text)));
};

show(props.value);
watch('value', () => { if (!stopped || props.value.writing !== stopped) show(props.value); });
