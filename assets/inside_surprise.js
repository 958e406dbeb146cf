// Every character tinted by its loss, deeper and with a thicker foot the more surprising it was.
const BORDERS = [0.5, 1, 2, 3.5, 5]; // nats per character: 61 %, 37 %, 14 %, 3 %, 0.7 %
const level = (nats) => BORDERS.filter((border) => nats >= border).length;

start(({pieces, hardest, bits, words}) => {
  const readout = make('p', {class: 'readout hint', 'aria-live': 'polite'});
  const text = make('div', {class: 'written heat', role: 'group', 'aria-label': words.map});
  pieces.forEach(([piece, nats, tokens], i) => {
    const each = nats === null ? null : nats / [...piece].length;
    const kind = nats === null ? 'given' : `s${level(each)}`;
    const told = nats === null ? words.first
      : `${visible(piece)}  ${nats.toFixed(2)} ${words.nats} · ${words.odds} ${percent(Math.exp(-nats))}${tokens > 1 ? ` · ${tokens} ${words.tokens}` : ''}`;
    text.append(make('span', {class: kind, role: 'img', 'aria-label': told, tabindex: i ? -1 : 0, 'data-told': told}, piece));
  });
  const tell = ({target}) => {
    if (!target.dataset.told) return;
    readout.textContent = target.dataset.told;
    readout.classList.remove('hint');
  };
  text.addEventListener('mouseover', tell);
  text.addEventListener('focusin', tell);
  arrows(text, 'span', 10);

  const legend = make('div', {class: 'heat-legend', role: 'img', 'aria-label': words.legend}, words.expected);
  BORDERS.concat(9).forEach((_, i) => legend.append(make('span', {class: `s${i}`}, i ? `≥ ${BORDERS[i - 1]}` : `< ${BORDERS[0]}`)));
  legend.append(`${words.surprising} (${words.nats})`);

  const list = make('ol', {class: 'hardest'});
  hardest.forEach(([first, last, nats]) => {
    const button = make('button', {}, make('b', {}, nats.toFixed(2)), make('q', {}, pieces.slice(first, last).map(([piece]) => piece).join('').replace(/\n+/g, ' ↵ ').trim()));
    button.addEventListener('click', () => {
      text.children[first].scrollIntoView({block: 'center'});
      text.children[first].focus({preventScroll: true});
      [...text.children].forEach((span, i) => span.classList.toggle('marked', i >= first && i < last));
    });
    list.append(make('li', {}, button));
  });
  const mean = make('p', {class: 'figure'}, make('b', {}, bits === null ? '–' : bits.toFixed(3)), words.bits);
  root.append(mean, legend, readout, text, make('h4', {}, words.hardest), list);
  readout.textContent = words.hint;
});
