// x above, y below, shifted by one; a column is an exercise: everything up to here, then the answer.
start(({tokens, ids, odds, context, words}) => {
  const cell = (kind, i) => make('div', {class: kind}, make('code', {}, visible(tokens[i])), make('small', {}, ids[i]));
  const columns = odds.map((share, i) => {
    const bar = make('u');
    bar.style.height = `${Math.max(3, 100 * share)}%`;
    return make('div', {class: 'exercise', role: 'button', tabindex: i ? -1 : 0, 'data-at': i,
      'aria-label': `x ${visible(tokens[i])}, y ${visible(tokens[i + 1])}, ${percent(share)}`},
    cell('x', i), cell('y', i + 1), make('div', {class: 'chance'}, bar), make('small', {}, percent(share)));
  });
  const row = make('div', {class: 'shift', role: 'group', 'aria-label': words.window}, ...columns);
  const legend = make('div', {class: 'shift-legend'}, ...['x', 'y', 'odds'].map((name) => make('span', {}, make('i', {class: name === 'odds' ? 'odds-sign' : name}), words[name])));
  const readout = make('p', {class: 'readout', 'aria-live': 'polite'});
  const ask = ({target}) => {
    const column = target.closest?.('[data-at]');
    if (!column) return;
    const at = Number(column.dataset.at);
    columns.forEach((one, i) => { one.classList.toggle('read', i <= at); one.classList.toggle('answer', i === at); });
    readout.replaceChildren(`${words.question} `, make('q', {}, visible(tokens.slice(0, at + 1).join(''))), ` ${words.answer} `, make('b', {}, visible(tokens[at + 1])), ` · ${percent(odds[at])}`);
  };
  ['mouseover', 'focusin', 'click'].forEach((event) => row.addEventListener(event, ask));
  arrows(row, '.exercise');
  root.append(legend, readout, row, make('p', {class: 'fine'}, `${words.window} T = ${grouped(context)}`));
  if (columns.length) ask({target: columns[Math.min(4, columns.length - 1)]});
});
