
// ------------------------------------------------------------------------------------------------ the same as a table

const MOST_ROWS = 200; // the latest; a reader of numbers wants the end first

const cells = (i) => {
  const {held, perStep} = state, number = (value, digits) => (value == null ? '–' : value.toFixed(digits));
  return [held.step[i].toLocaleString(), `${number(held.seconds[i], 0)} s`, (held.step[i] * perStep[0]).toLocaleString(),
    number(held.step[i] * perStep[1], 2), number(held.learnt[i], 3), number(held.nats[i], 3), number(held.bits[i], 3)];
};

const drawTable = () => {
  numbers.hidden = !chosen.table;
  plot.classList.toggle('away', chosen.table);
  if (!chosen.table) return;
  const {words, held} = state, best = bestAt();
  const heads = ['step', 'time', 'tokens', 'epoch', 'learnt_nats', 'unseen_nats', 'bits'].map((name) => `<th scope="col">${words[name]}</th>`);
  const rows = held.step.map((_, i) => i).reverse().slice(0, MOST_ROWS).map((i) => {
    const [first, ...rest] = cells(i), mark = i === best ? ` ${words.best}` : '';
    return `<tr${i === best ? ' class="best"' : ''}><th scope="row">${first}${mark}</th>${rest.map((cell) => `<td>${cell}</td>`).join('')}</tr>`;
  });
  numbers.innerHTML = `<table><caption>${words.table_about}</caption><thead><tr>${heads.join('')}</tr></thead><tbody>${rows.join('')}</tbody></table>`;
};
