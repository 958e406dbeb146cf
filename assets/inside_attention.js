// Attention: the text with what one token looks back at in gold, and a thumbnail of every head to choose from.
let chosen = {layer: 0, head: 0}; // head -1 is the mean of all

const decoded = ({weights, tokens, layers, heads}) => {
  const bytes = Uint8Array.from(atob(weights), (c) => c.charCodeAt(0)), T = tokens.length, each = T * (T + 1) / 2;
  // How much token `from` looks at token `to`, in one head: the rows of the lower triangle stand after one another.
  const one = (layer, head, from, to) => bytes[(layer * heads + head) * each + from * (from + 1) / 2 + to] / 255;
  return (layer, head, from, to) => {
    if (to > from) return 0;
    if (head >= 0) return one(layer, head, from, to);
    let sum = 0;
    for (let h = 0; h < heads; h += 1) sum += one(layer, h, from, to);
    return sum / heads;
  };
};

const paint = (canvas, weight, layer, head, T) => {
  const pen = canvas.getContext('2d');
  pen.clearRect(0, 0, T, T);
  pen.fillStyle = getComputedStyle(element).getPropertyValue('--gold').trim();
  for (let from = 0; from < T; from += 1) {
    for (let to = 0; to <= from; to += 1) {
      pen.globalAlpha = Math.sqrt(weight(layer, head, from, to)); // the root lets faint looks be seen in so small a picture
      pen.fillRect(to, from, 1, 1);
    }
  }
};

let repaint = () => {}; // a picture keeps the gold of the light when the page turns dark
new MutationObserver(() => repaint()).observe(document.body, {attributes: true, attributeFilter: ['class']});

start((value) => {
  const {tokens, layers, heads, words} = value, weight = decoded(value), T = tokens.length;
  if (chosen.layer >= layers || chosen.head >= heads) chosen = {layer: 0, head: 0};
  const text = make('div', {class: 'written gaze', role: 'group', 'aria-label': words.text});
  tokens.forEach((token, i) => text.append(make('span', {role: 'button', tabindex: i === T - 1 ? 0 : -1, 'data-at': i}, token.replace(/\n/g, '↵\n'))));
  const readout = make('p', {class: 'readout', 'aria-live': 'polite'});
  let asking = T - 1;
  const looks = () => tokens.slice(0, asking + 1).map((token, to) => [visible(token), to + 1, percent(weight(chosen.layer, chosen.head, asking, to))]);
  const inNumbers = tabled(words.as_table, [words.token, words.at, words.share], looks);

  const look = () => {
    inNumbers.refresh();
    const shares = tokens.map((_, to) => weight(chosen.layer, chosen.head, asking, to));
    [...text.children].forEach((span, i) => {
      span.style.setProperty('--look', `${Math.round(60 * Math.sqrt(shares[i]))}%`); // the root, as in the small pictures
      span.classList.toggle('asking', i === asking);
      span.classList.toggle('seen', shares[i] >= 0.1); // underlined, for colour is not the only sign
      span.setAttribute('aria-label', `${visible(tokens[i])} ${percent(shares[i])}`);
    });
    const most = shares.map((share, to) => [share, to]).sort((a, b) => b[0] - a[0]).slice(0, 4).filter(([share]) => share > 0.02);
    readout.textContent = `${quoted(tokens[asking])} ${words.looks} ${most.map(([share, to]) => `${quoted(tokens[to])}\u00a0${percent(share).replace(' ', '\u00a0')}`).join(' · ')}`;
  };
  const ask = ({target}) => { if (target.dataset.at) { asking = Number(target.dataset.at); look(); } };
  text.addEventListener('mouseover', ask);
  text.addEventListener('focusin', ask);
  text.addEventListener('click', ask);
  arrows(text, 'span', 8);

  const grid = make('div', {class: 'heads', role: 'group', 'aria-label': words.grid}), pictures = [];
  const choose = (layer, head) => {
    chosen = {layer, head};
    grid.querySelectorAll('button').forEach((button) => button.setAttribute('aria-pressed', button.dataset.head === `${layer}.${head}`));
    look();
  };
  for (let layer = 0; layer < layers; layer += 1) {
    const row = make('div', {}, make('span', {}, `${words.layer} ${layer + 1}`));
    for (let head = -1; head < heads; head += 1) {
      const name = head < 0 ? words.mean : `${words.head} ${head + 1}`;
      const canvas = make('canvas', {width: T, height: T, 'aria-hidden': true});
      pictures.push(() => paint(canvas, weight, layer, head, T));
      const button = make('button', {'data-head': `${layer}.${head}`, 'aria-label': `${words.layer} ${layer + 1}, ${name}`, title: `${words.layer} ${layer + 1}, ${name}`}, canvas, make('small', {}, head < 0 ? '⌀' : head + 1));
      button.addEventListener('click', () => choose(layer, head));
      row.append(button);
    }
    grid.append(row);
  }
  const beginning = value.cut ? [make('p', {class: 'fine'}, value.cut)] : [];
  root.append(readout, text, ...beginning, inNumbers.box, make('h4', {}, words.grid), grid);
  repaint = () => pictures.forEach((picture) => picture());
  repaint();
  choose(chosen.layer, chosen.head);
});
