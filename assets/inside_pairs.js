// x above, y below, shifted by one; a column is an exercise: everything up to here, then the answer.
start(({tokens, ids, odds, context, words}) => {
  const T = tokens.length - 1;
  const row = (name, words, from) => {
    const cells = tokens.slice(from, from + T).map((token, i) => make('td', {'data-at': i, tabindex: name === 'y' && !i ? 0 : -1}, make('code', {}, visible(token)), make('small', {}, ids[from + i])));
    return make('tr', {class: name}, make('th', {scope: 'row'}, words), ...cells);
  };
  const chances = make('tr', {class: 'chances'}, make('th', {scope: 'row'}, words.odds), ...odds.map((share, i) => {
    const bar = make('u');
    bar.style.height = `${Math.max(2, 100 * share)}%`;
    return make('td', {'data-at': i}, make('i', {}, bar), make('small', {}, percent(share)));
  }));
  const table = make('table', {class: 'shift'}, make('tbody', {}, row('x', words.x, 0), row('y', words.y, 1), chances));
  const readout = make('p', {class: 'readout', 'aria-live': 'polite'});
  const ask = ({target}) => {
    const cell = target.closest('[data-at]');
    if (!cell) return;
    const at = Number(cell.dataset.at);
    table.querySelectorAll('[data-at]').forEach((one) => {
      const here = Number(one.dataset.at);
      one.classList.toggle('read', one.closest('.x') !== null && here <= at);
      one.classList.toggle('answer', one.closest('.y') !== null && here === at);
    });
    readout.replaceChildren(`${words.question} `, make('q', {}, visible(tokens.slice(0, at + 1).join(''))), ` ${words.answer} `, make('b', {}, visible(tokens[at + 1])), ` · ${percent(odds[at])}`);
  };
  ['mouseover', 'focusin', 'click'].forEach((event) => table.addEventListener(event, ask));
  arrows(table, '.y td');
  root.append(readout, make('div', {class: 'scroll'}, table), make('p', {class: 'fine'}, `${words.window} T = ${grouped(context)}`));
  ask({target: table.querySelector(`.y [data-at="${Math.min(4, T - 1)}"]`) || table});
});
