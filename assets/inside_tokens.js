// The tokenizer lab: byte pairs grow over the text as the slider moves; below, what each vocabulary costs on it.
const decoder = new TextDecoder('utf-8', {fatal: true});
const spelled = (bytes) => {
  try { return decoder.decode(bytes); } catch { return `⟨${[...bytes].map((byte) => byte.toString(16).toUpperCase().padStart(2, '0')).join(' ')}⟩`; }
};

// Where the text stays cut after the first `n` merges.
const cuts = (spelling, steps, n) => {
  const closed = new Set(steps.slice(0, n).flatMap(([, , , joints]) => joints));
  return Array.from({length: spelling.length + 1}, (_, i) => i).filter((i) => !closed.has(i));
};

const table = ({sizes, bytes, width, square, words}) => {
  const head = ['vocabulary', 'tokens', 'per_token', 'parameters'].map((name) => make('th', {scope: 'col'}, words[name]));
  const most = Math.max(...sizes.map((size) => size.tokens));
  const rows = sizes.map(({name, vocab, tokens}) => {
    const bar = make('i', {class: 'odds'}), length = make('u', {class: 'used'});
    length.style.width = `${100 * tokens / most}%`;
    bar.append(length);
    const parameters = square ? vocab * vocab : vocab * width;
    return make('tr', {'data-vocab': name === 'bpe' ? vocab : 0}, make('th', {scope: 'row'}, `${words[name]} ${grouped(vocab)}`),
      make('td', {}, make('div', {class: 'length'}, bar, make('span', {}, grouped(tokens)))), make('td', {}, (bytes / Math.max(1, tokens)).toFixed(2)), make('td', {}, grouped(parameters)));
  });
  return make('div', {class: 'scroll'}, make('table', {class: 'lab'}, make('thead', {}, make('tr', {}, ...head)), make('tbody', {}, ...rows)));
};

start((value) => {
  const {steps, words} = value, spelling = new TextEncoder().encode(value.text);
  const pieces = make('div', {class: 'pieces lab-pieces', role: 'group', 'aria-label': words.cut, tabindex: 0});
  const told = make('p', {class: 'readout', 'aria-live': 'polite'}), count = make('p', {class: 'figure'});
  const sizes = table(value);
  const input = make('input', {type: 'range', min: 0, max: steps.length, step: 1, value: steps.length, 'aria-label': words.merges});
  const show = () => {
    const n = Number(input.value), places = cuts(spelling, steps, n), last = n ? steps[n - 1] : null;
    pieces.replaceChildren(...places.slice(0, -1).map((start, i) => {
      const isNew = last && last[3].some((joint) => joint > start && joint < places[i + 1]);
      return make('span', isNew ? {class: 'merged'} : {}, spelled(spelling.slice(start, places[i + 1])).replace(/\n/g, '↵\n'));
    }));
    told.textContent = last ? `${words.step} ${n} / ${steps.length}:  ${quoted(last[1])} + ${quoted(last[2])} → ${quoted(last[1] + last[2])}  (${last[3].length}×, ${words.learnt.replace('#', grouped(last[0] - 255))})` : words.none;
    count.replaceChildren(make('b', {}, grouped(places.length - 1)), words.tokens);
    input.style.setProperty('--range_progress', `${100 * n / Math.max(1, steps.length)}%`);
    const size = last ? last[0] + 1 : 256;
    const rows = [...sizes.querySelectorAll('tr[data-vocab]')].filter((row) => Number(row.dataset.vocab));
    const here = rows.findLast((row) => Number(row.dataset.vocab) <= size);
    rows.forEach((row) => row.classList.toggle('here', row === here));
  };
  input.addEventListener('input', show);
  root.append(make('label', {class: 'sliders'}, make('span', {}, words.merges), input), told, count, pieces, make('h4', {}, words.size), sizes);
  show();
});
